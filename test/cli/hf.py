#!/usr/bin/env python3
"""The hf command against a local Hub, and beside Python's hf where that is installed.

  hf.py --hf BUILD/hf --hub BUILD/test/hfhub-local-hub [--python .venv/bin/python]
"""
import argparse
import hashlib
import json
import os
import pathlib
import pty
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from local_hub import Checks, LocalHub, check, equal  # noqa: E402

REPO = "alice/model"
FILES = {"config.json": b'{"a": 1}', "tok.model": b"tokens" * 20, "sub/a.json": b"{}", "sub/deep/b.txt": b"b",
         "odd[1].txt": b"odd", "odd1.txt": b"even", "big.bin": bytes(range(256)) * 8000}
SECRETS = ("hf_alice", "hf_invalid", "geheim")

# Runs commands of Python's hf in one process: a list of argument lists on standard input.
PYTHON_HF = """
import contextlib, io, json, sys
from huggingface_hub.cli.hf import app
results = []
for arguments in json.load(sys.stdin):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            app(arguments, standalone_mode=False)
        except SystemExit:
            pass
    results.append(out.getvalue())
json.dump(results, sys.stdout)
"""


class Terminal:
    """A pseudo terminal that collects what a program writes to it."""

    def __init__(self):
        self.master, self.slave = pty.openpty()

    def text(self):
        os.close(self.slave)
        collected = b""
        while True:
            try:
                part = os.read(self.master, 65536)
            except OSError:  # the other side is closed
                part = b""
            if not part:
                break
            collected += part
        os.close(self.master)
        return collected.decode()


