#!/usr/bin/env python3
"""Snapshots of a repository with many small files, and what they cost the server: snapshot.py HF HUB PYTHON

HF is the command-line program, HUB the local Hub, PYTHON an interpreter with the reference client.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from local_hub import Checks, LocalHub, check, equal  # noqa: E402

REPO = "alice/many"
FILES = {f"part {i % 10}/{i:04}.txt": b"%d\n" % i * (i % 7 + 1) for i in range(1000)}
PYTHON_SNAPSHOT = "import huggingface_hub, sys; print(huggingface_hub.snapshot_download(sys.argv[1], token='hf_alice'))"


class Snapshots:
    def __init__(self, hf, python, hub, scratch):
        self.hf, self.python, self.hub, self.scratch = hf, python, hub, pathlib.Path(scratch)
        hub.create(REPO)
        self.commit = hub.commit(REPO, FILES)
        self.home = self.scratch / "home"

    def run(self, command, home, **more):
        environment = {**self.hub.environment(home, "hf_alice"), **more}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        equal(done.returncode, 0, f"status of {command} ({done.stderr})")
        return pathlib.Path(done.stdout.strip())

    def download(self, *arguments, home=None, **more):
        """-> (the folder, what it cost)"""
        self.hub.reset()
        folder = self.run([self.hf, "download", REPO, *arguments], home or self.home, **more)
        return folder, self.hub.statistics()

    def requests(self, cost):
        return {"api": cost["api_requests"], "resolve": cost["resolve_requests"]}

    # One check each.

    def first(self):
        folder, cost = self.download()
        for name, content in FILES.items():
            equal((folder / name).read_bytes(), content, name)
        entries = [path for path in folder.rglob("*")]
        there = sum(path.is_file() for path in entries)
        pages = -(-len(entries) // 1000)
        equal(self.requests(cost), {"api": 1 + pages, "resolve": there}, "requests for a commit, its list and its files")
        # This question for the statistics has a connection of its own.
        own = cost["connections_accepted"] - 1
        if self.hub.authority:
            equal((own, cost["http2_connections"]), (1, 1), "connections, of these HTTP/2")
        else:
            check(own <= 8, f"{own} connections")
        return f"{there} files, {self.requests(cost)}, {own} connections"

    def unchanged(self):
        _, cost = self.download()
        equal(self.requests(cost), {"api": 1, "resolve": 0}, "requests for a branch that has not moved")
        _, cost = self.download("--revision", self.commit)
        equal(self.requests(cost), {"api": 0, "resolve": 0}, "requests for a commit that is here")

    def damaged(self):
        folder, _ = self.download("--revision", self.commit)
        name = next(iter(FILES))
        blob = (folder / name).resolve()
        blob.write_bytes(b"")
        folder, cost = self.download("--revision", self.commit)
        equal((folder / name).read_bytes(), FILES[name])
        equal(cost["api_requests"], 0)

    def by_the_reference_client(self):
        """Each client takes what the other has left for whole, and finds the same files."""
        if not os.path.exists(self.python):
            return "left out: the reference client is not installed"
        self.hub.reset()
        folder = self.run([self.python, "-c", PYTHON_SNAPSHOT, REPO], self.home)
        cost = self.requests(self.hub.statistics())
        equal(cost, {"api": 1, "resolve": 0}, "requests of the reference client after hf")
        home = self.scratch / "theirs"
        self.run([self.python, "-c", PYTHON_SNAPSHOT, REPO], home)
        other, cost = self.download(home=home)
        equal(self.requests(cost), {"api": 1, "resolve": 0}, "requests of hf after the reference client")
        equal(other.name, folder.name)
        kept = [place / "hub/models--alice--many/trees" / (self.commit + ".json") for place in (self.home, home)]
        equal(*[json.loads(path.read_text()) for path in kept], "the kept lists")
        return None


def main():
    hf, program, python = sys.argv[1:4]
    checks = Checks()
    with tempfile.TemporaryDirectory() as folder:
        for tls in (True, False):
            scratch = pathlib.Path(folder) / ("tls" if tls else "plain")
            with LocalHub(program, scratch / "hub", tls) as hub:
                snapshots = Snapshots(hf, python, hub, scratch)
                for name in ("first", "unchanged", "damaged", *([] if tls else ["by_the_reference_client"])):
                    checks.run(f"{scratch.name}: {name}", getattr(snapshots, name))
    return checks.status()


if __name__ == "__main__":
    sys.exit(main())
