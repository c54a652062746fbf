#!/usr/bin/env python3
"""hfhub and Python's huggingface_hub on the same Hub, cache and folders: what one has written the other uses.

  both_ways.py --hub BUILD/test/hfhub-local-hub --hf BUILD/hf --call BUILD/test/hfhub-call
               --upload BUILD/examples/example-upload --python .venv/bin/python [--tls]
"""
import argparse
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from local_hub import Checks, LocalHub, check, equal  # noqa: E402

SKIPPED = 77
BIG = "weights/model.safetensors"
REPO, UPLOADED = "alice/from-python", "alice/from-hfhub"
SLACK = 400_000  # bytes: what a transfer may cost beyond the file

# Steps of the reference client, each a function of a folder; the step and its arguments are on the command line.
PYTHON = """
import hashlib, json, pathlib, sys, warnings
from huggingface_hub import (HfApi, hf_hub_download, scan_cache_dir, snapshot_download, try_to_load_from_cache)

def digest(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()

def upload(repo, folder):
    api = HfApi()
    api.create_repo(repo)
    api.upload_folder(repo_id=repo, folder_path=folder)

def snapshot(repo, cache):
    return snapshot_download(repo, cache_dir=cache)

def local(repo, folder):
    return snapshot_download(repo, local_dir=folder)

def read(repo, cache, *names):
    paths = [hf_hub_download(repo, name, cache_dir=cache, local_files_only=True) for name in names]
    for name, path in zip(names, paths):
        assert try_to_load_from_cache(repo, name, cache_dir=cache) == path, name
    return [digest(path) for path in paths]

def scan(cache):
    info = scan_cache_dir(cache)
    assert not info.warnings, info.warnings
    (repo,) = info.repos
    (revision,) = repo.revisions
    return [repo.repo_id, sorted(revision.refs), revision.commit_hash, revision.nb_files, revision.size_on_disk]

def large(repo):
    return {f.path: f.lfs.sha256 for f in HfApi().list_repo_tree(repo, recursive=True) if getattr(f, "lfs", None)}

print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
"""


