#!/usr/bin/env python3
"""A process that forks in the middle of a download from a local Hub: download.py PROGRAM HUB"""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from local_hub import LocalHub  # noqa: E402

SIZE = 6 << 20


def main():
    program, hub_program = sys.argv[1:3]
    for tls in (False, True):
        with tempfile.TemporaryDirectory() as folder, LocalHub(hub_program, folder + "/hub", tls) as hub:
            hub.create("alice/fork")
            hub.commit("alice/fork", {"small": b"small\n", "large": os.urandom(1 << 20) * (SIZE >> 20)})
            environment = hub.environment(folder + "/home", "hf_alice")
            # What the parent's thread works on is never freed in the child.
            environment["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
            run = subprocess.run([program, str(SIZE)], env=environment, timeout=100)
            print(f"{'TLS' if tls else 'HTTP'}: status {run.returncode}", flush=True)
            if run.returncode != 0:
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
