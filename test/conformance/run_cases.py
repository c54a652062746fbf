#!/usr/bin/env python3
"""Plays recorded calls against the call tool and judges what it sends and returns.

run_cases.py --call hfhub-call --mode sync|async [--only TEXT] CASES.json...

Each case holds what the reference client was called with, the requests that it sent, the server's answers, and the
result or error. A server on the loopback interface answers as recorded, as long as the requests are equivalent; the
first that is not fails the case. Exit status 0 only if every case passed."""
import argparse
import asyncio
import base64
import email
import email.policy
import hashlib
import json
import os
import pathlib
import re
import shutil
import sys
import tempfile
import urllib.parse
from datetime import datetime

ANSWER_SECONDS = 30
TRANSIENT = {408, 429, 500, 502, 503, 504}
# What the reference raises -> what hfhub may raise instead of a class of the same name.
ERRORS = {
    "HfHubHTTPError": {"HfHubHttpError"},
    "ValueError": {"InvalidArgumentError", "HfValidationError"},
    "HFValidationError": {"HfValidationError"},
    "NotImplementedError": {"InvalidArgumentError"},
    "OSError": {"IntegrityError", "TruncatedError", "IoError"},
    "FileNotFoundError": {"IoError"},
    "IsADirectoryError": {"IoError"},
}


class Mismatch(Exception):
    """Why a case failed."""


def replaced(value, names):
    """The value with every name in its texts replaced, keys included."""
    if isinstance(value, str):
        for name, text in names.items():
            value = value.replace(name, text)
        return value
    if isinstance(value, list):
        return [replaced(item, names) for item in value]
    if isinstance(value, dict):
        return {replaced(key, names): replaced(item, names) for key, item in value.items()}
    return value


# --- comparing ---------------------------------------------------------------------------------------------------


def moment(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def equal(want, got):
    """Equal as JSON, where a null member is one that is not there."""
    if isinstance(want, bool) or isinstance(got, bool):
        return want is got
    if isinstance(want, (int, float)) and isinstance(got, (int, float)):
        return abs(want - got) <= 1e-6 * max(1, abs(want))
    if isinstance(want, dict) and isinstance(got, dict):
        names = {n for n in {**want, **got} if want.get(n) is not None or got.get(n) is not None}
        return all(equal(want.get(n), got.get(n)) for n in names)
    if isinstance(want, list) and isinstance(got, list):
        return len(want) == len(got) and all(map(equal, want, got))
    if isinstance(want, str) and isinstance(got, str) and "huggingface_hub" in want:
        parts = re.split(r"\[?huggingface_hub(?: Python library)?\]?(?:\([^)]*\))?", want)
        return re.fullmatch(".*".join(map(re.escape, parts)), got, re.S) is not None
    return want == got


def require_covered(want, got, place="the result"):
    """Everything that is not null in `want` is in `got`; more may be there."""
    if want is None:
        return
    if isinstance(want, dict) and "$datetime" in want:
        text = got.get("$datetime") if isinstance(got, dict) else got
        if not isinstance(text, str) or moment(text) != moment(want["$datetime"]):
            raise Mismatch(f"{place} should be {want['$datetime']} but is {got!r}")
    elif isinstance(want, dict):
        if not isinstance(got, dict):
            raise Mismatch(f"{place} should be an object but is {got!r:.200}")
        for name, item in want.items():
            if name != "$obj":
                require_covered(item, got.get(name), f"{place}.{name}")
    elif isinstance(want, list):
        if not isinstance(got, list) or len(got) != len(want):
            raise Mismatch(f"{place} should have {len(want)} items but is {got!r:.200}")
        for index, (item, other) in enumerate(zip(want, got)):
            require_covered(item, other, f"{place}[{index}]")
    elif not equal(want, got):
        raise Mismatch(f"{place} should be {want!r:.200} but is {got!r:.200}")


def multipart(body, content_type):
    message = email.message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body, policy=email.policy.HTTP)
    disposition = lambda part, name: part.get_param(name, header="content-disposition")
    return sorted((str(disposition(p, "name")), str(disposition(p, "filename")), p.get_payload(decode=True) or b"") for p in message.iter_parts())


