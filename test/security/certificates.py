#!/usr/bin/env python3
"""Certificates and TLS servers, good and bad: hfhub's verdict is curl's, or stricter for a reason, and says why.

  certificates.py --fetch BUILD/test/hfhub-fetch
"""
import concurrent.futures
import pathlib
import ssl
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "interop"))
from certificate_maker import Maker, der_names  # noqa: E402
from peers import PATH, SKIPPED, Checks, Fetch, expect, installed, program_arguments  # noqa: E402
from tls_server import Listener, context_of, tls, tunnel  # noqa: E402

V = ssl.TLSVersion
LENGTHLESS = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"


class Case:
    """`words` are in what hfhub says; `stricter` is the reason why it refuses what curl takes."""

    def __init__(self, name, serve, good=False, host="site.test", words=(), trust=None, stricter=None):
        self.name, self.serve, self.good, self.host, self.words = name, serve, good, host, words
        self.trust, self.stricter = trust, stricter


class Matrix:
    def __init__(self, folder, maker):
        self.folder, self.maker = folder, maker
        self.root = maker.authority("root")
        self.middle = maker.authority("middle", self.root)
        self.cases = []

    def leaf(self, san="DNS:site.test", issuer=None, name="leaf", **options):
        return self.maker.make(name, issuer or self.root, san, **options)

    def add(self, name, cert, good=False, chain=None, server=None, **options):
        """A server with that certificate."""
        path = self.folder / f"chain{len(self.cases)}.pem"
        path.write_text(cert.chain() if chain is None else chain)
        context = context_of(path, cert.key, **(server or {}))
        self.cases.append(Case(name, tls(context), good, **options))

    def validity(self):
        make = self.maker
        self.add("good", self.leaf(), True)
        self.add("expired", self.leaf(days=-1), words=("expired", "clock"))
        future = ("20980101000000Z", "20990101000000Z")
        self.add("not yet valid", self.leaf(period=future), words=("not yet valid", "clock"))
        self.add("self-signed", make.make("self", san="DNS:site.test"), words=("self-signed", "SSL_CERT_FILE"))
        stranger = make.authority("stranger")
        self.add("unknown authority", self.leaf(issuer=stranger), words=("unable to get local issuer",))
        known = self.leaf(issuer=stranger)
        self.add("unknown root that is sent along", known, chain=known.pem.read_text() + stranger.pem.read_text(),
                 words=("self-signed certificate in certificate chain",))
        forged = self.leaf(issuer=make.authority("root"))
        self.add("an authority of the same name", forged, words=("hfhub-fetch: TLS with site.test failed",))
        old = make.authority("old root", days=-1)
        self.add("expired root", self.leaf(issuer=old), trust=old, words=("expired",))

    def chains(self):
        make, middle = self.maker, self.middle
        by_middle = self.leaf(issuer=middle)
        self.add("with its intermediate", by_middle, True)
        self.add("missing intermediate", by_middle, chain=by_middle.pem.read_text(),
                 words=("unable to get local issuer",))
        other = self.leaf(san="DNS:other.test")
        self.add("in odd order, with others between", by_middle, True,
                 chain=by_middle.pem.read_text() + self.root.pem.read_text() + other.pem.read_text() + middle.pem.read_text())
        self.add("an intermediate that is trusted itself", by_middle, True, chain=by_middle.pem.read_text(), trust=middle)
        own = self.leaf()
        self.add("a server's certificate that is trusted itself", own, True, trust=own)
        self.add("expired intermediate", self.leaf(issuer=make.authority("old", self.root, days=-1)), words=("expired",))
        no_authority = make.make("none", self.root)
        self.add("an issuer that is no authority", self.leaf(issuer=no_authority), words=("invalid CA certificate",))
        bare = make.make("bare", self.root, extensions="keyUsage=keyCertSign")
        self.add("an issuer without basic constraints", self.leaf(issuer=bare))
        authority, signs = "basicConstraints=critical,CA:TRUE", "\nkeyUsage=keyCertSign"
        narrow = make.authority("narrow", self.root, extensions=authority + ",pathlen:0" + signs)
        self.add("path length kept", self.leaf(issuer=narrow), True)
        self.add("path length exceeded", self.leaf(issuer=make.authority("below", narrow)), words=("path length",))
        unsigning = make.authority("unsigning", self.root, extensions=authority + "\nkeyUsage=digitalSignature")
        self.add("an authority that may not sign certificates", self.leaf(issuer=unsigning))
        deep = self.root
        for level in range(12):
            deep = make.authority(f"level {level}", deep)
        self.add("a chain of 12", self.leaf(issuer=deep), True)
        for level in range(12, 102):
            deep = make.authority(f"level {level}", deep)
        self.add("a chain of 102", self.leaf(issuer=deep), words=("too long",))

    def constraints(self):
        make, root = self.maker, self.root
        only = make.authority("only a.test", root, "nameConstraints=critical,permitted;DNS:a.test")
        self.add("name constraints kept", self.leaf("DNS:x.a.test", only), True, host="x.a.test")
        self.add("name constraints broken", self.leaf(issuer=only), words=("permitted subtree",))
        self.add("name constraints broken by another name", self.leaf("DNS:x.a.test,DNS:site.test", only), host="x.a.test",
                 words=("permitted subtree",))
        without = make.authority("not site.test", root, "nameConstraints=critical,excluded;DNS:site.test")
        self.add("name excluded", self.leaf(issuer=without), words=("excluded subtree",))
        leaf = "basicConstraints=CA:FALSE\n"
        self.add("for clients only", self.leaf(extensions=leaf + "extendedKeyUsage=clientAuth"), words=("purpose",))
        self.add("for servers", self.leaf(extensions=leaf + "extendedKeyUsage=serverAuth"), True)
        self.add("for code only", self.leaf(extensions=leaf + "extendedKeyUsage=codeSigning"), words=("purpose",))
        self.add("an authority for mail only", self.leaf(issuer=make.authority("mail", root, "extendedKeyUsage=emailProtection")),
                 words=("purpose",))
        self.add("a key for nothing that TLS does", self.leaf(extensions=leaf + "keyUsage=critical,cRLSign"))
        self.add("an unknown critical extension", self.leaf(extensions=leaf + "1.2.3.4=critical,ASN1:NULL"),
                 words=("critical extension",))
        self.add("an unknown extension", self.leaf(extensions=leaf + "1.2.3.4=ASN1:NULL"), True)
        rsa = make.authority("rsa", root, kind="rsa2048")
        for name, oid, good in (("an extension of another number", b"\x62", True), ("an extension twice", b"\x13", False)):
            marked = make.authority("marked", rsa, "2.5.29.99=DER:30:03:01:01:ff")
            child = self.leaf(issuer=make.rewrite(marked, b"\x55\x1d\x63", b"\x55\x1d" + oid))
            self.add(name, child, good)
        self.add("revocation is not looked up, as by curl",
                 self.leaf(extensions=leaf + "crlDistributionPoints=URI:http://127.0.0.1:1/crl"), True)

    def strength(self):
        make, root = self.maker, self.root
        self.add("RSA 2048", self.leaf(kind="rsa2048"), True)
        self.add("RSA 1024", self.leaf(kind="rsa1024"), words=("key too",))
        weak = make.authority("weak", root, kind="rsa1024")
        self.add("an authority with RSA 1024", self.leaf(issuer=weak), words=("key too weak",))
        self.add("signed with SHA-1", self.leaf(digest="sha1"), words=("digest algorithm too weak",))
        self.add("signed with MD5", self.leaf(digest="md5", issuer=make.authority("rsa", root, kind="rsa2048")),
                 words=("digest algorithm too weak",))
        self.add("P-192", self.leaf(kind="prime192v1"))
        self.add("an authority signed with SHA-1", self.leaf(issuer=make.authority("sha1", root, digest="sha1")),
                 words=("digest algorithm too weak",))

    def names(self):
        rows = [
            ("site.test", "DNS:other.test", False), ("site.test", "DNS:SITE.Test", True), ("SITE.test", "DNS:site.test", True),
            ("site.test", "DNS:other.test,DNS:site.test", True), ("site.test.", "DNS:site.test", True),
            ("sub.site.test", "DNS:site.test", False),
            ("site.test", "DNS:sub.site.test", False), ("a.site.test", "DNS:*.site.test", True),
            ("A.Site.test", "DNS:*.site.test", True), ("site.test", "DNS:*.site.test", False),
            ("a.b.site.test", "DNS:*.site.test", False), ("a.b.site.test", "DNS:*.*.site.test", False),
            ("a.b.site.test", "DNS:a.*.site.test", False), ("site.test", "DNS:*.test", False), ("site.test", "DNS:*", False),
            ("foo.site.test", "DNS:f*.site.test", False), ("foo.site.test", "DNS:*o.site.test", False),
            ("foo.site.test", "DNS:f*o.site.test", False),
            ("xn--bcher-kva.site.test", "DNS:xn--bcher-kva.site.test", True),
            ("xn--bcher-kva.site.test", "DNS:*.site.test", True), ("xn--bcher-kva.site.test", "DNS:xn--*.site.test", False),
            ("xn--bcher-kva.test", "DNS:xn--other-kva.test", False), ("127.0.0.1", "IP:127.0.0.1", True),
            ("127.0.0.1", "DNS:127.0.0.1", False), ("127.0.0.1", "IP:127.0.0.2", False), ("127.0.0.1", "DNS:*.0.0.1", False),
            ("127.0.0.1", "DNS:localhost", False), ("site.test", "IP:127.0.0.1", False), ("[::1]", "IP:::1", True),
            ("[::1]", "IP:::2", False), ("[::1]", "IP:127.0.0.1", False), ("[::ffff:127.0.0.1]", "IP:127.0.0.1", False),
            ("site.test", "URI:https://site.test/", False)]
        for host, san, good in rows:
            self.add(f"{host} with {san}", self.leaf(san), good, host=host)
        self.add("a name that ends in a dot", self.leaf("DNS:site.test."),
                 stricter="names in certificates have no dot at the end (RFC 5280 4.2.1.6)")
        self.add("only a common name", self.leaf(None, name="site.test"), True)
        self.add("another common name", self.leaf(None, name="other.test"))
        self.add("a common name beside other names", self.leaf("DNS:other.test", name="site.test"))
        self.add("a common name that is an address", self.leaf(None, name="127.0.0.1"), host="127.0.0.1",
                 stricter="addresses stand in subjectAltName only (RFC 9110 4.3.5)")
        nul = "basicConstraints=CA:FALSE\n2.5.29.17="
        self.add("NUL in a name", self.leaf(None, extensions=nul + der_names(b"site.test\0.evil.test")))
        self.add("NUL in a name after a good one", self.leaf(None, extensions=nul + der_names(b"site.test", b"x\0y")), True)

    def protocols(self):
        good = self.leaf()
        rsa = self.leaf(kind="rsa2048")
        both = {"low": V.TLSv1_2, "high": V.TLSv1_2}
        self.add("TLS 1.3 only", good, True, server={"low": V.TLSv1_3})
        self.add("TLS 1.2 only", good, True, server=both)
        for name, version in (("1.0", V.TLSv1), ("1.1", V.TLSv1_1)):
            self.add(f"TLS {name} only", rsa, server={"low": version, "high": version}, words=("TLS 1.2",))
        self.add("anonymous ciphers only", good, server={**both, "ciphers": "aNULL:@SECLEVEL=0"})
        self.add("no encryption", rsa, server={**both, "ciphers": "eNULL:@SECLEVEL=0"})
        self.add("AES in CBC mode", rsa, True, server={**both, "ciphers": "AES128-SHA256:@SECLEVEL=0"})
        self.add("no protocol in common by ALPN", good, True, server={"alpn": ("spdy/3",)})
        self.add("no ALPN", good, True, server={"alpn": None})
        context = self.context(good)
        self.special("ends without close_notify after the length", tls(context, notify=False), True)
        self.special("ends with close_notify in place of a length", tls(context, LENGTHLESS), True)
        self.special("ends without close_notify in place of a length", tls(context, LENGTHLESS, notify=False),
                     words=("close_notify",), stricter="whoever can cut the connection could cut the file")
        self.special("plain HTTP", lambda c: c.sendall(LENGTHLESS), words=("does not speak TLS",))
        self.special("closed at once", lambda c: None, words=("closed the connection",))
        self.special("closed after the hello", lambda c: c.recv(4096) and None, words=("closed the connection",))
        hello = b"\x16\x03\x03\x00\x50\x02\x00\x00\x4c"
        self.special("closed in the middle of its hello", lambda c: c.recv(4096) and c.sendall(hello),
                     words=("closed the connection",))
        self.special("an alert", lambda c: c.recv(4096) and c.sendall(b"\x15\x03\x03\x00\x02\x02\x28"), words=("alert",))
        self.special("noise", lambda c: c.recv(4096) and c.sendall(bytes(range(256)) * 8))

    def context(self, cert):
        path = self.folder / f"special{len(self.cases)}.pem"
        path.write_text(cert.chain())
        return context_of(path, cert.key)

    def special(self, name, serve, good=False, **options):
        self.cases.append(Case(name, serve, good, **options))

    def all(self):
        for part in (self.validity, self.chains, self.constraints, self.strength, self.names, self.protocols):
            part()
        return self.cases