class Scenario:
    def __init__(self, arguments, hub, scratch):
        self.program, self.python = arguments.hf, arguments.python
        self.hub = hub
        self.scratch = scratch
        self.number = 0
        for repo_type in ("model", "dataset"):
            hub.create(REPO, repo_type)
            hub.commit(REPO, FILES, repo_type=repo_type)
        self.model_commit = hub.call(f"/api/models/{REPO}")["sha"]
        hub.call(f"/api/models/{REPO}/branch/old", json.dumps({"startingPoint": "main"}).encode())
        hub.commit(REPO, {"config.json": b'{"a": "old"}'}, revision="old")

    def new_home(self):
        self.number += 1
        return self.scratch / f"home{self.number}"

    def run(self, *arguments, home=None, status=0, token="hf_alice", terminal=None, **variables):
        """-> (standard output, standard error); the secrets must be in neither."""
        environment = {**self.hub.environment(home or self.new_home(), token), **variables}
        stderr = terminal.slave if terminal else subprocess.PIPE
        done = subprocess.run([self.program, *arguments], env=environment, stdout=subprocess.PIPE, stderr=stderr,
                              timeout=60)
        out, err = done.stdout.decode(), (done.stderr or b"").decode()
        equal(done.returncode, status, f"status of hf {' '.join(arguments)} ({err})")
        for secret in SECRETS:
            check(secret not in out + err, f"a secret is shown: {out}{err}")
        return out, err

    def path(self, *arguments, **more):
        """Of a download that prints its path and nothing else."""
        out, err = self.run("download", *arguments, **more)
        equal(err, "", "standard error")
        check(out.endswith("\n") and out.count("\n") == 1, f"not one line: {out!r}")
        return pathlib.Path(out[:-1])

    def names(self, folder):
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*")
                      if path.is_file() and ".cache" not in path.parts)

    # One check each.

    def one_file(self):
        home = self.new_home()
        path = self.path(REPO, "config.json", home=home)
        equal(path, home / "hub/models--alice--model/snapshots" / self.model_commit / "config.json")
        equal(path.read_bytes(), FILES["config.json"])

    def several(self):
        home = self.new_home()
        folder = self.path(REPO, "config.json", "sub/", home=home)
        equal(self.names(folder), ["config.json", "sub/a.json", "sub/deep/b.txt"])
        equal((home / "hub/models--alice--model/refs/main").read_text(), self.model_commit)
        equal(self.names(self.path(REPO)), sorted([*FILES, ".gitattributes"]))

    def offline(self):
        home = self.new_home()
        folder = self.path(REPO, "--include", "*.json", home=home)
        equal(self.path(REPO, "--include", "*.json", home=home, HF_HUB_OFFLINE="1"), folder)
        _, err = self.run("download", REPO, home=home, status=1, HF_HUB_OFFLINE="1")
        check("files of alice/model at main (commit" in err and "are not on this machine" in err, err)
        equal(self.path(REPO, "config.json", home=home, HF_HUB_OFFLINE="1"), folder / "config.json")
        _, err = self.run("download", REPO, "config.json", "tok.model", home=home, status=1, HF_HUB_OFFLINE="1")
        check("1 of 2 files" in err and "'tok.model'" in err and "not on this machine" in err, err)
        _, err = self.run("download", REPO, status=1, HF_HUB_OFFLINE="1")
        check("not on this machine" in err and "HF_HUB_OFFLINE" in err, err)
        out, err = self.run("download", REPO, "*.json", home=home, HF_ENDPOINT="http://127.0.0.1:9")
        retry, told = err.splitlines()
        check(out == f"{folder}\n" and told.startswith("Warning: the Hub could not be asked"), out + err)
        check(retry.startswith("Warning: GET ") and retry.endswith(" ms, then attempt 2 of 2"), err)

    def options_before_names(self):
        for arguments in ([REPO, "--include", "*.json", "tok.model"], ["--include", "*.json", REPO, "tok.model"]):
            out, err = self.run("download", *arguments)
            check(out.endswith("/tok.model\n"), out)
            check(err.startswith("Warning: --include and --exclude are ignored"), err)

    def patterns(self):
        folder = self.path(REPO, "--include", "*.json", "--include", "*.txt", "--exclude", "sub/*")
        equal(self.names(folder), ["config.json", "odd1.txt", "odd[1].txt"])
        equal(self.names(self.path(REPO, "sub/*.json", "odd*")), ["odd1.txt", "odd[1].txt", "sub/a.json"])
        _, err = self.run("download", REPO, "sub/", "--exclude", "x", status=1)
        check("--include 'sub/*'" in err, err)

    def literal_first(self):
        equal(self.path(REPO, "odd[1].txt").read_bytes(), b"odd")
        equal(self.names(self.path(REPO, "odd[1]*")), ["odd1.txt"])

    def missing_among_several(self):
        out, err = self.run("download", REPO, "none.txt", "config.json")
        check("no file of alice/model fits 'none.txt'" in err and out, err)
        self.run("download", REPO, "none.txt", "other.txt", status=1)

    def revision_and_type(self):
        check(b"old" in self.path(REPO, "config.json", "--revision", "old").read_bytes(), "not the branch's")
        equal(self.path(REPO, "config.json", "--revision", self.model_commit).read_bytes(), FILES["config.json"])
        for form in (["--repo-type", "dataset", REPO], ["--type", "dataset", REPO], ["datasets/" + REPO]):
            check("/datasets--alice--model/" in str(self.path(*form, "config.json")), form)
        self.run("download", "datasets/" + REPO, "config.json", "--type", "dataset", status=2)

    def folders(self):
        local, cache = self.scratch / "local", self.scratch / "cache"
        equal(self.path(REPO, "sub/a.json", "--local-dir", str(local)), local / "sub/a.json")
        equal(self.path(REPO, "sub/", "--local-dir", str(local)), local)
        equal(self.names(local), ["sub/a.json", "sub/deep/b.txt"])
        check(self.path(REPO, "config.json", "--cache-dir", str(cache)).is_relative_to(cache), "not below --cache-dir")
        self.run("download", REPO, "--local-dir", str(local), "--cache-dir", str(cache), status=1)

    def dry_run(self):
        home = self.new_home()
        out, _ = self.run("download", REPO, "tok.model", "sub/", "--dry-run", home=home)
        lines = out.splitlines()
        equal(lines[0], "[dry-run] Will download 3 files (out of 3) totalling 123B.")
        equal([line.split() for line in lines[1:]],
              [["FILE", "SIZE"], ["sub/a.json", "2B"], ["sub/deep/b.txt", "1B"], ["tok.model", "120B"]])
        equal(self.names(home / "hub"), ["models--alice--model/refs/main"], "what a dry run writes")
        out, _ = self.run("download", REPO, "config.json", "--dry-run", "--json")
        equal(json.loads(out), [{"file": "config.json", "size": "8B"}])

    def forms(self):
        home = self.new_home()
        path = str(self.path(REPO, "config.json", home=home))
        for form in (["-q"], ["--quiet"], ["--format", "quiet"], ["--format", "human"], ["--format", "auto"]):
            equal(self.run("download", REPO, "config.json", *form, home=home)[0], path + "\n")
        for form in (["--json"], ["--format", "json"]):
            equal(json.loads(self.run("download", REPO, "config.json", *form, home=home)[0]), {"path": path})

    def usage(self):
        for arguments in ([], ["download"], ["download", REPO, "--none"], ["none"],
                          ["download", REPO, "--repo-type", "x"], ["download", REPO, "--max-workers", "x"]):
            out, err = self.run(*arguments, status=2)
            check(not out and err, f"{arguments}: {out!r} {err!r}")
        check("--include" in self.run("download", "--help")[0], "no help")

    def errors(self):
        for arguments, parts in ((["none.txt"], ["none.txt", "Check its path and the revision"]),
                                 (["--revision", "none"], ["none", "Check the name of the branch"])):
            out, err = self.run("download", REPO, *arguments, status=1)
            check(not out and err.startswith("Error: ") and all(part in err for part in parts), err)
        for arguments in (["f"], []):
            _, err = self.run("download", "alice/none", *arguments, status=1)
            check("Repository not found" in err and "alice/none" in err and "needs a token" in err, err)
        _, err = self.run("download", "a/b/c", "f", status=1)
        check("a repo id has the form" in err, err)

    def who_am_i(self):
        out, _ = self.run("auth", "whoami")
        equal(out.splitlines()[:2], ["Logged in", "  user: alice"])
        equal(self.run("auth", "whoami", "-q")[0], "alice\n")
        equal(json.loads(self.run("auth", "whoami", "--json")[0])["user"], "alice")
        equal(self.run("auth", "whoami", token=None, status=1), ("", "Not logged in\n"))
        _, err = self.run("auth", "whoami", token="hf_invalid", status=1)
        check("HF_TOKEN" in err and "not valid" in err, err)
        host = self.hub.url.split("//")[1]
        out, _ = self.run("auth", "whoami", HF_ENDPOINT=f"http://u:geheim@{host}")
        check(f"endpoint: http://***@{host}" in out, out)

    def version_and_environment(self):
        version = json.loads(self.run("version", "--json")[0])["version"]
        equal(self.run("--version")[0], version + "\n")
        out, _ = self.run("env", HF_ENDPOINT="https://u:geheim@hub.test")
        check("ENDPOINT: https://***@hub.test\n" in out and f"hfhub version: {version}\n" in out, out)
        check("Has saved token ?: True" in out, out)

    def messages(self):
        _, err = self.run("download", REPO, "config.json", HF_DEBUG="1")
        check("HEAD " in err and "/config.json: 200, try 1/6" in err, err)
        _, err = self.run("download", REPO, "config.json", HF_HUB_VERBOSITY="debug")
        check(": 200, try 1/6" in err, err)

    def bar(self):
        terminal = Terminal()
        self.run("download", REPO, "big.bin", terminal=terminal)
        text = terminal.text()
        check(text.startswith("\r") and "big.bin: " in text or "1 file: " in text, repr(text))
        check("100%" in text and text.endswith("\r\n") and text.count("\n") == 1, repr(text))
        check("BB" not in text, repr(text))
        check("\x1b" not in text, repr(text))  # no colours, with or without NO_COLOR

    def bar_then_path(self):
        terminal = Terminal()
        environment = self.hub.environment(self.new_home(), "hf_alice")
        subprocess.run([self.program, "download", REPO, "sub/"], env=environment, stdout=terminal.slave,
                       stderr=terminal.slave, timeout=60, check=True)
        bar, path = terminal.text().split("\r\n")[:2]
        check("files: 100%" in bar and path.endswith(self.model_commit), (bar, path))

    def no_bar(self):
        for arguments, variables in ([], {"HF_HUB_DISABLE_PROGRESS_BARS": "1"}), (["-q"], {}), (["--json"], {}):
            terminal = Terminal()
            self.run("download", REPO, "big.bin", *arguments, terminal=terminal, **variables)
            equal(terminal.text(), "")

    def trace(self):
        out, err = self.run("download", REPO, "big.bin", "--trace")
        check(out.endswith("/big.bin\n") and out.count("\n") == 1, out)
        lines = err.splitlines()
        equal(len(lines), 2)
        address = self.hub.url.removeprefix("http://").replace("localhost", "127.0.0.1")
        url = f"{self.hub.url}/{REPO}/resolve/"
        check(lines[0].startswith(f"* HEAD {url}main/big.bin: 200, try 1/2, HTTP/1.1 to {address} (new, DNS "), lines[0])
        check(lines[1].startswith(f"* GET {url}") and "try 1/6, HTTP/1.1 to" in lines[1], lines[1])
        check("(reused), queued " in lines[1] and f"received {len(FILES['big.bin'])} B" in lines[1], lines[1])
        check("first byte " in lines[1] and "total " in lines[1], lines[1])

    def trace_without_a_connection(self):
        home = self.new_home()
        self.path(REPO, "config.json", home=home)
        _, err = self.run("download", REPO, "config.json", "--trace", home=home, HF_ENDPOINT="http://127.0.0.1:9")
        tries = [line for line in err.splitlines() if line.startswith("* ")]
        check(len(tries) == 2 and all(": no answer, try " in line and ", no connection (tried, DNS " in line and
                                      " ms, TCP " in line for line in tries), err)

    def trace_beside_bar(self):
        terminal = Terminal()
        self.run("download", REPO, "big.bin", "--trace", terminal=terminal)
        text = terminal.text()
        check("%" in text and "* GET" in text, repr(text))
        check(all(line.startswith("* ") or "* " not in line for line in text.split("\r\n")), repr(text))
        check(text.endswith("\r\n") and not text.endswith("\r\n\r\n"), repr(text))

    def retries_are_told(self):
        self.hub.fault("cut:1000;n=1", "GET", "big.bin")
        out, err = self.run("download", REPO, "big.bin")
        self.hub.reset()
        equal(pathlib.Path(out[:-1]).read_bytes(), FILES["big.bin"])
        check(err.startswith("Warning: big.bin: the answer ended after 1000 bytes of "), err)
        check(err.endswith(" ms, then attempt 2 of 6 goes on at byte 1000\n") and err.count("\n") == 1, err)

    def silent_on_success(self):
        for repo, name in (REPO, "config.json"), (REPO, "big.bin"):
            equal(self.run("download", repo, name)[1], "")

    def beside_python(self):
        if not self.python or not os.path.exists(self.python):
            return "skipped, the Python client is not installed"
        commands = [["config.json"], ["config.json", "--revision", "old"], [],
                    ["--include", "*.json", "--exclude", "sub/*"], ["sub/", "--repo-type", "dataset"],
                    ["config.json", "sub/a.json", "--local-dir", "DIR/local"]]
        ours, theirs = self.scratch / "ours", self.scratch / "theirs"

        def command(arguments, folder):
            values = [argument.replace("DIR", str(folder)) for argument in arguments]
            place = [] if "--local-dir" in values else ["--cache-dir", str(folder / "cache")]
            return ["download", REPO, *values, "-q", *place]

        environment = self.hub.environment(self.new_home(), "hf_alice")
        done = subprocess.run([self.python, "-c", PYTHON_HF], env=environment, text=True, timeout=100, check=True,
                              input=json.dumps([command(c, theirs) for c in commands]), stdout=subprocess.PIPE)
        for arguments, wanted in zip(commands, json.loads(done.stdout)):
            got, _ = self.run(*command(arguments, ours))
            equal(got.replace(str(ours), "DIR"), wanted.replace(str(theirs), "DIR"), arguments)
        got, wanted = tree(ours), tree(theirs)
        differing = {name: (got.get(name), wanted.get(name)) for name in got | wanted if got.get(name) != wanted.get(name)}
        check(not differing, f"(ours, Python's): {differing}")
        return f"{len(commands)} commands, {len(got)} entries"


