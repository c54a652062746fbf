#!/usr/bin/env python3
"""The README's quick starts are the examples, word for word; --write puts them there."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SECTIONS = {"Quick start, blocking": "examples/blocking.cpp", "Quick start, coroutines": "examples/coroutines.cpp"}


def main():
    readme = ROOT / "README.md"
    text = readme.read_text()
    wanted = text
    for title, example in SECTIONS.items():
        code = (ROOT / example).read_text()
        pattern = re.compile(r"(## " + re.escape(title) + r"\n\n```cpp\n).*?(```)", re.S)
        wanted, found = pattern.subn(lambda match: match.group(1) + code + match.group(2), wanted)
        if found != 1:
            print(f"README.md has no section {title!r} with code")
            return 1
    if "--write" in sys.argv:
        readme.write_text(wanted)
    elif wanted != text:
        print("README.md differs from the examples: run test/readme.py --write")
        return 1
    links = re.findall(r"\]\(((?!http)[^)#]+)", re.sub(r"```.*?```", "", text, flags=re.S))
    missing = [link for link in links if not (ROOT / link).exists()]
    print("\n".join(f"README.md links to {link}, which is not there" for link in missing) or "README: true to the examples")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
