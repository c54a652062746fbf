#!/usr/bin/env python3
"""hfhub-fetch goes on where a body broke: every byte once and at its place, and an end to all trying.

  fetch_resume.py --fetch BUILD/test/hfhub-fetch
"""
import contextlib
import email.utils
import gzip
import random
import socket
import sys
import threading
import time

from peers import Authority, Checks, Fetch, Folder, expect, free_port, installed, program_arguments
from scripted_server import ScriptedServer

QUICK = ("--retry-delay", "0.02")
ETAG = '"v1"'


def ranged(body, cuts=(), etag=ETAG, fields=(), whole_only=False):
    """Answers with the file or the rest of it; answer number i is cut after cuts[i] bytes."""
    def answer(exchange):
        validator = [("ETag", etag)] if etag else []
        wanted, condition = exchange.request.field("range"), exchange.request.field("if-range")
        at = 0
        if wanted and not whole_only and condition in (etag, dict(fields).get("Last-Modified")):
            at = int(wanted.removeprefix("bytes=").removesuffix("-"))
        rest = body[at:]
        sent = rest[:cuts[exchange.before]] if exchange.before < len(cuts) else rest
        extent = [("Content-Range", f"bytes {at}-{len(body) - 1}/{len(body)}")] if at else []
        exchange.answer(206 if at else 200, sent, [*validator, *fields, *extent], announced=len(rest))
    return answer