def body_differs(want, request):
    """Why the request's body is not the recorded one, or None."""
    body, content_type = request["body"], request["headers"].get("content-type", "")
    if want is None:
        return None if body in (b"", b"{}") else f"has the body {body!r:.200}"
    if "json" in want:
        same = bool(body) and equal(want["json"], json.loads(body))
    elif "ndjson" in want:
        same = equal(want["ndjson"], [json.loads(line) for line in body.splitlines() if line.strip()])
    elif "form" in want:
        same = sorted(map(tuple, want["form"])) == sorted(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))
    elif "multipart" in want:
        parts = [(str(p["name"]), str(p["filename"]), base64.b64decode(p["base64"])) for p in want["multipart"]]
        same = sorted(parts) == multipart(body, content_type)
    else:
        same = body == (want["text"].encode() if "text" in want else base64.b64decode(want["base64"]))
    return None if same else f"has the body {body!r:.300} instead of {json.dumps(want):.300}"


def request_differs(want, got, own_token):
    """Why the request is not the recorded one, or None."""
    if (want["method"], want["path"]) != (got["method"], got["path"]):
        return f"is not {want['method']} {want['path']}"
    if sorted(map(tuple, want["query"])) != sorted(got["query"]):
        return f"has the query {sorted(got['query'])} instead of {sorted(map(tuple, want['query']))}"
    for name, value in want["headers"].items():
        sent = got["headers"].get(name)
        if name == "content-type" and sent is not None:
            value, sent = value.split(";")[0].strip(), sent.split(";")[0].strip()
        if sent != value and (name, value) != ("accept", "*/*"):
            return f"has {name}: {sent!r} instead of {value!r}"
    sent = got["headers"].get("authorization")
    if sent and "authorization" not in want["headers"]:
        if sent != own_token or not got["path"].startswith(("/api/", "/papers/")):
            return "carries a token that the reference does not send"
    return body_differs(want["body"], got)


# --- the scripted server -----------------------------------------------------------------------------------------


class Script:
    """The exchanges of one case that are still to come."""

    def __init__(self, case):
        self.left, self.last, self.repeats, self.problem = [], None, 0, None
        self.ordered = not case.get("unordered")
        token = case["init"].get("token") or case["init"].get("api_key")
        self.own_token = f"Bearer {token}" if isinstance(token, str) and case["kwargs"].get("token") is not False else None
        for exchange in case["exchanges"]:
            request = exchange["request"]
            reads = request["method"] in ("GET", "HEAD") or request["path"].endswith("/validate-yaml")
            # A read that repeats an earlier one may be left out.
            optional = reads and any(e == exchange for e, _ in self.left)
            self.left.append((exchange, optional))

    def candidates(self):
        for index, (exchange, optional) in enumerate(self.left):
            yield index, exchange
            if self.ordered and not optional:
                return

    def answer(self, got):
        reason = "comes after the last one"
        for index, exchange in self.candidates():
            differs = request_differs(exchange["request"], got, self.own_token)
            if differs is None:
                del self.left[index if not self.ordered else 0 : index + 1]
                self.last = exchange
                return exchange["response"]
            reason = differs
        if self.may_repeat(got):
            self.repeats += 1
            return self.last["response"]
        self.problem = self.problem or f"the request {got['method']} {got['path']} {reason}"
        return {"status": 599, "headers": {}, "body": {"text": "not what was recorded"}}

    def may_repeat(self, got):
        """An idempotent request may be sent again after a transient status."""
        return (self.last is not None and self.last["response"]["status"] in TRANSIENT and self.repeats < 6
                and got["method"] in ("GET", "HEAD", "PUT", "DELETE")
                and request_differs(self.last["request"], got, self.own_token) is None)

    def missing(self):
        return next((e["request"] for e, optional in self.left if not optional), None)


def answer_bytes(body):
    """-> (bytes, content type, how many of them are sent)"""
    if body is None:
        return b"", None, None
    if "json" in body:
        return json.dumps(body["json"]).encode(), "application/json; charset=utf-8", None
    if "ndjson" in body:
        return b"".join(json.dumps(x).encode() + b"\n" for x in body["ndjson"]), "application/x-ndjson", None
    if "text" in body:
        return body["text"].encode(), "text/plain; charset=utf-8", None
    return base64.b64decode(body["base64"]), "application/octet-stream", body.get("truncate_at")


