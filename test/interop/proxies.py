#!/usr/bin/env python3
"""hfhub-fetch through proxies that are not ours; which way a request took is read in the proxy's log.

  proxies.py --fetch BUILD/test/hfhub-fetch
"""
import glob
import socket
import sys
import urllib.parse

from peers import SKIPPED, Authority, Checks, Fetch, Folder, eventually, expect, free_port, installed, program_arguments

USER, PASSWORD = "user", "pa:s/s%&word"
LOGIN = f"{USER}:{urllib.parse.quote(PASSWORD, safe='')}"
PLAIN_PASSWORD = "pa-s_s.word"  # tinyproxy takes no other characters


class Proxies:
    def __init__(self, fetch, folder, checks):
        self.fetch, self.folder, self.checks = fetch, folder, checks
        self.authority = Authority(folder.path)
        self.key, self.cert = self.authority.issue("server")
        (folder.path / "www/small").write_text("hello")
        self.plain_port, self.tls_port = free_port(), free_port()
        folder.nginx(f"""server {{ listen 127.0.0.1:{self.plain_port}; listen 127.0.0.1:{self.tls_port} ssl http2;
            root {folder.path}/www; ssl_certificate {self.cert}; ssl_certificate_key {self.key}; }}""", self.tls_port)
        self.http = f"http://localhost:{self.plain_port}/small"
        self.https = f"https://localhost:{self.tls_port}/small"

    def check(self, name):
        return self.checks.check(name)

    def get(self, *argv, env=None, cacert=None):
        """Fetches what must arrive."""
        result = self.fetch("--cacert", cacert or self.authority.cert, "--timeout", 10, *argv, env=env)
        expect(result.status == 0 and result.out == b"hello", result.status, result.err.strip())
        return result

    def refused(self, *argv, words=(), cacert=None):
        """Fetches what must fail at once, and returns what was said."""
        result = self.fetch("-v", "--cacert", cacert or self.authority.cert, "--timeout", 10, *argv)
        expect(result.status == 1 and not result.out, "exit status", result.status, result.out)
        for word in words:
            expect(word in result.err, f"'{word}' is not in:", result.err.strip())
        expect("then attempt" not in result.err, "tried again:", result.err.strip())
        return result.err

    # Variables, judged by squid's log.

    def squid(self):
        port = free_port()
        self.folder.squid(port)
        self.squid_port = port
        self.via = f"http://127.0.0.1:{port}"
        self.seen = len(self.folder.read("squid.log"))

    def log_of(self, *argv, env):
        """What a transfer leaves in squid's log. A request to squid itself marks its end."""
        self.get(*argv, env=env)
        self.marks = getattr(self, "marks", 0) + 1
        mark = f"/mark{self.marks}x"
        self.fetch("--proxy", self.via, self.http.replace("/small", mark))
        text = eventually(lambda: self.folder.read("squid.log")[self.seen:], mark)
        expect(mark in text, "squid writes no log:", text)
        self.seen += len(text)
        return "\n".join(line for line in text.splitlines() if mark not in line)

    def takes_proxy(self, url, env):
        line = f"CONNECT localhost:{self.tls_port} " if url == self.https else f"GET {self.http} "
        log = self.log_of(url, env=env)
        expect(line in log, url, "did not pass the proxy with", env, log)

    def goes_directly(self, url, env):
        log = self.log_of(url, env=env)
        expect(not log, url, "passed the proxy with", env, log)

    def variables(self):
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            with self.check(name):
                kind = name.lower().removesuffix("_proxy")
                for scheme, url in (("http", self.http), ("https", self.https)):
                    (self.takes_proxy if kind in (scheme, "all") else self.goes_directly)(url, {name: self.via})
        with self.check("no variable, or an empty one"):
            for env in ({}, {"HTTP_PROXY": "", "HTTPS_PROXY": "", "ALL_PROXY": ""}):
                for url in (self.http, self.https):
                    self.goes_directly(url, env)
        with self.check("a proxy without a scheme is an http:// one"):
            self.takes_proxy(self.https, {"HTTPS_PROXY": self.via.removeprefix("http://")})
        with self.check("of two cases the lower one wins, even empty"):
            self.takes_proxy(self.https, {"HTTPS_PROXY": "http://127.0.0.1:1", "https_proxy": self.via})
            self.goes_directly(self.https, {"HTTPS_PROXY": self.via, "https_proxy": ""})
        with self.check("the scheme's own variable wins over ALL_PROXY"):
            self.takes_proxy(self.https, {"ALL_PROXY": "http://127.0.0.1:1", "HTTPS_PROXY": self.via})
        with self.check("HTTP_PROXY is not believed in a CGI program"):
            self.goes_directly(self.http, {"HTTP_PROXY": self.via, "REQUEST_METHOD": "GET"})

    def exceptions(self):
        both = {"ALL_PROXY": self.via}
        for name in ("NO_PROXY", "no_proxy"):
            with self.check(name):
                for url in (self.http, self.https):
                    self.goes_directly(url, {**both, name: "localhost"})
                    self.takes_proxy(url, {**both, name: "example.org, .com"})
        with self.check("NO_PROXY: *, a port, a network, white space, an empty one"):
            self.goes_directly(self.https, {**both, "NO_PROXY": "*"})
            self.goes_directly(self.https, {**both, "NO_PROXY": f"localhost:{self.tls_port}"})
            self.takes_proxy(self.https, {**both, "NO_PROXY": f"localhost:{self.plain_port}"})
            self.goes_directly(self.https.replace("localhost", "127.0.0.1"), {**both, "NO_PROXY": "127.0.0.0/8"})
            self.goes_directly(self.https, {**both, "NO_PROXY": "example.org \t localhost"})
            self.takes_proxy(self.https, {**both, "NO_PROXY": ""})

    # Kinds of proxies.

    def basic(self):
        port = free_port()
        self.folder.tinyproxy(port, f"BasicAuth {USER} {PLAIN_PASSWORD}")
        escaped = "".join(f"%{ord(c):02X}" for c in PLAIN_PASSWORD)
        via = f"http://{USER}:{escaped}@127.0.0.1:{port}"
        with self.check("CONNECT and forwarding with percent-encoded credentials"):
            self.get("--proxy", via, self.https)
            self.get("--proxy", via, self.http)
            self.get(self.https, env={"HTTPS_PROXY": via})
        with self.check("CONNECT without credentials: 407, and what to do"):
            self.refused("--proxy", f"http://127.0.0.1:{port}", self.https, words=("407", "user", "password", str(port)))
        with self.check("CONNECT with wrong credentials: what to do, and they are not told"):
            for wrong in ("other%3Acanary", escaped + "canary"):
                proxy = f"http://{USER}:{wrong}@127.0.0.1:{port}"
                said = self.refused("--proxy", proxy, self.https, words=("give the proxy's user",))
                for secret in (wrong, urllib.parse.unquote(wrong)):
                    expect(secret not in said, secret, "is in:", said)
        with self.check("forwarding without credentials fails"):
            result = self.fetch("--proxy", f"http://127.0.0.1:{port}", self.http)
            expect(result.status == 1 and "407" in result.err, result.status, result.err)

    def over_tls(self):
        key, cert = self.authority.issue("proxy")
        stranger = Authority(self.folder.path, "stranger")
        port = free_port()
        self.folder.start("nghttpx", "--http2-proxy", f"--frontend=127.0.0.1,{port}",
                          f"--backend=127.0.0.1,{self.squid_port}", "--workers=1", "--conf=/dev/null",
                          "--errorlog-file=/dev/null", key, cert, port=port)
        via = f"https://localhost:{port}"
        with self.check("https:// proxy"):
            for url in (self.https, self.http):
                self.takes_proxy(url, {"ALL_PROXY": via})
        with self.check("https:// proxy whose certificate is not trusted"):
            self.refused("--proxy", via, self.https, cacert=stranger.cert, words=("localhost", "hfhub test authority"))
        with self.check("https:// proxy whose certificate is another host's"):
            key, cert = self.authority.issue("other-proxy", "DNS:example.org")
            port = free_port()
            self.folder.start("nghttpx", "--http2-proxy", f"--frontend=127.0.0.1,{port}",
                              f"--backend=127.0.0.1,{self.squid_port}", "--workers=1", "--conf=/dev/null",
                              "--errorlog-file=/dev/null", key, cert, port=port)
            self.refused("--proxy", f"https://localhost:{port}", self.https, words=("hostname mismatch",))

    def socks(self):
        port, with_login = free_port(), free_port()
        self.folder.start("microsocks", "-i", "127.0.0.1", "-p", port, port=port, log="socks.log")
        self.folder.start("microsocks", "-i", "127.0.0.1", "-p", with_login, "-u", USER, "-P", PASSWORD,
                          port=with_login)
        for scheme, names in (("socks5", ("127.0.0.1", "::1")), ("socks5h", ("localhost",))):
            with self.check(f"{scheme}:// proxy is given {'an address' if scheme == 'socks5' else 'the name'}"):
                for url, target in ((self.https, self.tls_port), (self.http, self.plain_port)):
                    self.get("--proxy", f"{scheme}://127.0.0.1:{port}", url)
                    log = eventually(lambda: self.folder.read("socks.log"), f":{target}")
                    expect(any(f"connected to {name}:{target}" in log for name in names), log)
            with self.check(f"{scheme}:// proxy with a login, with a wrong one, and without one"):
                self.get("--proxy", f"{scheme}://{LOGIN}@127.0.0.1:{with_login}", self.https)
                for login in (f"{USER}:canary@", ""):
                    said = self.refused("--proxy", f"{scheme}://{login}127.0.0.1:{with_login}", self.https,
                                        words=("login", "password"))
                    expect("canary" not in said, said)
        with self.check("ALL_PROXY=socks5h://…"):
            before = self.folder.read("socks.log").count("localhost")
            self.get(self.https, env={"ALL_PROXY": f"socks5h://127.0.0.1:{port}"})
            expect(self.folder.read("socks.log").count("localhost") > before, "not through the proxy")

    def name_of_the_proxy(self):
        """A name that only the proxy knows, by way of a library that replaces its hosts file."""
        wrapper = glob.glob("/usr/lib/*/libnss_wrapper.so")
        if not wrapper:
            print("skipped, not installed: libnss-wrapper")
            return
        hosts = self.folder.write("hosts", "127.0.0.1 only-the-proxy.knows\n")
        port = free_port()
        self.folder.start("microsocks", "-i", "127.0.0.1", "-p", port, port=port,
                          env={"LD_PRELOAD": wrapper[0], "NSS_WRAPPER_HOSTS": str(hosts)})
        with self.check("socks5h:// lets the proxy look names up"):
            url = self.http.replace("localhost", "only-the-proxy.knows")
            self.get("--proxy", f"socks5h://127.0.0.1:{port}", url)

    def silent(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            for scheme in ("http", "https", "socks5", "socks5h"):
                with self.check(f"{scheme}:// proxy that accepts and stays silent"):
                    result = self.fetch("--proxy", f"{scheme}://127.0.0.1:{port}", "--timeout", 0.3, self.https)
                    expect(result.status == 1 and 0.3 <= result.seconds < 3, result.status, result.seconds, "s")
                    expect("deadline" in result.err, result.err)
        with self.check("a proxy that is not there is named"):
            result = self.fetch("--proxy", f"http://127.0.0.1:{port}", "--timeout", 1, self.https)
            expect(result.status == 1 and f"127.0.0.1:{port}" in result.err, result.err)


def main():
    arguments = program_arguments("--fetch")
    here = installed("nginx", "squid", "tinyproxy", "nghttpx", "microsocks")
    if "nginx" not in here:
        return SKIPPED
    checks = Checks()
    with Folder() as folder:
        proxies = Proxies(Fetch(arguments.fetch), folder, checks)
        if "squid" in here:
            proxies.squid()
            proxies.variables()
            proxies.exceptions()
        if "tinyproxy" in here:
            proxies.basic()
        if "nghttpx" in here and "squid" in here:
            proxies.over_tls()
        if "microsocks" in here:
            proxies.socks()
            proxies.name_of_the_proxy()
        proxies.silent()
    return checks.end()


if __name__ == "__main__":
    sys.exit(main())
