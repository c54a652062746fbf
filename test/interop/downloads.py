#!/usr/bin/env python3
"""Many processes that want one file, and processes that are killed while they fetch it: downloads.py HF HUB

HF is the command-line program, HUB the local Hub. Prints one line per check.
"""
import collections
import concurrent.futures
import contextlib
import hashlib
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time
import urllib.request

SIZE = 20 * 1000 * 1000
NAME = "model.safetensors"
REPO = "alice/model"
LONG = os.environ.get("HFHUB_LONG") == "1"
PROCESSES = 32 if LONG else 8
KILLS = 200 if LONG else 20
LONGEST_LIFE = 0.12  # seconds; an undisturbed download takes less
SEED = 20


class Hub:
    def __init__(self, url):
        self.url = url

    def send(self, method, path, body=None, content_type="application/json"):
        url = path if path.startswith("http") else self.url + path
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, method=method)
        if url.startswith(self.url):
            request.add_header("Authorization", "Bearer hf_alice")
        if data is not None:
            request.add_header("Content-Type", content_type)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=20) as response:
            return response.read()

    def statistics(self):
        return json.loads(self.send("GET", "/_local/stats"))

    def reset(self):
        self.send("POST", "/_local/reset", b"")

    def stall(self, at):
        """The next content stops after so many bytes."""
        self.send("POST", "/_local/faults", {"method": "GET", "path": "/objects/", "fault": f"stall:{at};n=1;key={at}"})

    def commit(self, content, others=()):
        """The commit that makes it the repository's file, with lines of others."""
        oid = hashlib.sha256(content).hexdigest()
        batch = self.send("POST", f"/{REPO}.git/info/lfs/objects/batch",
                          {"operation": "upload", "transfers": ["basic"], "hash_algo": "sha256",
                           "objects": [{"oid": oid, "size": len(content)}]},
                          "application/vnd.git-lfs+json")
        actions = json.loads(batch)["objects"][0].get("actions")
        if actions:
            self.send("PUT", actions["upload"]["href"], content, "application/octet-stream")
        lines = [{"key": "header", "value": {"summary": "a version", "description": ""}},
                 {"key": "lfsFile", "value": {"path": NAME, "algo": "sha256", "oid": oid, "size": len(content)}},
                 *others]
        body = "\n".join(json.dumps(line) for line in lines).encode()
        answer = self.send("POST", f"/api/models/{REPO}/commit/main", body, "application/x-ndjson")
        return json.loads(answer)["commitOid"]


class Checks:
    failed = 0

    def __call__(self, name, passed, detail=""):
        print(f"{'ok  ' if passed else 'FAIL'} {name}{': ' + str(detail) if detail != '' else ''}", flush=True)
        self.failed += not passed


