#!/usr/bin/env python3
"""hfhub-fetch over HTTP/2 while its servers reload or end connections: all requests are answered, no POST twice.

  restarts.py --fetch BUILD/test/hfhub-fetch

Servers: nginx; haproxy, nghttpx and caddy in front of an nginx that counts. Those that are not installed are named as
skipped. With HFHUB_LONG=1 longer, with more in flight.
"""
import collections
import http.server
import os
import signal
import subprocess
import sys
import threading
import time

from peers import (PATH, SANITIZERS, SKIPPED, Authority, Checks, Fetch, Folder, eventually, expect, free_port,
                   installed, program_arguments)

LONG = os.environ.get("HFHUB_LONG") == "1"
SECONDS = 20 if LONG else 3  # of load on each server, at least
RELOADS = 20 if LONG else 3
BODY = 3000  # bytes that the origin sends at 2000 bytes/s: a second
TOKEN = "x-amzn-trace-id"  # the same in all tries of a request
LIMITS = "keepalive_requests 1000000; http2_max_concurrent_streams 512;"


class Site(Folder):
    """A folder with a certificate, and an origin without TLS that takes a second and notes what it has done."""

    def __init__(self):
        super().__init__()
        self.authority = Authority(self.path)
        self.key, self.cert = self.authority.issue("server")
        with open(self.path / "both.pem", "w") as both:
            both.write(self.cert.read_text() + self.key.read_text())

    def locations(self, log):
        return f"""access_log {log} done;
    location / {{ limit_rate 2000; return 200 "{'x' * BODY}"; }}
    location /quick {{ return 200 "quick"; }}"""

    def formats(self):
        return f"log_format done '$request_method ${'http_' + TOKEN.replace('-', '_')} $status $connection';"

    def origin(self):
        self.origin_port = free_port()
        self.nginx(f"server {{ listen 127.0.0.1:{self.origin_port}; {self.locations(self.path / 'origin.log')} }}",
                   self.origin_port, f"{self.formats()} keepalive_requests 1000000;")

    def tls_server(self, port, log, settings=""):
        return f"""server {{ listen 127.0.0.1:{port} ssl http2; ssl_certificate {self.cert};
    ssl_certificate_key {self.key}; {settings} {self.locations(self.path / log)} }}"""

    def done(self, log):
        """What a server has done: method, request, status, connection."""
        return [line.split() for line in self.read(log).splitlines()]


class Load:
    """Requests side by side, in a thread of their own, beside what is done to the server. Each takes a second."""

    def __init__(self, fetch, site, log, url, concurrency, *argv, requests=None):
        self.site, self.log, self.method = site, log, "POST" if "--data" in argv else "GET"
        self.requests = requests or SECONDS * concurrency
        self.before = len(site.done(log))
        self.thread = threading.Thread(target=lambda: setattr(self, "result", fetch(
            "--http2", "--cacert", site.authority.cert, "--repeat", self.requests, "--concurrency", concurrency, "-v",
            *argv, url, limit=120)))
        self.thread.start()

    def alive(self):
        return self.thread.is_alive()

    def end(self):
        """Returns how many requests were done more than once, and the number of connections."""
        self.thread.join()
        connections = self.result.err.count("* connected to ")
        retries = self.result.err.count("then attempt ")
        print(f"     {self.requests} times {self.method}, {connections} connections, {retries} tried again, "
              f"{self.result.seconds:.1f} s", flush=True)
        errors = [line for line in self.result.err.splitlines() if not line.startswith("* ")]
        expect(self.result.status == 0, len(errors), "failed:", *errors[:3])
        eventually(lambda: "all" if len(self.counts()) >= self.requests else "", "all", 5)
        counts = self.counts()
        expect(len(counts) == self.requests, "the server has seen", len(counts), "requests of", self.requests)
        return sum(count > 1 for count in counts.values()), connections

    def counts(self):
        return collections.Counter(line[1] for line in self.site.done(self.log)[self.before:] if line[0] == self.method)


