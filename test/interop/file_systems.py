#!/usr/bin/env python3
"""Downloads to file systems that are full, read-only, without locks or links, or that take two names for one:
file_systems.py --hf HF --hub HUB --faults LIBRARY

Mounts are made in a mount namespace of its own, as root; without that right those checks are skipped, by name.
"""
import concurrent.futures
import contextlib
import ctypes
import errno
import hashlib
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from downloads import NAME, REPO, SIZE, Client, local_hub
from peers import Checks, expect, program_arguments

LONG = os.environ.get("HFHUB_LONG") == "1"
PROCESSES = 32 if LONG else 16
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 0x40000
NOBODY = 65534
# What is more than these is not an answer at once.
AT_ONCE = 5


def own_mounts():
    """Whether mounts can be made that nobody else sees."""
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() != 0 or libc.unshare(CLONE_NEWNS) != 0:
        return False
    return libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) == 0


@contextlib.contextmanager
def mounted(folder, *command):
    """`command` mounts something on the folder."""
    folder.mkdir(exist_ok=True)
    subprocess.run([*map(str, command), str(folder)], check=True, capture_output=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def tmpfs(folder, size):
    return mounted(folder, "mount", "-t", "tmpfs", "-o", f"size={size}", "none")


@contextlib.contextmanager
def exfat(folder):
    """Without links, and it takes names for one that differ in case."""
    image = folder.parent / "exfat"
    with open(image, "wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mkfs.exfat", str(image)], check=True, capture_output=True)
    loop = subprocess.run(["losetup", "-f", "--show", str(image)], check=True, capture_output=True, text=True).stdout
    try:
        with mounted(folder, "mount.exfat-fuse", loop.strip()):
            yield folder
    finally:
        subprocess.run(["losetup", "-d", loop.strip()], check=True)


class Place:
    """A local Hub with one large file, and homes for clients."""

    def __init__(self, arguments, folder, hub):
        self.arguments, self.folder, self.hub = arguments, pathlib.Path(folder), hub
        self.content = random.Random(7).randbytes(SIZE)
        hub.send("POST", "/api/repos/create", {"type": "model", "name": REPO.split("/")[1]})
        self.commit = hub.commit(self.content)
        self.etag = hashlib.sha256(self.content).hexdigest()

    def client(self, home):
        return Client(self.arguments.hf, self.hub, home)

    def path(self, name):
        return self.folder / name

    def failure(self, client, *more, **environment):
        """What a download says that fails, which it does at once and for good."""
        self.hub.reset()
        begin = time.monotonic()
        process = client.start(*more, **environment)
        _, err = process.communicate(timeout=60)
        took = time.monotonic() - begin
        expect(process.returncode == 1, "exit", process.returncode, err)
        expect(took < AT_ONCE, f"after {took:.1f} s", err)
        return err

    def reads(self):
        return self.hub.statistics()["storage_reads"]


def processes_together(place, home, **environment):
    """All of them get the file; returns how many fetched it."""
    place.hub.reset()
    client = place.client(home)
    with concurrent.futures.ThreadPoolExecutor(PROCESSES) as threads:
        paths = list(threads.map(lambda _: client.path(**environment), range(PROCESSES)))
    expect(all(path.read_bytes() == place.content for path in paths), "a wrong file")
    left = [path.name for path in (client.cache / "blobs").iterdir()]
    expect(left == [place.etag], "left", left)
    return place.reads()


def full_before(place):
    with tmpfs(place.path("small"), "8m") as folder:
        err = place.failure(place.client(folder / "home"))
        expect("No space left" in err and str(folder) in err and str(SIZE) in err and "are free" in err, err)
        expect(place.reads() == 0, place.reads(), "transfers")
        expect(not list(folder.rglob("*.incomplete")), "a part is left")


def full_in_the_middle(place):
    with tmpfs(place.path("full"), "8m") as folder:
        client = place.client(folder / "home")
        blind = {"LD_PRELOAD": str(place.arguments.faults), "FAIL_STATVFS": "1"}
        err = place.failure(client, **blind)
        expect("cannot write" in err and "No space left" in err and str(folder) in err, err)
        expect(place.reads() == 1, place.reads(), "transfers")
        part, = client.parts(client.cache / "blobs")
        held = part.stat().st_size
        expect(held > 4 << 20, "only", held, "bytes are kept")
        subprocess.run(["mount", "-o", "remount,size=64m", str(folder)], check=True)
        place.hub.reset()
        expect(client.path().read_bytes() == place.content, "a wrong file")
        sent = place.hub.statistics()["bytes_sent"]
        expect(sent < SIZE - held + 100_000, held, "held", sent, "sent")


def read_only(place):
    with tmpfs(place.path("ro"), "64m") as folder:
        client = place.client(folder / "home")
        known = client.path()
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        expect(client.path() == known, "another path")
        expect(client.path(HF_HUB_OFFLINE="1") == known, "another path offline")
        other = place.client(folder / "other")
        err = place.failure(other)
        expect("Read-only file system" in err and str(folder / "other") in err and "HF_HOME" in err, err)
        expect(place.reads() == 0, place.reads(), "transfers")


def of_another_user(place):
    home = place.path("root's")
    known = place.client(home).path()
    os.chmod(place.folder, 0o755)
    client = place.client(home)
    client.command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *client.command]
    expect(client.path() == known, "another path")
    shutil.rmtree(client.cache / "snapshots")
    shutil.rmtree(client.cache / "blobs")
    err = place.failure(client)
    expect("Permission denied" in err and str(home) in err and "owner" in err, err)


