#!/usr/bin/env python3
"""Names with several addresses of which some are dead, and name servers that fail, in a network namespace of its own.

  addresses.py --fetch BUILD/test/hfhub-fetch

Packets to the dead addresses are dropped by nftables. Names come from a hosts file and a name server that this script
puts in the place of the machine's; both go with it.
"""
import argparse
import http.server
import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

from peers import PATH, SKIPPED, Checks, Fetch, expect, installed

PORT, OTHER_PORT = 8080, 8081
V6, V4, DEAD_V6, DEAD_V4 = "2001:db8::1", "10.9.9.1", "2001:db8::dead", "10.9.9.99"
HOSTS = f"""127.0.0.1 localhost
{V6} both.test
{V4} both.test
{DEAD_V6} v6-dead.test
{V4} v6-dead.test
{V6} v4-dead.test
{DEAD_V4} v4-dead.test
{DEAD_V6} all-dead.test
{DEAD_V4} all-dead.test
"""
DROP = f"""table inet faults {{ chain input {{ type filter hook input priority 0;
ip6 daddr {DEAD_V6} drop; ip daddr {DEAD_V4} drop; }}; }}"""
REFUSE = f"""table inet faults {{ chain input {{ type filter hook input priority 0;
ip6 daddr {DEAD_V6} tcp dport {PORT} reject with tcp reset; }}; }}"""
V4_FIRST = "precedence ::ffff:0:0/96 100\n"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        time.sleep(0.02)  # so that requests side by side need connections of their own
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")


class Server(http.server.ThreadingHTTPServer):
    address_family, request_queue_size, daemon_threads = socket.AF_INET6, 128, True


