#!/usr/bin/env python3
"""Where tokens, cookies and passwords go: every kind of redirect between every kind of host, seen by the servers.

  tokens.py --fetch BUILD/test/hfhub-fetch --hf BUILD/hf
"""
import hashlib
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "interop"))
from any_host_proxy import AnyHostProxy  # noqa: E402
from certificate_maker import Maker  # noqa: E402
from peers import PATH, SANITIZERS, SKIPPED, Checks, Fetch, expect, installed, program_arguments  # noqa: E402

SECRETS = {"authorization": "Bearer hf_canaryToken1", "cookie": "session=canary2", "x-api-key": "canary3",
           "x-amz-security-token": "canary4"}
STARTS = ("https://hub.test", "http://hub.test", "https://hub.test:8443", "http://hub.test:8080", "https://[::1]",
          "https://127.0.0.1:8443")
STATUSES = (301, 302, 303, 307, 308)

# Location, and where it leads: scheme, host and port, None being the start's own; or why it is refused.
LOCATIONS = [
    ("{path}", (None, None, None)), ("..{path}", (None, None, None)), ("//hub.test{path}", (None, "hub.test", 0)),
    ("//cdn.test{path}", (None, "cdn.test", 0)), ("//hub.test:8443{path}", (None, "hub.test", 8443)),
    ("https://hub.test{path}", ("https", "hub.test", 443)), ("https://hub.test:443{path}", ("https", "hub.test", 443)),
    ("HTTPS://HUB.TEST{path}", ("https", "hub.test", 443)), ("https://hub.test:8443{path}", ("https", "hub.test", 8443)),
    ("https://hub.test:80{path}", ("https", "hub.test", 80)), ("http://hub.test{path}", ("http", "hub.test", 80)),
    ("http://hub.test:80{path}", ("http", "hub.test", 80)), ("http://hub.test:443{path}", ("http", "hub.test", 443)),
    ("http://hub.test:8080{path}", ("http", "hub.test", 8080)), ("https://hub.test.{path}", ("https", "hub.test.", 443)),
    ("https://sub.hub.test{path}", ("https", "sub.hub.test", 443)),
    ("https://evilhub.test{path}", ("https", "evilhub.test", 443)),
    ("https://hub.test.evil.test{path}", ("https", "hub.test.evil.test", 443)),
    ("https://hub.test@evil.test{path}", ("https", "evil.test", 443)),
    ("https://hub.test:443@evil.test{path}", ("https", "evil.test", 443)),
    ("https://u:p@hub.test{path}", ("https", "hub.test", 443)),
    ("https://evil.test/hub.test/..{path}", ("https", "evil.test", 443)),
    ("https://evil.test?@hub.test{path}", ("https", "evil.test", 443)),
    ("https://xn--hb-xka.test{path}", ("https", "xn--hb-xka.test", 443)),
    ("https://cdn.test{path}?X-Amz-Signature=abc", ("https", "cdn.test", 443)),
    ("https://127.0.0.1{path}", ("https", "127.0.0.1", 443)), ("https://127.0.0.1:8443{path}", ("https", "127.0.0.1", 8443)),
    ("https://[::1]{path}", ("https", "[::1]", 443)), ("https://[0:0:0:0:0:0:0:1]{path}", ("https", "[0:0:0:0:0:0:0:1]", 443)),
    ("https://[::ffff:127.0.0.1]{path}", ("https", "[::ffff:127.0.0.1]", 443)),
    ("http://127.0.0.1:8443{path}", ("http", "127.0.0.1", 8443)), ("https://localhost{path}", ("https", "localhost", 443)),
    ("https://hub.test\\@evil.test{path}", None), ("https://hub.test\\.evil.test{path}", None),
    ("https://hub.test%2eevil.test{path}", None), ("https://hub test{path}", None), ("https://{path}", None),
    ("https:hub.test{path}", None), ("ftp://hub.test{path}", None), ("file:///etc/passwd", None),
    ("javascript:alert(1)", None), ("data:text/plain,x", None), ("https://hub.test:99999{path}", None),
    ("https://[::1{path}", None), ("socks5://hub.test{path}", None)]


