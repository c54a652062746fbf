#!/usr/bin/env python3
"""hfhub-fetch against servers and proxies that are not ours: exact bytes, many requests, small memory.

  fetch.py --fetch BUILD/test/hfhub-fetch [--size MIB] [--requests N]
Servers: nginx, nghttpd, caddy; proxies: squid, tinyproxy. Those that are not installed are named as skipped.
"""
import argparse
import contextlib
import hashlib
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

MAX_RSS = 64  # MiB


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port):
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port}")


class Site(contextlib.ExitStack):
    """A folder with certificates and files, and the servers that serve it; they are ended by their ids."""

    def __init__(self, folder, size):
        super().__init__()
        self.folder = pathlib.Path(folder)
        self.root = self.folder / "www"
        self.root.mkdir()
        (self.root / "up").mkdir()
        self.key, self.cert = self.folder / "key.pem", self.folder / "cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", self.key, "-out", self.cert, "-days", "30", "-subj", "/CN=localhost", "-addext",
                        "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)
        (self.root / "small").write_text("hello")
        self.big = self.root / "big"
        digest = hashlib.sha256()
        with open(self.big, "wb") as file:
            for _ in range(size):
                block = os.urandom(1 << 20)
                file.write(block)
                digest.update(block)
        self.digest = digest.hexdigest()
        os.chmod(self.folder, 0o755)

    def start(self, *argv, port):
        process = subprocess.Popen([str(a) for a in argv], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   env={**os.environ, "HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder)})
        self.callback(self.end, process)
        wait_for(port)

    @staticmethod
    def end(process):
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def nginx(self):
        tls, plain = free_port(), free_port()
        config = self.folder / "nginx.conf"
        temp = "".join(f"{name}_temp_path {self.folder}/nginx-{name};\n"
                       for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        config.write_text(f"""
daemon off; worker_processes 1; pid {self.folder}/nginx.pid; error_log {self.folder}/nginx.log;
{'user root;' if os.geteuid() == 0 else ''}
events {{ worker_connections 2048; }}
http {{ access_log off; keepalive_requests 1000; http2_max_concurrent_streams 64; client_max_body_size 0; {temp}
  server {{ listen 127.0.0.1:{tls} ssl http2; listen 127.0.0.1:{plain};
    ssl_certificate {self.cert}; ssl_certificate_key {self.key}; root {self.root};
    location /up/ {{ dav_methods PUT; }} }} }}
""")
        self.start("nginx", "-c", config, "-p", self.folder, port=tls)
        return f"https://localhost:{tls}", f"http://localhost:{plain}"

    def nghttpd(self):
        port = free_port()
        self.start("nghttpd", "-d", self.root, "--echo-upload", "-a", "127.0.0.1", port, self.key, self.cert, port=port)
        return f"https://localhost:{port}"

    def caddy(self):
        port = free_port()
        config = self.folder / "Caddyfile"
        config.write_text(f"""{{
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

    def squid(self):
        port = free_port()
        config = self.folder / "squid.conf"
        config.write_text(f"""http_port 127.0.0.1:{port}
http_access allow all
cache deny all
cache_mem 8 MB
maximum_object_size_in_memory 16 KB
pid_filename none
access_log none
cache_log /dev/null
netdb_filename none
pinger_enable off
coredump_dir {self.folder}
shutdown_lifetime 0 seconds
""")
        self.start("squid", "-N", "-n", f"hfhub{port}", "-f", config, port=port)
        return f"http://127.0.0.1:{port}"

    def tinyproxy(self):
        port = free_port()
        config = self.folder / "tinyproxy.conf"
        config.write_text(f"Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 200\nAllow 127.0.0.1\n"
                          f"LogLevel Critical\nPidFile \"{self.folder}/tinyproxy.pid\"\n")
        self.start("tinyproxy", "-d", "-c", config, port=port)
        return f"http://127.0.0.1:{port}"


class Checks:
    def __init__(self, fetch, site, requests, max_rss):
        self.fetch, self.site, self.requests, self.max_rss = fetch, site, requests, max_rss
        self.failed = self.peak = 0

    def call(self, *argv):
        """Runs the tool; returns its exit status and what it said."""
        errors = self.site.folder / "stderr"
        with open(errors, "wb") as file:
            process = subprocess.Popen([str(self.fetch), "--cacert", str(self.site.cert), *map(str, argv)],
                                       stdout=subprocess.DEVNULL, stderr=file)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        self.peak = max(self.peak, usage.ru_maxrss * 1024)
        text = errors.read_text()
        if self.max_rss and usage.ru_maxrss * 1024 > self.max_rss:
            return 1, f"it took {usage.ru_maxrss >> 10} MiB of memory"
        return process.returncode, text

    def note(self, name, problem):
        self.failed += bool(problem)
        print(f"{'FAIL' if problem else 'ok  '} {name}{': ' + problem if problem else ''}", flush=True)

    def download(self, name, base, *flags):
        target = self.site.folder / "got"
        target.unlink(missing_ok=True)
        status, err = self.call(*flags, "-o", target, base + "/big")
        problem = err.strip() if status else ""
        if not problem and self.digest(target) != self.site.digest:
            problem = "other bytes than sent"
        target.unlink(missing_ok=True)
        self.note(f"download {name}", problem)

    def upload(self, name, base, arrived, *flags):
        echoed = self.site.folder / "echo"
        status, err = self.call(*flags, "-X", "PUT", "--data", f"@{self.site.big}", "-o", echoed, base)
        problem = err.strip() if status else ""
        path = arrived or echoed
        if not problem and self.digest(path) != self.site.digest:
            problem = "other bytes than sent"
        path.unlink(missing_ok=True)
        echoed.unlink(missing_ok=True)
        self.note(f"upload {name}", problem)

    def many(self, name, base, *flags):
        target = self.site.folder / "many"
        status, err = self.call(*flags, "--repeat", self.requests, "--concurrency", 100, "-o", target, base + "/small")
        problem = err.strip()[:300] if status else ""
        if not problem and target.read_bytes() != b"hello" * self.requests:
            problem = "other bytes than sent"
        target.unlink(missing_ok=True)
        self.note(f"{self.requests} requests {name}", problem)

    @staticmethod
    def digest(path):
        digest = hashlib.sha256()
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        return digest.hexdigest()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fetch", type=pathlib.Path, required=True)
    parser.add_argument("--size", type=int, default=64, help="MiB of the large file")
    parser.add_argument("--requests", type=int, default=10000)
    parser.add_argument("--max-rss", type=int, default=MAX_RSS, help="MiB; 0: not checked")
    arguments = parser.parse_args()
    wanted = ("nginx", "nghttpd", "caddy", "squid", "tinyproxy")
    missing = [name for name in wanted if not shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")]
    os.environ["PATH"] += ":/usr/sbin"
    if missing:
        print("skipped, not installed:", ", ".join(missing))
    with tempfile.TemporaryDirectory() as folder, Site(folder, arguments.size) as site:
        checks = Checks(arguments.fetch.resolve(), site, arguments.requests, arguments.max_rss << 20)
        here = {name for name in wanted if name not in missing}
        if "nginx" in here:
            tls, plain = site.nginx()
            for name, base, flags in (("nginx h2 TLS", tls, ()), ("nginx h1 TLS", tls, ("--http1",)),
                                      ("nginx h1", plain, ())):
                checks.download(name, base, *flags)
                checks.upload(name, base + "/up/file", site.root / "up/file", *flags)
                checks.many(name, base, *flags)
            for proxy in ("squid", "tinyproxy"):
                if proxy not in here:
                    continue
                via = getattr(site, proxy)()
                checks.download(f"nginx h2 TLS through {proxy}", tls, "--proxy", via)
                checks.upload(f"nginx h2 TLS through {proxy}", tls + "/up/file", site.root / "up/file", "--proxy", via)
                checks.many(f"nginx h2 TLS through {proxy}", tls, "--proxy", via)
                checks.download(f"nginx h1 forwarded by {proxy}", plain, "--proxy", via)
        if "nghttpd" in here:
            base = site.nghttpd()
            checks.download("nghttpd h2 TLS", base)
            checks.upload("nghttpd h2 TLS, echoed", base + "/x", None)
            checks.many("nghttpd h2 TLS", base)
        if "caddy" in here:
            base = site.caddy()
            checks.download("caddy h2 TLS", base)
            checks.download("caddy h1 TLS", base, "--http1")
            checks.many("caddy h2 TLS", base)
    print(f"{checks.failed} failed; peak memory of the client {checks.peak >> 20} MiB")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
