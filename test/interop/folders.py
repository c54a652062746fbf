#!/usr/bin/env python3
"""Folders that hfhub and Python's huggingface_hub upload to one Hub in turns: what one has brought the other finds there.

  folders.py --hub BUILD/test/hfhub-local-hub --call BUILD/test/hfhub-call --python .venv/bin/python
"""
import argparse
import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from local_hub import Checks, LocalHub, check, equal  # noqa: E402

SKIPPED = 77
REPO = "alice/folder"
LARGE = 12 << 20  # bytes of a file that goes up in parts
PYTHON = """
import json, sys
from huggingface_hub import HfApi
api = HfApi()
method, kwargs = sys.argv[1], json.loads(sys.argv[2])
if method == "tree":
    print(json.dumps({f.path: [f.size, f.lfs.sha256 if f.lfs else f.blob_id]
                      for f in api.list_repo_tree(kwargs["repo_id"], recursive=True, revision=kwargs.get("revision"))
                      if hasattr(f, "blob_id")}))
elif method == "commits":
    print(json.dumps([[c.commit_id, c.title] for c in api.list_repo_commits(kwargs["repo_id"])]))
else:
    print(json.dumps(getattr(api, method)(**kwargs).oid))
"""


def fill(folder):
    files = {"README.md": b"---\nlicense: mit\n---\n# Card\n", "empty": b"", "a/b/c.txt": b"deep", "a-b.txt": b"beside",
             "\u00fcml\u00e4ut/\u65e5\u672c #1%.txt": "gr\u00fc\u00dfe".encode(), ".hidden": b"h", ".gitignore": b"*.log\n",
             "left.log": b"ignored by the rules", "weights.bin": hashlib.sha256(b"large").digest() * (LARGE // 32)}
    files |= {f"many/{i:04}.txt": f"number {i}".encode() for i in range(600)}
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    never = folder / ".git/config"
    never.parent.mkdir()
    never.write_text("no")
    return {name: content for name, content in files.items() if not name.endswith(".log")}


def ids(files):
    """As Python tells them: size and SHA-256 of large files, git's id of others."""
    listed = {}
    for name, content in files.items():
        large = len(content) == LARGE
        blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        listed[name] = [len(content), hashlib.sha256(content).hexdigest() if large else blob]
    return listed


class Scenario:
    def __init__(self, programs, mode, hub, scratch):
        self.programs, self.mode, self.hub, self.scratch = programs, mode, hub, scratch
        self.folder = scratch / "folder"
        self.files = fill(self.folder)
        hub.create(REPO)

    def environment(self):
        return {**self.hub.environment(self.scratch / "home", "hf_alice"), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}

    def python(self, method, **kwargs):
        done = subprocess.run([self.programs.python, "-c", PYTHON, method, json.dumps({"repo_id": REPO, **kwargs})],
                              env=self.environment(), capture_output=True, text=True, timeout=300)
        check(done.returncode == 0, f"python {method}: {done.stderr[-2000:]}")
        return json.loads(done.stdout.splitlines()[-1])

    def hfhub(self, method, **kwargs):
        one = {"object": "HfApi", "method": method, "kwargs": kwargs, "tmp": str(self.scratch), "env": self.environment()}
        done = subprocess.run([self.programs.call, "--mode", self.mode], input=json.dumps(one) + "\n", text=True,
                              capture_output=True, timeout=300, check=True)
        answer = json.loads(done.stdout)
        check("result" in answer, f"{method}: {answer}")
        return answer["result"]

    def upload(self, **kwargs):
        return self.hfhub("upload_folder", repo_id=REPO, folder_path=str(self.folder), **kwargs)["oid"]

    def head(self):
        return self.python("commits")[0][0]

    def brings_all(self):
        oid = self.upload(commit_message="All")
        equal(self.python("tree"), self.hub_files(ids(self.files)))
        equal(self.head(), oid)
        titles = [title for _, title in self.python("commits")]
        check(titles[:3] == ["All (part 3)", "All (part 2)", "All (part 1)"] or titles[:2] == ["All (part 2)", "All (part 1)"],
              f"titles {titles}")

    def hub_files(self, listed):
        """A new repository has this file already."""
        return {".gitattributes": self.python("tree")[".gitattributes"], **listed}

    def brings_nothing_twice(self):
        head = self.head()
        equal(self.upload(), head)
        (self.folder / "left.log").unlink()  # Python makes an empty commit of what the rules leave out
        equal(self.python("upload_folder", folder_path=str(self.folder)), head)

    def takes_turns(self):
        (self.folder / "a/b/c.txt").write_text("changed by Python")
        self.files["a/b/c.txt"] = b"changed by Python"
        by_python = self.python("upload_folder", folder_path=str(self.folder))
        equal(self.head(), by_python)
        equal(self.upload(), by_python)
        (self.folder / "a/b/c.txt").write_text("changed by hfhub")
        self.files["a/b/c.txt"] = b"changed by hfhub"
        by_hfhub = self.upload(parent_commit=by_python)
        equal(self.head(), by_hfhub)
        equal(self.python("upload_folder", folder_path=str(self.folder)), by_hfhub)
        equal(self.python("tree"), self.hub_files(ids(self.files)))

    def deletes_by_patterns(self):
        shutil.rmtree(self.folder / "many")
        for name in [name for name in self.files if name.startswith("many/")]:
            del self.files[name]
        (self.folder / "many").mkdir()
        (self.folder / "many/0001.txt").write_bytes(b"again")
        self.files["many/0001.txt"] = b"again"
        self.upload(delete_patterns=["many/"])
        equal(self.python("tree"), self.hub_files(ids(self.files)))
        self.hfhub("delete_files", repo_id=REPO, delete_patterns=["*.txt"])
        for name in [name for name in self.files if name.endswith(".txt")]:
            del self.files[name]
        equal(self.python("tree"), self.hub_files(ids(self.files)))

    def proposes(self):
        (self.folder / "proposed").write_bytes(b"please")
        made = self.hfhub("upload_folder", repo_id=REPO, folder_path=str(self.folder), create_pr=True,
                          allow_patterns=["proposed"])
        check(made["pr_revision"].startswith("refs/pr/"), made)
        check("proposed" in self.python("tree", revision=made["pr_revision"]), "not proposed")
        check("proposed" not in self.python("tree"), "made at once")

    def sends_ahead(self):
        content = hashlib.sha256(b"ahead").digest() * (LARGE // 32)
        path = self.scratch / "ahead.bin"
        path.write_bytes(content)
        addition = {"$op": "Add", "path_in_repo": "ahead.bin", "path_or_fileobj": str(path)}
        (file,) = self.hfhub("preupload_lfs_files", repo_id=REPO, additions=[addition])
        equal([file["upload_mode"], file["sha256"], file["size"]], ["lfs", hashlib.sha256(content).hexdigest(), LARGE])
        check("ahead.bin" not in self.python("tree"), "committed")

    def steps(self):
        return [("a folder of hfhub's is what Python lists", self.brings_all),
                ("a second upload, by either, brings nothing", self.brings_nothing_twice),
                ("each sees what the other has changed", self.takes_turns),
                ("patterns delete what is not uploaded anew", self.deletes_by_patterns),
                ("a pull request leaves the branch alone", self.proposes),
                ("a large file is on the Hub before its commit", self.sends_ahead)]


def main():
    parser = argparse.ArgumentParser()
    for program in ("hub", "call", "python"):
        parser.add_argument("--" + program, type=lambda text: pathlib.Path(text).absolute(), required=True)
    programs = parser.parse_args()
    if not programs.python.exists():
        print("skipped: there is no Python with huggingface_hub")
        return SKIPPED
    checks = Checks()
    for mode in ("sync", "async"):
        with tempfile.TemporaryDirectory() as folder:
            scratch = pathlib.Path(folder)
            with LocalHub(programs.hub, scratch / "hub") as hub:
                for name, step in Scenario(programs, mode, hub, scratch).steps():
                    checks.run(f"{mode}: {name}", step)
    return checks.status()


if __name__ == "__main__":
    sys.exit(main())
