#!/usr/bin/env python3
"""Runs benches: hfhub beside its peers, alternating, medians, CPU seconds of the client process.

  bench/run.py --build BUILD [--beside BUILD] [NAME...]      names: http, download, throttled, upload, distance, stream (default: all)
--beside names another build of hfhub, as of an earlier commit, that takes part as a peer instead of the slow ones.
Servers and clients talk over loopback; clients run on one core and servers on the other where there are two.
"""
import argparse
import contextlib
import hashlib
import itertools
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PYTHON = ROOT / ".venv/bin/python"
CORES = sorted(os.sched_getaffinity(0))
BESIDE = None


def on_core(which):
    core = CORES[which % len(CORES)]
    return lambda: os.sched_setaffinity(0, {core})


def have(program):
    return shutil.which(program) is not None


def have_python():
    return PYTHON.exists() and BESIDE is None


def run(argv, timeout=300, env=None):
    """Runs a client; returns its wall seconds and standard output."""
    begin = time.perf_counter()
    process = subprocess.Popen([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               preexec_fn=on_core(0), env={**os.environ, **(env or {})})
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    wall = time.perf_counter() - begin
    if process.returncode != 0:
        raise RuntimeError(f"{argv[0]} failed with {process.returncode}: {err.decode()[-500:]}")
    return wall, out.decode()


def cpu_of(argv, **kwargs):
    """CPU and wall seconds of a client by getrusage of the finished child, and its output."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall, out = run(argv, **kwargs)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, wall, out


class Servers(contextlib.ExitStack):
    """Loopback servers, ended by their ids."""

    def __init__(self, build, folder):
        super().__init__()
        self.build, self.folder = build, pathlib.Path(folder)

    def start(self, argv, ready=None, **kwargs):
        process = subprocess.Popen([str(a) for a in argv], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                   preexec_fn=on_core(1), text=True, **kwargs)
        self.callback(self.end, process)
        lines = []
        while ready and not any(line.startswith(ready) for line in lines):
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"{argv[0]} did not start")
            lines.append(line.strip())
        return process, lines

    @staticmethod
    def end(process):
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def local_hub(self):
        data = self.folder / "hub"
        _, lines = self.start([self.build / "test/hfhub-local-hub", "--port", 0, "--tls", "--data", data],
                              ready="listening on")
        url = next(line.split()[-1] for line in lines if line.startswith("listening on"))
        return url, data / "ca.pem"

    def certificate(self):
        key, cert = self.folder / "key.pem", self.folder / "cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", key, "-out", cert, "-days", "30", "-subj", "/CN=localhost", "-addext",
                        "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)
        return key, cert

    def nghttpd(self, root):
        port = free_port()
        self.start(["nghttpd", "-d", root, "-a", "127.0.0.1", port, self.folder / "key.pem", self.folder / "cert.pem"])
        wait_for_port(port)
        return f"https://localhost:{port}"

    def nginx(self, root, location=""):
        key, cert = self.certificate()
        port = free_port()
        config = self.folder / "nginx.conf"
        config.write_text(f"""
daemon off; worker_processes 1; pid {self.folder}/nginx.pid; error_log {self.folder}/error.log;
{'user root;' if os.geteuid() == 0 else ''}
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 100000000; http2_max_concurrent_streams 1000; sendfile on;
  client_body_temp_path {self.folder}/body; proxy_temp_path {self.folder}/p; fastcgi_temp_path {self.folder}/f;
  uwsgi_temp_path {self.folder}/u; scgi_temp_path {self.folder}/s;
  server {{ listen 127.0.0.1:{port} ssl http2; ssl_certificate {cert}; ssl_certificate_key {key}; root {root}; {location} }} }}
""")
        self.start(["nginx", "-c", config, "-p", self.folder])
        wait_for_port(port)
        return f"https://localhost:{port}", cert


def free_port():
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_port(port):
    import socket
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port}")


def alternate(rounds, **measures):
    """Calls each measure in turn, `rounds` times; returns the median of each one's figures."""
    figures = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measure in measures.items():
            figures[name].append(measure())
    return {name: statistics.median(values) for name, values in figures.items()}


