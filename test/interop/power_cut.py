#!/usr/bin/env python3
"""The power fails while files are fetched: power_cut.py --hf HF --hub HUB

A file system of its own (ext4 in a file, mounted where nobody else sees it) holds a version of some files, and a newer
one is fetched. At any moment nothing more gets to the disk, and what had got there is all that is left. Then every name
leads to one version or the other, and the next run completes. Exit status 77 where such a file system cannot be had.
"""
import base64
import collections
import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import time

from downloads import NAME, REPO, Client, local_hub
from peers import PATH, SKIPPED, Checks, expect, installed, program_arguments

LONG = os.environ.get("HFHUB_LONG") == "1"
CUTS = 100 if LONG else 12
DISK = 96 << 20
SIZES = {NAME: 6_000_000, "vocab.txt": 700_000, "config.json": 600}  # the first is synced, the others are settled
EXT4_IOC_SHUTDOWN = 0x8004587D  # of <linux/ext4.h>, as yet without a name there for all
KEEP_JOURNAL, DROP_JOURNAL = 1, 2  # whether names get to the disk that wait to
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
HIDDEN = "HFHUB_POWER_CUT_HIDDEN"
SEED = 35


def hide():
    """Goes on where no other process sees what is mounted, and all of it goes with this one."""
    if os.environ.get(HIDDEN):
        return True
    command = ["unshare", "--mount", "--propagation", "private"]
    if subprocess.run([*command, "true"], capture_output=True, env={"PATH": PATH}).returncode != 0:
        return False
    os.execvpe("unshare", [*command, sys.executable, *sys.argv], {**os.environ, HIDDEN: "1"})


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60,
                          env={"PATH": PATH})
    if done.returncode != 0:
        raise OSError(f"{command[0]}: {done.stderr.strip()}")


def digest(content, name):
    """As the cache names it."""
    return (hashlib.sha256(content) if len(name) == 64 else
            hashlib.sha1(b"blob %d\0" % len(content) + content)).hexdigest()