class NameServer(threading.Thread):
    """Knows the names of this script's checks, and counts how often it was asked for the IPv4 address of each."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 53))
        self.asked = {}

    def run(self):
        while True:
            query, peer = self.socket.recvfrom(2000)
            labels, at = [], 12
            while query[at]:
                labels.append(query[at + 1:at + 1 + query[at]].decode())
                at += 1 + query[at]
            name, kind = ".".join(labels), struct.unpack("!H", query[at + 1:at + 3])[0]
            if kind == 1:
                self.asked[name] = self.asked.get(name, 0) + 1
            threading.Thread(target=self.answer, args=(query[:at + 5], name, kind, peer), daemon=True).start()

    def answer(self, query, name, kind, peer):
        if name == "silent.test":
            return
        fails = name == "failing.test" or name == "late.test" and self.asked.get(name, 0) <= 2
        if name == "slow.test":
            time.sleep(0.1)
        record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 0, 4) + socket.inet_aton(V4)
        answers = record if kind == 1 and not fails else b""
        head = query[:2] + struct.pack("!HHHHH", 0x8182 if fails else 0x8180, 1, len(answers) > 0, 0, 0)
        self.socket.sendto(head + query[12:] + answers, peer)


class Scene:
    """The namespace as the checks find it."""

    def __init__(self, folder, fetch):
        self.fetch, self.preferences = fetch, folder / "gai.conf"
        for argv in (["ip", "link", "set", "lo", "up"], ["ip", "address", "add", V4 + "/32", "dev", "lo"],
                     ["ip", "address", "add", DEAD_V4 + "/32", "dev", "lo"],
                     ["ip", "address", "add", V6 + "/128", "dev", "lo", "nodad"],
                     ["ip", "address", "add", DEAD_V6 + "/128", "dev", "lo", "nodad"], ["nft", DROP]):
            subprocess.run(argv, check=True, capture_output=True, text=True)
        (folder / "hosts").write_text(HOSTS)
        (folder / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:3 attempts:1\n")
        (folder / "nsswitch.conf").write_text("hosts: files dns\n")
        self.preferences.write_text("")
        for name in ("hosts", "resolv.conf", "nsswitch.conf", "gai.conf"):
            subprocess.run(["mount", "--bind", folder / name, f"/etc/{name}"], check=True, capture_output=True,
                           text=True)
        self.names = NameServer()
        self.names.start()
        for port in (PORT, OTHER_PORT):
            threading.Thread(target=Server(("::", port), Handler).serve_forever, daemon=True).start()

    def seconds(self, *urls, times=3):
        """Of each of these transfers one after the other in one process, the best of some runs: what the machine does
        beside this costs time, too."""
        best = []
        for _ in range(times):
            result = self.fetch("--json", *urls)
            expect(result.status == 0, result.err, result.out)
            took = [transfer["seconds"] for transfer in result.objects()]
            best = [min(pair) for pair in zip(best or took, took)]
        return best


def dead_families(scene, checks):
    for dead, preferences in (("v6", ""), ("v4", V4_FIRST)):
        name = f"{dead}-dead.test"
        with checks.check(f"a name whose preferred family, {dead}, is dead: 300 ms at most, and nothing the next time"):
            scene.preferences.write_text(preferences)
            alive, first, second = (*scene.seconds(f"http://both.test:{PORT}/"),
                                    *scene.seconds(f"http://{name}:{PORT}/", f"http://{name}:{OTHER_PORT}/"))
            print(f"     {alive * 1000:.0f} ms without, {first * 1000:.0f} ms, then {second * 1000:.0f} ms")
            expect(0.2 < first - alive < 0.3, first, alive)
            expect(second < 0.15, second)
    scene.preferences.write_text("")
    with checks.check("a name whose preferred family refuses: no wait"):
        for rules in ("flush ruleset", REFUSE):
            subprocess.run(["nft", rules], check=True)
        (took,) = scene.seconds(f"http://v6-dead.test:{PORT}/")
        for rules in ("flush ruleset", DROP):
            subprocess.run(["nft", rules], check=True)
        expect(took < 0.2, took)
    with checks.check("a name whose addresses are all dead: the end comes in time and names them"):
        result = scene.fetch("--connect-timeout", 0.8, "--retry", 0, f"http://all-dead.test:{PORT}/")
        expect(result.status == 1 and 0.8 <= result.seconds < 2, result.status, result.seconds)
        for part in ("all-dead.test", DEAD_V6, DEAD_V4, "no answer", "within 800 ms"):
            expect(part in result.err, part, "is not in", result.err)


def name_servers(scene, checks):
    with checks.check("a name server that is silent: the deadline is kept"):
        result = scene.fetch("--timeout", 0.4, f"http://silent.test:{PORT}/")
        expect(result.status == 1 and 0.4 <= result.seconds < 1.4, result.status, result.seconds)
        expect("deadline" in result.err, result.err)
    with checks.check("a look-up that hangs does not hold up others"):
        begin = time.monotonic()
        urls = [f"http://silent.test:{PORT}/"] * 4 + [f"http://{host}:{PORT}/" for host in ("slow.test", V4, "both.test")]
        result = scene.fetch("--timeout", 1.5, "--concurrency", len(urls), "--json", *urls)
        expect(time.monotonic() - begin < 3, "took too long")
        outcomes = {one["url"].split("/")[2].split(":")[0]: one for one in result.objects()}
        for host in ("slow.test", V4, "both.test"):
            expect(not outcomes[host]["error"] and outcomes[host]["seconds"] < 1, outcomes[host])
        expect("deadline" in outcomes["silent.test"]["error"], outcomes)
    with checks.check("a name server that fails for now is asked four times in all"):
        result = scene.fetch("-v", "--retry-delay", 0.02, f"http://failing.test:{PORT}/")
        expect(result.status == 1 and "Temporary failure in name resolution" in result.err, result.err)
        expect(result.err.count("then attempt") == 3, result.err)
    with checks.check("a name server that fails at first and then answers"):
        result = scene.fetch("--retry-delay", 0.02, f"http://late.test:{PORT}/")
        expect(result.status == 0 and result.out == b"ok", result.err)
    with checks.check("connections of one name share a look-up"):
        scene.names.asked.clear()
        result = scene.fetch("--http1", "--concurrency", 40, "--repeat", 40, f"http://slow.test:{PORT}/")
        expect(result.status == 0, result.err)
        print(f"     {scene.names.asked['slow.test']} look-ups for 40 requests side by side")
        expect(scene.names.asked["slow.test"] <= 5, scene.names.asked)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--fetch", type=pathlib.Path, required=True)
    parser.add_argument("--inside", action="store_true")
    arguments = parser.parse_args()
    if not arguments.inside:
        if os.geteuid() != 0 or len(installed("ip", "nft", "unshare", "mount")) < 4:
            print("skipped: needs root, ip, nft, unshare and mount")
            return SKIPPED
        argv = ["unshare", "--net", "--mount", sys.executable, __file__, "--fetch", arguments.fetch.resolve(),
                "--inside"]
        return subprocess.run(argv, env={**os.environ, "PATH": PATH}, check=False).returncode
    checks = Checks()
    with tempfile.TemporaryDirectory() as folder:
        try:
            scene = Scene(pathlib.Path(folder), Fetch(arguments.fetch))
        except (OSError, subprocess.CalledProcessError) as error:
            print("skipped: no network namespace with both families here:", getattr(error, "stderr", error))
            return SKIPPED
        dead_families(scene, checks)
        name_servers(scene, checks)
    return checks.end()


if __name__ == "__main__":
    sys.exit(main())
