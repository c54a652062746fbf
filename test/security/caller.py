"""Calls of the API by hfhub-call, behind a proxy that is every host, and tables of what came of them."""
import contextlib
import json
import os
import pathlib
import subprocess
import tempfile

from any_host_proxy import AnyHostProxy
from certificate_maker import Maker
from peers import SANITIZERS, expect

TOKEN, FIELD, PROXY = "hf_canaryToken1", "canaryField2", "canaryProxy4"
NAMES = ["hub.test", "sub.hub.test", "evilhub.test", "hub.test.evil.test", "evil.test", "cdn.test", "huggingface.co",
         "huggingface.co.evil.test", "x.huggingface.cloud", "router.huggingface.co", "model.test"]


class Calls:
    """hfhub-call behind a proxy that is every host."""

    def __init__(self, program, folder, checks, mode):
        self.program, self.folder, self.checks, self.mode = program, folder, checks, mode
        maker = Maker(folder)
        self.authority = maker.authority("everybody")
        cert = maker.make("everybody", self.authority, ",".join([f"DNS:{name}" for name in NAMES] + ["IP:127.0.0.1"]))
        chain = folder / "everybody.pem"
        chain.write_text(cert.chain())
        self.respond = None
        self.proxy = AnyHostProxy(chain, cert.key, lambda seen: self.respond(seen))
        self.cells = self.passed = 0

    def __enter__(self):
        self.proxy.__enter__()
        self.process = subprocess.Popen([self.program, "--mode", self.mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env={"PATH": os.environ["PATH"], **SANITIZERS})
        return self

    def __exit__(self, *error):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(30)
        self.proxy.__exit__(*error)

    def call(self, respond, hub, method, kwargs, kind="HfApi", init=None, env=None):
        """The answer of one call, and what hosts have seen of it."""
        self.respond = respond
        self.proxy.seen.clear()
        with tempfile.TemporaryDirectory() as tmp:
            given = {"token": TOKEN, "headers": {"x-api-key": FIELD}}
            env = {"HF_ENDPOINT": hub, "HF_HOME": tmp + "/home", "SSL_CERT_FILE": str(self.authority.pem),
                   "ALL_PROXY": f"http://user:{PROXY}@127.0.0.1:{self.proxy.port}", **(env or {})}
            one = {"object": kind, "init": given if init is None else init, "method": method, "kwargs": kwargs, "env": env,
                   "tmp": tmp, "endpoint": hub}
            self.process.stdin.write(json.dumps(one).encode() + b"\n")
            self.process.stdin.flush()
            answer = json.loads(self.process.stdout.readline())
            home = pathlib.Path(tmp)
            self.kept = [path for path in home.rglob("*") if path.is_file() and path.name != "CACHEDIR.TAG"
                         and "refs" not in path.parts
                         and path.suffix != ".lock"]
        expect("unsupported" not in answer, answer)
        return answer, list(self.proxy.seen)

    @contextlib.contextmanager
    def table(self, title):
        """Collects what is wrong with the cells of a table."""
        self.wrong, before, passed = [], self.cells, self.passed
        yield
        with self.checks.check(f"{title}, {self.mode}: {self.passed - passed} of {self.cells - before}"):
            expect(not self.wrong, len(self.wrong), "wrong:", "; ".join(self.wrong[:6]))

    def cell(self, good, *about):
        self.cells += 1
        self.passed += bool(good)
        if not good:
            self.wrong.append(" ".join(map(str, about)))


def reply(value):
    body = json.dumps(value).encode()
    return 200, [("content-type", "application/json")], body
