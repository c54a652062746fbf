"""Starts a local Hub and talks to it without any client library; and prints checks. For test scripts."""
import base64
import contextlib
import json
import os
import ssl
import subprocess
import traceback
import urllib.request


class LocalHub(contextlib.AbstractContextManager):
    """hfhub-local-hub with its data below `folder`; ended by its id."""

    def __init__(self, program, folder, tls=False, *options):
        command = [program, "--port", "0", "--data", str(folder), *(["--tls"] if tls else []), *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().split()[-1]
        self.authority = f"{folder}/ca.pem" if tls else None
        self.context = ssl.create_default_context(cafile=self.authority) if tls else None

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()

    def environment(self, home, token=None):
        """Variables for a client with a home of its own."""
        variables = {"HF_ENDPOINT": self.url, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1",
                     "HF_HUB_DISABLE_TELEMETRY": "1", "NO_PROXY": "localhost,127.0.0.1", "PATH": "/usr/bin:/bin",
                     "HOME": str(home)}
        # How memory is checked, by the sanitizers or by meson.
        variables |= {name: value for name, value in os.environ.items() if name.endswith(("SAN_OPTIONS", "_PERTURB_"))}
        if token:
            variables["HF_TOKEN"] = token
        if self.authority:
            variables["SSL_CERT_FILE"] = self.authority
        return variables

    def call(self, path, body=None, token="hf_alice", method=None):
        request = urllib.request.Request(self.url + path, data=body, method=method,
                                         headers={"authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=30, context=self.context) as answer:
            text = answer.read()
            return json.loads(text) if "json" in answer.headers.get("content-type", "") else text

    def create(self, repo, repo_type="model", **more):
        owner, name = repo.split("/")
        body = {"name": name, "organization": owner, "type": repo_type, **more}
        self.call("/api/repos/create", json.dumps(body).encode())

    def commit(self, repo, files, revision="main", repo_type="model"):
        """Files are stored as they are, not as large ones. Returns the commit."""
        lines = [{"key": "header", "value": {"summary": "files"}}]
        lines += [{"key": "file", "value": {"path": path, "content": base64.b64encode(content).decode(),
                                            "encoding": "base64"}} for path, content in files.items()]
        body = "\n".join(map(json.dumps, lines)).encode()
        return self.call(f"/api/{repo_type}s/{repo}/commit/{revision}", body)["commitOid"]

    def statistics(self):
        return self.call("/_local/stats")

    def reset(self):
        """Statistics and faults; repositories stay."""
        self.call("/_local/reset", b"", method="POST")

    def fault(self, fault, method="GET", path=""):
        self.call("/_local/faults", json.dumps({"fault": fault, "method": method, "path": path}).encode())


class Checks:
    """Runs checks in order and prints one line for each."""

    def __init__(self):
        self.failures = 0

    def run(self, name, action):
        try:
            note = action()
            print(f"ok      {name}" + (f": {note}" if note else ""), flush=True)
        except Exception:  # the other checks say what else is wrong
            self.failures += 1
            print(f"FAILED  {name}\n{traceback.format_exc()}", flush=True)

    def status(self):
        return 1 if self.failures else 0


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def equal(got, wanted, what=""):
    if got != wanted:
        raise AssertionError(f"{what} got {got!r}, wanted {wanted!r}")