class Disk:
    """An ext4 whose power can fail."""

    def __init__(self, folder):
        self.image, self.place = folder / "image", folder / "disk"
        self.place.mkdir()
        with open(self.image, "wb") as file:
            file.truncate(DISK)
        run("mkfs.ext4", "-q", "-F", self.image)

    @contextlib.contextmanager
    def mounted(self):
        run("mount", "-o", "loop", self.image, self.place)
        try:
            yield self.place
        finally:
            run("umount", self.place)

    def copy(self, folder):
        other = object.__new__(Disk)
        other.image, other.place = folder / "cut-image", self.place
        run("cp", "--sparse=always", self.image, other.image)
        return other

    def cut(self, how):
        at = os.open(self.place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(at, EXT4_IOC_SHUTDOWN, struct.pack("I", how))
        finally:
            os.close(at)


def can_be_cut():
    try:
        with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
            disk = Disk(pathlib.Path(folder))
            with disk.mounted():
                disk.cut(DROP_JOURNAL)
    except OSError as error:
        print("skipped, no file system can be had whose power fails:", error)
        return False
    return True


class World:
    """A disk with the first version of the files, in the cache and in a folder; and the Hub that has a second one."""

    def __init__(self, arguments, hub, folder):
        self.arguments, self.hub, self.folder = arguments, hub, folder
        dice = random.Random(SEED)
        self.versions = [{name: dice.randbytes(size) for name, size in SIZES.items()} for _ in range(2)]
        self.disk = Disk(folder)
        hub.send("POST", "/api/repos/create", {"type": "model", "name": REPO.split("/")[1]})
        self.commits = [self.commit(0)]
        with self.disk.mounted() as place:
            self.client(place).path()
            self.client(place).path("--local-dir", str(place / "local"))
        self.commits.append(self.commit(1))

    def commit(self, number):
        small = [{"key": "file", "value": {"path": name, "content": base64.b64encode(content).decode(),
                                           "encoding": "base64"}}
                 for name, content in self.versions[number].items() if name != NAME]
        return self.hub.commit(self.versions[number][NAME], small)

    def client(self, place, *names):
        client = Client(self.arguments.hf, self.hub, place / "home")
        client.command = [self.arguments.hf, "download", "--quiet", REPO, *names]
        return client

    def length_of_a_run(self, *options):
        disk = self.disk.copy(self.folder)
        with disk.mounted() as place:
            begin = time.monotonic()
            self.client(place).path(*options)
            return time.monotonic() - begin

    def cut_during(self, disk, options, after, how):
        """The exit status of the run, where it came so far."""
        with disk.mounted() as place:
            process = self.client(place).start(*options)
            try:
                time.sleep(after)
                disk.cut(how)
                done = process.poll()
            finally:
                process.kill()
                process.communicate()
        return done

    def is_version(self, name, content):
        return content in (version[name] for version in self.versions)

    def check_cache(self, place, where):
        cache = self.client(place).cache
        for number, commit in enumerate(self.commits):
            for name, wanted in self.versions[number].items():
                pointer = cache / "snapshots" / commit / name
                content = pointer.read_bytes() if pointer.exists() else None
                expect(content == wanted or (number == 1 and content is None), where, name, "of version", number, "is wrong")
        for blob in (cache / "blobs").iterdir():
            content = blob.read_bytes()
            whole = blob.suffix or digest(content, blob.name) == blob.name
            expect(whole, where, "the content", blob.name, "is another")
        for listing in (cache / "trees").glob("*.json"):
            expect(json.loads(listing.read_text()), where, listing.name, "lists nothing")
        expect((cache / "refs/main").read_text() in self.commits, where, "the branch is nowhere")
        for name in SIZES:
            path = self.client(place, name).path(HF_HUB_OFFLINE="1")
            expect(self.is_version(name, path.read_bytes()), where, "offline,", name, "is wrong")

    def check_folder(self, place, where):
        for name in SIZES:
            file = place / "local" / name
            content = file.read_bytes()
            expect(self.is_version(name, content), where, name, "in the folder is wrong:", len(content), "bytes")
            metadata = place / "local/.cache/huggingface/download" / (name + ".metadata")
            remembered = metadata.read_text().split() if metadata.exists() else None
            if remembered and file.stat().st_mtime - 1 <= float(remembered[2]):
                expect(remembered[1] == digest(content, remembered[1]), where, name, "is taken for another version")

    def check_next_run(self, place, where, *options):
        found = self.client(place).path(*options)
        for name, wanted in self.versions[1].items():
            expect((found / name).read_bytes() == wanted, where, "the next run gives a wrong", name)
        left = list(place.rglob("*.incomplete"))
        expect(not left, where, "the next run leaves", *left)


def cuts(world, into_folder):
    options = ["--local-dir", str(world.disk.place / "local")] if into_folder else []
    dice = random.Random(SEED)
    life = world.length_of_a_run(*options)
    seen = collections.Counter()
    for turn in range(CUTS):
        world.hub.reset()
        if turn % 3 == 0:
            world.hub.stall(dice.randrange(SIZES[NAME]))
        how, after = (KEEP_JOURNAL, DROP_JOURNAL)[turn % 2], dice.uniform(0, 1.3 * life)
        disk = world.disk.copy(world.folder)
        done = world.cut_during(disk, options, after, how)
        world.hub.reset()
        where = f"cut {turn}, {after * 1000:.0f} of {life * 1000:.0f} ms, {how=}:"
        with disk.mounted() as place:
            seen["left a part"] += any(part.stat().st_size > 0 for part in place.rglob("*.incomplete"))
            seen["after the end" if done == 0 else "before the end"] += 1
            (world.check_folder if into_folder else world.check_cache)(place, where)
            world.check_next_run(place, where, *options)
    print("     ", dict(seen))


def main():
    arguments = program_arguments("--hf", "--hub")
    if len(installed("unshare", "mkfs.ext4", "mount")) < 3 or not hide() or not can_be_cut():
        return SKIPPED
    checks = Checks()
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder, local_hub(str(arguments.hub), folder + "/hub") as hub:
        world = World(arguments, hub, pathlib.Path(folder))
        with checks.check("after a power cut at any moment the cache holds one version or the other, and the next run all"):
            cuts(world, into_folder=False)
        with checks.check("after a power cut at any moment a folder holds one version or the other, and knows which"):
            cuts(world, into_folder=True)
    return checks.end()


if __name__ == "__main__":
    sys.exit(main())
