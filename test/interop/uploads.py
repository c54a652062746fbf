#!/usr/bin/env python3
"""Large uploads need little memory: uploads.py --upload EXAMPLE-UPLOAD --hub HUB [--max-rss MIB]

A file goes to a local Hub in one piece and in parts, over HTTP/1.1 and HTTP/2. In between the Hub is stopped for a
while: then nothing more of the file is read.
"""
import argparse
import hashlib
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from local_hub import LocalHub  # noqa: E402
from peers import Checks, expect, peak_of  # noqa: E402

LONG = os.environ.get("HFHUB_LONG") == "1"
SIZE = (2048 if LONG else 256) << 20
PART = 16 << 20
FIRST_BYTES = 4 << 20  # of the file, that have been read for sending when the Hub is stopped
STILL = 1.0  # seconds without any reading
REPO, NAME = "alice/large", "weights/model.bin"


def make_file(path):
    """Large, mostly of nothing: the disk holds little of it."""
    with open(path, "wb") as file:
        for at in range(0, SIZE, SIZE // 16):
            file.seek(at)
            file.write(b"at %d" % at)
        file.truncate(SIZE)
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def bytes_read(pid):
    """By all its calls so far, whatever they read from."""
    with open(f"/proc/{pid}/io") as counters:
        return int(next(line for line in counters if line.startswith("rchar:")).split()[1])


class Watch:
    """A run of the program, and the peak of its memory."""

    def __init__(self, command, environment):
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.peak = 0

    def until(self, condition, seconds):
        """Whether it came true before the time was over and the program ended."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            self.peak = max(self.peak, peak_of(self.process.pid))
            if condition():
                return True
            time.sleep(0.002)
        return False

    def read(self):
        return bytes_read(self.process.pid)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        return self.process.communicate()[1]


def stop_a_while(watch, hub):
    """How much was read for sending until the reading stopped, while nobody took anything."""
    last, since = 0, 0.0

    def is_still():
        nonlocal last, since
        now = watch.read()
        if now != last:
            last, since = now, time.monotonic()
        return time.monotonic() - since > STILL

    expect(watch.until(lambda: watch.read() > SIZE + FIRST_BYTES, 120), "the upload does not begin")
    hub.process.send_signal(signal.SIGSTOP)
    try:
        expect(watch.until(is_still, 20), "it goes on without the Hub, at", last - SIZE)
        return last - SIZE
    finally:
        hub.process.send_signal(signal.SIGCONT)


def upload(arguments, folder, oid, tls, in_parts):
    data = folder / f"hub-{tls}-{in_parts}"
    limits = ["--multipart-threshold", str(PART if in_parts else 4 * SIZE), "--chunk-size", str(PART)]
    with LocalHub(arguments.hub, data, tls, *limits) as hub:
        hub.create(REPO)
        hub.reset()
        watch = Watch([arguments.upload, REPO, str(folder / "file"), NAME], hub.environment(folder / "home", "hf_alice"))
        try:
            taken = stop_a_while(watch, hub)
            ended = not watch.until(lambda: False, 240)
        finally:
            err = watch.end()
        expect(ended and watch.process.returncode == 0, "exit", watch.process.returncode, err)
        statistics = hub.statistics()
        (file,) = [one for one in hub.call(f"/api/models/{REPO}/tree/main?recursive=true") if one["path"] == NAME]
    protocols = [name for name in ("http1", "http2") if statistics[name + "_requests"] > 1]  # one asks for these numbers
    print(f"      peak {watch.peak / (1 << 20):.0f} MiB, {taken / (1 << 20):.1f} MiB read when the Hub had stopped")
    expect(taken < SIZE // 2, taken, "bytes were read that nobody took")
    expect(file["lfs"]["oid"] == oid and file["lfs"]["size"] == SIZE, "another file has arrived")
    expect(protocols == ["http2" if tls else "http1"], protocols)
    expect(statistics["storage_writes"] == (SIZE // PART if in_parts else 1), statistics["storage_writes"], "writes")
    expect(arguments.max_rss == 0 or watch.peak < arguments.max_rss << 20, f"peak {watch.peak / (1 << 20):.0f} MiB")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--upload", required=True)
    parser.add_argument("--hub", required=True)
    parser.add_argument("--max-rss", type=int, default=64, help="in MiB; 0: not looked at")
    arguments = parser.parse_args()
    checks = Checks()
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        oid = make_file(folder / "file")
        for tls, protocol in (False, "HTTP/1.1"), (True, "HTTP/2"):
            for in_parts, form in (False, "in one piece"), (True, "in parts"):
                with checks.check(f"{SIZE >> 20} MiB {form} over {protocol} need little memory, and when the Hub stops "
                                  "so does the reading"):
                    upload(arguments, folder, oid, tls, in_parts)
    return checks.end()


if __name__ == "__main__":
    sys.exit(main())
