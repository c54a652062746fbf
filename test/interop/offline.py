#!/usr/bin/env python3
"""Offline, no socket is made; and without an answer from the Hub, what is cached comes after one wait.

  offline.py --hf BUILD/hf --hub BUILD/test/hfhub-local-hub --call BUILD/test/hfhub-call
"""
import contextlib
import json
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

from peers import SKIPPED, Checks, expect, installed, program_arguments

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from local_hub import LocalHub  # noqa: E402

REPO = "alice/model"
FILES = {f"file{i}.json": b"{}" + b" " * i for i in range(5)}
NETWORK = re.compile(r"^\d+ +(\w+\(.*)")


class Program:
    """One of the programs under strace, in the home that all share."""

    def __init__(self, argv, environment, folder):
        self.argv, self.environment, self.trace = list(map(str, argv)), environment, folder / "trace"

    def __call__(self, *more, text=None, **environment):
        """Exit status, output, errors, and its calls of the network."""
        argv = ["strace", "-f", "-o", self.trace, "-e", "trace=network", *self.argv, *more]
        # A sanitizer that looks for leaks is a tracer of its own.
        done = subprocess.run(argv, capture_output=True, text=True, input=text, timeout=60, check=False,
                              env={**self.environment, **environment, "ASAN_OPTIONS": "detect_leaks=0"})
        lines = map(NETWORK.match, self.trace.read_text().splitlines())
        return done.returncode, done.stdout, done.stderr, [line.group(1) for line in lines if line]


@contextlib.contextmanager
def silent_port():
    """A port that drops what comes: its queue of connections is full."""
    with socket.socket() as full, contextlib.ExitStack() as fillers:
        full.bind(("127.0.0.2", 0))
        full.listen(0)
        for _ in range(4):
            filler = fillers.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        yield full.getsockname()[1]


def offline(hf, call, checks):
    def get(**arguments):
        one = {"object": "HfApi", "method": "hf_hub_download", "kwargs": {"repo_id": REPO, **arguments},
               "env": call.environment, "tmp": call.environment["HF_HOME"]}
        return call(text=json.dumps(one) + "\n")

    with checks.check("online the trace shows sockets"):
        status, _, err, calls = hf("download", REPO)
        expect(status == 0 and any(line.startswith("socket(") for line in calls), status, err, calls)
    with checks.check("HF_HUB_OFFLINE=1: what is cached comes without a socket"):
        for more in ([], ["file1.json"], ["file1.json", "file2.json"], ["--include", "*.json"]):
            status, out, err, calls = hf("download", REPO, *more, HF_HUB_OFFLINE="1")
            expect(status == 0 and REPO.split("/")[1] in out, more, status, out, err)
            expect(not calls, more, calls)
    with checks.check("HF_HUB_OFFLINE=1: what is not cached is an error, without a socket"):
        for more, word in ((["alice/other"], "not on this machine"), ([REPO, "none.json"], "not on this machine"),
                           ([REPO, "--revision", "v9"], "HF_HUB_OFFLINE")):
            status, _, err, calls = hf("download", *more, HF_HUB_OFFLINE="1")
            expect(status == 1 and word in err, more, status, err)
            expect(not calls, more, calls)
    with checks.check("HF_HUB_OFFLINE=1: other calls fail at once, without a socket"):
        status, _, err, calls = hf("auth", "whoami", HF_HUB_OFFLINE="1", HF_TOKEN="hf_alice")
        expect(status == 1 and "HF_HUB_OFFLINE" in err, status, err)
        expect(not calls, calls)
    with checks.check("local_files_only: what is cached, or LocalEntryNotFoundError, without a socket"):
        for name, word in (("file1.json", "file1.json"), ("none.json", "LocalEntryNotFoundError")):
            _, out, err, calls = get(filename=name, local_files_only=True)
            expect(word in out, out, err)
            expect(not calls, calls)


def unreachable(hf, checks):
    with checks.check("a Hub that does not answer: cached files come after one wait, not one for each"), \
            silent_port() as port:
        begin = time.monotonic()
        status, out, err, calls = hf("download", REPO, *FILES, HF_ENDPOINT=f"http://127.0.0.2:{port}",
                                     HF_HUB_ETAG_TIMEOUT="1")
        took = time.monotonic() - begin
        expect(status == 0 and pathlib.Path(out.strip()).is_dir(), status, out, err)
        expect("could not be asked" in err, err)
        connects = sum(line.startswith("connect(") for line in calls)
        print(f"     {took:.1f} s, {connects} connects for {len(FILES)} files")
        expect(took < 1.9, took)


def main():
    arguments = program_arguments("--hf", "--hub", "--call")
    if not installed("strace"):
        return SKIPPED
    checks = Checks()
    with tempfile.TemporaryDirectory() as scratch, LocalHub(arguments.hub, f"{scratch}/hub") as hub:
        folder = pathlib.Path(scratch)
        environment = hub.environment(folder / "home")
        hf = Program([arguments.hf.resolve()], environment, folder)
        call = Program([arguments.call.resolve(), "--mode", "sync"], environment, folder)
        if "ptrace" in subprocess.run(["strace", "true"], capture_output=True, text=True, check=False).stderr:
            print("skipped: nothing may be traced here")
            return SKIPPED
        hub.create(REPO)
        hub.commit(REPO, FILES)
        offline(hf, call, checks)
        unreachable(hf, checks)
    return checks.end()


if __name__ == "__main__":
    sys.exit(main())
