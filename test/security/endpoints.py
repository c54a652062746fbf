#!/usr/bin/env python3
"""Endpoints in all spellings and with path prefixes, what stands in between and answers in their place, redirects without
end, answers without measure, and settings that must not turn anything off.

  endpoints.py --call BUILD/test/hfhub-call
"""
import base64
import gzip
import hashlib
import json
import pathlib
import re
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "interop"))
from caller import TOKEN, Calls, reply  # noqa: E402
from peers import SANITIZERS, SKIPPED, Checks, installed, program_arguments  # noqa: E402

COMMIT = "0123456789abcdef0123456789abcdef01234567"
DATA = b"weights" * 100
SHA256 = hashlib.sha256(DATA).hexdigest()
ADD = {"$op": "Add", "path_in_repo": "f", "path_or_fileobj": {"$bytes": base64.b64encode(DATA).decode()}}
COMMIT_CALL = ("create_commit", {"repo_id": "a/m", "commit_message": "m", "operations": [ADD]})
DOWNLOAD = ("hf_hub_download", {"repo_id": "a/m", "filename": "f"})
API_CALLS = [("model_info", {"repo_id": "a/m"}), ("list_models", {}), ("whoami", {}), ("create_repo", {"repo_id": "a/m"}),
             COMMIT_CALL, DOWNLOAD]
HTML = b"<!DOCTYPE html><html><body>Welcome to our hotel. Please log in.</body></html>"


def hub(seen):
    """A Hub that calls itself by its usual name, whatever it is reached by."""
    target, home = seen.target, "https://huggingface.co"
    if "/preupload/" in target:
        return reply({"files": [{"path": "f", "uploadMode": "lfs", "shouldIgnore": False}], "commitOid": COMMIT})
    if target.endswith("/objects/batch"):
        actions = {"upload": {"href": f"{home}/storage/put"}, "verify": {"href": f"{home}/storage/verify"}}
        return reply({"transfer": "basic", "objects": [{"oid": SHA256, "size": len(DATA), "actions": actions}]})
    if "/commit/" in target:
        return reply({"commitOid": COMMIT, "commitUrl": f"{home}/a/m/commit/{COMMIT}"})
    if "/resolve/" in target:
        about = [("etag", f'"{SHA256}"'), ("x-repo-commit", COMMIT), ("content-length", str(len(DATA)))]
        return 200, about, DATA
    if target.split("?")[0].endswith("/api/models"):
        if "cursor=" in target:
            return reply([{"id": "a/second"}])
        status, fields, body = reply([{"id": "a/first"}])
        return status, [*fields, ("link", f'<{home}/api/models?cursor=1>; rel="next"')], body
    return reply({"id": "a/m", "name": "a", "type": "user", "sha": COMMIT, "url": f"{home}/a/m"})


