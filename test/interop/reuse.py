#!/usr/bin/env python3
"""Connections that the server closes while they are kept: none of this may cost a request.

  reuse.py --fetch BUILD/test/hfhub-fetch

nginx closes connections after some milliseconds or some requests, and pauses between requests are spread around that. A
scripted server closes them as a request arrives. With HFHUB_LONG=1: 100 000 requests of each kind.
"""
import collections
import os
import socket
import struct
import sys
import threading

from peers import Authority, Checks, Fetch, Folder, SKIPPED, expect, free_port, installed, program_arguments

COUNT = 100_000 if os.environ.get("HFHUB_LONG") == "1" else 2_000
IDLE_LIMIT = 0.02  # seconds after which nginx closes
ID = "x-amzn-trace-id"  # one for each request, the same in all its tries


class ClosingServer:
    """Answers four requests of each connection; but every third connection is closed as its second one arrives, by a FIN
    or an RST. Requests that were read whole are counted by their id."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port, self.seen, self.closed, self.lock = self.listener.getsockname()[1], collections.Counter(), 0, threading.Lock()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        number = 0
        while True:
            connection, _ = self.listener.accept()
            number += 1
            threading.Thread(target=self.serve, args=(connection, number), daemon=True).start()

    def serve(self, connection, number):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection, connection.makefile("rb") as reader:
            for turn in range(4):
                if number % 3 == 0 and turn == 1:
                    connection.recv(1, socket.MSG_PEEK)
                    with self.lock:
                        self.closed += 1
                    if number % 2:
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                fields = {}
                if not reader.readline():
                    return
                while (line := reader.readline()) not in (b"\r\n", b""):
                    name, _, value = line.decode().partition(":")
                    fields[name.lower()] = value.strip()
                reader.read(int(fields.get("content-length", 0)))
                with self.lock:
                    self.seen[fields[ID]] += 1
                last = b"Connection: close\r\n" if turn == 3 else b""
                connection.sendall(b"HTTP/1.1 200 OK\r\n" + last + b"Content-Length: 2\r\n\r\nok")


def outcomes(result):
    errors = [one["error"] for one in result.objects() if one["error"]]
    return len(result.objects()), errors


def judge(result, post, seen):
    """No GET fails. A POST may, where the server could have acted on it, and none is done twice."""
    total, errors = outcomes(result)
    expect(total == COUNT, total, result.err)
    if post:
        twice = [one for one, times in seen.items() if times > 1]
        expect(not twice, len(twice), "POSTs were done more than once")
        expect(len(errors) < COUNT * 0.4, len(errors), "POSTs failed:", *errors[:1])
        expect(len(seen) >= COUNT - len(errors), len(seen), "arrived, failed:", len(errors))
    else:
        expect(not errors, len(errors), "GETs failed:", *errors[:1])
    return len(errors)


def closing(fetch, checks):
    for kind in ("GET", "POST"):
        with checks.check(f"a server that closes as a {kind} arrives on a kept connection"):
            server = ClosingServer()
            body = ("--data", "x" * 100) if kind == "POST" else ()
            result = fetch("--http1", "--json", "--repeat", COUNT, "--concurrency", 16, *body,
                           f"http://127.0.0.1:{server.port}/", limit=900)
            failed = judge(result, kind == "POST", server.seen)
            expect(server.closed > COUNT / 50, "closed only", server.closed)
            print(f"     {COUNT} requests, {server.closed} connections closed under one, {failed} failed")


def kept_by_nginx(folder, fetch, checks):
    authority = Authority(folder.path)
    key, cert = authority.issue("server")
    log = 'log_format ids "$request_method $http_x_amzn_trace_id";'
    for protocol, settings in (("HTTP/1.1", f"keepalive_timeout {int(IDLE_LIMIT * 1000)}ms;"),
                               ("HTTP/1.1", "keepalive_requests 7;"), ("HTTP/2", "keepalive_requests 7;"),
                               ("HTTP/2", f"keepalive_timeout {int(IDLE_LIMIT * 1000)}ms;")):
        port, name = free_port(), f"ids{free_port()}.log"
        folder.nginx(f"""server {{ listen 127.0.0.1:{port} ssl http2; ssl_certificate {cert}; ssl_certificate_key {key};
            access_log {folder.path}/{name} ids; {settings}
            location / {{ return 200 ok; }} }}""", port, http=log)
        flag = "--http2" if protocol == "HTTP/2" else "--http1"
        for kind in ("GET", "POST"):
            with checks.check(f"nginx, {protocol}, {settings.rstrip(';')}: {kind}"):
                before = len(folder.read(name).splitlines())
                body = ("--data", "x") if kind == "POST" else ()
                result = fetch(flag, "--cacert", authority.cert, "--json", "--repeat", COUNT, "--concurrency", 64,
                               "--pause", 2 * IDLE_LIMIT, *body, f"https://localhost:{port}/", limit=900)
                ids = [line.split()[1] for line in folder.read(name).splitlines()[before:] if line.startswith(kind)]
                failed = judge(result, kind == "POST", collections.Counter(ids))
                print(f"     {COUNT} requests, {failed} failed, {len(ids)} answered by nginx, {result.seconds:.1f} s")


def main():
    arguments = program_arguments("--fetch")
    fetch, checks = Fetch(arguments.fetch), Checks()
    closing(fetch, checks)
    if installed("nginx", "openssl") == ["nginx", "openssl"]:
        with Folder() as folder:
            kept_by_nginx(folder, fetch, checks)
    return checks.end()


if __name__ == "__main__":
    sys.exit(main())
