#!/usr/bin/env python3
"""Ctrl-C while files are fetched: interruptions.py --hf HF --hub HUB

Whatever the program is doing, it ends within a second, by the signal (a shell tells 130), and keeps what the next run can
go on with. A second Ctrl-C ends it at once.
"""
import collections
import contextlib
import fcntl
import hashlib
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

from downloads import NAME, REPO, SIZE, Client, local_hub, make_outdated
from peers import Checks, expect, program_arguments
from resources import commit, upload
from uploads import bytes_read

LONG = os.environ.get("HFHUB_LONG") == "1"
TURNS = 200 if LONG else 20
LARGE = (2048 if LONG else 512) << 20
LONGEST_END = 5.0  # seconds: one, and room for a machine that is busy
SEED = 130


def eventually(condition, what, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        expect(time.monotonic() < end, what)
        time.sleep(0.002)


@contextlib.contextmanager
def running(client, *more, **environment):
    process = client.start(*more, **environment)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def interrupt(process, by=signal.SIGINT):
    """What it says on standard error."""
    process.send_signal(by)
    begin = time.monotonic()
    try:
        err = process.communicate(timeout=10)[1]
    except subprocess.TimeoutExpired:
        expect(False, "it goes on")
    seconds = time.monotonic() - begin
    expect(seconds < LONGEST_END, f"it took {seconds:.2f} s")
    return err


def ended_by(process, number):
    return process.returncode == -number


class Scenario:
    def __init__(self, arguments, hub, folder):
        self.arguments, self.hub, self.folder = arguments, hub, folder
        dice = random.Random(SEED)
        self.versions = [dice.randbytes(SIZE) for _ in range(2)]
        hub.send("POST", "/api/repos/create", {"type": "model", "name": REPO.split("/")[1]})
        self.commits = [hub.commit(content) for content in self.versions]

    def client(self, name):
        self.hub.reset()
        return Client(self.arguments.hf, self.hub, self.folder / name)

    def etag(self):
        return hashlib.sha256(self.versions[1]).hexdigest()

    def held(self, client):
        return sum(part.stat().st_size for part in client.parts(client.cache / "blobs"))

    def during_the_transfer(self, by=signal.SIGINT):
        client = self.client(f"transfer-{by}")
        self.hub.stall(SIZE // 2)
        with running(client) as process:
            eventually(lambda: self.held(client) > SIZE // 2 - 2_000_000, "nothing arrives")
            err = interrupt(process, by)
        expect(ended_by(process, by), "exit", process.returncode, err)
        expect(err.startswith("Interrupted; what has come") and err.count("\n") == 1, err)
        held = self.held(client)
        expect(held > SIZE // 2 - 2_000_000, "only", held, "bytes are kept")
        self.hub.reset()
        expect(client.path().read_bytes() == self.versions[1], "the next run gives a wrong file")
        sent = self.hub.statistics()["bytes_sent"]
        expect(sent < SIZE - held + 100_000, held, "held,", sent, "sent")
        left = [path.name for path in client.home.rglob("*") if path.suffix in (".incomplete", ".tmp")]
        expect(not left, "left", left)

    def during_hashing(self):
        """Of a part that another run has left; its content is mostly nothing, so it can be made without fetching it."""
        client = self.client("hashing")
        commit(self.hub, [upload(self.hub, self.folder, LARGE, 0)])
        client.command = [self.arguments.hf, "download", "--quiet", REPO, "large0.bin"]
        self.hub.stall(1_000_000)
        with running(client) as process:
            eventually(lambda: self.held(client) > 0, "nothing arrives")
            process.kill()
        (part,) = client.parts(client.cache / "blobs")
        os.truncate(part, LARGE - 1)
        self.hub.reset()
        with running(client) as process:
            eventually(lambda: bytes_read(process.pid) > 4 << 20, "it is not hashed")
            interrupt(process)
        expect(ended_by(process, signal.SIGINT), "exit", process.returncode)
        expect(self.held(client) == LARGE - 1, "the part is not kept")
        expect(client.path().stat().st_size == LARGE, "the next run gives a wrong file")
        expect(self.hub.statistics()["bytes_sent"] < 100_000, "the part was not used")

    def while_waiting_for_a_lock(self):
        client = self.client("lock")
        lock = client.home / "hub/.locks" / client.cache.name / (self.etag() + ".lock")
        lock.parent.mkdir(parents=True)
        with open(lock, "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            with running(client) as process:
                eventually(lambda: self.hub.statistics()["resolve_requests"] > 0, "it does not ask")
                time.sleep(0.3)
                expect(process.poll() is None, "it does not wait")
                interrupt(process)
        expect(ended_by(process, signal.SIGINT), "exit", process.returncode)
        expect(client.path().read_bytes() == self.versions[1], "the next run gives a wrong file")

    def while_waiting_for_an_answer(self):
        client = self.client("answer")
        self.hub.send("POST", "/_local/faults", {"method": "HEAD", "path": NAME, "fault": "delay_ms:5000;n=1"})
        with running(client) as process:
            eventually(lambda: self.hub.statistics()["resolve_requests"] > 0, "it does not ask")
            interrupt(process)
        expect(ended_by(process, signal.SIGINT), "exit", process.returncode)

    def a_second_one(self):
        """Where what is under way cannot be ended: here the token's file does not open."""
        client = self.client("second")
        pipe = self.folder / "token"
        os.mkfifo(pipe)
        del client.environment["HF_TOKEN"]
        with running(client, HF_TOKEN_PATH=str(pipe)) as process:
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            time.sleep(0.3)
            expect(process.poll() is None, "it ended by the first one", process.returncode)
            interrupt(process)
        expect(ended_by(process, signal.SIGINT), "exit", process.returncode)

    def ignored(self):
        """As in a shell's background: what was told to ignore the signal goes on."""
        client = self.client("ignored")
        self.hub.stall(SIZE // 2)
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            process = client.start()
        finally:
            signal.signal(signal.SIGINT, before)
        try:
            eventually(lambda: self.held(client) > 0, "nothing arrives")
            process.send_signal(signal.SIGINT)
            time.sleep(0.2)
            expect(process.poll() is None, "it ended", process.returncode)
            interrupt(process, signal.SIGTERM)
        finally:
            process.kill()
            process.communicate()
        expect(ended_by(process, signal.SIGTERM), "exit", process.returncode)

    def at_any_time(self):
        client = self.client("any")
        self.hub.commit(self.versions[0])
        client.path()
        self.hub.commit(self.versions[1])
        commits = [(client.cache / "refs/main").read_text(), None]
        begin = time.monotonic()
        client.path()
        life = time.monotonic() - begin
        commits[1] = (client.cache / "refs/main").read_text()
        dice, seen = random.Random(SEED), collections.Counter()
        for _ in range(TURNS):
            make_outdated(client, commits, self.versions[1])
            with running(client) as process:
                time.sleep(dice.uniform(0, 1.2 * life))
                interrupt(process)
            expect(process.returncode in (0, -signal.SIGINT), "exit", process.returncode)
            there = client.path(HF_HUB_OFFLINE="1").read_bytes()
            expect(there in self.versions and (process.returncode or there == self.versions[1]), "a wrong file is there")
            seen["interrupted" if process.returncode else "ended before"] += 1
            expect(not list(client.home.rglob("*.tmp")), "a temporary file is left")
        print("     ", dict(seen))
        expect(client.path().read_bytes() == self.versions[1], "the last run gives a wrong file")


def main():
    arguments = program_arguments("--hf", "--hub")
    checks = Checks()
    with tempfile.TemporaryDirectory() as folder, local_hub(str(arguments.hub), folder + "/hub") as hub:
        scenario = Scenario(arguments, hub, pathlib.Path(folder))
        with checks.check("Ctrl-C in the middle of a transfer ends it, and what has come is kept"):
            scenario.during_the_transfer()
        with checks.check("SIGTERM does the same"):
            scenario.during_the_transfer(signal.SIGTERM)
        with checks.check("Ctrl-C ends the hashing of what is there, and it is kept"):
            scenario.during_hashing()
        with checks.check("Ctrl-C ends the wait for a lock"):
            scenario.while_waiting_for_a_lock()
        with checks.check("Ctrl-C ends the wait for an answer"):
            scenario.while_waiting_for_an_answer()
        with checks.check("a second Ctrl-C ends the process where the first one cannot"):
            scenario.a_second_one()
        with checks.check("what is to ignore Ctrl-C goes on"):
            scenario.ignored()
        with checks.check("after Ctrl-C at any time the cache holds one version or the other, and nothing temporary"):
            scenario.at_any_time()
    return checks.end()


if __name__ == "__main__":
    sys.exit(main())