class Client:
    def __init__(self, hf, hub, home):
        self.command = [hf, "download", "--quiet", REPO, NAME]
        self.home = pathlib.Path(home)
        self.environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(home), "HF_TOKEN": "hf_alice",
                            "NO_PROXY": "*"}
        self.environment.pop("HF_HUB_OFFLINE", None)

    def start(self, *more, **environment):
        return subprocess.Popen([*self.command, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env={**self.environment, **environment})

    def path(self, *more, **environment):
        """Where the file is that a call returns."""
        process = self.start(*more, **environment)
        out, err = process.communicate(timeout=120)
        if process.returncode != 0:
            raise RuntimeError(f"hf exited with {process.returncode}: {err.strip()}")
        return pathlib.Path(out.strip())

    def parts(self, folder):
        return list(pathlib.Path(folder).glob("*.incomplete"))

    @property
    def cache(self):
        return self.home / "hub" / ("models--" + REPO.replace("/", "--"))


def many_processes(check, hub, client, content):
    hub.reset()
    with concurrent.futures.ThreadPoolExecutor(PROCESSES) as threads:
        paths = list(threads.map(lambda _: client.path(), range(PROCESSES)))
    check(f"{PROCESSES} processes get the file", all(path.read_bytes() == content for path in paths))
    reads = hub.statistics()["storage_reads"]
    check("one of them fetched it", reads == 1, f"{reads} transfers")
    check("they left nothing else", not client.parts(client.cache / "blobs"))


def kill(client, *more, after):
    process = client.start(*more)
    time.sleep(after)
    process.kill()
    process.communicate()


def make_outdated(client, commits, content):
    """As if the newer commit had never been fetched."""
    (client.cache / "snapshots" / commits[1] / NAME).unlink(missing_ok=True)
    (client.cache / "blobs" / hashlib.sha256(content).hexdigest()).unlink(missing_ok=True)
    (client.cache / "refs/main").write_text(commits[0])


def killed_in_the_cache(check, hub, client, versions, commits, dice):
    old, new = versions
    seen = collections.Counter()
    for turn in range(KILLS // 2):
        hub.reset()
        if turn % 2 == 0:
            hub.stall(dice.randrange(SIZE))
        kill(client, after=dice.uniform(0, LONGEST_LIFE))
        there = client.path(HF_HUB_OFFLINE="1").read_bytes()
        seen["old" if there == old else "new" if there == new else "wrong"] += 1
        pointer = client.cache / "snapshots" / commits[1] / NAME
        seen["wrong"] += pointer.exists() and pointer.read_bytes() != new
        make_outdated(client, commits, new)
    check("killed at any moment, the cache holds the old file or the new", seen["wrong"] == 0, dict(seen))


def killed_in_a_folder(check, hub, client, versions, folder, dice):
    known = {hashlib.sha256(content).hexdigest() for content in versions}
    wrong, seen = 0, set()
    client.path("--local-dir", folder)
    for turn in range(KILLS // 2):
        hub.reset()
        hub.commit(versions[turn % 2])
        if turn % 4 < 2:
            hub.stall(dice.randrange(SIZE))
        kill(client, "--local-dir", folder, after=dice.uniform(0, LONGEST_LIFE))
        file = pathlib.Path(folder) / NAME
        etag = hashlib.sha256(file.read_bytes()).hexdigest()
        seen.add(etag)
        metadata = pathlib.Path(folder) / ".cache/huggingface/download" / (NAME + ".metadata")
        remembered = metadata.read_text().split() if metadata.exists() else None
        believed = remembered and file.stat().st_mtime - 1 <= float(remembered[2])
        wrong += etag not in known or bool(believed and remembered[1] != etag)
    check("killed at any moment, a folder holds the old file or the new, and knows which", wrong == 0,
          f"{len(seen)} versions seen")


def resumed(check, hub, client, content):
    blobs = client.cache / "blobs"
    for part in client.parts(blobs):
        part.unlink()
    stop = SIZE // 2
    hub.reset()
    hub.stall(stop)
    process = client.start()
    try:
        deadline = time.monotonic() + 10
        while sum(part.stat().st_size for part in client.parts(blobs)) < stop - 2 * 1000 * 1000:
            if time.monotonic() > deadline:
                raise RuntimeError("the stalled transfer does not arrive")
            time.sleep(0.01)
    finally:
        process.kill()
        process.communicate()
    etag = hashlib.sha256(content).hexdigest()
    (blobs / (etag + ".01234567.incomplete")).write_bytes(b"may be in use by a Python process")
    held = max(part.stat().st_size for part in client.parts(blobs))
    hub.reset()
    check("after a kill the file is fetched", client.path().read_bytes() == content)
    sent = hub.statistics()["bytes_sent"]
    check("what was there is not fetched again", sent < SIZE - held + 100_000, f"{held} held, {sent} sent")
    left = [part.name for part in client.parts(blobs)]
    check("only what may be in use is left", len(left) == 1 and left[0].endswith(".01234567.incomplete"), left)


def synced_before_it_is_named(check, client):
    """A power cut after the file has its name must not take its bytes."""
    trace = client.home.parent / "trace"
    client.command = ["strace", "-f", "-y", "-o", str(trace), "-e", "trace=fdatasync,rename,renameat,renameat2",
                      *client.command]
    client.path(ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0")
    calls = [line for line in trace.read_text().splitlines() if ".incomplete" in line]
    synced = next((at for at, line in enumerate(calls) if "fdatasync(" in line), None)
    named = next((at for at, line in enumerate(calls) if "rename" in line), None)
    check("its bytes are on the disk before it has its name", synced is not None and named is not None and synced < named,
          "" if named else calls)


@contextlib.contextmanager
def local_hub(program, data):
    server = subprocess.Popen([program, "--port", "0", "--data", data, "--multipart-threshold", str(2 * SIZE)],
                              stdout=subprocess.PIPE, text=True)
    try:
        yield Hub(server.stdout.readline().split()[-1])
    finally:
        server.terminate()
        server.wait(10)


def main():
    hf, program = sys.argv[1:3]
    check, dice = Checks(), random.Random(SEED)
    versions = [dice.randbytes(SIZE) for _ in range(2)]
    with tempfile.TemporaryDirectory() as folder, local_hub(program, folder + "/hub") as hub:
        client = Client(hf, hub, folder + "/home")
        hub.send("POST", "/api/repos/create", {"type": "model", "name": REPO.split("/")[1]})
        commits = [hub.commit(versions[0])]
        many_processes(check, hub, client, versions[0])
        commits.append(hub.commit(versions[1]))
        killed_in_the_cache(check, hub, client, versions, commits, dice)
        resumed(check, hub, client, versions[1])
        killed_in_a_folder(check, hub, Client(hf, hub, folder + "/home2"), versions, folder + "/local", dice)
        synced_before_it_is_named(check, Client(hf, hub, folder + "/home3"))
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
