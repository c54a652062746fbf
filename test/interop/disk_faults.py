#!/usr/bin/env python3
"""Every call that a download makes to the disk fails once: disk_faults.py --hf HF --hub HUB --faults LIBRARY

A version of the file is there, and a newer one is fetched. Whichever call fails, the outcome is the new file or an
error that says why, what others see is one version or the other, and the next run succeeds.
"""
import collections
import concurrent.futures
import errno
import hashlib
import itertools
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

from downloads import NAME, REPO, Client, local_hub
from peers import Checks, expect, program_arguments

SIZE = 1_300_000  # more than what is written to the disk before it gets its name
LONG = os.environ.get("HFHUB_LONG") == "1"
ERRORS = [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EACCES, errno.EROFS]
TOLERATED = {"EINTR": errno.EINTR, "one byte at a time": 0}
INTERRUPTIBLE = {"open", "open64", "openat", "openat64", "read", "pread", "pread64", "write", "pwrite", "pwrite64", "ftruncate", "ftruncate64",
                 "fsync", "fdatasync", "sync_file_range", "flock", "close", "copy_file_range"}
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
LEFT_OVERS = ("*.incomplete", "*.tmp", "*.soft")


class World:
    """A local Hub, and what an earlier download of the first version has left of it."""

    def __init__(self, arguments, folder):
        self.arguments, self.folder = arguments, pathlib.Path(folder)
        self.versions = [random.Random(seed).randbytes(SIZE) for seed in (1, 2)]

    def prepare(self, hub):
        self.hub = hub
        hub.send("POST", "/api/repos/create", {"type": "model", "name": REPO.split("/")[1]})
        before = self.folder / "before"
        client = Client(self.arguments.hf, hub, before / "home")
        self.commits = [hub.commit(self.versions[0])]
        client.path()
        client.path("--local-dir", str(before / "local"))
        self.commits.append(hub.commit(self.versions[1]))
        both = self.folder / "cached"  # the new version, too, for copies from the cache
        shutil.copytree(before, both, symlinks=True)
        Client(self.arguments.hf, hub, both / "home").path()

    def run(self, place, number, error, on=False):
        """One download, one of whose calls fails. Returns the result and the calls."""
        folder = self.folder / f"run-{place}"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.folder / ("cached" if place == "copy" else "before"), folder, symlinks=True)
        log = self.folder / f"log-{place}"
        log.unlink(missing_ok=True)
        self.hub.reset()
        process = self.client(folder).start(
            *self.options(folder, place), LD_PRELOAD=str(self.arguments.faults), FAIL_BELOW=str(folder),
            FAIL_AT=str(number), FAIL_ERRNO=str(error), FAIL_ON=str(int(on)), FAIL_LOG=str(log))
        out, err = process.communicate(timeout=60)
        calls = log.read_text().splitlines() if log.exists() else []
        return folder, subprocess.CompletedProcess("", process.returncode, out, err), calls

    def client(self, folder):
        return Client(self.arguments.hf, self.hub, folder / "home")

    @staticmethod
    def options(folder, place):
        return [] if place == "cache" else ["--local-dir", str(folder / "local")]

    def check(self, place, folder, result, call, error, tidied):
        """What the failure of that call may lead to; `tidied`: what is temporary could be deleted after it."""
        where = f"after {call} with {errno.errorcode.get(error, error)}: exit {result.returncode}, {result.stderr.strip()!r}:"
        if result.returncode == 0:
            expect(pathlib.Path(result.stdout.strip()).read_bytes() == self.versions[1], where, "a wrong file")
        else:
            expect(result.returncode == 1 and result.stderr.splitlines()[-1].startswith("Error: "), where, "no error message")
            expect(os.strerror(error) in result.stderr and str(folder) in result.stderr, where, "not said why or where")
        reads = self.hub.statistics()["storage_reads"]
        expect(reads <= 1, where, reads, "transfers")
        self.check_cache(folder, where)
        self.check_folder(folder, where)
        again = self.client(folder).path(*self.options(folder, place))
        expect(again.read_bytes() == self.versions[1], where, "the next run gives a wrong file")
        left = [str(path) for pattern in LEFT_OVERS for path in folder.rglob(pattern)]
        expect(not left or not tidied, where, "left", left)

    def check_cache(self, folder, where):
        cache = self.client(folder).cache
        pointers = [cache / "snapshots" / commit / NAME for commit in self.commits]
        expect(pointers[0].read_bytes() == self.versions[0], where, "the old version is damaged")
        expect(not pointers[1].exists() or pointers[1].read_bytes() == self.versions[1], where, "wrong in the cache")
        at = (cache / "refs/main").read_text()
        expect(at == self.commits[0] or pointers[1].exists(), where, "the branch is at a version without the file")

    def check_folder(self, folder, where):
        file = folder / "local" / NAME
        content = file.read_bytes()
        expect(content in self.versions, where, "a wrong file in the folder")
        metadata = folder / "local/.cache/huggingface/download" / (NAME + ".metadata")
        remembered = metadata.read_text().split() if metadata.exists() else None
        if remembered and file.stat().st_mtime - 1 <= float(remembered[2]):
            expect(remembered[1] == hashlib.sha256(content).hexdigest(), where, "taken for another version")


def sweep(world, place):
    """All calls fail in turn."""
    seen = collections.Counter()
    errors = [[error] for error in ERRORS] if LONG else [ERRORS]
    for choice in errors:
        for number, on in ((n, on) for n in itertools.count(1) for on in ((False, True) if LONG else (None,))):
            error = choice[number % len(choice)]
            # A disk that is full or broken stays so; a call may also fail alone.
            on = number % 2 == 0 if on is None else on
            folder, result, calls = world.run(place, number, error, on)
            if len(calls) < number:
                break
            call = calls[number - 1]
            world.check(place, folder, result, call, error, tidied=not on and not call.startswith(("unlink ", "unlinkat ")))
            seen["succeeded" if result.returncode == 0 else "failed"] += 1
    expect(seen["failed"] >= 20, "the calls are not seen:", dict(seen))
    return seen


def tolerated(world, place):
    """What is no failure is not treated as one."""
    for error in TOLERATED.values():
        for number in itertools.count(1):
            folder, result, calls = world.run(place, number, error)
            if len(calls) < number:
                break
            call = calls[number - 1]
            if error == errno.EINTR and call.split()[0] not in INTERRUPTIBLE:
                continue
            expect(result.returncode == 0, "after", call, result.stderr)
            world.check(place, folder, result, call, error, tidied=True)


def in_a_world(arguments, work, place):
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder, local_hub(arguments.hub, folder + "/hub") as hub:
        world = World(arguments, folder)
        world.prepare(hub)
        return work(world, place)


def main():
    arguments = program_arguments("--hf", "--hub", "--faults")
    checks = Checks()
    works = [("whichever call fails, the {} holds one version or the other, and the error says why", sweep, place)
             for place in ("cache", "folder", "copy")]
    works += [("a download into the {} does not mind interruptions and short writes", tolerated, place)
              for place in ("cache", "copy")]
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        runs = [(name.format(place), threads.submit(in_a_world, arguments, work, place)) for name, work, place in works]
        for name, run in runs:
            with checks.check(name):
                seen = run.result()
                if seen:
                    print("     ", dict(seen))
    return checks.end()


if __name__ == "__main__":
    sys.exit(main())