class Endpoints(Calls):
    """Every method is a table."""

    def spellings(self):
        """HF_ENDPOINT, and where all requests of all calls go."""
        rows = [("https://hub.test", "https://hub.test:443", ""), ("https://hub.test/", "https://hub.test:443", ""),
                ("https://hub.test///", "https://hub.test:443", ""), ("  https://hub.test/ \n", "https://hub.test:443", ""),
                ("HTTPS://Hub.Test", "https://hub.test:443", ""), ("https://hub.test/hf", "https://hub.test:443", "/hf"),
                ("https://hub.test/api/v2/hf/", "https://hub.test:443", "/api/v2/hf"),
                ("https://hub.test:8443/a%20b", "https://hub.test:8443", "/a%20b"),
                ("http://hub.test:8080/hf", "http://hub.test:8080", "/hf"),
                ("", "https://huggingface.co:443", ""), (" \t ", "https://huggingface.co:443", "")]
        with self.table("HF_ENDPOINT"):
            for endpoint, origin, prefix in rows:
                for method, kwargs in API_CALLS:
                    answer, seen = self.call(hub, endpoint, method, kwargs)
                    about = (repr(endpoint), method)
                    self.cell("result" in answer and seen, *about, answer)
                    for one in seen:
                        self.cell(one.origin == origin and one.target.startswith(prefix + "/"), *about, one.origin, one.target)
                        storage = one.target.startswith(f"{prefix}/storage/put")
                        self.cell((one.field("authorization") == f"Bearer {TOKEN}") != storage, *about, one.target, one.fields)
            for endpoint in ("hub.test", "ftp://hub.test", "https://", "https:///x", "https://hub test", "file:///x",
                             "https://hub.test:99999"):
                answer, seen = self.call(hub, endpoint, "whoami", {})
                self.cell("error" in answer and not seen, endpoint, answer, [one.origin for one in seen])

    def portals(self):
        """Something in between answers in the Hub's place: the error says where, and nothing is kept."""
        def portal(status, fields, keep=lambda seen: False):
            return lambda seen: hub(seen) if keep(seen) else (status, [("content-type", "text/html"), *fields], HTML)
        rows = [("everywhere", portal(200, [])), ("with a length and an ETag", portal(200, [("etag", '"portal"')])),
                ("as an error", portal(511, [])),
                ("from the second request on", portal(200, [], lambda seen: seen is self.proxy.seen[0]))]
        with self.table("a captive portal"):
            for name, respond in rows:
                for method, kwargs in API_CALLS:
                    answer, seen = self.call(respond, "https://hub.test", method, kwargs)
                    if name.startswith("from") and len(seen) < 2:
                        continue
                    error = answer.get("error", {})
                    self.cell("hub.test" in error.get("message", ""), name, method, answer)
                    self.cell("Welcome" not in json.dumps(answer.get("result", "")), name, method, answer)
                    self.cell(not self.kept, name, method, self.kept)
            answer, _ = self.call(rows[0][1], "https://hub.test", *DOWNLOAD)
            said = answer["error"]["message"]
            self.cell("HF_ENDPOINT" in said and "prox" in said, said)

    def hops(self):
        def chain(length, at="hub.test"):
            def respond(seen):
                if at == "cdn.test" and seen.origin.startswith("https://hub.test"):
                    return 302, [("location", "https://cdn.test/hop/0"), ("etag", '"x"'), ("x-linked-etag", f'"{SHA256}"'),
                                 ("x-linked-size", str(len(DATA))), ("x-repo-commit", COMMIT)], b""
                found = re.search(r"/hop/(\d+)", seen.target)
                hop = int(found[1]) if found else 0
                if hop < length:
                    return 307, [("location", f"https://{at}/hop/{hop + 1}")], b""
                return reply({"id": "a/m"}) if at == "hub.test" else (200, [("content-length", str(len(DATA)))], DATA)
            return respond
        rows = [("model_info", {"repo_id": "a/m"}, 20, "hub.test"), (*DOWNLOAD, 5, "cdn.test")]
        with self.table("redirects"):
            for method, kwargs, most, at in rows:
                for length in (0, 1, most - 1, most, most + 1, 1000):
                    answer, seen = self.call(chain(length, at), "https://hub.test", method, kwargs)
                    self.cell(("result" in answer) == (length <= most), method, length, answer)
                    self.cell(len(seen) <= most + 3, method, length, len(seen), "requests")
                    if length > most:
                        self.cell(answer["error"]["type"] == "TooManyRedirectsError" and str(most) in answer["error"]["message"],
                                  method, length, answer)
            def circle(seen):
                return 302, [("location", "https://hub.test/a" if seen.target == "/b" else "https://hub.test/b")], b""
            answer, seen = self.call(circle, "https://hub.test", "model_info", {"repo_id": "a/m"})
            self.cell(answer["error"]["type"] == "TooManyRedirectsError" and len(seen) <= 4, answer, len(seen))

    def measures(self):
        """JSON of more than 64 MiB, plain and packed, of any said length, and nested deeper than 128."""
        def nested(depth):
            return b"[" * depth + b"]" * depth

        def answer_of(body, fields=()):
            return lambda seen: (200, [("content-type", "application/json"), *fields], body)
        mib = 1 << 20
        packed = gzip.compress(b'{"id": "' + b"a" * (65 * mib) + b'"}', 1)
        good = [answer_of(b'{"id": "a/m", "deep": ' + nested(127) + b"}"),
                answer_of(b'{"id": "a/m", "tags": ["' + b"a" * (8 * mib) + b'"]}')]
        bad = [("too deep", answer_of(b'{"id": "a/m", "deep": ' + nested(128) + b"}")),
               ("much too deep", answer_of(nested(1_000_000))), ("open without end", answer_of(b'{"a":' * 1_000_000)),
               ("too long", answer_of(b'{"id": "' + b"a" * (65 * mib) + b'"}')),
               ("too long when unpacked", answer_of(packed, [("content-encoding", "gzip")])),
               ("said to be long", answer_of(b"{", [("content-length", str(1 << 50))])),
               ("said to be longer than there are numbers", answer_of(b"{", [("content-length", "9" * 40)]))]
        with self.table("the size of JSON"):
            for respond in good:
                answer, _ = self.call(respond, "https://hub.test", "model_info", {"repo_id": "a/m"})
                self.cell("result" in answer, str(answer)[:200])
            before = self.peak_memory()
            for name, respond in bad:
                for method, kwargs in (("model_info", {"repo_id": "a/m"}), ("list_models", {}), COMMIT_CALL):
                    answer, seen = self.call(respond, "https://hub.test", method, kwargs)
                    self.cell("error" in answer and "hub.test" in answer["error"]["message"], name, method, str(answer)[:300])
            grown = self.peak_memory() - before
            self.cell(grown < 200 * mib or SANITIZERS, "memory grew by", grown)  # sanitizers keep what is freed

    def peak_memory(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", text)[1]) * 1024

    def defaults(self):
        """No variable turns off that the server's certificate is checked."""
        with self.table("variables that turn nothing off"):
            off = {"SSL_CERT_FILE": ["", "/dev/null", "/nonexistent"], "SSL_CERT_DIR": ["/nonexistent"],
                   "REQUESTS_CA_BUNDLE": ["", "0", "false"], "NODE_TLS_REJECT_UNAUTHORIZED": ["0"],
                   "CURL_CA_BUNDLE": ["", "0", "false"], "PYTHONHTTPSVERIFY": ["0"], "HF_HUB_DISABLE_SSL_VERIFICATION": ["1"],
                   "HF_HUB_DISABLE_SSL_VERIFY": ["1"], "HF_HUB_INSECURE": ["1"], "CURL_INSECURE": ["1"],
                   "GIT_SSL_NO_VERIFY": ["1"], "SSL_NO_VERIFY": ["1"], "HF_DEBUG": ["1"]}
            for name, values in off.items():
                for value in values:
                    answer, seen = self.call(hub, "https://hub.test", "whoami", {}, env={"SSL_CERT_FILE": "", name: value})
                    self.cell("error" in answer and not seen, name, repr(value), answer)


def main():
    program = program_arguments("--call").call.resolve()
    if not installed("openssl"):
        return SKIPPED
    checks = Checks()
    with tempfile.TemporaryDirectory() as name, Endpoints(program, pathlib.Path(name), checks, "sync") as calls:
        for part in (calls.spellings, calls.portals, calls.hops, calls.measures, calls.defaults):
            part()
    status = checks.end()
    print(f"cells passed: {calls.passed} of {calls.cells}")
    return status


if __name__ == "__main__":
    sys.exit(main())
