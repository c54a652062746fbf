#!/usr/bin/env python3
"""Names that a server gives to files, commits and contents, and links that somebody has planted: nothing is written
outside of the folder that was meant, and nothing is asked for under a name that is refused.

  names.py --hf BUILD/hf
"""
import base64
import concurrent.futures
import hashlib
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "interop"))
from listing_hub import COMMIT, ListingHub, content_of, git_sha1  # noqa: E402
from name_table import bad_names, good_names, local_names  # noqa: E402
from peers import SANITIZERS, Checks, expect, program_arguments  # noqa: E402


def tree(folder):
    """What is in a folder: names, links, contents."""
    found = {}
    for path in sorted(folder.rglob("*")):
        kind = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        found[os.fsencode(path.relative_to(folder))] = kind
    return found


class Place:
    """A folder with a home, a local_dir, and something beside them that must stay as it is."""

    def __init__(self, hf, hub):
        self.hf, self.hub = hf, hub
        self.temporary = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.temporary.name).resolve()
        self.outside, self.local, self.home = (self.root / name for name in ("outside", "local", "home"))
        for folder in (self.outside, self.local, self.home):
            folder.mkdir()
        (self.outside / "precious").write_text("precious")
        self.repo = self.home / "hub/models--a--m"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.temporary.cleanup()

    def run(self, *arguments):
        environment = {"HF_ENDPOINT": self.hub.url, "HF_HOME": str(self.home), "HOME": str(self.home),
                       "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HF_HUB_DISABLE_PROGRESS_BARS": "1", **SANITIZERS}
        return subprocess.run([self.hf, "download", "a/m", *arguments], env=environment, capture_output=True,
                              cwd=self.outside, timeout=60)


class Names:
    def __init__(self, hf, checks):
        self.hf, self.checks, self.passed, self.cells = hf, checks, 0, 0

    def cell(self, action, *arguments):
        """One cell of a table; what is wrong with it, or nothing."""
        try:
            action(*arguments)
            return None
        except Exception as error:
            return f"{arguments}: {error!r}"

    def table(self, title, action, rows):
        """All rows, several at a time, each with a Hub of its own."""
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            wrong = [text for text in pool.map(lambda row: self.cell(action, *row), rows) if text]
        self.cells += len(rows)
        self.passed += len(rows) - len(wrong)
        with self.checks.check(f"{title}: {len(rows) - len(wrong)} of {len(rows)}"):
            expect(not wrong, "; ".join(wrong[:5]))

    def listed(self, name, into_folder):
        """The Hub lists the name beside a good one."""
        with ListingHub() as hub, Place(self.hf, hub) as place:
            hub.names = ["good.txt", name]
            before = tree(place.root)
            result = place.run(*(["--local-dir", place.local] if into_folder else []))
            expect(result.returncode == 1, "exit status", result.returncode)
            expect(not result.stdout, "printed", result.stdout)
            self.says_why(result.stderr)
            expect(not hub.log, "asked for", hub.log)
            expect(tree(place.root) == before, "written", tree(place.root))

    def named(self, name, into_folder):
        """The user names it; the Hub would have it."""
        with ListingHub() as hub, Place(self.hf, hub) as place:
            hub.names = [name]
            before = tree(place.root)
            result = place.run(*(["--local-dir", place.local] if into_folder else []), "--", os.fsencode(name))
            expect(result.returncode in (1, 2), "exit status", result.returncode)
            self.says_why(result.stderr)
            expect(not hub.log, "asked for", hub.log)
            expect(tree(place.root) == before, "written", tree(place.root))

    @staticmethod
    def says_why(text):
        expect(b"is refused" in text or b"is not JSON" in text or b"fits the names" in text, "said", text)
        expect(not [byte for byte in text if byte < 32 and byte != 10], "control characters in", text)

    def good(self, into_folder):
        with ListingHub() as hub, Place(self.hf, hub) as place:
            hub.names = good_names()
            result = place.run(*(["--local-dir", place.local] if into_folder else []))
            expect(result.returncode == 0, result.stderr)
            folder = place.local if into_folder else place.repo / "snapshots" / COMMIT
            for name in hub.names:
                expect((folder / name).read_bytes() == content_of(name), name)
            found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
            found = {name for name in found if not name.startswith(".cache/huggingface/")}
            expect(found == set(hub.names), found ^ set(hub.names))
            expect(list(tree(place.outside)) == [b"precious"], "written", tree(place.outside))

    def left_out(self, name):
        """Some repositories hold the notes of a former download: below a local_dir they are not fetched."""
        with ListingHub() as hub, Place(self.hf, hub) as place:
            hub.names = ["good.txt", name]
            result = place.run("--local-dir", place.local)
            expect(result.returncode == 0, result.stderr)
            expect([path for _, path in hub.log if not path.endswith("/good.txt")] == [], hub.log)
            expect(place.run().returncode == 0, "into the cache")
            cached = place.repo / "snapshots" / COMMIT / name
            expect(cached.read_bytes() == content_of(name), "in the cache")

    def token(self, field, value):
        """A commit or ETag that is to become a path."""
        for arguments in ([], ["--local-dir", "LOCAL"]):
            with ListingHub() as hub, Place(self.hf, hub) as place:
                hub.names = ["good.txt"]
                setattr(hub, field, value)
                arguments = [str(place.local) if one == "LOCAL" else one for one in arguments]
                result = place.run(*arguments, "good.txt")
                expect(result.returncode == 1, "exit status", result.returncode)
                expect(not [method for method, _ in hub.log if method == "GET"], "fetched", hub.log)
                written = [name for name, kind in tree(place.root).items() if isinstance(kind, bytes)]
                kept = (b"CACHEDIR.TAG", b".gitignore", b"precious")
                expect(all(name.endswith(kept) for name in written), "written", written)

    def planted(self, where, target, into_folder):
        """A link that leads out. The download may fail; what is outside stays as it is."""
        with ListingHub() as hub, Place(self.hf, hub) as place:
            hub.names = ["sub/f", "g"]
            link = place.root / where
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(place.outside / target)
            before = tree(place.outside)
            for arguments in ([], ["--force-download"], ["sub/f"], ["missing"]):
                place.run(*(["--local-dir", place.local] if into_folder else []), *arguments)
            expect(tree(place.outside) == before, "written outside", tree(place.outside))


