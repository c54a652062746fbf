#!/usr/bin/env python3
"""Runs a script of the reference client against a local Hub: with_local_hub.py HUB http|tls PYTHON SCRIPT"""
import os
import subprocess
import sys
import tempfile


def main():
    hub, variant, python, script = sys.argv[1:5]
    if not os.path.exists(python):
        print("skipped: the Python peers are not installed")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        flags = ["--tls"] if variant == "tls" else []
        server = subprocess.Popen([hub, "--port", "0", "--data", folder + "/hub", *flags], stdout=subprocess.PIPE, text=True)
        try:
            url = server.stdout.readline().split()[-1]
            trust = ["--cacert", folder + "/hub/ca.pem"] if variant == "tls" else []
            environment = {**os.environ, "HF_HOME": folder + "/home", "HF_HUB_DISABLE_XET": "1"}
            return subprocess.run([python, script, "--hub", url, *trust], env=environment, timeout=280).returncode
        finally:
            server.terminate()
            server.wait(10)


if __name__ == "__main__":
    sys.exit(main())
