#!/usr/bin/env python3
"""A server that vanishes in the middle of a transfer, without a FIN: its packets are dropped by nftables.

  vanishing_peer.py --fetch BUILD/test/hfhub-fetch

Client and server stand in two network namespaces with a cable between them; both go with this script. The connection of
the first request of each path is dropped; later ones get through, so the transfer has to go on elsewhere. With
HFHUB_LONG=1 also those that need the longer limits: an upload, and a server that vanishes for good.
"""
import argparse
import contextlib
import hashlib
import http.server
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time

from peers import PATH, SKIPPED, Checks, Folder, expect, installed

CLIENT, SERVER, PORT = "10.254.77.1", "10.254.77.2", 8077
SIZE, BEFORE = 8 << 20, 2 << 20  # bytes of the file, and how many pass before the packets are dropped
BODY = bytes(range(256)) * (SIZE // 256)
TABLE = "table inet faults { chain input { type filter hook input priority 0; }; }"


def ip(*argv, check=True):
    return subprocess.run(["ip", *argv], check=check, capture_output=True, text=True, env={"PATH": PATH})


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    lock, seen = threading.Lock(), []

    def log_message(self, *_):
        pass

    def vanish(self):
        """What this client sends on this connection does not arrive any more, and what it is sent is not acknowledged."""
        rule = f"add rule inet faults input tcp sport {self.client_address[1]} drop"
        subprocess.run(["nft", rule], check=True, env={"PATH": PATH})

    def is_faulty(self, detail):
        with self.lock:
            before = sum(entry.startswith(self.path + " ") for entry in self.seen)
            self.seen.append(f"{self.path} {detail}".strip() + " ")
        return before == 0 or self.path == "/gone"

    def do_GET(self):
        if self.path == "/seen":
            return self.answer("\n".join(entry.strip() for entry in self.seen).encode())
        wanted = self.headers.get("range", "")
        faulty = self.is_faulty(wanted)
        at = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        fields = {"Content-Range": f"bytes {at}-{SIZE - 1}/{SIZE}"} if wanted else {}
        self.begin(206 if wanted else 200, SIZE - at, fields)
        if faulty and self.path == "/gone" and at:
            return self.vanish()
        if faulty:
            self.wfile.write(BODY[at:BEFORE])
            time.sleep(0.3)  # so that what was sent has arrived
            return self.vanish()
        with contextlib.suppress(OSError):
            self.wfile.write(BODY[at:])

    def do_PUT(self):
        faulty, length, digest = self.is_faulty("PUT"), int(self.headers["content-length"]), hashlib.sha256()
        for begin in range(0, length, 1 << 16):
            if faulty and begin == 1 << 20:
                self.vanish()
            piece = self.rfile.read(min(1 << 16, length - begin))
            if not piece:
                return
            digest.update(piece)
        self.answer(digest.hexdigest().encode())

    def begin(self, status, length, fields):
        self.send_response(status)
        for name, value in {"Content-Length": length, "ETag": '"v1"', "Accept-Ranges": "bytes", **fields}.items():
            self.send_header(name, str(value))
        self.end_headers()

    def answer(self, body):
        self.begin(200, len(body), {})
        self.wfile.write(body)


class Cable(contextlib.ExitStack):
    """Two network namespaces with a cable between them, and the server in one of them."""

    def __enter__(self):
        try:
            self.set_up()
        except BaseException:
            self.close()
            raise
        return self

    def set_up(self):
        self.client, self.server = (f"hfhub-{os.getpid()}-{side}" for side in "cs")
        for name in (self.client, self.server):
            ip("netns", "add", name)
            self.callback(ip, "netns", "del", name, check=False)
        ip("link", "add", "cable", "netns", self.client, "type", "veth", "peer", "name", "cable", "netns", self.server)
        for name, address in ((self.client, CLIENT), (self.server, SERVER)):
            ip("-n", name, "address", "add", address + "/24", "dev", "cable")
            ip("-n", name, "link", "set", "cable", "up")
        subprocess.run(["ip", "netns", "exec", self.server, "nft", TABLE], check=True, capture_output=True, text=True,
                       env={"PATH": PATH})
        process = subprocess.Popen(["ip", "netns", "exec", self.server, sys.executable, __file__, "--serve"],
                                   env={"PATH": PATH}, stdout=subprocess.PIPE)
        self.callback(process.wait)
        self.callback(process.kill)
        process.stdout.readline()

    def run(self, *argv, limit):
        begin = time.monotonic()
        done = subprocess.run(["ip", "netns", "exec", self.client, *map(str, argv)], capture_output=True, text=True,
                              env={"PATH": PATH}, timeout=limit, check=False)
        return done, time.monotonic() - begin


def serve():
    server = http.server.ThreadingHTTPServer((SERVER, PORT), Handler)
    print("ready", flush=True)
    server.serve_forever()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fetch")
    parser.add_argument("--serve", action="store_true")
    arguments = parser.parse_args()
    if arguments.serve:
        return serve()
    if os.geteuid() != 0 or len(installed("ip", "nft")) < 2:
        print("skipped: needs root, ip and nft")
        return SKIPPED
    fetch = pathlib.Path(arguments.fetch).resolve()
    base, checks = f"http://{SERVER}:{PORT}", Checks()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(Folder())
        try:
            cable = stack.enter_context(Cable())
        except subprocess.CalledProcessError as error:
            print("skipped: no network namespaces here:", error.stderr.strip())
            return SKIPPED
        out, source = folder.path / "out", folder.path / "source"
        with checks.check("a download whose server vanishes goes on elsewhere, at the last byte"):
            done, seconds = cable.run(fetch, "-o", out, base + "/file", limit=150)
            expect(done.returncode == 0, done.stderr)
            expect(out.read_bytes() == BODY, "other bytes")
            seen, _ = cable.run(fetch, base + "/seen", limit=60)
            expect(seen.stdout.split("\n")[:2] == ["/file", f"/file bytes={BEFORE}-"], seen.stdout)
            print(f"     after {seconds:.1f} s")
        if os.environ.get("HFHUB_LONG") == "1":
            with checks.check("an upload whose server vanishes is sent again"):
                source.write_bytes(BODY)
                done, seconds = cable.run(fetch, "-X", "PUT", "--data", f"@{source}", base + "/upload", limit=200)
                expect(done.returncode == 0, done.stderr)
                expect(done.stdout.strip() == hashlib.sha256(BODY).hexdigest(), done.stdout)
                print(f"     after {seconds:.1f} s")
            with checks.check("a server that vanishes for good is given up within two minutes"):
                done, seconds = cable.run(fetch, "-o", folder.path / "gone", base + "/gone", limit=200)
                expect(done.returncode != 0 and seconds < 125, seconds)
                expect(base + "/gone" in done.stderr, done.stderr)
                print(f"     after {seconds:.1f} s")
    return checks.end()


if __name__ == "__main__":
    sys.exit(main())