def split(origin):
    scheme, _, rest = origin.partition("://")
    host, colon, port = rest.rpartition(":") if not rest.endswith("]") else (rest, "", "")
    return (scheme, host, int(port)) if colon else (scheme, rest, default(scheme))


def default(scheme):
    return 443 if scheme == "https" else 80


def rule(start, target):
    """Where the request goes, and whether with its secrets. Nothing where it is not sent."""
    own = split(start)
    if target is None:
        return None
    scheme, host = target[0] or own[0], target[1] or own[1]
    port = own[2] if target[2] is None else target[2] or default(scheme)
    if own[0] == "https" and scheme == "http":
        return None
    to = (scheme, host, port)
    upgraded = own == ("http", host, 80) and to == ("https", host, 443)
    return f"{scheme}://{host}:{port}", to == own or upgraded


class Tokens:
    def __init__(self, fetch, hf, folder, checks):
        self.fetch, self.hf, self.folder, self.checks = fetch, hf, folder, checks
        maker = Maker(folder)
        self.authority = maker.authority("everybody")
        names = ["hub.test", "sub.hub.test", "evilhub.test", "hub.test.evil.test", "evil.test", "xn--hb-xka.test", "cdn.test",
                 "localhost", "huggingface.co", "cdn-lfs.huggingface.co", "x.endpoints.huggingface.cloud"]
        san = ",".join([f"DNS:{name}" for name in names] + ["IP:127.0.0.1", "IP:::1", "IP:::ffff:127.0.0.1"])
        cert = maker.make("everybody", self.authority, san)
        chain = folder / "everybody.pem"
        chain.write_text(cert.chain())
        self.cells = self.passed = 0
        self.proxy = AnyHostProxy(chain, cert.key, lambda seen: self.respond(seen))
        self.url = f"http://proxyuser:proxycanary5@127.0.0.1:{self.proxy.port}"

    def cell(self, good, *detail):
        self.cells += 1
        self.passed += bool(good)
        if not good:
            self.wrong.append(" ".join(map(str, detail)))

    # Paths are /go/ROW/STATUS, /there/ROW/STATUS and /home/ROW/STATUS.
    def redirect(self, seen):
        parts = seen.target.partition("?")[0].rsplit("/", 3)
        if len(parts) < 4:
            return 200, [], b"here"
        _, step, row, status = parts
        if step == "go":
            location = LOCATIONS[int(row)][0].replace("{path}", f"/there/{row}/{status}")
            return int(status), [("location", location), ("set-cookie", "new=canary6")], b"moved"
        if step == "there":
            return int(status), [("location", f"{self.start}/home/{row}/{status}")], b"moved"
        return 200, [], b"here"

    def matrix(self, start):
        self.start, self.respond, self.wrong = start, self.redirect, []
        self.proxy.seen.clear()
        rows = [(row, status) for row in range(len(LOCATIONS)) for status in STATUSES]
        fields = [one for name, value in SECRETS.items() for one in ("-H", f"{name}: {value}")]
        urls = [f"{start}/go/{row}/{status}" for row, status in rows]
        self.fetch("--proxy", self.url, "--cacert", self.authority.pem, "--concurrency", "4", *fields, *urls)
        came = {}
        for seen in self.proxy.seen:
            came.setdefault(seen.target.partition("?")[0][-60:], []).append(seen)
        for row, status in rows:
            self.look(start, row, status, came)
        with self.checks.check(f"redirects from {start}, {len(rows)} of them"):
            expect(not self.wrong, len(self.wrong), "wrong:", "; ".join(self.wrong[:4]))

    def look(self, start, row, status, came):
        def at(step):
            return [seen for path, all in came.items() if path.endswith(f"/{step}/{row}/{status}") for seen in all]
        location, target = LOCATIONS[row]
        expected, there, home = rule(start, target), at("there"), at("home")
        about = (start, status, location)
        self.cell(len(at("go")) == 1 and self.has_all(at("go")[0]), *about, "first request")
        if expected is None:
            return self.cell(not there and not home, *about, "was followed to", [one.origin for one in there])
        origin, kept = expected
        if location.startswith("https://evil.test?"):  # the path is in the query
            return self.cell(not kept and all(self.has_none(one) for one in self.proxy.seen if "evil.test" in one.origin), *about)
        good = len(there) == 1 and there[0].origin.lower() == origin
        good = good and (self.has_all(there[0]) if kept else self.has_none(there[0]))
        self.cell(good, *about, [(one.origin, one.fields) for one in there], "expected", expected)
        # The way home is a way from there: https to http is refused, and what was dropped does not come back.
        back = rule(origin, split(start))
        if back is None:
            return self.cell(not home, *about, "was followed home")
        good = len(home) == 1 and (self.has_all(home[0]) if kept and back[1] else self.has_none(home[0]))
        self.cell(good, *about, "at home", [one.fields for one in home])

    @staticmethod
    def has_all(seen):
        return all(seen.field(name) == value for name, value in SECRETS.items()) and Tokens.is_clean(seen)

    @staticmethod
    def has_none(seen):
        return not any("canary" in value for _, value in seen.fields) and seen.field("authorization") is None

    @staticmethod
    def is_clean(seen):
        """What was set on the way, and what is the proxy's, no host gets."""
        return not any(word in value for _, value in seen.fields for word in ("canary5", "canary6")) \
            and seen.field("proxy-authorization") is None

    # Downloads: HEAD at the Hub, GET where it says.
    def download(self, endpoint, location, gets_token, target="", status=302):
        data = b"weights" * 100
        etag = hashlib.sha256(data).hexdigest()

        def respond(seen):
            if "/resolve/" in seen.target and location:
                return status, [("location", location), ("etag", '"x"'), ("x-linked-etag", f'"{etag}"'),
                                ("x-linked-size", str(len(data))), ("x-repo-commit", "0" * 40)], b""
            fields = [("etag", f'"{etag}"'), ("x-repo-commit", "0" * 40), ("content-length", str(len(data)))]
            return 200, fields, data
        self.respond = respond
        self.proxy.seen.clear()
        with tempfile.TemporaryDirectory() as home:
            environment = {"HF_ENDPOINT": endpoint, "HF_HOME": home, "HOME": home, "PATH": PATH, "HF_TOKEN": "hf_canaryToken1",
                           "SSL_CERT_FILE": str(self.authority.pem), "ALL_PROXY": self.url, **SANITIZERS}
            done = subprocess.run([self.hf, "download", "a/m", "model.bin"], env=environment, capture_output=True, timeout=60)
        gets = [seen for seen in self.proxy.seen if seen.method == "GET"]
        with self.checks.check(f"a download from {endpoint} that is kept at {location or 'the endpoint'}"):
            expect(done.returncode == 0, done.stderr)
            expect(self.proxy.seen[0].field("authorization") == "Bearer hf_canaryToken1", "the endpoint gets it")
            expect(gets and all((one.field("authorization") is not None) == gets_token for one in gets),
                   [(one.origin, one.fields) for one in gets])
            expect(all(self.is_clean(one) for one in self.proxy.seen), "proxy's password")
            self.passed += 1
        self.cells += 1

    def downloads(self):
        hub = "https://hub.test"
        self.download(hub, None, True)
        self.download(hub, "https://cdn.test/x?Signature=a", False)
        self.download(hub, "https://sub.hub.test/x", False)
        self.download(hub, "https://hub.test:8443/x", False)
        self.download(hub, "https://hub.test/elsewhere", True)
        self.download("https://huggingface.co", "https://cdn-lfs.huggingface.co/x?Signature=a", False)
        self.download("https://huggingface.co", "https://x.endpoints.huggingface.cloud/x", False)
        self.download("http://hub.test:8080", "https://hub.test/x", False)
        self.download("http://hub.test", "https://hub.test/x", True)


def main():
    arguments = program_arguments("--fetch", "--hf")
    if not installed("openssl"):
        return SKIPPED
    checks = Checks()
    with tempfile.TemporaryDirectory() as name:
        tokens = Tokens(Fetch(arguments.fetch), arguments.hf.resolve(), pathlib.Path(name), checks)
        with tokens.proxy:
            for start in STARTS:
                tokens.matrix(start)
            tokens.downloads()
    status = checks.end()
    print(f"cells passed: {tokens.passed} of {tokens.cells}")
    return status


if __name__ == "__main__":
    sys.exit(main())