def row(title, ours, peers, unit, digits=2):
    cells = [f"hfhub {ours:.{digits}f} {unit}"]
    for name, figure in peers.items():
        cells.append(f"{name} {figure:.{digits}f} {unit} (hfhub/{name} {ours / figure:.3f})")
    print(f"  {title:<44} " + "   ".join(cells), flush=True)


def bench_http(build, rounds):
    print("small requests over HTTP/2 and TLS, CPU per request (client pinned to one core)")
    with tempfile.TemporaryDirectory() as folder, Servers(build, folder) as servers:
        root = pathlib.Path(folder) / "www"
        root.mkdir()
        (root / "small").write_text("hello")
        base, cert = servers.nginx(root)
        bench_small(build, rounds, "nginx", base + "/small", cert)
        if have("nghttpd"):
            bench_small(build, rounds, "nghttpd", servers.nghttpd(root) + "/small", cert)


def bench_small(build, rounds, server, url, cert):
    def ours(mode, count, concurrency, build=build):
        def measure():
            _, out = run([build / "bench/small-requests", mode, url, cert, count, concurrency])
            requests, _, cpu = out.split()
            return float(cpu) / float(requests) * 1e6
        return measure

    def h2load(count, concurrency):
        def measure():
            cpu, _, _ = cpu_of(["h2load", "-n", count, "-c", 1, "-m", concurrency, "-t", 1, url])
            return cpu / count * 1e6
        return measure

    def httpx(count, concurrency):
        def measure():
            _, out = run([PYTHON, ROOT / "bench/http/httpx_peer.py", url, cert, count, concurrency])
            return float(out) * 1e6
        return measure

    for concurrency, count in ((1, 20000), (100, 100000)):
        measures = {"hfhub": ours("coroutine", count, concurrency), "h2load": h2load(count, concurrency)}
        if concurrency == 1:
            measures["blocking"] = ours("blocking", count, 1)
        else:
            measures["hop"] = ours("hop", count, concurrency)
        if have_python():
            measures["httpx"] = httpx(2000, concurrency)
        if BESIDE:
            measures["beside"] = ours("coroutine", count, concurrency, BESIDE)
            other = "blocking" if concurrency == 1 else "hop"
            measures["beside, other thread"] = ours(other, count, 1 if concurrency == 1 else concurrency, BESIDE)
        medians = alternate(rounds, **measures)
        mine = medians.pop("hfhub")
        blocking, hop = medians.pop("blocking", None), medians.pop("hop", None)
        row(f"{server}: coroutine, own executor, concurrency {concurrency}", mine, medians, "us")
        if blocking is not None:
            row(f"{server}: blocking from a foreign thread", blocking, medians, "us")
        if hop is not None:
            row(f"{server}: coroutine, session's own thread, {concurrency}", hop, medians, "us")


