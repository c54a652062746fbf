#!/usr/bin/env python3
"""Secrets in what is said and kept: servers that repeat what they are sent, and fail in every way, with all logs on.

  canaries.py --fetch BUILD/test/hfhub-fetch --hf BUILD/hf
"""
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "interop"))
from any_host_proxy import AnyHostProxy  # noqa: E402
from certificate_maker import Maker  # noqa: E402
from peers import PATH, SANITIZERS, SKIPPED, Checks, Fetch, expect, installed, program_arguments  # noqa: E402

TOKEN = "hf_canaryTokenAAAAAAAAAAAAAAAAAAAAA1"
SIGNED = ("X-Amz-Credential=canaryCred2&X-Amz-Signature=canarySig3&X-Amz-Security-Token=canaryTok4&Signature=canarySig5"
          "&Policy=canaryPolicy6&Expires=1234567890&Key-Pair-Id=canaryKey7&sig=canarySig8")
FIELDS = {"authorization": f"Bearer {TOKEN}", "cookie": "session=canaryCookie9", "x-api-key": "canaryApi10"}
CANARIES = ("canary", "Y2FuYXJ5VXNlcjpjYW5hcnlQYXNzMTE")  # the second: of a proxy's user, in base64
USER = "canaryUser:canaryPass11"
DATA = b"weights" * 1000
ETAG = hashlib.sha256(DATA).hexdigest()


def echo(seen):
    """What a careless server writes into its answers."""
    return "; ".join([f"{name}: {value}" for name, value in seen.fields + seen.proxy_fields] + [seen.target])


class Failing:
    """Answers of one kind to all requests; the path says which."""

    def __init__(self):
        self.kind = ""

    def __call__(self, seen):
        said = echo(seen)
        about = [("content-type", "application/json"), ("set-cookie", "id=canarySetCookie12"), ("x-request-id", f"r1 {TOKEN}")]
        if self.kind.isdigit():
            more = [("x-error-message", said[:900])] if int(self.kind) % 2 else []
            return int(self.kind), about + more + [("retry-after", "0")], json.dumps({"error": said}).encode()
        if self.kind == "download" and "/resolve/" in seen.target:
            return 302, about + [("location", f"https://cdn.test/x?{SIGNED}"), ("x-linked-etag", f'"{ETAG}"'), ("etag", '"x"'),
                                 ("x-linked-size", str(len(DATA))), ("x-repo-commit", "0" * 40)], b""
        if self.kind == "download":
            first = not any(one.field("range") for one in self.proxy.seen if one.method == "GET")
            if first:  # cut in the middle, after a good beginning
                return 200, about + [("content-length", str(len(DATA))), ("etag", f'"{ETAG}"')], DATA[:3000]
            return 403, about, f"<Error><Code>AccessDenied</Code><Message>{said}</Message></Error>".encode()
        location = {"user": f"http://{USER}@evil.test/x?{SIGNED}", "scheme": f"ftp://{USER}@evil.test/{TOKEN}?{SIGNED}",
                    "broken": f"https://{USER}@evil test/?{SIGNED}", "circle": f"https://hub.test/loop?{SIGNED}",
                    "away": f"https://{USER}@cdn.test/x?{SIGNED}"}.get(self.kind)
        if location and (self.kind == "circle" or not seen.origin.startswith("https://cdn.test")):
            return 307, about + [("location", location)], said.encode()
        if self.kind == "json":
            return 200, about, b"{" + said.encode()
        return 200, about + [("content-length", "100000")], said.encode()  # cut


