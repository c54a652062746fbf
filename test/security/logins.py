#!/usr/bin/env python3
"""Tokens that are kept on this machine: hf auth, the files it writes, and Python's huggingface_hub at the same files.

  logins.py --hf BUILD/hf --hub BUILD/test/hfhub-local-hub [--python .venv/bin/python]
"""
import argparse
import json
import os
import pathlib
import pty
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from local_hub import Checks, LocalHub, check, equal  # noqa: E402

TOKEN = "hf_alice"


class Logins:
    def __init__(self, arguments, hub, folder):
        self.hf, self.python, self.hub, self.folder = arguments.hf.resolve(), arguments.python, hub, folder
        self.count = 0

    def home(self):
        self.count += 1
        return self.folder / f"home{self.count}"

    def run(self, home, *arguments, stdin="", token=None, status=0, before=()):
        environment = self.hub.environment(home, token)
        if before:  # a program that is traced cannot be looked through for leaks
            environment["ASAN_OPTIONS"] = environment.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        done = subprocess.run([*before, self.hf, "auth", *arguments], env=environment, input=stdin, text=True,
                              capture_output=True, timeout=60)
        check(done.returncode == status, f"exit status {done.returncode}: {done.stderr}")
        return done

    def in_python(self, home, code):
        """The JSON that the code leaves in `result`."""
        program = ("import json\nfrom huggingface_hub import *\nfrom huggingface_hub.utils import get_stored_tokens, get_token\n"
                   "from huggingface_hub.utils._auth import _save_token\n" + code + "\nprint(json.dumps(result))")
        done = subprocess.run([self.python, "-c", program], env=self.hub.environment(home), capture_output=True, text=True,
                              timeout=120)
        check(done.returncode == 0, done.stderr)
        return json.loads(done.stdout.splitlines()[-1])

    @staticmethod
    def modes(home):
        return [oct(path.stat().st_mode & 0o7777) for path in (home, home / "token", home / "stored_tokens")]

    def login(self):
        home = self.home()
        done = self.run(home, "login", "--json", stdin=TOKEN + "\r\n")
        equal((home / "token").read_text(), TOKEN)
        equal(self.modes(home), ["0o700", "0o600", "0o600"])
        name = json.loads(done.stdout)["token_name"]
        equal((home / "stored_tokens").read_text(), f"[{name}]\nhf_token = {TOKEN}\n\n")
        equal(self.run(home, "token").stdout, TOKEN + "\n")
        check(TOKEN not in done.stdout + done.stderr, "the token is shown")
        check("Already" in self.run(home, "login", stdin="hf_other").stderr, "a second login")
        listed = self.run(home, "list")
        check(TOKEN not in listed.stdout and name in listed.stdout and "*" in listed.stdout, listed.stdout)

    def created(self):
        """Others can read the files at no time: they are made new, with their mode, and renamed."""
        home, trace = self.home(), self.folder / "trace"
        self.run(home, "login", stdin=TOKEN, before=("strace", "-f", "-o", trace, "-e",
                                                     "trace=openat,open,creat,mkdir,rename,renameat,renameat2,chmod,fchmod"))
        lines = [line for line in trace.read_text().splitlines() if str(home) in line and "ENOENT" not in line]
        made = [line for line in lines if "O_CREAT" in line and ("token" in line)]
        check(len(made) == 2, made)
        check(all("O_EXCL" in line and re.search(r", 0600\)", line) for line in made), made)
        check(any("mkdir(" in line and ", 0700)" in line for line in lines), lines)
        check(not any("chmod" in line for line in lines), lines)

    def umask(self):
        for mask in (0o000, 0o077, 0o022):
            home = self.home()
            before = os.umask(mask)
            try:
                self.run(home, "login", stdin=TOKEN)
            finally:
                os.umask(before)
            equal(self.modes(home), ["0o700", "0o600", "0o600"])

    def wider(self):
        """A file that others could read is replaced by one that they can not."""
        home = self.home()
        home.mkdir(mode=0o755)
        (home / "token").write_text("hf_old")
        (home / "token").chmod(0o644)
        with open(home / "token") as held:
            self.run(home, "login", "--force", stdin=TOKEN)
            equal(held.read(), "hf_old")
        equal(self.modes(home)[1:], ["0o600", "0o600"])

    def refusals(self):
        home = self.home()
        for token, word in (("", "no token"), ("api_org_x", "organization"), ("hf_invalid", "not valid")):
            done = self.run(home, "login", stdin=token + "\n", status=1)
            check(word in done.stderr, done.stderr)
            check(not (home / "token").exists() and not (home / "stored_tokens").exists(), "written")
        check("Not logged in" in self.run(home, "token", status=1).stderr, "token")
        check("Not logged in" in self.run(home, "logout").stderr, "logout")
        check("'nobody'" in self.run(home, "switch", "--token-name", "nobody", status=1).stderr, "switch")
        home.mkdir(exist_ok=True)
        (home / "stored_tokens").write_text("not an ini file hf_secretB2\n")
        done = self.run(home, "login", stdin=TOKEN, status=1)
        check("stored tokens" in done.stderr and "secretB2" not in done.stderr, done.stderr)
        equal((home / "stored_tokens").read_text(), "not an ini file hf_secretB2\n")

    def switching(self):
        home = self.home()
        self.run(home, "login", stdin=TOKEN)
        with open(home / "stored_tokens", "a") as file:
            file.write("[second one]\nhf_token = hf_bob\nrefresh_token = r\nexpires_at = 99\n")
        self.run(home, "switch", "--token-name", "second one")
        equal(self.run(home, "token").stdout, "hf_bob\n")
        check("HF_TOKEN" in self.run(home, "switch", "--token-name", "second one", token="hf_env").stderr, "no warning")
        self.run(home, "login", "--force", stdin=TOKEN)
        check("refresh_token = r" in (home / "stored_tokens").read_text(), "another token's fields are lost")
        self.run(home, "logout", "--token-name", "second one")
        equal(self.run(home, "token").stdout, TOKEN + "\n")
        self.run(home, "logout", token="hf_env", status=1)
        check(not (home / "token").exists() and not (home / "stored_tokens").exists(), "tokens are left")

    def terminal(self):
        """What is typed is not shown, and the terminal is as before afterwards."""
        home = self.home()
        master, slave = pty.openpty()
        process = subprocess.Popen([self.hf, "auth", "login"], env=self.hub.environment(home), stdin=slave, stdout=slave,
                                   stderr=slave, start_new_session=True)
        shown = b""
        while b"not shown" not in shown:
            shown += os.read(master, 4096)
        os.write(master, TOKEN.encode() + b"\n")
        equal(process.wait(60), 0)
        os.close(slave)
        try:
            while part := os.read(master, 4096):
                shown += part
        except OSError:
            pass
        os.close(master)
        check(TOKEN.encode() not in shown, shown)
        equal((home / "token").read_text(), TOKEN)

    def python_reads(self):
        home = self.home()
        self.run(home, "login", stdin=TOKEN)
        ours = self.in_python(home, "result = [get_token(), get_stored_tokens()]")
        equal(ours[0], TOKEN)
        equal(list(ours[1].values()), [TOKEN])

    def python_writes(self):
        home = self.home()
        self.in_python(home, "login('hf_alice'); _save_token('hf_bob%', 'b = x', refresh_token='r', expires_at=5); result = 1")
        listed = json.loads(self.run(home, "list", "--json").stdout)
        check({row["name"] for row in listed} >= {"b = x"} and len(listed) == 2, listed)
        self.run(home, "switch", "--token-name", "b = x")
        equal(self.in_python(home, "result = get_token()"), "hf_bob%")
        self.run(home, "logout", "--token-name", "b = x")
        equal(list(self.in_python(home, "result = get_stored_tokens()").values()), [TOKEN])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hf", type=pathlib.Path, required=True)
    parser.add_argument("--hub", required=True)
    parser.add_argument("--python", type=pathlib.Path)
    arguments = parser.parse_args()
    checks = Checks()
    with tempfile.TemporaryDirectory() as name, LocalHub(arguments.hub, f"{name}/hub") as hub:
        logins = Logins(arguments, hub, pathlib.Path(name))
        checks.run("login reads standard input, and writes both files", logins.login)
        checks.run("their modes do not depend on the umask", logins.umask)
        checks.run("a file that was open to others is replaced", logins.wider)
        checks.run("what is no token, and files that are damaged, change nothing", logins.refusals)
        checks.run("switching and logging out", logins.switching)
        checks.run("a token that is typed is not shown", logins.terminal)
        checks.run("files are made with O_EXCL and their mode", logins.created)
        if arguments.python and arguments.python.exists():
            checks.run("Python reads what hf writes", logins.python_reads)
            checks.run("hf reads what Python writes", logins.python_writes)
    print(f"{checks.failures} failed")
    return checks.status()


if __name__ == "__main__":
    sys.exit(main())
