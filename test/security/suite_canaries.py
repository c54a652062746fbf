#!/usr/bin/env python3
"""Runs the programs of the tests with everything written down that they log, throw and print, and looks for the secrets
that the tests use: plain, in base64 and percent-encoded. HFHUB_LONG: the recorded calls in both modes.

  suite_canaries.py --hub BUILD/test/hub/hub-tests --core BUILD/test/core/core-tests --call BUILD/test/hfhub-call
"""
import base64
import concurrent.futures
import itertools
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "interop"))
from peers import Checks, expect, program_arguments  # noqa: E402

TESTS = pathlib.Path(__file__).resolve().parent.parent
LITERALS = [
    re.compile(r"\b(hf_[A-Za-z0-9]{2,})(?![A-Za-z0-9_])"), re.compile(r"(?:Bearer|Basic) ([A-Za-z0-9+/=._-]{5,})"),
    re.compile(r"://[^\s/@:\"]*:([^\s/@\"]{5,})@"), re.compile(r"(?:X-Amz-Signature|Signature|Policy)=([A-Za-z0-9%._-]{5,})"),
    re.compile(r"(\b(?:CANARY|sk)-[A-Za-z0-9-]{4,})")]
# What stands in texts for other reasons than that somebody has let a secret out: names, and ordinary words.
WORDS = re.compile(r"hf_(?:hub|token|api|home)|SIGNATURE|redact.*|[a-z]+")
LINES = re.compile(r"^(?:\[doctest\]|TEST CASE|ok |FAIL )")


def secrets_of(folders):
    """Tokens, passwords and signatures that the sources of the tests and the recorded cases hold."""
    found = set()
    for path in itertools.chain.from_iterable((TESTS / folder).rglob("*") for folder in folders):
        if path.suffix in (".cpp", ".hpp", ".json"):
            text = path.read_text()
            for pattern in LITERALS:
                found.update(pattern.findall(text))
    return {one for one in found if not WORDS.fullmatch(one)}


def forms(secret):
    """How it may be written; in base64, what all bytes that are wholly its own become, wherever it begins."""
    data = secret.encode()
    yield secret
    yield urllib.parse.quote(secret, safe="")
    yield "".join(f"%{byte:02x}" for byte in data)
    yield "".join(f"%{byte:02X}" for byte in data)
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + data).decode()
        known = text[(0, 2, 3)[shift]:(shift + len(data)) * 4 // 3]
        if len(known) >= 6:
            yield known
            yield known.replace("+", "-").replace("/", "_")


class Suite:
    def __init__(self, secrets, checks):
        self.checks = checks
        self.lines = self.bytes = self.hits = 0
        texts = {re.escape(form) for one in secrets for form in forms(one)}
        self.pattern = re.compile("|".join(sorted(texts, key=len, reverse=True)))

    def leaks(self, text):
        """Lines that hold a secret."""
        self.bytes += len(text)
        for line in text.splitlines():
            self.lines += 1
            if not LINES.match(line) and (found := self.pattern.search(line)):
                yield f"{found[0]!r} in {line[:300]!r}"

    def run(self, name, argv, **options):
        """What a program says, throws and logs, and its exit status."""
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "HFHUB_TEST_LOG": folder, "HF_DEBUG": "1"}
            environment.pop("HFHUB_LONG", None)  # more of the same would be said
            done = subprocess.run(list(map(str, argv)), env=environment, capture_output=True, timeout=600, **options)
            logs = [path.read_text(errors="replace") for path in sorted(pathlib.Path(folder).iterdir())]
        return name, done.returncode, logs, [done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")]

    def judge(self, name, status, logs, printed):
        with self.checks.check(f"{name}: {sum(text.count(chr(10)) for text in logs)} lines written down"):
            # Tests that look at the log themselves may see more than they expect; a crash is something else.
            expect(status in (0, 1), "exit status", status, printed[1][-500:])
            expect(any(logs), "nothing was written down")
            found = [leak for text in logs + printed for leak in self.leaks(text)]
            self.hits += len(found)
            expect(not found, len(found), "lines hold a secret:", "; ".join(found[:5]))


def planted(core):
    """The search finds what a test has let out in each form."""
    suite = Suite({"hf_planted"}, None)
    _, _, logs, _ = suite.run("planted", [core, "--no-skip", "--test-case=a secret is planted in the log"])
    found = [leak for text in logs for leak in suite.leaks(text)]
    for form in ("base64: ", "escaped: ", "thrown: "):
        expect(any(form in leak for leak in found), f"the secret that was planted as '{form}' was not found in", logs)
    for shift, form in itertools.product(range(3), ("plain", "base64")):
        text = "x" * shift + "hf_planted" + "y" * shift
        expect(list(suite.leaks(text if form == "plain" else base64.b64encode(text.encode()).decode())), shift, form)


def main():
    programs = program_arguments("--hub", "--core", "--call")
    checks = Checks()
    with checks.check("a planted secret is found, thrown and in every form"):
        planted(programs.core.resolve())
    secrets = secrets_of(("hub", "inference", "http", "faults", "conformance/cases", "core"))
    suite, jobs = Suite(secrets, checks), [("hub", [programs.hub.resolve()])]
    cases = sorted((TESTS / "conformance/cases").glob("*.json"))
    for mode in ("sync", "async") if os.environ.get("HFHUB_LONG") else ("sync",):
        jobs.append((f"conformance, {mode}", [sys.executable, TESTS / "conformance/run_cases.py", "--mode", mode, "--call",
                                              programs.call.resolve(), *cases]))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for job in pool.map(lambda job: suite.run(*job), jobs):
            suite.judge(*job)
    status = checks.end()
    print(f"secrets: {len(secrets)}; lines searched: {suite.lines}, {suite.bytes} bytes; hits: {suite.hits}")
    return status


if __name__ == "__main__":
    sys.exit(main())