def tree(folder):
    """What both clients keep: folders, links with their targets, contents; not locks, tags and listings."""
    entries = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if any(part in path.parts for part in (".locks", "trees")) or path.suffix == ".lock":
            continue
        if path.name in ("CACHEDIR.TAG", ".gitignore"):
            continue
        if path.is_symlink():
            entries[name] = os.readlink(path)
        elif path.suffix == ".metadata":
            entries[name] = path.read_text().splitlines()[:2]  # the third line is the time
        else:
            entries[name] = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
    return entries


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hf", required=True)
    parser.add_argument("--hub", required=True)
    parser.add_argument("--python")
    arguments = parser.parse_args()
    checks = Checks()
    with tempfile.TemporaryDirectory() as folder, LocalHub(arguments.hub, folder + "/hub") as hub:
        s = Scenario(arguments, hub, pathlib.Path(folder))
        for action in (s.one_file, s.several, s.offline, s.options_before_names, s.patterns, s.literal_first,
                       s.missing_among_several, s.revision_and_type, s.folders, s.dry_run, s.forms, s.usage, s.errors,
                       s.who_am_i, s.version_and_environment, s.messages, s.bar, s.bar_then_path, s.no_bar,
                       s.trace, s.trace_without_a_connection, s.trace_beside_bar, s.retries_are_told, s.silent_on_success, s.beside_python):
            checks.run(action.__name__.replace("_", " "), action)
    return checks.status()


if __name__ == "__main__":
    sys.exit(main())
