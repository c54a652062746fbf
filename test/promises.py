#!/usr/bin/env python3
"""Each promise of docs/reliability.md names the tests that hold it, and those are there.

A row is `| promise | in numbers | proof |`; a proof is one or more links to a file, each followed by the names of its tests in
quotation marks where the file holds several.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/reliability.md"
LINK = re.compile(r"\[[^]]*\]\((\.\./[^)#]+)\)((?:\s*\"[^\"]+\",?)*)")


def text_of(path):
    # Adjacent literals are one string in C++, and long names are broken.
    return re.sub(r'"\s*\n\s*"', "", path.read_text())


def main():
    problems, rows = [], 0
    for number, line in enumerate(PAGE.read_text().splitlines(), 1):
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if not line.startswith("|") or set(line) <= set("|- ") or cells[-1] == "proof":
            continue
        rows += 1
        proofs = LINK.findall(cells[-1])
        if not proofs:
            problems.append(f"{PAGE.name}:{number}: a promise without a test")
        for link, names in proofs:
            path = (PAGE.parent / link).resolve()
            if not path.exists():
                problems.append(f"{PAGE.name}:{number}: {link} is not there")
                continue
            wanted = re.findall(r'"([^"]+)"', names)
            if wanted:
                text = text_of(path)
                problems += [f"{PAGE.name}:{number}: {link} has no test {name!r}" for name in wanted if name not in text]
    print("\n".join(problems) or f"promises: {rows}, each with its tests")
    return bool(problems) or rows == 0


if __name__ == "__main__":
    sys.exit(main())
