#!/usr/bin/env python3
"""Where nothing comes, nothing succeeds: nothing_sent.py --hf HF

A Hub that describes a file delivers none of it, in every form that HTTP has for that, or cannot be trusted at all. The
program says so by its exit status and on standard error, and no file appears.
"""
import concurrent.futures
import contextlib
import hashlib
import itertools
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading

from peers import SANITIZERS, Checks, expect, program_arguments
from scripted_server import ScriptedServer

REPO, NAME, COMMIT = "alice/model", "model.bin", "c0" * 20
CONTENT = b"weights" * 1000
SHA256 = {content: hashlib.sha256(content).hexdigest() for content in (CONTENT, b"")}


def git_sha1(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def raw(text):
    def send(exchange):
        exchange.send(text.replace("\n", "\r\n").encode())
        exchange.keep_alive = False
    return send


# What may stand in the place of a content.
NOTHING = {
    "a 200 without a byte": lambda exchange: exchange.answer(200),
    "a 204": lambda exchange: exchange.answer(204),
    "a 202 without a byte": lambda exchange: exchange.answer(202),
    "a 206 of nothing": lambda exchange: exchange.answer(206, fields=[("Content-Range", f"bytes 0-0/{len(CONTENT)}")]),
    "a 304": lambda exchange: exchange.answer(304),
    "an end without a length": raw("HTTP/1.1 200 OK\nConnection: close\n\n"),
    "no chunk": raw("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n0\n\n"),
    "a gzip of nothing": lambda exchange: exchange.answer(
        200, bytes.fromhex("1f8b080000000000000303000000000000000000"), [("Content-Encoding", "gzip")]),
    "an announced length, and an end": lambda exchange: exchange.answer(200, announced=len(CONTENT)),
    "an end in place of an answer": raw(""),
    "a 302 to nothing": lambda exchange: exchange.answer(302, fields=[("Location", "/nothing")]),
}
# What HEAD says of the file: the hash, and the length where it tells one.
LARGE, PLAIN = (SHA256[CONTENT], len(CONTENT)), (git_sha1(CONTENT), len(CONTENT))
DESCRIBED = {"a large file": LARGE, "a plain file": PLAIN, "a file of no length": (SHA256[CONTENT], None),
             "a large file of length 0": (SHA256[CONTENT], 0), "a plain file of length 0": (git_sha1(CONTENT), 0)}


LONG = os.environ.get("HFHUB_LONG") == "1"
CALLS = [[NAME], [], [NAME, "--local-dir"]]  # a file, a snapshot, a folder of one's own
AT_A_TIME = 40  # most of them wait between their tries


class Hub(ScriptedServer):
    def __init__(self, described, get):
        super().__init__()
        etag, size = described
        self.described, self.get = described, get
        listed = {"type": "file", "path": NAME, "size": size or 0, "oid": git_sha1(CONTENT)}
        if len(etag) == 64:
            listed["lfs"] = {"oid": etag, "size": size or 0, "pointerSize": 130}
        self.route(f"/{REPO}/resolve/main/{NAME}", self.resolve)
        self.route(f"/{REPO}/resolve/{COMMIT}/{NAME}", self.resolve)
        self.route(f"/api/models/{REPO}/revision/main", self.json({"id": REPO, "sha": COMMIT, "siblings": [{"rfilename": NAME}]}))
        self.route(f"/api/models/{REPO}/tree/{COMMIT}", self.json([listed]))
        self.route("/nothing", lambda exchange: exchange.answer(200))

    @staticmethod
    def json(value):
        return lambda exchange: exchange.answer(200, json.dumps(value).encode(), [("Content-Type", "application/json")])

    def resolve(self, exchange):
        if exchange.request.method != "HEAD":
            self.get(exchange)
            return
        etag, size = self.described
        fields = [("X-Repo-Commit", COMMIT), ("X-Linked-ETag" if len(etag) == 64 else "ETag", f'"{etag}"'),
                  ("ETag", f'"{etag}"')]
        if size is None:
            exchange.send("\r\n".join(["HTTP/1.1 200 OK", *(f"{k}: {v}" for k, v in fields), "", ""]).encode())
            return
        exchange.answer(200, fields=[*fields, ("X-Linked-Size", str(size))], announced=size)
        exchange.keep_alive = True


class Runs:
    def __init__(self, hf, folder):
        self.hf, self.folder, self.numbers = hf, folder, itertools.count()

    def __call__(self, endpoint, *more, **environment):
        """-> (exit status, standard output, standard error, files that appeared)"""
        home = self.folder / str(next(self.numbers))
        home.mkdir()
        place = ["--local-dir", str(home / "local")] if "--local-dir" in more else []
        command = [self.hf, "download", "--quiet", REPO, *(word for word in more if word != "--local-dir"), *place]
        variables = {**SANITIZERS, "HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HOME": str(home), "NO_PROXY": "*",
                     "HF_TOKEN": "hf_alice", "PATH": os.environ["PATH"], **environment}
        done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60)
        files = [path for path in home.rglob("*") if path.name in (NAME, *SHA256.values(), git_sha1(CONTENT), git_sha1(b""))
                 and not path.is_dir()]
        return done.returncode, done.stdout, done.stderr, files


def expect_failure(result, *where):
    status, out, err, files = result
    expect(status == 1, *where, "exit", status, out, err)
    expect(out == "" and "\nError: " in "\n" + err, *where, out, err)
    expect(not files, *where, "files:", files)


def nothing_comes(run):
    def one(what, form, more):
        with Hub(DESCRIBED[what], NOTHING[form]) as hub:
            expect_failure(run(hub.url(""), *more), what, "as", form, more)

    cases = [(what, form, more) for what, form in itertools.product(DESCRIBED, NOTHING) for more in CALLS
             if LONG or more == CALLS[0] or DESCRIBED[what] == LARGE]
    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as threads:
        for run_of_one in [threads.submit(one, *case) for case in cases]:
            run_of_one.result()
    print("     ", len(cases), "cases")


def an_empty_file_comes(run):
    for described in (SHA256[b""], 0), (git_sha1(b""), 0):
        with Hub(described, NOTHING["a 200 without a byte"]) as hub:
            status, out, err, files = run(hub.url(""), NAME)
            expect(status == 0 and pathlib.Path(out.strip()).read_bytes() == b"" and files, status, out, err)


@contextlib.contextmanager
def server_without_tls():
    """The address, as one with TLS, of a server that has none, and answers what it takes for a bad request."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(65536)
                        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        threading.Thread(target=serve, daemon=True).start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def no_protection(run):
    """https is never anything less: a server without TLS, also where there is nothing to judge certificates by."""
    with server_without_tls() as url, concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as threads:
        trusts = {}, {"SSL_CERT_FILE": "/nowhere.pem"}, {"SSL_CERT_FILE": os.devnull}
        cases = [(more, trust) for more in CALLS for trust in trusts]
        for (more, trust), result in [(case, threads.submit(run, url, *case[0], **case[1])) for case in cases]:
            expect_failure(result.result(), more, trust)


def main():
    arguments = program_arguments("--hf")
    checks = Checks()
    with tempfile.TemporaryDirectory() as folder:
        run = Runs(str(arguments.hf), pathlib.Path(folder))
        with checks.check("a file of which nothing comes is an error, whatever form that takes"):
            nothing_comes(run)
        with checks.check("a file that is empty is one"):
            an_empty_file_comes(run)
        with checks.check("a Hub that is to be protected and is not is an error"):
            no_protection(run)
    return checks.end()


if __name__ == "__main__":
    sys.exit(main())
