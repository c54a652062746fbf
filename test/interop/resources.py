#!/usr/bin/env python3
"""Few descriptors and little memory: resources.py --hf HF --hub HUB [--max-rss MIB]

A repository of many files is fetched with 256 descriptors, and large files beside each other in a memory group of 256 MiB
(where cgroup v1 can be had), or as far as the peak of the process's memory tells.
"""
import argparse
import contextlib
import hashlib
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile

from downloads import REPO, Client, Hub
from peers import Checks, expect

LONG = os.environ.get("HFHUB_LONG") == "1"
LARGE = (1024 if LONG else 32) << 20
LARGE_FILES, SMALL_FILES, DESCRIPTORS = 8, 300, 256
GROUP_LIMIT = 256 << 20
GROUPS = pathlib.Path("/sys/fs/cgroup/memory")


@contextlib.contextmanager
def memory_group():
    """A function that a child calls to live in 256 MiB; does nothing where that cannot be had."""
    group = GROUPS / f"hfhub-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(GROUP_LIMIT))
    except OSError:
        print("      no memory group can be made: the process alone is measured")
        yield lambda: None
        return
    try:
        yield lambda: (group / "cgroup.procs").write_text("0")
    finally:
        group.rmdir()


@contextlib.contextmanager
def hub_for_large_files(program, data):
    server = subprocess.Popen([program, "--port", "0", "--data", data, "--multipart-threshold", str(4 * LARGE)],
                              stdout=subprocess.PIPE, text=True)
    try:
        yield Hub(server.stdout.readline().split()[-1])
    finally:
        server.terminate()
        server.wait(10)


def upload(hub, folder, size, number):
    """A large file, mostly of nothing: what the disk holds of it is small. Returns its line in a commit."""
    path = folder / "large"
    with open(path, "wb") as file:
        file.write(str(number).encode())
        file.truncate(size)
    with open(path, "rb") as file:
        oid = hashlib.file_digest(file, "sha256").hexdigest()
    batch = hub.send("POST", f"/{REPO}.git/info/lfs/objects/batch",
                     {"operation": "upload", "transfers": ["basic"], "hash_algo": "sha256",
                      "objects": [{"oid": oid, "size": size}]}, "application/vnd.git-lfs+json")
    href = json.loads(batch)["objects"][0]["actions"]["upload"]["href"]
    subprocess.run(["curl", "-sSf", "-T", str(path), "-H", "content-type: application/octet-stream", href], check=True,
                   capture_output=True)
    path.unlink()
    return {"key": "lfsFile", "value": {"path": f"large{number}.bin", "algo": "sha256", "oid": oid, "size": size}}


def commit(hub, lines):
    lines = [{"key": "header", "value": {"summary": "files", "description": ""}}, *lines]
    body = "\n".join(map(json.dumps, lines)).encode()
    hub.send("POST", f"/api/models/{REPO}/commit/main", body, "application/x-ndjson")


def run(client, prepare, *more):
    """Peak of the memory of a download, in bytes."""
    process = subprocess.Popen([*client.command, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env=client.environment, preexec_fn=prepare)
    out, err = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    process.stderr.close()
    expect(process.returncode == 0, "exit", process.returncode, err)
    return pathlib.Path(out.strip()), usage.ru_maxrss * 1024


def few_descriptors(hub, hf, folder):
    lines = [{"key": "file", "value": {"path": f"some/{i:03}.txt", "content": "aGZodWI=", "encoding": "base64"}}
             for i in range(SMALL_FILES)]
    commit(hub, lines)
    client = Client(hf, hub, folder / "few")
    client.command = [hf, "download", "--quiet", REPO, "--include", "some/*", "--max-workers", "64"]
    snapshot, _ = run(client, lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS)))
    files = [path for path in snapshot.rglob("*.txt") if path.read_text() == "hfhub"]
    expect(len(files) == SMALL_FILES, len(files), "files")


def little_memory(hub, hf, folder, limit):
    commit(hub, [upload(hub, folder, LARGE, number) for number in range(LARGE_FILES)])
    client = Client(hf, hub, folder / "large-home")
    client.command = [hf, "download", "--quiet", REPO, "--include", "large*", "--max-workers", str(LARGE_FILES)]
    with memory_group() as enter:
        snapshot, peak = run(client, enter)
    sizes = [path.stat().st_size for path in snapshot.glob("large*")]
    expect(sizes == [LARGE] * LARGE_FILES, sizes)
    print(f"      {LARGE_FILES} files of {LARGE >> 20} MiB: peak {peak / (1 << 20):.0f} MiB")
    expect(limit == 0 or peak < limit << 20, f"peak {peak / (1 << 20):.0f} MiB")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hf", required=True)
    parser.add_argument("--hub", required=True)
    parser.add_argument("--max-rss", type=int, default=128, help="in MiB; 0: not looked at")
    arguments = parser.parse_args()
    checks = Checks()
    with tempfile.TemporaryDirectory() as temporary, hub_for_large_files(arguments.hub, temporary + "/hub") as hub:
        folder = pathlib.Path(temporary)
        hub.send("POST", "/api/repos/create", {"type": "model", "name": REPO.split("/")[1]})
        with checks.check(f"{SMALL_FILES} files by 64 workers are fetched with {DESCRIPTORS} descriptors"):
            few_descriptors(hub, arguments.hf, folder)
        with checks.check("large files beside each other need little memory, however large they are"):
            little_memory(hub, arguments.hf, folder, arguments.max_rss)
    return checks.end()


if __name__ == "__main__":
    sys.exit(main())