class CuttingRelay(contextlib.AbstractContextManager):
    """Passes bytes on to a port of this machine; the first connections end after so many bytes of the answer."""

    def __init__(self, port, cuts):
        self.target, self.cuts, self.connections = port, list(cuts), 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __exit__(self, *_):
        self._listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
                limit = self.cuts[self.connections] if self.connections < len(self.cuts) else sys.maxsize
                self.connections += 1
                for pair in ((client, server, sys.maxsize), (server, client, limit)):
                    threading.Thread(target=self._pass, args=pair, daemon=True).start()

    @staticmethod
    def _pass(source, target, limit):
        with contextlib.suppress(OSError):
            while limit > 0 and (data := source.recv(min(limit, 65536))):
                target.sendall(data)
                limit -= len(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class Resumption:
    def __init__(self, fetch, server, folder, checks):
        self.fetch, self.server, self.folder, self.checks = fetch, server, folder, checks
        self.body = random.Random(1).randbytes(200_000)
        self.target = folder.path / "target"

    def check(self, name):
        return self.checks.check(name)

    def get(self, path, answer, *flags, status=0):
        """Fetches to a file; returns what is in it and the requests that it took."""
        self.target.unlink(missing_ok=True)
        self.result = self.fetch(*QUICK, "-o", self.target, *flags, self.server.route(path, answer))
        expect(self.result.status == status, "exit status", self.result.status, self.result.err)
        return self.target.read_bytes(), self.server.asked(path)

    def whole(self, path, answer, *flags, requests, body=None):
        got, asked = self.get(path, answer, *flags)
        expect(got == (body or self.body), "other bytes:", len(got), "instead of", len(body or self.body))
        expect(len(asked) == requests, len(asked), "requests")
        return asked

    def goes_on(self):
        body = self.body
        with self.check("a cut body goes on with Range and If-Range"):
            _, again = self.whole("/cut", ranged(body, [70_001]), requests=2)
            expect(again.field("range") == "bytes=70001-" and again.field("if-range") == ETAG, again.fields)
            expect(again.field("accept-encoding") == "identity", again.fields)
        with self.check("the same on standard output, and --json tells of one whole transfer"):
            result = self.fetch(*QUICK, self.server.route("/out", ranged(body, [70_001])))
            expect(result.status == 0 and result.out == body, result.err)
            one, = self.fetch(*QUICK, "--json", self.server.route("/json", ranged(body, [5]))).objects()
            expect((one["status"], one["bytes"], one["error"]) == (200, len(body), None), one)
        with self.check("header fields of the caller are sent again"):
            asked = self.whole("/token", ranged(body, [9]), "-H", "Authorization: Bearer t", requests=2)
            expect([r.field("authorization") for r in asked] == ["Bearer t"] * 2, asked[1].fields)
        with self.check("cut before the first byte and before the last"):
            self.whole("/none", ranged(body, [0]), requests=2)
            self.whole("/last", ranged(body, [len(body) - 1]), requests=2)
        with self.check("forty cuts at any place, some without progress"):
            places = random.Random(2)
            cuts = [places.choice((0, 1, places.randrange(9000))) for _ in range(40)]
            self.whole("/forty", ranged(body, cuts), requests=41)
        with self.check("a cut chunked body goes on"):
            def chunked(exchange):
                if exchange.before:
                    return ranged(body)(exchange)
                exchange.send(b"HTTP/1.1 200 OK\r\nETag: " + ETAG.encode() + b"\r\nTransfer-Encoding: chunked\r\n\r\n")
                exchange.send(b"%x\r\n" % 1000 + body[:1000] + b"\r\n%x\r\n" % 1000 + body[1000:1300])
                exchange.keep_alive = False

            _, again = self.whole("/chunked", chunked, requests=2)
            expect(again.field("range") == "bytes=1300-", again.fields)
        with self.check("a part that is shorter than asked for is gone on with"):
            def piecemeal(exchange):
                at = int((exchange.request.field("range") or "bytes=0-")[6:-1])
                if not at:
                    return exchange.answer(200, body[:50_000], [("ETag", ETAG)], announced=len(body))
                part = body[at:at + 60_000]
                exchange.answer(206, part, [("ETag", ETAG),
                                            ("Content-Range", f"bytes {at}-{at + len(part) - 1}/{len(body)}")])

            self.whole("/pieces", piecemeal, requests=4)

    def validators(self):
        now = time.time()
        old, sent = (email.utils.formatdate(now - ago, usegmt=True) for ago in (3600, 0))
        with self.check("Last-Modified serves where there is no ETag"):
            fields = [("Last-Modified", old), ("Date", sent)]
            _, again = self.whole("/dated", ranged(self.body, [100], etag=None, fields=fields), requests=2)
            expect(again.field("if-range") == old and again.field("range") == "bytes=100-", again.fields)
        for name, etag, fields in (("a weak ETag", 'W/"v1"', [("Last-Modified", old), ("Date", sent)]),
                                   ("a file changed in this second", None, [("Last-Modified", sent), ("Date", sent)]),
                                   ("no validator", None, [])):
            with self.check(f"{name}: no range is asked for, the whole comes again"):
                path = "/" + name.replace(" ", "-")
                _, again = self.whole(path, ranged(self.body, [100], etag=etag, fields=fields), requests=2)
                expect(again.field("range") is None, again.fields)

    def begins_again(self):
        body, other = self.body, random.Random(3).randbytes(90_000)
        with self.check("200 instead of 206: the output begins again, and keeps what other URLs wrote"):
            first = self.server.route("/first", ranged(other))
            self.target.unlink(missing_ok=True)
            url = self.server.route("/whole", ranged(body, [70_001], whole_only=True))
            result = self.fetch(*QUICK, "-o", self.target, first, url, first)
            expect(result.status == 0, result.err)
            expect(self.target.read_bytes() == other + body + other, "other bytes")
        with self.check("another file by now: its bytes only"):
            def changed(exchange):
                ranged(other if exchange.before else body, [70_001], etag=f'"v{exchange.before}"')(exchange)

            self.whole("/changed", changed, requests=2, body=other)
        with self.check("206 of another file is not mixed in"):
            def mixed(exchange):
                if exchange.before == 1:
                    at = int(exchange.request.field("range")[6:-1])
                    return exchange.answer(206, other[at:], [("ETag", '"v2"'), (
                        "Content-Range", f"bytes {at}-{len(other) - 1}/{len(other)}")])
                ranged(other if exchange.before else body, [70_001], etag=ETAG)(exchange)

            self.whole("/mixed", mixed, requests=3, body=other)
        for name, answer in (("206 that begins elsewhere", (206, [("Content-Range", "bytes 0-199999/200000")])),
                             ("206 without Content-Range", (206, [])),
                             ("416", (416, [("Content-Range", "bytes */100")]))):
            with self.check(f"{name}: the whole is asked for"):
                def odd(exchange):
                    if exchange.before != 1:
                        return ranged(body, [70_001])(exchange)
                    exchange.answer(answer[0], body, [("ETag", ETAG), *answer[1]])

                *_, last = self.whole("/odd" + name.replace(" ", "-"), odd, requests=3)
                expect(last.field("range") is None, last.fields)
        with self.check("a cut encoded body comes again as a whole"):
            text = b"the same again and again " * 4000
            packed = gzip.compress(text)

            def coded(exchange):
                exchange.answer(200, packed[:200] if exchange.before == 0 else packed,
                                [("Content-Encoding", "gzip"), ("ETag", ETAG)], announced=len(packed))

            _, again = self.whole("/coded", coded, requests=2, body=text)
            expect(again.field("range") is None and "gzip" in again.field("accept-encoding"), again.fields)

    def fails(self):
        body = self.body
        with self.check("200 instead of 206 on standard output: the error stands"):
            url = self.server.route("/pipe", ranged(body, [70_001], whole_only=True))
            result = self.fetch(*QUICK, url)
            expect(result.status == 1 and result.out == body[:70_001], result.status, len(result.out))
            expect("70001" in result.err, result.err)
        with self.check("and where several transfers write to one file"):
            urls = [self.server.route(f"/beside{i}", ranged(body, [7], whole_only=True)) for i in (1, 2)]
            result = self.fetch(*QUICK, "--concurrency", 2, "-o", self.target, *urls)
            expect(result.status == 1 and self.target.stat().st_size == 14, result.status, self.target.stat().st_size)
        with self.check("a body that always breaks at one place ends after six tries in vain"):
            for path, whole_only, requests in (("/always", True, 7), ("/stuck", False, 7)):
                cuts = [500] * 30 if whole_only else [500] + [0] * 30
                got, asked = self.get(path, ranged(body, cuts, whole_only=whole_only), status=1)
                expect(len(asked) == requests, len(asked), "requests")
                expect(got == body[:500], len(got), "bytes")
        with self.check("answers that fit nothing end, too"):
            def nonsense(exchange):
                if exchange.before == 0:
                    return ranged(body, [500])(exchange)
                exchange.answer(206, b"x" * 9, [("ETag", ETAG), ("Content-Range", "bytes 1-9/10")])

            _, asked = self.get("/nonsense", nonsense, status=1)
            expect(len(asked) == 3, len(asked), "requests")
        with self.check("404 for the rest is told, and its text is not in the file"):
            def gone(exchange):
                ranged(body, [500])(exchange) if exchange.before == 0 else exchange.answer(404, b"gone")

            got, asked = self.get("/gone", gone, status=1)
            expect(got == body[:500] and len(asked) == 2 and "404" in self.result.err, len(asked), self.result.err)
        with self.check("a POST is not repeated"):
            _, asked = self.get("/post", ranged(body, [500]), "--data", "x", status=1)
            expect(len(asked) == 1, len(asked), "requests")
        with self.check("--timeout holds for all tries together"):
            url = self.server.route("/late", ranged(body, [500] * 30, whole_only=True))
            result = self.fetch("--retry-delay", 30, "--timeout", 1, "-o", self.target, url)
            expect(result.status == 1 and result.seconds < 3, result.status, result.seconds, "s")

    def nginx(self):
        authority = Authority(self.folder.path)
        key, cert = authority.issue("server")
        body = random.Random(4).randbytes(8 << 20)
        (self.folder.path / "www/file").write_bytes(body)
        port = free_port()
        self.folder.nginx(f"""server {{ listen 127.0.0.1:{port} ssl http2; root {self.folder.path}/www;
            ssl_certificate {cert}; ssl_certificate_key {key}; }}""", port)
        for flag in ("--http1", "--http2"):
            with self.check(f"nginx over TLS behind a line that breaks, {flag}"):
                with CuttingRelay(port, (1_000_000, 3_000_000, 20_000, 2_000_000)) as relay:
                    result = self.fetch(*QUICK, flag, "--cacert", authority.cert, "-o", self.target,
                                        f"https://localhost:{relay.port}/file")
                    expect(result.status == 0, result.err)
                    expect(self.target.read_bytes() == body, "other bytes")
                    expect(relay.connections == 5, relay.connections, "connections")


def main():
    arguments = program_arguments("--fetch")
    checks = Checks()
    with Folder() as folder, ScriptedServer() as server:
        resumption = Resumption(Fetch(arguments.fetch), server, folder, checks)
        resumption.goes_on()
        resumption.validators()
        resumption.begins_again()
        resumption.fails()
        if installed("nginx"):
            resumption.nginx()
    return checks.end()


if __name__ == "__main__":
    sys.exit(main())
