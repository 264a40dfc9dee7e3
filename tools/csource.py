# SPDX-License-Identifier: Apache-2.0
"""Reading our C sources, for the checkers beside this file."""
import os
import re
import sys

WORDS = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'', re.S)


def root(argument=None):
    return argument or os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def folders(top):
    """The layers, lowest first, as the build names them."""
    with open(os.path.join(top, "meson.build"), encoding="utf-8") as f:
        return re.findall(r"'(\w+)'", re.search(r"(?ms)^folders = \[(.*?)\]", f.read()).group(1))


def sources(top, below="src", ends=(".c", ".h")):
    """Paths relative to top, sorted."""
    found = []
    for folder, _, files in os.walk(os.path.join(top, below)):
        found += [os.path.relpath(os.path.join(folder, f), top) for f in files if f.endswith(ends)]
    return sorted(found)


def read(top, path):
    with open(os.path.join(top, path), encoding="utf-8") as f:
        return f.read()


def code(text):
    """The text without comments, strings emptied; lines stay where they are."""
    def blank(m):
        lines = "\n" * m.group().count("\n")
        return '""' if m.group()[0] == '"' else "' '" if m.group()[0] == "'" else " " + lines
    return WORDS.sub(blank, text)


def is_test(path):
    return os.path.basename(path).startswith(("test-", "fuzz-")) or path.startswith("tests/")


def finish(name, problems, count):
    for p in problems:
        print(p)
    print(f"{name}: {count} files, {len(problems)} problems")
    sys.exit(1 if problems else 0)