def bench_download(build, rounds):
    print("1 GiB over TLS to a file, CPU seconds per GiB")
    gib = 1 << 30
    with tempfile.TemporaryDirectory() as folder, Servers(build, folder) as servers:
        root = pathlib.Path(folder) / "www"
        root.mkdir()
        block = os.urandom(1 << 20)
        with open(root / "big", "wb") as file:
            for _ in range(gib >> 20):
                file.write(block)
        base, cert = servers.nginx(root)
        out = pathlib.Path(folder) / "out"

        def fetch(*flags, build=build):
            return lambda: cpu_of([build / "test/hfhub-fetch", *flags, "--cacert", cert, "-o", out, base + "/big"])[0]

        def curl(*flags):
            return lambda: cpu_of(["curl", "-s", *flags, "--cacert", cert, "-o", out, base + "/big"])[0]

        for name, ours, theirs in (("HTTP/2, no hash", (), ("--http2",)), ("HTTP/1.1, no hash", ("--http1",), ("--http1.1",))):
            measures = {"hfhub": fetch(*ours), "curl": curl(*theirs)}
            if BESIDE:
                measures["beside"] = fetch(*ours, build=BESIDE)
            medians = alternate(rounds, **measures)
            mine = medians.pop("hfhub")
            row(name, mine, medians, "s", 3)

        hub, ca = servers.local_hub()
        name = "bench/big"
        env = {"HF_ENDPOINT": hub, "HF_TOKEN": "hf_bench", "SSL_CERT_FILE": str(ca), "HF_HUB_DISABLE_XET": "1"}
        subprocess.run([build / "bench/download-file", "upload", name, root / "big"], check=True,
                       env={**os.environ, **env}, stdout=subprocess.DEVNULL)

        def download(build=build):
            cache = pathlib.Path(folder) / "cache"
            shutil.rmtree(cache, ignore_errors=True)
            _, out = run([build / "bench/download-file", "download", name, cache], env=env)
            return float(out.split()[0])

        def curl_and_sha():
            cpu = cpu_of(["curl", "-sL", "--http2", "--cacert", ca, "-o", out, f"{hub}/{name}/resolve/main/big"])[0]
            return cpu + cpu_of(["openssl", "dgst", "-sha256", out])[0]

        measures = {"hfhub": download, "curl + openssl dgst": curl_and_sha}
        if BESIDE:
            measures["beside"] = lambda: download(BESIDE)
        if have_python():
            def python():
                cache = pathlib.Path(folder) / "cache-py"
                shutil.rmtree(cache, ignore_errors=True)
                return cpu_of([PYTHON, ROOT / "bench/download/python_peer.py", name, cache], env=env)[0]
            measures["huggingface_hub (no hash)"] = python
        medians = alternate(rounds, **measures)
        mine = medians.pop("hfhub")
        row("hf_hub_download with sha256", mine, medians, "s", 3)


def bench_throttled(build, rounds):
    print("256 MiB from a server that gives each request 20 MiB/s, wall seconds")
    with tempfile.TemporaryDirectory() as folder, Servers(build, folder) as servers:
        file = pathlib.Path(folder) / "www/bench/big/resolve/main/big"
        file.parent.mkdir(parents=True)
        content = os.urandom(256 << 20)
        file.write_bytes(content)
        etag = hashlib.sha256(content).hexdigest()
        hub, ca = servers.nginx(pathlib.Path(folder) / "www", f"""location / {{ limit_rate 20m;
            add_header X-Repo-Commit {"0123456789" * 4}; add_header X-Linked-Etag '"{etag}"'; }}""")
        env = {"HF_ENDPOINT": hub, "SSL_CERT_FILE": str(ca), "HF_HUB_DISABLE_XET": "1"}

        def fresh(name):
            cache = pathlib.Path(folder) / name
            shutil.rmtree(cache, ignore_errors=True)
            return cache

        def ours():
            return run([build / "bench/download-file", "download", "bench/big", fresh("cache")], env=env)[0]

        measures = {"hfhub": ours, "curl": lambda: run(["curl", "-s", "--cacert", ca, "-o", pathlib.Path(folder) / "out",
                                                        f"{hub}/bench/big/resolve/main/big"])[0]}
        if have_python():
            measures["huggingface_hub"] = lambda: run([PYTHON, ROOT / "bench/download/python_peer.py", "bench/big",
                                                       fresh("cache-py")], env=env)[0]
        medians = alternate(min(rounds, 2), **measures)
        mine = medians.pop("hfhub")
        row("hf_hub_download, parts side by side", mine, medians, "s")


def bench_upload(build, rounds):
    print("a folder of 2000 files of 4 KiB and one of 2 GiB, uploaded over TLS, wall seconds")
    with tempfile.TemporaryDirectory() as folder, Servers(build, folder) as servers:
        path = pathlib.Path(folder) / "model"
        path.mkdir()
        for i in range(2000):
            (path / f"{i:04}.json").write_bytes(os.urandom(2048).hex().encode())
        block = os.urandom(1 << 20)
        with open(path / "weights.bin", "wb") as file:
            for _ in range(2048):
                file.write(block)
        hub, ca = servers.local_hub()
        env = {"HF_ENDPOINT": hub, "HF_TOKEN": "hf_bench", "SSL_CERT_FILE": str(ca), "HF_HUB_DISABLE_XET": "1",
               "HF_HOME": str(pathlib.Path(folder) / "home")}
        count = itertools.count()
        peak = []

        def ours():
            wall, out = run([build / "bench/download-file", "upload-folder", f"bench/up{next(count)}", path], env=env)
            peak.append(int(out.split()[2]))
            return wall

        measures = {"hfhub": ours}
        if have_python():
            measures["huggingface_hub"] = lambda: run([PYTHON, ROOT / "bench/download/python_peer.py",
                                                       f"bench/up{next(count)}", "--folder", path], env=env)[0]
        medians = alternate(min(rounds, 3), **measures)
        mine = medians.pop("hfhub")
        row("upload_folder", mine, medians, "s")
        row("its peak of memory", max(peak) / 1024, {}, "MiB", 0)