def digest(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def make_files(folder):
    """A text that is stored as it is, and files that are stored as large ones: in one piece, and in parts."""
    block = hashlib.sha256(str(folder).encode()).digest()
    files = {"README.md": b"# both ways\n", "data/text.txt": block.hex().encode() * 6000,
             "small.bin": block * 320, BIG: (block * 4096)[:100_003] * 500}
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


class Scenario:
    def __init__(self, arguments, hub, scratch):
        self.programs, self.hub, self.scratch = arguments, hub, scratch
        self.files = make_files(scratch / "folder")
        self.by_hfhub, self.by_python = scratch / "cache-hfhub", scratch / "cache-python"

    # The clients.

    def environment(self, **variables):
        return {**self.hub.environment(self.scratch / "home", "hf_alice"), "HF_HUB_DISABLE_PROGRESS_BARS": "1",
                **variables}

    def python(self, step, *arguments, **variables):
        command = [self.programs.python, "-W", "error::UserWarning", "-c", PYTHON, step, *map(str, arguments)]
        done = subprocess.run(command, env=self.environment(**variables), capture_output=True, text=True, timeout=120)
        check(done.returncode == 0, f"python {step}: {done.stderr}")
        return json.loads(done.stdout)

    def start_hf(self, *arguments, **variables):
        return subprocess.Popen([self.programs.hf, "download", *map(str, arguments)], text=True,
                                env=self.environment(**variables), stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def hf(self, *arguments, **variables):
        process = self.start_hf(*arguments, **variables)
        out, err = process.communicate(timeout=120)
        check(process.returncode == 0, f"hf download {arguments}: {err}")
        return pathlib.Path(out.removesuffix("\n"))

    def hfhub_call(self, method, **kwargs):
        one = {"object": "HfApi", "method": method, "kwargs": kwargs, "tmp": str(self.scratch),
               "env": self.environment(HF_HUB_OFFLINE="1")}
        done = subprocess.run([self.programs.call, "--mode", "async"], input=json.dumps(one) + "\n", text=True,
                              capture_output=True, timeout=60, check=True)
        return json.loads(done.stdout)["result"]

    def upload_by_hfhub(self, repo, path, name):
        command = [self.programs.upload, repo, path, name]
        done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, timeout=120)
        check(done.returncode == 0, done.stderr)

    # What is compared.

    def compare(self, folder):
        for name, sha256 in self.files.items():
            equal(digest(folder / name), sha256, name)

    def no_content_sent(self, action):
        self.hub.reset()
        action()
        seen = self.hub.statistics()
        check(seen["storage_reads"] == 0 and seen["bytes_sent"] < 100_000, f"content was fetched again: {seen}")
        check(seen["api_requests"] + seen["resolve_requests"] > 0, "the Hub was not even asked")

    # Python uploads.

    def python_uploads(self):
        self.python("upload", REPO, self.scratch / "folder")
        return f"{sum(path.stat().st_size for path in (self.scratch / 'folder').rglob('*') if path.is_file())} bytes"

    def hfhub_to_cache(self):
        self.compare(self.hf(REPO, "--cache-dir", self.by_hfhub))
        for name, sha256 in self.files.items():
            equal(digest(self.hf(REPO, name, "--cache-dir", self.by_hfhub)), sha256, name)

    def python_reads_cache(self):
        equal(self.python("read", REPO, self.by_hfhub, *self.files, HF_HUB_OFFLINE="1"), list(self.files.values()))
        self.compare(pathlib.Path(self.python("snapshot", REPO, self.by_hfhub, HF_HUB_OFFLINE="1")))
        repo, refs, commit, count, _ = self.python("scan", self.by_hfhub)
        equal([repo, refs, count], [REPO, ["main"], len(self.files) + 1])
        equal(commit, self.hub.call(f"/api/models/{REPO}")["sha"])

    def python_keeps_cache(self):
        self.no_content_sent(lambda: self.python("snapshot", REPO, self.by_hfhub))

    def hfhub_reads_cache(self):
        self.python("snapshot", REPO, self.by_python)
        folder = self.hf(REPO, "--cache-dir", self.by_python, HF_HUB_OFFLINE="1")
        self.compare(folder)
        for name in self.files:
            path = self.hf(REPO, name, "--cache-dir", self.by_python, HF_HUB_OFFLINE="1")
            equal(path, folder / name)
            cached = {"repo_id": REPO, "filename": name, "cache_dir": str(self.by_python)}
            equal(self.hfhub_call("try_to_load_from_cache", **cached), str(path))
            equal(self.hfhub_call("hf_hub_download", local_files_only=True, **cached), str(path))

    def hfhub_keeps_cache(self):
        self.no_content_sent(lambda: self.hf(REPO, "--cache-dir", self.by_python))
        equal(self.python("scan", self.by_python), self.python("scan", self.by_hfhub))

    def without_links(self):
        no_links = {"HF_HUB_DISABLE_SYMLINKS": "1"}
        ours, theirs = self.scratch / "copies-hfhub", self.scratch / "copies-python"
        self.compare(self.hf(REPO, "--cache-dir", ours, **no_links))
        self.python("snapshot", REPO, theirs, **no_links)
        for cache in (ours, theirs):
            check(not any(path.is_symlink() for path in cache.rglob("*")), f"links in {cache}")
        equal(self.python("read", REPO, ours, *self.files, HF_HUB_OFFLINE="1"), list(self.files.values()))
        self.compare(self.hf(REPO, "--cache-dir", theirs, HF_HUB_OFFLINE="1"))
        self.no_content_sent(lambda: self.python("snapshot", REPO, ours, **no_links))
        self.no_content_sent(lambda: self.hf(REPO, "--cache-dir", theirs, **no_links))

    def local_folders(self):
        ours, theirs = self.scratch / "local-hfhub", self.scratch / "local-python"
        self.compare(self.hf(REPO, "--local-dir", ours))
        self.python("local", REPO, theirs)
        self.compare(theirs)
        self.no_content_sent(lambda: self.python("local", REPO, ours))
        self.no_content_sent(lambda: self.hf(REPO, "--local-dir", theirs))

    # hfhub uploads.

    def hfhub_uploads(self):
        folder = self.scratch / "folder-hfhub"
        files = make_files(folder)  # others than Python's: the Hub asks for no content that it has
        self.hub.reset()
        for name in files:
            self.upload_by_hfhub(UPLOADED, folder / name, name)
        equal(self.hub.statistics()["storage_writes"], 7, "one file in one piece and one in six parts:")
        snapshot = pathlib.Path(self.python("snapshot", UPLOADED, self.scratch / "cache-uploaded"))
        for name, sha256 in files.items():
            equal(digest(snapshot / name), sha256, name)
        equal(self.python("large", UPLOADED), {name: files[name] for name in ("small.bin", BIG)})

    # Across processes.

    def resumes(self):
        """Killed in the middle of the file, then started again."""
        cache, size = self.scratch / "cache-killed", (self.scratch / "folder" / BIG).stat().st_size
        self.hub.reset()
        self.hub.fault("stall:30000000;n=1", path="/objects/")
        process = self.start_hf(REPO, BIG, "--cache-dir", cache)
        try:
            deadline = time.monotonic() + 30
            before, now = -1, 0
            while now < 25_000_000 or now != before:  # all that was sent is written
                check(time.monotonic() < deadline and process.poll() is None, "the transfer does not come to its middle")
                time.sleep(0.2)
                before, now = now, sum(path.stat().st_blocks * 512 for path in cache.rglob("blobs/*"))
        finally:
            process.kill()
            process.communicate()
        equal(digest(self.hf(REPO, BIG, "--cache-dir", cache)), self.files[BIG])
        seen = self.hub.statistics()
        equal([seen["storage_reads"], seen["faults_injected"]], [2, 1])
        check(seen["bytes_sent"] < size + SLACK, f"{seen['bytes_sent']} bytes were sent for a file of {size}")
        return f"{seen['bytes_sent'] - size} bytes more than the file"

    def two_at_once(self):
        cache = self.scratch / "cache-two"
        self.hub.reset()
        self.hub.fault("delay_ms:300", path="/objects/")
        processes = [self.start_hf(REPO, BIG, "--cache-dir", cache) for _ in range(2)]
        results = [process.communicate(timeout=120) for process in processes]
        check(results[0] == results[1] and results[0][1] == "", results)
        equal(digest(results[0][0].removesuffix("\n")), self.files[BIG])
        equal(self.hub.statistics()["storage_reads"], 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for program in ("hub", "hf", "call", "upload", "python"):
        parser.add_argument("--" + program, required=True)
    parser.add_argument("--tls", action="store_true")
    arguments = parser.parse_args()
    if not os.path.exists(arguments.python):
        print("skipped: the Python client is not installed")
        return SKIPPED
    checks = Checks()
    with tempfile.TemporaryDirectory() as folder, LocalHub(arguments.hub, folder + "/hub", arguments.tls) as hub:
        s = Scenario(arguments, hub, pathlib.Path(folder))
        for action in (s.python_uploads, s.hfhub_to_cache, s.python_reads_cache, s.python_keeps_cache,
                       s.hfhub_reads_cache, s.hfhub_keeps_cache, s.without_links, s.local_folders, s.hfhub_uploads,
                       s.resumes, s.two_at_once):
            checks.run(action.__name__.replace("_", " "), action)
    return checks.status()


if __name__ == "__main__":
    sys.exit(main())