def planted_links():
    """(link, target, into local_dir): to a folder, to a file that is there, and to one that is not."""
    stem = base64.urlsafe_b64encode(hashlib.sha1(b"f.metadata").digest()).decode()
    etag = git_sha1(content_of("sub/f"))
    notes, repo = "local/.cache/huggingface", "home/hub/models--a--m"
    folders = ["local/sub", "local/.cache", notes, f"{notes}/download", f"{notes}/download/sub"]
    files = ["local/g", "local/sub/f", f"{notes}/CACHEDIR.TAG", f"{notes}/.gitignore", f"{notes}/download/g.metadata",
             f"{notes}/download/g.lock", f"{notes}/download/sub/f.metadata", f"{notes}/download/sub/f.lock",
             f"{notes}/download/sub/f.lock.soft", f"{notes}/download/sub/{stem}.{etag}.incomplete",
             f"{notes}/download/sub/{stem}.{etag}.01234567.incomplete"]
    cached = [f"{repo}/snapshots/{COMMIT}/sub", f"{repo}/snapshots/{COMMIT}", f"{repo}/snapshots", f"{repo}/refs",
              f"{repo}/.no_exist", f"{repo}/.no_exist/{COMMIT}", f"{repo}/blobs", "home/hub/.locks/models--a--m"]
    cached_files = [f"{repo}/snapshots/{COMMIT}/g", f"{repo}/snapshots/{COMMIT}/sub/f", f"{repo}/refs/main",
                    f"{repo}/blobs/{etag}.incomplete", f"{repo}/blobs/{etag}.01234567.incomplete",
                    f"{repo}/blobs/{etag}", "home/hub/CACHEDIR.TAG", f"home/hub/.locks/models--a--m/{etag}.lock",
                    f"{repo}/.no_exist/{COMMIT}/missing"]
    rows = [(link, ".", True) for link in folders] + [(link, ".", False) for link in cached]
    for target in ("precious", "absent"):
        rows += [(link, target, True) for link in files] + [(link, target, False) for link in cached_files]
    return rows


def is_argument(name):
    """Whether the shell can say it, and `hf download` takes it for the name of one file."""
    encodable = "\0" not in name and not any(0xd800 <= ord(c) < 0xe000 for c in name) and len(name) < 60000
    return encodable and name and not name.endswith("/") and not set(name) & set("*?[")


def main():
    names = Names(program_arguments("--hf").hf.resolve(), Checks())
    bad, own = bad_names(), local_names()
    # In the default run each name goes one of the four ways at least; in the long one, all.
    every = 1 if os.environ.get("HFHUB_LONG") else 2
    names.table("listed, into the cache", names.listed, [(name, False) for name in bad[::every]])
    names.table("listed, into a folder", names.listed, [(name, True) for name in bad[every - 1::every]])
    said = [name for name in bad if is_argument(name)]
    names.table("named, into the cache", names.named, [(name, False) for name in said[every - 1::every]])
    names.table("named, into a folder", names.named, [(name, True) for name in said[::every] + own])
    names.table("odd names that are meant", names.good, [(False,), (True,)])
    names.table("notes of a former download", names.left_out, [(own[1],), (own[2],), (own[-1],)])
    tokens = ["../x", "..", "/etc/passwd", "a/b", "a\\b", "x y", "x.y", "é", "x" * 129, "~", "%2e%2e", ""]
    names.table("commits", names.token, [("commit", value) for value in tokens])
    names.table("ETags", names.token, [("etag", value) for value in tokens[:-1]])
    names.table("planted links", names.planted, planted_links())
    status = names.checks.end()
    print(f"cells passed: {names.passed} of {names.cells}")
    return status


if __name__ == "__main__":
    sys.exit(main())
