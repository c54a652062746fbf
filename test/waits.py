#!/usr/bin/env python3
"""Every place in lib/ where a coroutine is suspended says how long that may last; those without an end are listed here.

http::Event::wait has no default, so that the compiler asks for a limit; this finds limits that are none.
"""
import pathlib
import re
import sys

LIB = pathlib.Path(__file__).resolve().parent.parent / "lib"
# Runners have limits of their own, and who waits for them ends them all.
UNLIMITED = {"hub/parallel.cpp"}
WAIT = re.compile(r"\bco_await\b[^;]*?[.>]wait\(([^;]*)\);")
ENDLESS = re.compile(r"time_point::max\(\)|\bunlimited\b|Limit\{\}|Limit\(\)")
FOREIGN = re.compile(r"co_await\s+[^;]*\b(async_wait|async_read|async_write|async_connect|async_resolve)\b")


def main():
    problems, waits = [], 0
    for path in sorted(LIB.rglob("*.[ch]pp")):
        name, text = str(path.relative_to(LIB)), path.read_text()
        for found in WAIT.finditer(text):
            waits += 1
            line = text.count("\n", 0, found.start()) + 1
            if ENDLESS.search(found.group(1)) and name not in UNLIMITED:
                problems.append(f"{name}:{line}: a wait without an end")
        for found in FOREIGN.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            problems.append(f"{name}:{line}: suspended on something else than http::Event, which knows no limit")
    if waits < 15:
        problems.append(f"only {waits} waits were found: this script does not know the code any more")
    print("\n".join(problems) or f"waits: {waits}, all with an end")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
