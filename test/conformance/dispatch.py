#!/usr/bin/env python3
"""Writes the table entries for the methods that a public header declares.

dispatch.py HEADER OUTPUT: reads the classes `template <class Mode> class BasicX` of the header. A method is what
returns `typename Mode::template result<…>`, `std::string`, `BasicPages<Mode, …>` or `BasicEvents<Mode, …>`; its last parameter may be an options struct, the
others are positional. There is nothing to write by hand for a new method."""
import re
import sys

CLASS = re.compile(r"template <class Mode>\s*class (Basic\w+)[^;{]*\{(.*?)\n\};", re.S)
METHOD = re.compile(r"(?:typename Mode::template result<[^;()]+>|std::string|Basic(?:Pages|Events)<Mode,[^;()]+>)\s+(\w+)\(([^;]*?)\)\s*const;", re.S)


def without_comments(text):
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)


def split(parameters):
    """The parameters, at commas that are not inside brackets."""
    parts, depth, begin = [], 0, 0
    for i, c in enumerate(parameters):
        depth += (c in "<({") - (c in ">)}")
        if c == "," and depth == 0:
            parts.append(parameters[begin:i])
            begin = i + 1
    return [p.strip() for p in parts + [parameters[begin:]] if p.strip()]


def parameter(text):
    """-> (type, name)"""
    declaration = text.split("=")[0].strip()
    found = re.fullmatch(r"(.*?)[\s&]+(\w+)", declaration, re.S)
    if not found:
        sys.exit(f"dispatch.py: cannot read the parameter {text!r}")
    return re.sub(r"^const ", "", found[1].strip()), found[2]


def entry(owner_object, owner, name, parameters):
    """-> (function, table row)"""
    options = None
    if parameters and parameters[-1][0].endswith("Options"):
        options = parameters.pop()[0]
    body = [f'    const auto {n} = arguments.positional<{t}>("{n}");' for t, n in parameters]
    passed = [n for _, n in parameters]
    if options:
        body.append(f"    const auto options = arguments.options<{options}>();")
        passed.append("options")
    body.append("    arguments.finish();")
    body.append(f"    return answer([&] {{ return api.{name}({', '.join(passed)}); }});")
    function = "\n".join([f"template <class Mode>", f"json::value {name}(const {owner}<Mode>& api, Arguments& arguments) {{"] + body + ["}"])
    names = ", ".join(f'"{n}"' for _, n in parameters)
    has = f"&has_member<{options}>" if options else "[](std::string_view) { return false; }"
    forms = ", ".join(f"[](const Objects& objects, Arguments& arguments) {{ return {name}<{mode}>(*objects.{api}, arguments); }}"
                      for api, mode in ((f"{owner_object}", "Blocking"), (f"async_{owner_object}", "Awaiting")))
    return function, f'    Method{{"{owner_object}", "{name}", {{{names}}}, {has}, {forms}}},'


def main(header, output):
    text = without_comments(open(header, encoding="utf-8").read())
    owner_object = "inference" if "/inference/" in header else "hf_api"
    found = [entry(owner_object, owner, name, [parameter(p) for p in split(parameters)])
             for owner, body in CLASS.findall(text) for name, parameters in METHOD.findall(body)]
    lines = ['#include "conformance/call.hpp"', "", "namespace hfhub::conformance {", "", "namespace {", ""]
    lines += [function + "\n" for function, _ in found]
    if found:
        lines += ["const Registration registration({"] + [row for _, row in found] + ["});", ""]
    lines += ["}  // namespace", "", "}  // namespace hfhub::conformance", ""]
    with open(output, "w", encoding="utf-8") as out:
        out.write("\n".join(lines))


if __name__ == "__main__":
    main(*sys.argv[1:])
