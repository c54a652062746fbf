#!/usr/bin/env python3
"""What API calls send to the addresses that answers name: redirects, next pages, places to upload to, file locations.
Tokens, the client's own header fields and cookies go to the endpoint and nowhere else, nothing goes from https to http,
and what was dropped on the way does not come back at home.

  answers.py --call BUILD/test/hfhub-call
"""
import base64
import hashlib
import json
import os
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "interop"))
from caller import FIELD, PROXY, TOKEN, Calls, reply  # noqa: E402
from peers import SKIPPED, Checks, installed, program_arguments  # noqa: E402

COOKIE, GIVEN = "canaryCookie3", "canaryGiven5"
STATUSES = (301, 302, 303, 307, 308)
COMMIT = "0123456789abcdef0123456789abcdef01234567"
DATA = b"weights" * 100
SHA256 = hashlib.sha256(DATA).hexdigest()
HUBS = ("https://hub.test", "https://hub.test:8443", "http://hub.test:8080", "http://hub.test")

# What an answer may name, {hub} being the endpoint.
PLACES = ["{hub}", "", "//hub.test", "https://hub.test", "https://hub.test:8443", "http://hub.test", "http://hub.test:8080",
          "https://cdn.test", "http://cdn.test", "//cdn.test", "https://sub.hub.test", "https://evilhub.test",
          "https://hub.test.evil.test", "https://hub.test@evil.test", "https://u:p@hub.test", "https://huggingface.co",
          "https://huggingface.co.evil.test", "https://x.huggingface.cloud", "https://127.0.0.1", "ftp://hub.test",
          "javascript:alert(1)", "file://"]


def origin_of(hub):
    return hub if hub.rpartition(":")[2].isdigit() else f"{hub}:{443 if hub.startswith('https') else 80}"


def leads_home(place, hub):
    """Whether a page there is read: it is the endpoint, by its own or the usual name, perhaps behind a TLS terminator."""
    if place in ("", hub, "https://huggingface.co"):
        return True
    if place == "http://hub.test":
        return hub.startswith("https:")
    default_ports = {"//hub.test": ("https://hub.test", "http://hub.test"), "https://u:p@hub.test": ("https://hub.test",)}
    return hub in default_ports.get(place, ())


