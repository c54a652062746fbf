#!/usr/bin/env python3
"""No coroutine uses a form that g++ 12 compiles wrongly without a word: co_await inside ?:, &&, ||, throw or a braced
initialiser, and a lambda that captures by value in a statement with co_await."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TEXT = re.compile(r'R"\((?:.|\n)*?\)"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|//[^\n]*|/\*(?:.|\n)*?\*/')
FORMS = [
    ("co_await inside throw", re.compile(r"\bthrow\b[^;]*\bco_await\b")),
    ("co_await inside ?:", re.compile(r"\?[^;]*\bco_await\b[^;]*:|\bco_await\b[^;]*\?[^;]*:|\?[^;]*:[^;]*\bco_await\b")),
    ("co_await beside && or ||", re.compile(r"(?:&&|\|\|)[^;]*\bco_await\b|\bco_await\b[^;]*(?:&&|\|\|)")),
    ("co_await in a braced initialiser", re.compile(r"[\w>(,=]\s*\{[^;{}]*\bco_await\b[^;{}]*\}")),
    ("a lambda that captures by value beside co_await", re.compile(r"\bco_await\b[^;]*?[(,]\s*\[\s*(?:=|\w)[^\]]*\]|\bco_await\s*\[\s*(?:=|\w)")),
]


def statements(code):
    """(line, text) of what stands between ';' and the braces of blocks."""
    begin = 0
    for end in (match.start() for match in re.finditer(r";|\)\s*(?:const|noexcept|mutable|->[^{;]*)*\s*\{|\belse\s*\{|\bdo\s*\{|\btry\s*\{", code)):
        yield code.count("\n", 0, begin) + 1, code[begin:end + 1]
        begin = end + 1
    yield code.count("\n", 0, begin) + 1, code[begin:]


def without_conditions(code):
    """What stands in the parentheses of if and loops is a statement of its own; it goes where nothing is awaited there."""
    for match in re.finditer(r"\b(?:if|while|for|switch)\s*(?:constexpr\s*)?\(", code):
        depth, end = 1, match.end()
        while depth and end < len(code):
            depth += {"(": 1, ")": -1}.get(code[end], 0)
            end += 1
        if "co_await" not in code[match.end():end]:
            code = code[:match.end()] + re.sub(r"[^\n]", " ", code[match.end():end - 1]) + code[end - 1:]
    return code


def problems_of(code):
    code = TEXT.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), code)
    code = without_conditions(code)
    return [f"{line}: {name}" for line, text in statements(code) if "co_await" in text
            for name, form in FORMS if form.search(text)]


def self_test():
    good = ["x = co_await f(a);", "if (a && b) { co_await f(); }", "if (a && b) x = co_await f();", "auto t = f({.a = 1}); co_await std::move(t);",
            "co_await f([&] { return 1; });", "for (;;) { y = a ? b : c; co_await f(y); }"]
    bad = ["throw E(co_await f());", "x = a ? co_await f() : g();", "x = b ? g() : co_await f();", "if (a && co_await f()) g();",
           "A a{.b = co_await f()};", "v.push_back({co_await f()});", "co_await f([x] { return x; });", "co_await [x]() { co_return; }();"]
    return [f"not seen as good: {one}" for one in good if problems_of(one)] + [f"not seen as bad: {one}" for one in bad if not problems_of(one)]


def main():
    problems = self_test()
    for folder in ("lib", "include", "examples", "bench", "test"):
        for path in sorted((ROOT / folder).rglob("*.[ch]pp")):
            problems += [f"{path.relative_to(ROOT)}:{one}" for one in problems_of(path.read_text())]
    print("\n".join(problems) or "coroutines: none of the forms that g++ 12 gets wrong")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
