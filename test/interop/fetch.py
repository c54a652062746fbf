#!/usr/bin/env python3
"""hfhub-fetch against servers and proxies that are not ours: exact bytes, many requests, small memory.

  fetch.py --fetch BUILD/test/hfhub-fetch [--size MIB] [--requests N]
Servers: nginx, nghttpd, caddy; proxies: squid, tinyproxy. Those that are not installed are named as skipped.
"""
import argparse
import hashlib
import os
import pathlib
import sys

from peers import SKIPPED, Authority, Checks, Fetch, Folder, expect, free_port, installed

MAX_RSS = 64  # MiB
SERVERS = ("nginx", "nghttpd", "caddy")
PROXIES = ("squid", "tinyproxy")


def digest_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


class Site(Folder):
    """A large and a small file, and the servers that serve them."""

    def __init__(self, size):
        super().__init__()
        self.root = self.path / "www"
        (self.root / "up").mkdir()
        self.authority = Authority(self.path)
        self.key, self.cert = self.authority.issue("server")
        (self.root / "small").write_text("hello")
        self.big = self.root / "big"
        with open(self.big, "wb") as file:
            for _ in range(size):
                file.write(os.urandom(1 << 20))
        self.digest = digest_of(self.big)

    def start_nginx(self):
        tls, plain = free_port(), free_port()
        self.nginx(f"""server {{ listen 127.0.0.1:{tls} ssl http2; listen 127.0.0.1:{plain};
    ssl_certificate {self.cert}; ssl_certificate_key {self.key}; root {self.root};
    location /up/ {{ dav_methods PUT; }} }}""", tls, "keepalive_requests 1000; http2_max_concurrent_streams 64;")
        return f"https://localhost:{tls}", f"http://localhost:{plain}"

    def start_nghttpd(self):
        tls, plain = free_port(), free_port()
        common = ("nghttpd", "-d", self.root, "--echo-upload", "-a", "127.0.0.1")
        self.start(*common, tls, self.key, self.cert, port=tls)
        self.start(*common, "--no-tls", plain, port=plain)
        return f"https://localhost:{tls}", f"http://localhost:{plain}"

    def start_caddy(self):
        port = free_port()
        config = self.write("Caddyfile", f"""{{
  admin off
  auto_https off
}}
https://localhost:{port} {{
  bind 127.0.0.1
  tls {self.cert} {self.key}
  root * {self.root}
  file_server
}}
""")
        self.start("caddy", "run", "--config", config, "--adapter", "caddyfile", port=port)
        return f"https://localhost:{port}"

    def start_proxy(self, name):
        port = free_port()
        getattr(self, name)(port)
        return f"http://127.0.0.1:{port}"


class Transfers:
    def __init__(self, fetch, site, requests, max_rss, checks):
        self.fetch, self.site, self.requests, self.max_rss, self.checks = fetch, site, requests, max_rss, checks
        self.peak = 0

    def call(self, *argv):
        result = self.fetch("--cacert", self.site.authority.cert, *argv, limit=280)
        self.peak = max(self.peak, result.peak)
        print(f"     {result.seconds:7.2f} s {result.peak >> 20:5} MiB ", end="")
        expect(result.status == 0, result.err.strip()[:300])
        expect(not self.max_rss or result.peak <= self.max_rss, "it took", result.peak >> 20, "MiB of memory")

    def expect_big(self, path):
        expect(digest_of(path) == self.site.digest, "other bytes than sent")
        path.unlink()

    def download(self, name, base, *flags):
        with self.checks.check(f"download {name}"):
            target = self.site.path / "got"
            self.call(*flags, "-o", target, base + "/big")
            self.expect_big(target)

    def upload(self, name, url, arrived, *flags):
        """`arrived`: where the server puts it; None: it sends it back."""
        with self.checks.check(f"upload {name}"):
            echoed = self.site.path / "echo"
            self.call(*flags, "-X", "PUT", "--data", f"@{self.site.big}", "-o", echoed, url)
            self.expect_big(arrived or echoed)

    def many(self, name, base, *flags):
        with self.checks.check(f"{self.requests} requests {name}"):
            target = self.site.path / "many"
            self.call(*flags, "--repeat", self.requests, "--concurrency", 100, "-o", target, base + "/small")
            expect(target.read_bytes() == b"hello" * self.requests, "other bytes than sent")

    def nginx(self, proxies):
        site = self.site
        tls, plain = site.start_nginx()
        arrived = site.root / "up/file"
        for name, base, flags in (("nginx h2 TLS", tls, ("--http2",)), ("nginx h1 TLS", tls, ("--http1",)),
                                  ("nginx h1", plain, ())):
            self.download(name, base, *flags)
            self.upload(name, base + "/up/file", arrived, *flags)
            self.many(name, base, *flags)
        for proxy in proxies:
            via = site.start_proxy(proxy)
            self.download(f"nginx h2 TLS through {proxy}", tls, "--proxy", via)
            self.upload(f"nginx h2 TLS through {proxy}", tls + "/up/file", arrived, "--proxy", via)
            self.many(f"nginx h2 TLS through {proxy}", tls, "--proxy", via)
            self.download(f"nginx h1 forwarded by {proxy}", plain, "--proxy", via)

    def nghttpd(self):
        tls, plain = self.site.start_nghttpd()
        for name, base, flag in (("nghttpd h2 TLS", tls, "--http2"), ("nghttpd h2c", plain, "--h2c")):
            self.download(name, base, flag)
            self.upload(f"{name}, echoed", base + "/x", None, flag)
            self.many(name, base, flag)

    def caddy(self):
        base = self.site.start_caddy()
        self.download("caddy h2 TLS", base, "--http2")
        self.download("caddy h1 TLS", base, "--http1")
        self.many("caddy h2 TLS", base, "--http2")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fetch", type=pathlib.Path, required=True)
    parser.add_argument("--size", type=int, default=64, help="MiB of the large file")
    parser.add_argument("--requests", type=int, default=10000)
    parser.add_argument("--max-rss", type=int, default=MAX_RSS, help="MiB; 0: not checked")
    arguments = parser.parse_args()
    if os.environ.get("HFHUB_LONG"):
        arguments.size, arguments.requests = 1024, 10000
    here = installed(*SERVERS, *PROXIES)
    if not set(here) & set(SERVERS):
        return SKIPPED
    checks = Checks()
    with Site(arguments.size) as site:
        transfers = Transfers(Fetch(arguments.fetch), site, arguments.requests, arguments.max_rss << 20, checks)
        if "nginx" in here:
            transfers.nginx([name for name in PROXIES if name in here])
        if "nghttpd" in here:
            transfers.nghttpd()
        if "caddy" in here:
            transfers.caddy()
    print(f"peak memory of the client {transfers.peak >> 20} MiB")
    return checks.end()


if __name__ == "__main__":
    sys.exit(main())