class Canaries:
    def __init__(self, arguments, folder, checks):
        self.fetch, self.hf, self.folder, self.checks = Fetch(arguments.fetch), arguments.hf.resolve(), folder, checks
        maker = Maker(folder)
        self.authority = maker.authority("everybody")
        cert = maker.make("everybody", self.authority, "DNS:hub.test,DNS:cdn.test,DNS:evil.test")
        chain = folder / "everybody.pem"
        chain.write_text(cert.chain())
        self.failing = Failing()
        self.proxy = self.failing.proxy = AnyHostProxy(chain, cert.key, self.failing)
        self.url = f"http://{USER}@127.0.0.1:{self.proxy.port}"
        self.texts = self.bytes = 0

    def clean(self, about, text):
        self.texts += 1
        self.bytes += len(text)
        for line in text.splitlines():
            for canary in CANARIES:
                expect(canary not in line, f"{about}: {line}")

    def try_fetch(self, kind):
        fields = [one for name, value in FIELDS.items() for one in ("-H", f"{name}: {value}")]
        common = ("-v", "--retry-delay", "0.001", "--proxy", self.url, "--cacert", self.authority.pem, *fields)
        for url in (f"https://hub.test/a/m/resolve/main/f?{SIGNED}", f"https://{USER}@hub.test/api/models/a/m?token=canary13"):
            result = self.fetch(*common, url)
            expect(result.err, "nothing was said")
            self.clean("fetch", result.err)
            self.clean("fetch --json", self.fetch("--json", *common, url).out.decode(errors="replace"))

    def try_hf(self, kind):
        for arguments in (["download", "a/m", "f"], ["download", "a/m"], ["auth", "whoami"], ["env"],
                          ["download", "a/m", "f", "--local-dir", "LOCAL", "--token", TOKEN]):
            with tempfile.TemporaryDirectory() as home:
                arguments = [home + "/local" if one == "LOCAL" else one for one in arguments]
                environment = {"HF_ENDPOINT": f"https://{USER}@hub.test", "HF_HOME": home, "HOME": home, "PATH": PATH,
                               "HF_TOKEN": TOKEN, "HF_DEBUG": "1", "SSL_CERT_FILE": str(self.authority.pem),
                               "ALL_PROXY": self.url, "HF_HUB_ETAG_TIMEOUT": "5", **SANITIZERS}
                done = subprocess.run([self.hf, *arguments, "--trace"], env=environment, capture_output=True, timeout=120)
                expect(arguments[0] != "download" or b"\n* HEAD https://hub.test/" in b"\n" + done.stderr or
                       b"\n* GET https://hub.test/" in b"\n" + done.stderr, "no try is told", done.stderr)
                self.clean(" ".join(arguments), done.stdout.decode(errors="replace"))
                self.clean(" ".join(arguments), done.stderr.decode(errors="replace"))
                for path in pathlib.Path(home).rglob("*"):
                    self.clean("a file's name", path.name)
                    if path.is_file():
                        self.clean(path.name, path.read_bytes().decode(errors="replace"))

    def run(self):
        statuses = ["400", "401", "403", "404", "416", "422", "429", "500"]
        for kind in [*statuses, "user", "scheme", "broken", "circle", "away", "json", "cut"]:
            self.proxy.seen.clear()
            self.failing.kind = kind
            with self.checks.check(f"hfhub-fetch -v, {kind}"):
                self.try_fetch(kind)
        for kind in ["400", "401", "403", "404", "user", "scheme", "broken", "circle", "json", "download"]:
            self.proxy.seen.clear()
            self.failing.kind = kind
            with self.checks.check(f"hf --trace with HF_DEBUG, {kind}"):
                self.try_hf(kind)
        with self.checks.check("servers saw the canaries that were meant for them"):
            expect(any(TOKEN in (one.field("authorization") or "") for one in self.proxy.seen))


def main():
    arguments = program_arguments("--fetch", "--hf")
    if not installed("openssl"):
        return SKIPPED
    checks = Checks()
    with tempfile.TemporaryDirectory() as name:
        canaries = Canaries(arguments, pathlib.Path(name), checks)
        with canaries.proxy:
            canaries.run()
    status = checks.end()
    print(f"texts searched: {canaries.texts}, {canaries.bytes} bytes, with secrets in {checks.failed} kinds of failure")
    return status


if __name__ == "__main__":
    sys.exit(main())