class Server:
    def __init__(self):
        self.script, self.url, self.server = None, None, None

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.url = "http://127.0.0.1:%d" % self.server.sockets[0].getsockname()[1]

    async def serve(self, reader, writer):
        try:
            while await self.exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def exchange(self, reader, writer):
        line = await reader.readline()
        if not line:
            return False
        method, target, _ = line.decode("latin-1").split(" ", 2)
        headers = {}
        while (line := (await reader.readline()).strip()):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        parts = urllib.parse.urlsplit(target)
        request = {"method": method, "path": parts.path, "query": urllib.parse.parse_qsl(parts.query, keep_blank_values=True),
                   "headers": headers, "body": await self.read_body(reader, headers)}
        return await self.write(writer, method, self.script.answer(request))

    async def read_body(self, reader, headers):
        if "chunked" not in headers.get("transfer-encoding", "").lower():
            return await reader.readexactly(int(headers.get("content-length", 0)))
        body = b""
        while size := int((await reader.readline()).split(b";")[0], 16):
            body += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
        return body

    async def write(self, writer, method, response):
        body = response.get("body")
        headers = {name.lower(): value for name, value in response.get("headers", {}).items()}
        events = body.get("sse") if body else None
        data, content_type, cut = (b"", "text/event-stream", None) if events is not None else answer_bytes(body)
        bodiless = response["status"] in (204, 304)
        if content_type:
            headers.setdefault("content-type", content_type)
        if events is not None:
            headers["transfer-encoding"] = "chunked"
        elif not bodiless:
            headers.setdefault("content-length", str(len(data)))
        head = f"HTTP/1.1 {response['status']} -\r\n" + "".join(f"{n}: {v}\r\n" for n, v in headers.items()) + "\r\n"
        writer.write(head.encode("latin-1", "replace") if head.isascii() else head.encode())
        for event in events or []:
            piece = base64.b64decode(event["base64"]) if isinstance(event, dict) else event.encode()
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()
        if events is not None:
            writer.write(b"0\r\n\r\n")
        elif method != "HEAD" and not bodiless:
            writer.write(data[:cut])
        await writer.drain()
        return cut is None


# --- one case ----------------------------------------------------------------------------------------------------


class Tool:
    """The call tool: one line in, one line out."""

    def __init__(self, command):
        self.command, self.process = command, None

    async def ask(self, question):
        if self.process is None or self.process.returncode is not None:
            keep = {k: v for k, v in os.environ.items() if not k.upper().startswith(("HF_", "HUGGING")) and "PROXY" not in k.upper()}
            self.process = await asyncio.create_subprocess_exec(
                *self.command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=keep, limit=1 << 26)
        self.process.stdin.write(json.dumps(question).encode() + b"\n")
        try:
            line = await asyncio.wait_for(self.process.stdout.readline(), ANSWER_SECONDS)
        except asyncio.TimeoutError:
            self.process.kill()
            await self.process.wait()
            raise Mismatch(f"no answer within {ANSWER_SECONDS} s") from None
        if not line:
            raise Mismatch(f"the call tool ended with status {await self.process.wait()}")
        return json.loads(line)

    async def close(self):
        if self.process and self.process.returncode is None:
            self.process.stdin.close()
            await self.process.wait()


def write_files(root, files):
    for name, content in files.items():
        path = root / name
        content = {"base64": content} if isinstance(content, str) else content
        (path if content.get("dir") else path.parent).mkdir(parents=True, exist_ok=True)
        if "link" in content:
            path.symlink_to(content["link"].replace("{tmp}", str(root)))
        elif "base64" in content:
            path.write_bytes(base64.b64decode(content["base64"]))
            if "mtime" in content:
                os.utime(path, (content["mtime"], content["mtime"]))


def uninteresting(name):
    return name.endswith((".lock", "CACHEDIR.TAG")) or ".locks/" in name or ".incomplete" in name


