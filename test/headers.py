#!/usr/bin/env python3
"""Every public header compiles alone, and <hfhub/hfhub.hpp> pulls in no Beast, nghttp2 or OpenSSL header.
The compiler is $CXX or clang++-19.
"""
import concurrent.futures
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
CXX = os.environ.get("CXX", "clang++-19").split()
FORBIDDEN = ("/boost/beast", "/nghttp2/", "/openssl/")


def compiler(*arguments):
    return subprocess.run([*CXX, "-std=c++20", "-I", str(ROOT / "include"), *arguments], capture_output=True, text=True)


def alone(header, folder):
    """What the compiler says of the header where nothing else is included."""
    name = header.relative_to(ROOT / "include")
    source = folder / (str(name).replace("/", "_") + ".cpp")
    source.write_text(f"#include <{name}>\n#include <{name}>\n")
    result = compiler("-fsyntax-only", "-Wall", "-Wextra", "-DBOOST_ASIO_SEPARATE_COMPILATION", str(source))
    return f"{name}:\n{result.stderr}" if result.returncode or result.stderr else None


def main():
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "all.cpp"
        source.write_text("#include <hfhub/hfhub.hpp>\n")
        result = compiler("-M", str(source))
        if result.returncode:
            problems.append(result.stderr)
        problems += [f"hfhub.hpp pulls in {word}" for word in result.stdout.split() if any(f in word for f in FORBIDDEN)]
        headers = sorted((ROOT / "include").rglob("*.hpp"))
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            problems += filter(None, pool.map(lambda header: alone(header, pathlib.Path(folder)), headers))
    print("\n".join(problems) or "headers: self-contained and light")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