def bench_distance(build, rounds):
    delay, rate, size = 0.025, 50e6, 256 << 20
    print("256 MiB over TLS and 50 ms (25 ms each way) at 50 MB/s, one transfer, MB/s")
    with tempfile.TemporaryDirectory() as folder, Servers(build, folder) as servers:
        root = pathlib.Path(folder) / "www"
        root.mkdir()
        (root / "big").write_bytes(os.urandom(1 << 20) * (size >> 20))
        base, cert = servers.nginx(root)
        _, lines = servers.start([sys.executable, ROOT / "bench/http/relay.py", base.rsplit(":", 1)[1], delay, rate],
                                 ready="listening on")
        url = f"https://localhost:{lines[-1].split()[-1]}/big"
        out = pathlib.Path(folder) / "out"

        def fetch(*flags):
            return lambda: size / 1e6 / run([build / "test/hfhub-fetch", *flags, "--cacert", cert, "-o", out, url])[0]

        def curl(*flags):
            return lambda: size / 1e6 / run(["curl", "-sf", *flags, "--cacert", cert, "-o", out, url])[0]

        medians = alternate(min(rounds, 3), h2=fetch("--http2"), h1=fetch("--http1"), curl2=curl("--http2"),
                            curl1=curl("--http1.1"))
        row("HTTP/2", medians["h2"], {"its HTTP/1.1": medians["h1"], "curl": medians["curl2"]}, "MB/s", 1)
        row("HTTP/1.1", medians["h1"], {"curl": medians["curl1"]}, "MB/s", 1)


def bench_stream(build, rounds):
    print("streamed tokens, parsed into structs")
    with tempfile.TemporaryDirectory() as folder, Servers(build, folder) as servers:
        hub, ca = servers.local_hub()

        def ours(build=build):
            _, out = run([build / "bench/stream-tokens", hub + "/v1", ca, 100, 20000])
            tokens, _, cpu, _ = out.split()
            return float(tokens) / float(cpu) / 1000

        measures = {"hfhub": ours}
        if BESIDE:
            measures["beside"] = lambda: ours(BESIDE)
        if have_python():
            def python():
                _, out = run([PYTHON, ROOT / "bench/stream/python_peer.py", hub + "/v1", ca, 20, 1000])
                tokens, cpu = out.split()
                return float(tokens) / float(cpu) / 1000
            measures["AsyncInferenceClient"] = python
        medians = alternate(rounds, **measures)
        mine = medians.pop("hfhub")
        row("100 HTTP/2 streams, tokens per CPU second", mine, medians, "k", 1)
        _, out = run([build / "bench/stream-tokens", hub + "/v1", ca, 1000, 30, "hold"])
        row("memory of each of 1000 open streams", float(out.split()[3]) / 1024, {}, "KiB", 1)


BENCHES = {"http": bench_http, "download": bench_download, "throttled": bench_throttled, "upload": bench_upload,
           "distance": bench_distance,
           "stream": bench_stream}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--beside", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    global BESIDE
    BESIDE = arguments.beside and arguments.beside.resolve()
    unknown = set(arguments.names) - set(BENCHES)
    if unknown:
        sys.exit(f"unknown benches: {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}")
    for name in arguments.names or BENCHES:
        BENCHES[name](arguments.build.resolve(), arguments.rounds)


if __name__ == "__main__":
    main()