def require_file(path, name, want):
    if not os.path.lexists(path):
        raise Mismatch(f"the file {name} is missing")
    if "link" in want:
        if not path.is_symlink() or os.readlink(path) != want["link"]:
            raise Mismatch(f"{name} is no link to {want['link']}")
        return
    raw = path.read_bytes()
    if name.endswith(".metadata") and ".cache/huggingface/download" in name:
        same = raw.decode().splitlines()[:2] == want["text"].splitlines()[:2]
    elif re.search(r"\{(endpoint|tmp|time)\}", want.get("text", "")):
        same = re.fullmatch(re.sub(r"\\\{(endpoint|tmp|time)\\\}", ".+?", re.escape(want["text"])), raw.decode()) is not None
    elif "trees/" in name and name.endswith(".json"):
        same = want["sha256"] in (hashlib.sha256(x).hexdigest() for x in (raw, json.dumps(json.loads(raw), indent=1).encode()))
    else:
        same = hashlib.sha256(raw).hexdigest() == want["sha256"]
    if not same:
        raise Mismatch(f"the file {name} differs")


def require_tree(root, want):
    for name, content in want.items():
        if not uninteresting(name):
            require_file(root / name, name, content)
    there = {str(p.relative_to(root)) for p in root.rglob("*") if p.is_symlink() or p.is_file()}
    extra = sorted(n for n in there - want.keys() if not uninteresting(n))
    if extra:
        raise Mismatch(f"unexpected files: {extra[:5]}")


def require_error(want, answer):
    if "error" not in answer:
        raise Mismatch(f"expected {want['type']}, got {json.dumps(answer):.200}")
    got = answer["error"]
    if want["type"] != "*" and got["type"] not in {want["type"], *ERRORS.get(want["type"], ())}:
        raise Mismatch(f"expected {want['type']}, got {json.dumps(got):.300}")
    for part in want.get("message_has", []):
        if part not in got["message"]:
            raise Mismatch(f"the message lacks {part!r}: {got['message']!r:.300}")


async def play(case, tool, server):
    root = pathlib.Path(tempfile.mkdtemp(prefix="conformance"))
    try:
        names = {"{endpoint}": server.url, "{tmp}": str(root)}
        write_files(root, case.get("files", {}))
        server.script = Script(replaced(case, names))
        environment = {"HF_ENDPOINT": server.url, "HF_HOME": str(root / "hf_home"), "HF_HUB_DISABLE_XET": "1",
                       "HF_HUB_DISABLE_TELEMETRY": "1", "NO_PROXY": "*", **case.get("env", {})}
        question = {key: case[key] for key in ("object", "init", "method", "kwargs", "then", "base_urls") if key in case}
        question |= {"env": environment, "endpoint": server.url, "tmp": str(root)}
        answer = await tool.ask(replaced(question, names))
        if "unsupported" in answer:
            raise Mismatch("unsupported: " + answer["unsupported"])
        if server.script.problem:
            raise Mismatch(server.script.problem)
        if missing := server.script.missing():
            raise Mismatch(f"{missing['method']} {missing['path']} was never sent")
        answer = replaced(answer, {server.url: "{endpoint}", str(root): "{tmp}"})
        if "error" in case:
            require_error(case["error"], answer)
        elif "error" in answer:
            raise Mismatch(f"unexpected error {json.dumps(answer['error']):.300}")
        else:
            require_covered(case.get("result"), answer.get("result"))
        if "tree" in case:
            require_tree(root, case["tree"])
    finally:
        shutil.rmtree(root, ignore_errors=True)


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--call", required=True)
    parser.add_argument("--mode", choices=["sync", "async"], required=True)
    parser.add_argument("--only", default="", help="cases whose id contains this")
    parser.add_argument("files", nargs="+")
    options = parser.parse_args()
    server, tool = Server(), Tool([options.call, "--mode", options.mode])
    await server.start()
    passed = failed = 0
    for file in options.files:
        with open(file, encoding="utf-8") as cases:
            for case in json.load(cases):
                if options.only not in case["id"]:
                    continue
                try:
                    await play(case, tool, server)
                    passed += 1
                except Mismatch as why:
                    failed += 1
                    print(f"{case['id']}: {why}")
    await tool.close()
    print(f"{passed} passed, {failed} failed ({options.mode})")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
