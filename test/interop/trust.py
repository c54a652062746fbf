#!/usr/bin/env python3
"""Whom hfhub trusts: nginx with a private authority, and the variables that name it.

  trust.py --fetch BUILD/test/hfhub-fetch
"""
import os
import subprocess
import sys

from peers import SKIPPED, Authority, Checks, Fetch, Folder, eventually, expect, free_port, installed, program_arguments

FILE_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


class Trust:
    def __init__(self, fetch, folder, checks):
        self.fetch, self.folder, self.checks = fetch, folder, checks
        self.authority = Authority(folder.path)
        self.hashed = folder.path / "hashed"
        self.hashed.mkdir()
        os.link(self.authority.cert, self.hashed / "authority.pem")
        subprocess.run(["openssl", "rehash", self.hashed], check=True, capture_output=True)
        self.urls = self.start()

    def start(self):
        """One server for each kind of certificate; their URLs by name."""
        (self.folder.path / "www/small").write_text("hello")
        certificates = {
            "good": self.authority.issue("good"),
            "resumed": self.authority.issue("resumed"),
            "resumed12": self.authority.issue("resumed12"),
            "other-name": self.authority.issue("other-name", "DNS:example.org"),
            "only-name": self.authority.issue("only-name", "DNS:localhost"),
            "wildcard": self.authority.issue("wildcard", "DNS:*.localhost"),
            "expired": self.authority.issue("expired", days=-1),
            "stranger": Authority(self.folder.path, "stranger").issue("unknown"),
        }
        extra = {"resumed": "ssl_protocols TLSv1.3;", "resumed12": "ssl_protocols TLSv1.2;"}
        ports = {name: free_port() for name in certificates}
        servers = "".join(f"""
  server {{ listen 127.0.0.1:{ports[name]} ssl; root {self.folder.path}/www; keepalive_timeout 0; {extra.get(name, '')}
    access_log {self.folder.path}/{name}.log reuse; ssl_session_cache builtin;
    ssl_certificate {cert}; ssl_certificate_key {key}; }}""" for name, (key, cert) in certificates.items())
        self.folder.nginx(servers, ports["good"], "log_format reuse '$ssl_session_reused $status';")
        return {name: f"https://localhost:{port}/small" for name, port in ports.items()}

    def trusted(self, env, url=None, *flags):
        result = self.fetch(*flags, url or self.urls["good"], env=env)
        expect(result.status == 0 and result.out == b"hello", result.err.strip() or result.status)

    def refused(self, env, url, *words):
        result = self.fetch("-v", url, env=env)
        expect(result.status == 1 and not result.out, "exit status", result.status, result.out)
        for word in words:
            expect(word in result.err, f"'{word}' is not in:", result.err.strip())
        expect("then attempt" not in result.err, "tried again:", result.err.strip())

    def variables(self):
        for name in FILE_VARIABLES:
            with self.checks.check(f"{name} alone makes it trusted"):
                self.trusted({name: str(self.authority.cert)})
            with self.checks.check(f"{name} may name a folder"):
                self.trusted({name: str(self.hashed)})
            with self.checks.check(f"{name} that is empty is unset"):
                self.refused({name: ""}, self.urls["good"], "localhost", "SSL_CERT_FILE")
                other = "SSL_CERT_FILE" if name != "SSL_CERT_FILE" else "CURL_CA_BUNDLE"
                self.trusted({name: "", other: str(self.authority.cert)})
            with self.checks.check(f"{name} that names no file is an error that says so"):
                self.refused({name: "/no/such/bundle.pem"}, self.urls["good"], "/no/such/bundle.pem", name)
        with self.checks.check("SSL_CERT_DIR alone makes it trusted"):
            self.trusted({"SSL_CERT_DIR": str(self.hashed)})
        with self.checks.check("SSL_CERT_DIR that is empty is unset"):
            self.refused({"SSL_CERT_DIR": ""}, self.urls["good"], "localhost")
        with self.checks.check("SSL_CERT_DIR may be a list, and some of it may be missing"):
            empty = self.folder.path / "empty"
            empty.mkdir()
            for folders in ((self.hashed, empty), (empty, self.hashed), ("/no/such/folder", self.hashed)):
                self.trusted({"SSL_CERT_DIR": ":".join(map(str, folders))})
            self.refused({"SSL_CERT_DIR": f"{empty}:/no/such/folder"}, self.urls["good"], "SSL_CERT_DIR", str(empty))
        with self.checks.check("SSL_CERT_DIR that names no folder is an error that says so"):
            self.refused({"SSL_CERT_DIR": "/no/a:/no/b"}, self.urls["good"], "/no/a:/no/b", "SSL_CERT_DIR")
        with self.checks.check("no variable turns the check off"):
            for name in (*FILE_VARIABLES, "SSL_CERT_DIR"):
                for value in (" ", "0", "false", "none"):
                    self.refused({name: value}, self.urls["good"], "localhost" if value == " " else value)
            off = {"PYTHONHTTPSVERIFY": "0", "HF_HUB_DISABLE_SSL_VERIFY": "1", "NODE_TLS_REJECT_UNAUTHORIZED": "0",
                   "CURL_SSL_VERIFYPEER": "0", "GIT_SSL_NO_VERIFY": "1"}
            self.refused(off, self.urls["good"], "localhost", "unable to get local issuer")
        with self.checks.check("SSL_CERT_FILE and SSL_CERT_DIR add up"):
            stranger = str(self.folder.path / "stranger.pem")
            both = {"SSL_CERT_FILE": stranger, "SSL_CERT_DIR": str(self.hashed)}
            self.trusted(both)
            self.trusted(both, self.urls["stranger"])
        with self.checks.check("--cacert stands before all variables"):
            wrong = {name: "/no/such/bundle.pem" for name in FILE_VARIABLES}
            self.trusted({**wrong, "SSL_CERT_DIR": "/no/such/folder"}, None, "--cacert", self.authority.cert)

    def refusals(self):
        trusting = {"SSL_CERT_FILE": str(self.authority.cert)}
        with self.checks.check("an unknown authority: host, reason, issuer, store, and what to set"):
            words = ("localhost", "unable to get local issuer certificate", "hfhub test authority", "system's store",
                     "SSL_CERT_FILE")
            self.refused({}, self.urls["good"], *words)
        with self.checks.check("another private authority than the one that is trusted"):
            self.refused(trusting, self.urls["stranger"], "hfhub test stranger", str(self.authority.cert))
        with self.checks.check("another host's certificate"):
            self.refused(trusting, self.urls["other-name"], "localhost", "hostname mismatch")
        with self.checks.check("an address that the certificate does not hold"):
            url = self.urls["only-name"].replace("localhost", "127.0.0.1")
            self.refused(trusting, url, "127.0.0.1", "IP address mismatch")
            self.trusted(trusting, self.urls["only-name"])
        with self.checks.check("a wildcard of another level"):
            self.refused(trusting, self.urls["wildcard"], "hostname mismatch")
        with self.checks.check("a certificate that has run out"):
            self.refused(trusting, self.urls["expired"], "localhost", "expired", "clock")

    def resumption(self):
        for name, version in (("resumed", "1.3"), ("resumed12", "1.2")):
            with self.checks.check(f"the second connection resumes the first one's session, TLS {version}"):
                self.trusted_twice(self.urls[name])
                log = eventually(lambda: self.folder.read(f"{name}.log"), "\nr 200")
                expect(log.split() == [".", "200", "r", "200"], repr(log))

    def trusted_twice(self, url):
        result = self.fetch("--http1", "--cacert", self.authority.cert, url, url)
        expect(result.status == 0 and result.out == b"hellohello", result.err)


def main():
    arguments = program_arguments("--fetch")
    if not installed("nginx"):
        return SKIPPED
    checks = Checks()
    with Folder() as folder:
        trust = Trust(Fetch(arguments.fetch), folder, checks)
        trust.variables()
        trust.refusals()
        trust.resumption()
    return checks.end()


if __name__ == "__main__":
    sys.exit(main())
