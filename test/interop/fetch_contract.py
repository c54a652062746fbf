#!/usr/bin/env python3
"""What hfhub-fetch promises, flag by flag: fetch_contract.py --fetch BUILD/test/hfhub-fetch"""
import gzip
import os
import socket
import sys
import zlib

from peers import Authority, Checks, Fetch, Folder, expect, free_port, installed, program_arguments
from scripted_server import ScriptedServer

TOKEN = "hf_secretsecretsecret"
PASSWORD = "pass-canary"
QUICK = ("--retry-delay", "0.02")


class Contract:
    def __init__(self, fetch, server, folder, checks):
        self.fetch, self.server, self.folder, self.checks = fetch, server, folder, checks
        self.plain = server.route("/plain", lambda e: e.answer(200, b"hello"))
        self.echo = server.route("/echo", lambda e: e.answer(200, e.request.body))

    def check(self, name):
        return self.checks.check(name)

    def run(self, *argv, status=0, env=None):
        result = self.fetch(*argv, env=env)
        expect(result.status == status, "exit status", result.status, "instead of", status, "|", result.err.strip())
        return result

    def versions(self):
        with self.check("--http1"):
            one, = self.run("--http1", "--json", self.plain).objects()
            expect(one["protocol"] == "HTTP/1.1", one)
        with self.check("--http2 without TLS fails and says so"):
            one, = self.run("--http2", "--json", self.plain, status=1).objects()
            expect("HTTP/1.1" in one["error"] and "--h2c" in one["error"], one)
        with self.check("--http1, --http2 and --h2c exclude one another: usage"):
            for pair in (("--http1", "--http2"), ("--http1", "--h2c"), ("--http2", "--h2c")):
                self.run(*pair, self.plain, status=2)

    def versions_of_nghttpd(self):
        authority = Authority(self.folder.path)
        key, cert = authority.issue("server")
        (self.folder.path / "www/small").write_text("hello")
        tls, plain = free_port(), free_port()
        root = self.folder.path / "www"
        self.folder.start("nghttpd", "-d", root, "-a", "127.0.0.1", tls, key, cert, port=tls)
        self.folder.start("nghttpd", "-d", root, "-a", "127.0.0.1", "--no-tls", plain, port=plain)
        url = f"https://localhost:{tls}/small"
        for flag in ("--http2", None):
            with self.check(f"HTTP/2 over TLS with {flag or 'no flag'}"):
                one, = self.run(*filter(None, [flag]), "--cacert", authority.cert, "--json", url).objects()
                expect(one["protocol"] == "HTTP/2" and one["bytes"] == 5, one)
        with self.check("--h2c"):
            one, = self.run("--h2c", "--json", f"http://localhost:{plain}/small").objects()
            expect(one["protocol"] == "HTTP/2" and one["bytes"] == 5, one)
        with self.check("--cacert is needed, and --insecure goes without"):
            result = self.run(url, status=1)
            expect("localhost" in result.err and "SSL_CERT_FILE" in result.err, result.err)
            expect(self.run("--insecure", url).out == b"hello", "other bytes")
        with self.check("--cacert that is no PEM file fails and names it"):
            result = self.run("--cacert", self.folder.path / "www/small", url, status=1)
            expect("www/small" in result.err, result.err)

    def requests(self):
        with self.check("-X"):
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"):
                url = self.server.route("/method", lambda e: e.answer(200, b"x"))
                result = self.run("-X", method, url)
                expect(self.server.asked("/method")[-1].method == method, method)
                expect(result.out == (b"" if method == "HEAD" else b"x"), method, result.out)
        with self.check("-H twice, then two URLs"):
            urls = [self.server.route(f"/fields{i}", lambda e: e.answer(200, b"%d" % i)) for i in (1, 2)]
            expect(self.run("-H", "X-One: 1", "-H", "X-Two:two words", *urls).out == b"22", "not both URLs")
            for path in ("/fields1", "/fields2"):
                request, = self.server.asked(path)
                expect((request.field("x-one"), request.field("x-two")) == ("1", "two words"), request.fields)
        with self.check("--data text is a POST"):
            expect(self.run("--data", "some text", self.echo).out == b"some text", "other bytes")
            expect(self.server.asked("/echo")[-1].method == "POST", "no POST")
        with self.check("--data @FILE with -X PUT and -o"):
            body = os.urandom(3_000_000)
            source, target = self.folder.path / "source", self.folder.path / "target"
            source.write_bytes(body)
            expect(not self.run("-X", "PUT", "--data", f"@{source}", "-o", target, self.echo).out, "standard output")
            expect(target.read_bytes() == body, "other bytes")
        with self.check("--data @FILE that is not there"):
            result = self.run("--data", "@/no/such/file", self.echo, status=1)
            expect("/no/such/file" in result.err, result.err)
        with self.check("-o with several URLs holds them in their order, and an old file's rest is gone"):
            target = self.folder.write("several", "x" * 1000)
            self.run("-o", target, self.plain, self.server.url("/fields2"), self.plain)
            expect(target.read_bytes() == b"hello2hello", target.read_bytes())
        with self.check("-o that cannot be written"):
            result = self.run("-o", "/no/such/folder/file", self.plain, status=1)
            expect("/no/such/folder/file" in result.err, result.err)

    def numbers(self):
        with self.check("--repeat and --concurrency"):
            url = self.server.route("/counted", lambda e: e.answer(200, b"123"))
            result = self.run("--repeat", 40, "--concurrency", 7, "--json", url)
            expect(len(self.server.asked("/counted")) == 40, len(self.server.asked("/counted")), "requests")
            expect([one["bytes"] for one in result.objects()] == [3] * 40, result.out)
        with self.check("--timeout bounds a server that never answers, and one that stalls in the body"):
            silent = self.server.route("/silent", lambda e: self.server.ended.wait(10))

            def stall(exchange):
                exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
                self.server.ended.wait(10)

            for url in (silent, self.server.route("/stalls", stall)):
                result = self.run("--timeout", 0.5, "--json", url, status=1)
                expect(result.seconds < 3, result.seconds, "s")
                expect("deadline" in (error := result.objects()[0]["error"]), error)
        with self.check("--json"):
            missing = self.server.url("/missing")
            signed = self.plain.replace("//", f"//user:{PASSWORD}@") + "?page=2"
            good, bad = self.run("--json", signed, missing, status=1).objects()
            expect(set(good) == set(bad) == {"url", "status", "protocol", "bytes", "seconds", "error"}, good)
            expect((good["status"], good["protocol"], good["bytes"], good["error"]) == (200, "HTTP/1.1", 5, None), good)
            expect(0 < good["seconds"] < 5, good)
            expect(good["url"].endswith("/plain?page=2") and PASSWORD not in good["url"], good)
            expect(bad["status"] == 404 and bad["url"] == missing and "404" in bad["error"], bad)

    def statuses(self):
        with self.check("exit status 1 for 404, and the status is told"):
            result = self.run(self.plain, self.server.url("/missing"), status=1)
            expect("404" in result.err and "/missing" in result.err, result.err)
        with self.check("exit status 1 for a refused connection"):
            with socket.socket() as unused:
                unused.bind(("127.0.0.1", 0))
                port = unused.getsockname()[1]
                one, = self.run(*QUICK, "--json", f"http://127.0.0.1:{port}/", status=1).objects()
            expect(one["status"] == 0 and str(port) in one["error"], one)
        with self.check("exit status 2 for wrong usage, and nothing is sent"):
            before = len(self.server.requests)
            for wrong in ((), ("--no-such-flag", self.plain), ("-X", "FROB", self.plain), ("-H", "no colon", self.plain),
                          ("--repeat", "0", self.plain), ("--timeout", "soon", self.plain), ("not a url",),
                          (self.plain, "ftp://127.0.0.1/"), ("--proxy", "gopher://x", self.plain)):
                result = self.run(*wrong, status=2)
                expect(result.err, wrong, "says nothing")
            expect(len(self.server.requests) == before, "something was sent")
        with self.check("--help has exit status 0"):
            expect(b"--http2" in self.run("--help").out, "no help")

    def secrets(self):
        with self.check("-v logs to standard error, without secrets"):
            def refuse(exchange):
                exchange.answer(503 if exchange.before == 0 else 200, b"body", [("Retry-After", "0")])

            url = self.server.route("/secrets", refuse).replace("//", f"//user:{PASSWORD}@")
            result = self.run("-v", *QUICK, "-H", f"Authorization: Bearer {TOKEN}", f"{url}?X-Amz-Signature=5ea1ed")
            expect(result.out == b"body", result.out)
            expect("503" in result.err and "/secrets" in result.err, "no log:", result.err)
            for secret in (TOKEN, PASSWORD, "5ea1ed"):
                expect(secret not in result.err, secret, "is in the log")
            expect(self.server.asked("/secrets")[-1].field("authorization") == f"Bearer {TOKEN}", "no token sent")
        with self.check("errors hold no secrets"):
            url = self.server.url("/missing").replace("//", f"//user:{PASSWORD}@") + f"?token={TOKEN}"
            for flags in ((), ("--json",)):
                result = self.run(*flags, url, status=1)
                expect(PASSWORD not in result.err and PASSWORD.encode() not in result.out, result.err, result.out)
                expect(TOKEN not in result.err and TOKEN.encode() not in result.out, result.err, result.out)

    def redirects(self):
        def to(status, location):
            return lambda e: e.answer(status, b"moved", [("Location", location)])

        with self.check("302 makes a POST a GET, 307 keeps method and body"):
            for status, method, body in ((302, "GET", b""), (307, "POST", b"kept")):
                url = self.server.route(f"/moved{status}", to(status, f"/echo?{status}"))
                result = self.run("--data", "kept", url)
                request = self.server.asked("/echo")[-1]
                expect((request.query, request.method, result.out) == (str(status), method, body), request.method)
        with self.check("307 keeps a file as body"):
            source = self.folder.path / "again"
            source.write_bytes(body := os.urandom(300_000))
            url = self.server.route("/moved-file", to(307, "/echo"))
            expect(self.run("-X", "PUT", "--data", f"@{source}", url).out == body, "other bytes")
        with self.check("the token stays on its host"):
            self.server.route("/token", lambda e: e.answer(200, (e.request.field("authorization") or "none").encode()))
            here = self.server.route("/here", to(302, "/token"))
            there = self.server.route("/there", to(307, self.server.url("/token").replace("127.0.0.1", "localhost")))
            token = ("-H", f"Authorization: Bearer {TOKEN}")
            expect(self.run(*token, here).out == f"Bearer {TOKEN}".encode(), "lost on the same host")
            expect(self.run(*token, there).out == b"none", "sent to another host")
        with self.check("redirects that run in a circle end"):
            result = self.run(self.server.route("/circle", to(302, "/circle")), status=1)
            expect("circle" in result.err and len(self.server.asked("/circle")) == 1, result.err)

    def retries(self):
        for asked in ("0", "1"):
            with self.check(f"503 with Retry-After: {asked} is tried again"):
                def busy(exchange):
                    exchange.answer(503 if exchange.before == 0 else 200, b"done", [("Retry-After", asked)])

                path = f"/busy{asked}"
                result = self.run(*QUICK, self.server.route(path, busy))
                expect(result.out == b"done" and len(self.server.asked(path)) == 2, result.out)
                expect(int(asked) <= result.seconds < int(asked) + 3, result.seconds, "s")
        with self.check("503 for ever ends after six tries"):
            url = self.server.route("/down", lambda e: e.answer(503, b"down"))
            result = self.run(*QUICK, url, status=1)
            expect(len(self.server.asked("/down")) == 6 and "503" in result.err, len(self.server.asked("/down")))
        with self.check("404 is asked for once"):
            url = self.server.route("/once", lambda e: e.answer(404, b""))
            self.run(*QUICK, url, status=1)
            expect(len(self.server.asked("/once")) == 1, "asked again")

    def codings(self):
        text = b"the same again and again " * 4000
        raw = zlib.compressobj(wbits=-15)
        coded = {"gzip": gzip.compress(text), "x-gzip": gzip.compress(text), "deflate": zlib.compress(text),
                 "gzip, deflate": zlib.compress(gzip.compress(text)), "identity": text}
        for coding, body in coded.items():
            with self.check(f"Content-Encoding: {coding}"):
                url = self.server.route("/coded", lambda e: e.answer(200, body, [("Content-Encoding", coding)]))
                expect(self.run(url).out == text, "other bytes")
                expect("gzip" in (self.server.asked("/coded")[-1].field("accept-encoding") or ""), "not asked for")
        with self.check("Content-Encoding: deflate without zlib's frame"):
            body = raw.compress(text) + raw.flush()
            url = self.server.route("/raw", lambda e: e.answer(200, body, [("Content-Encoding", "deflate")]))
            expect(self.run(url).out == text, "other bytes")
        with self.check("an encoded body that is broken, and a coding that nobody asked for, fail"):
            body = coded["gzip"][:-20] + b"\0" * 20
            url = self.server.route("/garbage", lambda e: e.answer(200, body, [("Content-Encoding", "gzip")]))
            self.run(*QUICK, "-o", self.folder.path / "garbage", url, status=1)
            url = self.server.route("/odd", lambda e: e.answer(200, b"x", [("Content-Encoding", "rot13")]))
            result = self.run(*QUICK, url, status=1)
            expect("rot13" in result.err, result.err)


def main():
    arguments = program_arguments("--fetch")
    checks = Checks()
    with Folder() as folder, ScriptedServer() as server:
        contract = Contract(Fetch(arguments.fetch), server, folder, checks)
        contract.versions()
        if installed("nghttpd"):
            contract.versions_of_nghttpd()
        contract.requests()
        contract.numbers()
        contract.statuses()
        contract.secrets()
        contract.redirects()
        contract.retries()
        contract.codings()
    return checks.end()


if __name__ == "__main__":
    sys.exit(main())