def run_curl(url, proxy, authority):
    done = subprocess.run(["curl", "-sS", "--max-time", "60", "--proxy", proxy, "--cacert", str(authority), url],
                          env={"PATH": PATH}, capture_output=True)
    return done.returncode == 0 and done.stdout == b"hello"


def examine(case, fetch, proxy, root):
    """What is wrong with hfhub's verdict, or nothing."""
    authority = (case.trust or root).pem
    with Listener(case.serve) as server:
        url = f"https://{case.host}:{server.port}/f"
        ours = fetch("-v", "--retry-delay", "0.01", "--proxy", proxy, "--cacert", authority, url)
        curls = run_curl(url, proxy, authority)
    accepted = ours.status == 0 and ours.out == b"hello"
    said = ours.err.strip().splitlines()[-1] if ours.err.strip() else ""
    wanted = case.good and not case.stricter
    expect(accepted == wanted, "taken" if accepted else "refused", said)
    expect(curls == (case.good or bool(case.stricter)), "curl's verdict", curls, "ours", accepted, said)
    if accepted:
        return
    expect(case.host.strip("[]").lower() in ours.err.lower(), "host is not in:", said)
    for word in case.words:
        expect(word in ours.err, f"'{word}' is not in:", said)
    if "checked against" in ours.err:
        expect("subject " in ours.err and "issuer " in ours.err and str(authority) in ours.err, said)
        expect("then attempt" not in ours.err, "tried again:", ours.err)


def main():
    fetch = Fetch(program_arguments("--fetch").fetch)
    if len(installed("openssl", "curl")) < 2:
        return SKIPPED
    checks = Checks()
    with tempfile.TemporaryDirectory() as name, Listener(tunnel) as proxy:
        folder = pathlib.Path(name)
        matrix = Matrix(folder, Maker(folder))
        cases = matrix.all()
        url = f"http://127.0.0.1:{proxy.port}"

        def verdict(case):
            try:
                examine(case, fetch, url, matrix.root)
                return None
            except Exception as error:
                return error
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for case, problem in zip(cases, pool.map(verdict, cases)):
                with checks.check(f"{'stricter' if case.stricter else 'taken' if case.good else 'refused'}: {case.name}"):
                    if problem:
                        raise problem
    status = checks.end()
    stricter = sum(1 for case in cases if case.stricter)
    print(f"cells passed: {len(cases) - checks.failed} of {len(cases)}, stricter than curl: {stricter}")
    return status


if __name__ == "__main__":
    sys.exit(main())