class Answers(Calls):
    """Every method is a table."""

    def judge(self, hub, answer, seen, *about):
        """The rules that hold for every call."""
        text, left = json.dumps(answer), False
        for secret in (PROXY, COOKIE, "canarySig"):
            self.cell(secret not in text, *about, "says", text)
        upgraded = hub == "http://hub.test"
        for number, one in enumerate(seen):
            at_home = one.origin in (origin_of(hub), "https://hub.test:443" if upgraded else "")
            left = left or (not at_home and self.redirected(seen[:number]))
            said = [value for _, value in one.fields]
            secret = any(canary in value for value in said for canary in (TOKEN, FIELD)) or one.field("cookie")
            self.cell(at_home or not secret, *about, one.origin, one.fields)
            self.cell(not any(word in value for value in said for word in (PROXY, COOKIE, GIVEN)), *about, one.origin, said)
            self.cell(one.origin.startswith("https") or hub.startswith("http:"), *about, "by http:", one.origin, one.target)
            self.cell(not (left and at_home and secret and self.redirected(seen[:number])), *about, "back at home", said)
        self.cell(seen and seen[0].field("authorization") == f"Bearer {TOKEN}", *about, "the endpoint got no token")

    @staticmethod
    def redirected(seen):
        """Whether the last request was answered by a redirect."""
        return bool(seen) and seen[-1].redirected

    # --- redirects ---------------------------------------------------------------------------------------------------

    def redirecting(self, place, status, hub, good):
        """First to the place, from there home again; other requests get `good`."""
        def respond(seen):
            path = seen.target
            seen.redirected = True
            common = [("set-cookie", f"id={COOKIE}")]
            if path.startswith("/there"):
                return status, [*common, ("location", f"{hub}/home{path[6:]}")], b""
            if not path.startswith("/home"):
                query = f"{'&' if '?' in path else '?'}X-Amz-Signature=canarySig"
                return status, [*common, ("location", f"{place}/there{path}{query}")], b""
            seen.redirected = False
            return good(seen)
        return respond

    def redirects(self):
        files = {"files": [{"path": "f", "uploadMode": "regular", "shouldIgnore": False}], "commitOid": COMMIT}
        add = {"$op": "Add", "path_in_repo": "f", "path_or_fileobj": {"$bytes": base64.b64encode(b"x").decode()}}

        def good(seen):
            target = seen.target
            if "/preupload/" in target:
                return reply(files)
            if "/commit/" in target:
                return reply({"commitOid": COMMIT, "commitUrl": f"https://hub.test/a/m/commit/{COMMIT}"})
            return reply([] if "/api/models?" in target else {"id": "a/m", "name": "a", "type": "user", "sha": COMMIT})
        calls = [("model_info", {"repo_id": "a/m"}), ("whoami", {}), ("create_repo", {"repo_id": "a/m"}),
                 ("create_commit", {"repo_id": "a/m", "commit_message": "m", "operations": [add]})]
        for method, kwargs in calls:
            with self.table(f"{method} is redirected"):
                for hub in HUBS:
                    for place in PLACES:
                        for status in STATUSES if method == "create_commit" else (302, 307):
                            place_url = place.replace("{hub}", hub)
                            answer, seen = self.call(self.redirecting(place_url, status, hub, good), hub, method, kwargs)
                            self.judge(hub, answer, seen, method, hub, status, place)

    # --- pages -------------------------------------------------------------------------------------------------------

    def pages(self):
        with self.table("the next page of a listing"):
            for hub in HUBS:
                for place in PLACES:
                    def respond(seen):
                        seen.redirected = False
                        if "cursor=" in seen.target:
                            return reply([{"id": "a/second"}])
                        link = f"<{place.replace('{hub}', hub)}/api/models?cursor=canarySig>; rel=\"next\""
                        status, fields, body = reply([{"id": "a/first"}])
                        return status, [*fields, ("link", link), ("set-cookie", f"id={COOKIE}")], body
                    answer, seen = self.call(respond, hub, "list_models", {})
                    self.judge(hub, answer, seen, "page", hub, place)
                    self.cell(all(one.origin == origin_of(hub) for one in seen), hub, place, [one.origin for one in seen])
                    mapped = leads_home(place.replace("{hub}", hub), hub)
                    self.cell(("result" in answer and len(seen) == 2) == mapped, hub, place, answer)

    # --- uploads -----------------------------------------------------------------------------------------------------

    def hub_of_uploads(self, upload, verify, header):
        files = {"files": [{"path": "f", "uploadMode": "lfs", "shouldIgnore": False}], "commitOid": COMMIT}

        def respond(seen):
            seen.redirected = False
            if "/preupload/" in seen.target:
                return reply(files)
            if seen.target.endswith("/info/lfs/objects/batch"):
                actions = {"upload": {"href": f"{upload}/put?X-Amz-Signature=canarySig", "header": header},
                           "verify": {"href": f"{verify}/verify", "header": header}}
                return reply({"transfer": "basic", "objects": [{"oid": SHA256, "size": len(DATA), "actions": actions}]})
            if "/put" in seen.target and self.storage_moves and not seen.target.startswith("/there"):
                seen.redirected = True
                return 307, [("location", f"{self.storage_moves}/there{seen.target}")], b""
            if "/put" in seen.target:
                return 200, [("etag", '"e"'), ("set-cookie", f"id={COOKIE}")], b""
            if "/commit/" in seen.target:
                return reply({"commitOid": COMMIT, "commitUrl": f"https://hub.test/a/m/commit/{COMMIT}"})
            return reply({})
        return respond

    def uploads(self):
        add = {"$op": "Add", "path_in_repo": "f", "path_or_fileobj": {"$bytes": base64.b64encode(DATA).decode()}}
        kwargs = {"repo_id": "a/m", "commit_message": "m", "operations": [add]}
        fields = {"authorization": f"Bearer {GIVEN}", "cookie": GIVEN, "x-api-key": GIVEN}
        with self.table("places to upload to and to verify at"):
            for hub in HUBS:
                for place in PLACES:
                    url = place.replace("{hub}", hub)
                    parts = {"chunk_size": str(len(DATA)), "1": f"{url}/put/1?X-Amz-Signature=canarySig"}
                    for header in ({}, fields, parts):
                        for upload, verify, moves in ((url, hub, ""), ("https://cdn.test", url, ""), (hub, hub, url)):
                            self.storage_moves = moves
                            respond = self.hub_of_uploads(upload, verify, header)
                            answer, seen = self.call(respond, hub, "create_commit", kwargs)
                            self.judge(hub, answer, seen, "upload", hub, place, bool(header), bool(moves))
                            puts = [one for one in seen if "/put" in one.target]
                            self.cell(not any(one.field("authorization") or one.field("x-api-key") for one in puts),
                                      "upload", hub, place, [one.fields for one in puts])

    # --- files -------------------------------------------------------------------------------------------------------

    def files(self):
        with self.table("where a file is"):
            for hub in HUBS:
                for place in PLACES:
                    for status in STATUSES:
                        def respond(seen):
                            seen.redirected = "/resolve/" in seen.target
                            about = [("etag", f'"{SHA256}"'), ("x-repo-commit", COMMIT), ("set-cookie", f"id={COOKIE}")]
                            if seen.redirected:
                                url = f"{place.replace('{hub}', hub)}/file?X-Amz-Signature=canarySig"
                                return status, [*about, ("location", url), ("x-linked-etag", f'"{SHA256}"'),
                                                ("x-linked-size", str(len(DATA)))], b""
                            if seen.target.startswith("/file") and "home" not in seen.target and status == 307:
                                seen.redirected = True
                                return status, [("location", f"{hub}/file?home")], b""
                            return 200, [*about, ("content-length", str(len(DATA)))], DATA
                        answer, seen = self.call(respond, hub, "hf_hub_download", {"repo_id": "a/m", "filename": "f"})
                        self.judge(hub, answer, seen, "file", hub, place, status)

    # --- models ------------------------------------------------------------------------------------------------------

    def chats(self):
        """A server that the user names gets what he gives with it; where it redirects to gets nothing."""
        answer = {"choices": [{"message": {"role": "assistant", "content": "hi"}, "index": 0, "finish_reason": "stop"}]}
        messages = {"messages": [{"role": "user", "content": "hi"}]}
        with self.table("a model's server redirects"):
            for named in ("base_url", "model"):
                for place in PLACES[1:]:
                    for status in STATUSES:
                        init = {named: "https://model.test/v1", "token": TOKEN, "headers": {"x-api-key": FIELD},
                                "cookies": {"session": COOKIE}}
                        respond = self.redirecting(place, status, "https://model.test", lambda seen: reply(answer))
                        got, seen = self.call(respond, "https://hub.test", "chat_completion", messages, "InferenceClient", init)
                        about = (named, place, status)
                        first = seen[0] if seen else None
                        self.cell(first and first.origin == "https://model.test:443" and first.field("cookie") == f"session={COOKIE}"
                                  and first.field("authorization") == f"Bearer {TOKEN}", *about, "the model's server got", seen)
                        left = False
                        for one in seen:
                            left = left or one.origin != "https://model.test:443"
                            bare = not any("canary" in value for _, value in one.fields)
                            self.cell(bare or not left, *about, one.origin, one.fields)
                            self.cell(one.origin.startswith("https"), *about, "by http:", one.origin)
        with self.table("a saved token is the Hub's alone"):
            for url in ("https://model.test/v1", "https://huggingface.co.evil.test", "http://hub.test", "http://127.0.0.1:8000",
                        "https://x.huggingface.cloud", "https://router.huggingface.co/v1"):
                def respond(seen):
                    seen.redirected = False
                    return reply(answer)
                got, seen = self.call(respond, "https://hub.test", "chat_completion", messages, "InferenceClient",
                                      {"base_url": url}, {"HF_TOKEN": TOKEN})
                trusted = url.startswith(("https://x.huggingface.cloud", "https://router.huggingface.co"))
                tokens = [one.field("authorization") for one in seen]
                self.cell(seen and all((token is not None) == trusted for token in tokens), url, tokens, got)

    # --- what is never sent ------------------------------------------------------------------------------------------

    def injections(self):
        def respond(seen):
            return reply({"id": "a/m"})
        with self.table("line ends in what becomes a header field"):
            for bad in ("hf_x\r\nx-evil: y", "hf_x\ny", "hf_x\ry", "hf_x\0y"):
                model = {"base_url": "https://model.test"}
                rows = [("HfApi", {"token": bad}), ("HfApi", {"headers": {"x-a": bad}}), ("HfApi", {"headers": {bad: "x"}}),
                        ("HfApi", {"user_agent": {"a": bad}}), ("HfApi", {"library_name": bad}),
                        ("InferenceClient", {"token": bad, **model}), ("InferenceClient", {"headers": {"x-a": bad}, **model}),
                        ("InferenceClient", {"cookies": {"a": bad}, **model})]
                for kind, init in rows:
                    method, kwargs = ("model_info", {"repo_id": "a/m"}) if kind == "HfApi" else \
                        ("chat_completion", {"messages": [{"role": "user", "content": "hi"}]})
                    answer, seen = self.call(respond, "https://hub.test", method, kwargs, kind, init)
                    self.cell("error" in answer and not seen, init, answer, [one.fields for one in seen])


def main():
    program = program_arguments("--call").call.resolve()
    if not installed("openssl"):
        return SKIPPED
    checks, cells, passed = Checks(), 0, 0
    for mode in ("sync", "async") if os.environ.get("HFHUB_LONG") else ("sync",):
        with tempfile.TemporaryDirectory() as name, Answers(program, pathlib.Path(name), checks, mode) as calls:
            for part in (calls.redirects, calls.pages, calls.uploads, calls.files, calls.chats, calls.injections):
                part()
            cells, passed = cells + calls.cells, passed + calls.passed
    status = checks.end()
    print(f"cells passed: {passed} of {cells}")
    return status


if __name__ == "__main__":
    sys.exit(main())
