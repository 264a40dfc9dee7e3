#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the largest files and functions. Only a mirror: it never fails. (Files are pleasant at 200 to 350
lines, functions at 10 to 20.)"""
import re
import sys

import csource

# ours begin in column 0 with a brace of their own line and end the same way
FUNCTION = re.compile(r"^(?:[a-zA-Z_][^;{}#]*?)(\w+)\([^;{}]*?\)[^;{}()]*\n\{\n(.*?)^\}", re.M | re.S)


def main():
    top = csource.root(*sys.argv[1:])
    files, functions = [], []
    for path in csource.sources(top):
        text = csource.read(top, path)
        files.append((text.count("\n"), path))
        functions += [(body.count("\n") + 2, f"{name}  {path}") for name, body in FUNCTION.findall(csource.code(text))]
    code = sum(n for n, p in files if not csource.is_test(p))
    print(f"{len(files)} files, {sum(n for n, _ in files)} lines ({code} without tests), {len(functions)} functions")
    for title, found in (("files", files), ("functions", functions)):
        print(f"largest {title}")
        for lines, name in sorted(found, reverse=True)[:10]:
            print(f"  {lines:5}  {name}")


main()
