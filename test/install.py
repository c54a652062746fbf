#!/usr/bin/env python3
"""Installs the build folder as it is, and builds and runs programs outside of the tree with what is there.

  install.py --build BUILD --hub BUILD/test/hfhub-local-hub --compiler "c++" SOURCE…    (upload.cpp among them)
"""
import argparse
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "support"))
from local_hub import Checks, LocalHub, check, equal  # noqa: E402

HEADERS = pathlib.Path(__file__).resolve().parent.parent / "include"
SKIPPED = 77


def run(command, **more):
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, **more)
    check(done.returncode == 0, f"{command}: {done.stdout}{done.stderr}")
    return done.stdout


class Scenario:
    def __init__(self, arguments, scratch):
        self.arguments, self.scratch = arguments, scratch
        self.root = scratch / "root"

    def install(self):
        # Where it is configured to go must not matter: everything is looked for below the new root.
        command = ["meson", "install", "-C", self.arguments.build, "--destdir", str(self.root), "--no-rebuild", "--quiet"]
        run(command)
        self.files = {path.relative_to(self.root) for path in self.root.rglob("*") if path.is_file()}
        (self.description,) = (path for path in self.files if path.name == "hfhub.pc")

    def holds_what_is_needed(self):
        names = [path.name for path in self.files]
        headers = {path.relative_to(HEADERS) for path in HEADERS.rglob("*.hpp")}
        found = {pathlib.Path(*path.parts[path.parts.index("include") + 1:]) for path in self.files if path.suffix == ".hpp"}
        equal(found, headers)
        check(any(name.startswith("libhfhub.") for name in names), "no library")
        check("hf" in names, "no hf")
        return f"{len(headers)} headers"

    def holds_nothing_else(self):
        others = [str(path) for path in self.files if path.suffix != ".hpp" and path.name not in ("hf", "hfhub.pc")
                  and not path.name.startswith("libhfhub.")]
        equal(others, [])
        foreign = [str(path) for path in self.files if any(word in str(path) for word in ("test", "doctest", "local_hub"))]
        equal(foreign, [])

    def pkg_config(self, *options):
        """The flags, with the folders of hfhub itself below the new root."""
        environment = {**os.environ, "PKG_CONFIG_PATH": str((self.root / self.description).parent)}
        prefix = run(["pkg-config", "--variable=prefix", "hfhub"], env=environment).strip()
        moved = f"--define-variable=prefix={self.root}{prefix}"
        return shlex.split(run(["pkg-config", moved, *options, "hfhub"], env=environment))

    def names_each_library_once(self):
        flags = self.pkg_config("--libs")
        equal(len(flags), len(set(flags)), flags)
        for name in ("hfhub", "boost_json", "nghttp2"):
            check(sum(name in flag for flag in flags if not flag.startswith("-L")) == 1, f"{name} in {flags}")

    def program(self, source):
        return self.scratch / pathlib.Path(source).stem

    def compile(self, source):
        command = [*shlex.split(self.arguments.compiler), "-std=c++20", "-O0", source, "-o", str(self.program(source)),
                   *self.pkg_config("--cflags", "--libs")]
        run(command, cwd=self.scratch)
        missing = [line for line in run(["ldd", str(self.program(source))]).splitlines() if "not found" in line]
        equal(missing, [])

    def upload_and_download(self, source):
        """With the program that was just made, and with the installed hf."""
        (self.scratch / "note.txt").write_text("installed")
        with LocalHub(self.arguments.hub, self.scratch / "hub") as hub:
            environment = hub.environment(self.scratch / "home", "hf_alice")
            url = run([str(self.program(source)), "alice/installed", "note.txt"], cwd=self.scratch, env=environment)
            check("/alice/installed/commit/" in url, url)
            (hf,) = (path for path in self.files if path.name == "hf")
            path = run([str(self.root / hf), "download", "alice/installed", "note.txt"], env=environment)
            equal(pathlib.Path(path.strip()).read_text(), "installed")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for option in ("build", "hub", "compiler"):
        parser.add_argument("--" + option, required=True)
    parser.add_argument("sources", nargs="+")
    arguments = parser.parse_args()
    for program in ("meson", "pkg-config"):
        if not shutil.which(program):
            print(f"skipped: there is no {program}")
            return SKIPPED
    checks = Checks()
    with tempfile.TemporaryDirectory() as folder:
        s = Scenario(arguments, pathlib.Path(folder))
        for action in (s.install, s.holds_what_is_needed, s.holds_nothing_else, s.names_each_library_once):
            checks.run(action.__name__.replace("_", " "), action)
        for source in arguments.sources:
            checks.run(f"compile {pathlib.Path(source).name}", lambda source=source: s.compile(source))
            if source.endswith("upload.cpp"):
                checks.run("upload and download", lambda source=source: s.upload_and_download(source))
    return checks.status()


if __name__ == "__main__":
    sys.exit(main())
