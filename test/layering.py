#!/usr/bin/env python3
"""The rooms include downwards only: cli -> inference -> hub -> xet -> http -> core; public headers stay light."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
ROOMS = ["core", "http", "xet", "hub", "inference", "cli"]
INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]', re.M)
HEAVY = ("boost/beast", "nghttp2/", "openssl/", "boost/asio.hpp", "boost/asio/ssl")


def includes(path):
    return INCLUDE.findall(path.read_text())


def room_of(include):
    room = include.split("/")[0]
    return room if room in ROOMS else None


def main():
    problems = []
    for path in sorted((ROOT / "lib").rglob("*.[ch]pp")):
        own = path.relative_to(ROOT / "lib").parts[0]
        if own not in ROOMS:
            continue
        for include in includes(path):
            other = room_of(include)
            if include.startswith("hfhub/"):
                part = include.split("/")[1]
                other = part if part in ("hub", "inference") else None
            if other and ROOMS.index(other) > ROOMS.index(own):
                problems.append(f"{path.relative_to(ROOT)} (room {own}) includes {include} (room {other})")
    for path in sorted((ROOT / "include").rglob("*.hpp")):
        for include in includes(path):
            if include.startswith(HEAVY) or room_of(include):
                problems.append(f"{path.relative_to(ROOT)} is public and includes {include}")
    print("\n".join(problems) or "layering: all includes point downwards")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