class Restarts:
    def __init__(self, fetch, site, checks):
        self.fetch, self.site, self.check = fetch, site, checks.check

    def load(self, name, port, log, disturb, concurrency):
        """GET and POST while the server is disturbed; POST is to be done once only."""
        url = f"https://localhost:{port}/slow"
        loads = [Load(self.fetch, self.site, log, url, concurrency // 2),
                 Load(self.fetch, self.site, log, url, concurrency // 2, "--data", "body")]
        times = 0
        for _ in range(RELOADS):
            time.sleep(0.8 * SECONDS / RELOADS)
            times += all(load.alive() for load in loads)
            disturb()
        with self.check(f"{name}: GET"):
            loads[0].end()
        with self.check(f"{name}: POST, each once"):
            twice, _ = loads[1].end()
            expect(not twice, twice, "were done twice")
            expect(times == RELOADS, "the load ended before the server was disturbed as often as meant:", times)

    def nginx(self):
        port = free_port()
        process = self.site.nginx(self.site.tls_server(port, "nginx.access"), port, self.site.formats() + LIMITS)
        self.load("nginx -s reload", port, "nginx.access", lambda: process.send_signal(signal.SIGHUP), 2000)

    def haproxy(self):
        port = free_port()
        config = self.site.write("haproxy.cfg", f"""global
    maxconn 4000
defaults
    mode http
    timeout client 30s
    timeout server 30s
    timeout connect 5s
    retries 0
frontend tls
    bind 127.0.0.1:{port} ssl crt {self.site.path}/both.pem alpn h2,http/1.1
    default_backend origin
backend origin
    server one 127.0.0.1:{self.site.origin_port}
""")
        process = self.site.start("haproxy", "-W", "-f", config, port=port, log="haproxy.log")
        self.load("haproxy reload (soft stop)", port, "origin.log", lambda: process.send_signal(signal.SIGUSR2), 500)

    def nghttpx(self):
        port = free_port()
        config = self.site.write("nghttpx.conf", f"""frontend=127.0.0.1,{port}
backend=127.0.0.1,{self.site.origin_port}
private-key-file={self.site.key}
certificate-file={self.site.cert}
workers=1
errorlog-file={self.site.path}/nghttpx.log
backend-connections-per-host=1000
""")
        process = self.site.start("nghttpx", f"--conf={config}", port=port, log="nghttpx.log")
        self.load("nghttpx reload (graceful shutdown)", port, "origin.log",
                  lambda: process.send_signal(signal.SIGHUP), 500)

    def caddy(self):
        port, admin = free_port(), free_port()
        config = self.site.write("Caddyfile", f"""{{
  admin localhost:{admin}
  auto_https off
}}
https://localhost:{port} {{
  bind 127.0.0.1
  tls {self.site.cert} {self.site.key}
  reverse_proxy 127.0.0.1:{self.site.origin_port} {{
    lb_retries 0
  }}
}}
""")
        self.site.start("caddy", "run", "--config", config, "--adapter", "caddyfile", port=port, log="caddy.log")

        def reload():
            subprocess.run(["caddy", "reload", "--force", "--config", config, "--adapter", "caddyfile", "--address",
                            f"localhost:{admin}"], check=True, capture_output=True,
                           env={"PATH": PATH, "HOME": str(self.site.path)})
        self.load("caddy reload", port, "origin.log", reload, 500)

    def few_requests(self):
        """Connections that end after some requests."""
        for requests, each, concurrency in ((5000, 100, 100), (5000, 100, 1), (500, 10, 100)):
            port = free_port()
            log = f"few{each}-{concurrency}.access"
            self.site.nginx(self.site.tls_server(port, log, f"keepalive_requests {each};"), port, self.site.formats())
            for argv in ((), ("--data", "body")):
                method = "POST" if argv else "GET"
                with self.check(f"keepalive_requests {each}: {requests} times {method}, {concurrency} at a time"):
                    load = Load(self.fetch, self.site, log, f"https://localhost:{port}/quick", concurrency, *argv,
                                requests=requests)
                    twice, connections = load.end()
                    expect(not twice, twice, "were done twice")
                    expect(connections <= 1.2 * requests / each + 6, connections, "connections")

    def one_at_a_time(self):
        """A server that refuses what is more than one request at a time on a connection."""
        port, log = free_port(), "one.access"
        self.site.nginx(self.site.tls_server(port, log, "http2_max_concurrent_streams 1;"), port, self.site.formats())
        with self.check("one request at a time on each connection: 1000 times POST, 200 at a time"):
            load = Load(self.fetch, self.site, log, f"https://localhost:{port}/quick", 200, "--data", "body",
                        requests=1000)
            twice, connections = load.end()
            expect(not twice, twice, "were done twice")
            expect(connections <= 6, connections, "connections")

    def handshakes(self):
        port, log = free_port(), "handshakes.access"
        self.site.nginx(self.site.tls_server(port, log), port, self.site.formats() + LIMITS)
        for flag, concurrency, most in (("--http2", 8, 1), ("--http2", 100, 1), ("--http1", 8, 8)):
            with self.check(f"1000 small files, {flag[2:]}, {concurrency} at a time: {most} handshakes at most"):
                before = len(self.site.done(log))
                result = self.fetch(flag, "--cacert", self.site.authority.cert, "--repeat", 1000, "--concurrency",
                                    concurrency, f"https://localhost:{port}/quick")
                expect(result.status == 0, result.err[:300])
                eventually(lambda: "all" if len(self.site.done(log)) - before >= 1000 else "", "all")
                connections = {line[3] for line in self.site.done(log)[before:]}
                expect(len(connections) <= most, len(connections), "connections")

    def idle_limit(self):
        """Requests that come just when the server ends the idle connection. GET over HTTP/1.1, both over HTTP/2."""
        port, log = free_port(), "idle.access"
        self.site.nginx(self.site.tls_server(port, log, "keepalive_timeout 1s;"), port, self.site.formats())
        url, rounds = f"https://localhost:{port}/quick", 20 if LONG else 4
        with Pauses() as pauses, self.check("requests as the idle connection ends: all answered, no POST twice"):
            runs = []
            # The first ones reuse their connection, also on a machine that is busy.
            for gap in (0.5, 0.6, 0.7, 0.8, *(0.976 + i * 0.002 for i in range(20))):
                for argv in (("--http1",), (), ("--data", "x")):
                    pause = f"http://127.0.0.1:{pauses.port}/{gap:.3f}"
                    runs.append(subprocess.Popen(
                        [self.fetch.program, *argv, "--cacert", self.site.authority.cert, "--repeat", str(rounds), url,
                         pause], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
                        env={"PATH": PATH, **SANITIZERS}))
            failed = [run.stderr.read() for run in runs if run.wait() != 0]
            expect(not failed, len(failed), "failed:", failed[0] if failed else "")
            requests = len(runs) * rounds
            eventually(lambda: "all" if len(self.site.done(log)) >= requests else "", "all")
            counts = collections.Counter(line[1] for line in self.site.done(log) if line[0] == "POST")
            expect(len(counts) == requests // 3 and max(counts.values()) == 1, counts.most_common(3))
            connections = len({line[3] for line in self.site.done(log)})
            print(f"     {requests} requests, {connections} connections", flush=True)
            expect(len(runs) * 1.2 < connections < requests, "the moment was not met:", connections, "connections")


class Pauses(http.server.ThreadingHTTPServer):
    """Answers after the seconds that the path names."""

    request_queue_size = 256
    daemon_threads = True

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_GET(self):
            self.rfile.read(int(self.headers.get("content-length", 0)))
            time.sleep(float(self.path[1:]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_GET

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.port = self.server_address[1]

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.05,)).start()
        return self

    def __exit__(self, *error):
        self.shutdown()
        super().__exit__(*error)


def main():
    arguments = program_arguments("--fetch")
    here = installed("nginx", "haproxy", "nghttpx", "caddy")
    if "nginx" not in here:
        return SKIPPED
    checks = Checks()
    with Site() as site:
        restarts = Restarts(Fetch(arguments.fetch), site, checks)
        site.origin()
        restarts.handshakes()
        restarts.few_requests()
        restarts.one_at_a_time()
        restarts.idle_limit()
        for name in here:
            getattr(restarts, name)()
    return checks.end()


if __name__ == "__main__":
    sys.exit(main())