def shared_by_a_group(place):
    folder = place.path("group")
    folder.mkdir()
    os.chown(folder, 0, 4711)
    os.chmod(folder, 0o2775)
    before = os.umask(0o002)
    try:
        place.client(folder).path()
        place.client(folder).path("--local-dir", str(folder / "local"))
    finally:
        os.umask(before)
    for path in folder.rglob("*"):
        status = path.lstat()
        wanted = 0o2775 if path.is_dir() else 0o664
        expect(status.st_gid == 4711, path, "is of another group")
        expect(path.is_symlink() or status.st_mode & 0o7777 == wanted, path, oct(status.st_mode))


def on_another_file_system(place):
    """What is kept about a folder lies on another file system than the folder: the last step is a copy."""
    folder = place.path("crossing")
    (folder / ".cache").mkdir(parents=True)
    with tmpfs(folder / ".cache", "64m"):
        path = place.client(place.path("empty")).path("--local-dir", str(folder))
        expect(path.read_bytes() == place.content, "a wrong file")
        left = [str(file) for file in folder.rglob("*") if file.name.endswith((".incomplete", ".tmp"))]
        expect(not left, "left", left)


def without_links(place):
    with exfat(place.path("exfat-cache")) as folder:
        client = place.client(folder / "home")
        path = client.path()
        expect(path.read_bytes() == place.content and not path.is_symlink(), "no plain file")
        place.hub.reset()
        expect(client.path() == path, "another path")
        expect(place.reads() == 0, "fetched again")


def names_for_one(place):
    with exfat(place.path("exfat-folder")) as folder:
        local = folder / "local"
        local.mkdir()
        (local / NAME.upper()).write_text("mine")
        err = place.failure(place.client(place.path("fold")), "--local-dir", str(local))
        expect(NAME in err and NAME.upper() in err and "upper from lower case" in err, err)
        expect((local / NAME.upper()).read_text() == "mine", "it is overwritten")
        other = folder / "other"  # of the first one the kernel still remembers names
        path = place.client(place.path("fold")).path("--local-dir", str(other))
        expect(path.read_bytes() == place.content, "a wrong file")
        expect(place.client(place.path("fold")).path("--local-dir", str(other)) == path, "another path")


def locks_that(place, name, **environment):
    reads = processes_together(place, place.path("locks-" + name), LD_PRELOAD=str(place.arguments.faults), **environment)
    expect(reads == 1, reads, "transfers")


def through_bindfs(place):
    below = place.path("below")
    below.mkdir()
    with mounted(place.path("bindfs"), "bindfs", below) as folder:
        reads = processes_together(place, folder / "home")
    expect(reads == 1, reads, "transfers")


def interrupted(place):
    """In the network, and while a part is hashed."""
    client = place.client(place.path("interrupted"))
    place.hub.reset()
    place.hub.stall(SIZE // 2)
    process = client.start()
    deadline = time.monotonic() + 10
    while sum(part.stat().st_size for part in client.parts(client.cache / "blobs")) < SIZE // 4:
        expect(time.monotonic() < deadline, "nothing arrives")
        time.sleep(0.01)
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    took = time.monotonic() - begin
    expect(process.returncode != 0 and took < 0.5, "exit", process.returncode, f"after {took:.2f} s")
    part, = client.parts(client.cache / "blobs")
    expect(part.stat().st_size >= SIZE // 4, "the part is lost")
    place.hub.reset()
    expect(client.path().read_bytes() == place.content, "a wrong file")
    expect(place.hub.statistics()["bytes_sent"] < SIZE * 4 // 5, "all is fetched again")


CHECKS = [
    ("where the file does not fit, nothing is asked for, and the error says how much is missing where", full_before, "mount"),
    ("a disk that gets full ends a transfer at once and keeps the part", full_in_the_middle, "mount"),
    ("a read-only cache gives the file that it has, and a clear error for others", read_only, "mount"),
    ("so does the cache of another user", of_another_user, "setpriv"),
    ("a group's cache is open to the group", shared_by_a_group, "mount"),
    ("a temporary file on another file system is copied", on_another_file_system, "mount"),
    ("without links the cache holds plain files", without_links, "mount.exfat-fuse"),
    ("a file of a name that is taken for another one is not overwritten", names_for_one, "mount.exfat-fuse"),
    ("processes beside each other fetch a file once through bindfs", through_bindfs, "bindfs"),
    ("a download that is interrupted ends at once, and the next one goes on with it", interrupted, None),
]
LOCKS = {"everybody gets": "0", "fail with ENOLCK": str(errno.ENOLCK), "fail with ENOSYS": str(errno.ENOSYS),
         "fail with EOPNOTSUPP": str(errno.EOPNOTSUPP), "fail with EINVAL": str(errno.EINVAL)}


def possible(needs, mounts):
    if needs is None:
        return True
    return mounts and shutil.which(needs, path=os.environ["PATH"] + ":/usr/sbin:/sbin") is not None and (
        needs not in ("bindfs", "mount.exfat-fuse") or os.access("/dev/fuse", os.W_OK))


def main():
    arguments = program_arguments("--hf", "--hub", "--faults")
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    mounts = own_mounts()
    checks = Checks()
    with tempfile.TemporaryDirectory() as folder, local_hub(arguments.hub, folder + "/hub") as hub:
        place = Place(arguments, folder, hub)
        for name, action, needs in CHECKS:
            if not possible(needs, mounts):
                print("skip", name, flush=True)
                continue
            with checks.check(name):
                action(place)
        for name, error in list(LOCKS.items())[:None if LONG else 2]:
            with checks.check(f"processes beside each other fetch a file once where locks {name}"):
                locks_that(place, name.replace(" ", "-"), FAIL_FLOCK=error)
    return checks.end()


if __name__ == "__main__":
    sys.exit(main())
