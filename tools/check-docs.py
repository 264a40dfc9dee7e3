#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Documents keep up with the code: docs/map.md names every folder of src/, the manual page names every long
option that the --help of VERBS prints and every exit status, links in our Markdown lead somewhere.

    check-docs.py [TREE [PROGRAM]]"""
import os
import re
import subprocess
import sys

import csource

VERBS = ("audit", "copy", "init", "status", "verify")


def map_problems(top):
    path = os.path.join(top, "docs", "map.md")
    if not os.path.exists(path):
        return [], ["docs/map.md is not written yet"]
    text = csource.read(top, "docs/map.md")
    return [f"docs/map.md: does not name {f}/" for f in os.listdir(os.path.join(top, "src"))
            if os.path.isdir(os.path.join(top, "src", f)) and not re.search(rf"\bsrc/{f}\b|\b{f}/", text)], []


def manual_problems(top, program):
    folder = os.path.join(top, "docs", "man")
    pages = [p for p in os.listdir(folder) if re.search(r"\.\d$", p)] if os.path.isdir(folder) else []
    if not pages or not program or not os.path.exists(program):
        return [], ["the manual page or the program is not there yet"]
    text = "".join(csource.read(top, f"docs/man/{p}") for p in pages).replace("\\-", "-")
    text = re.sub(r"\bFl -", "--", text)  # mdoc(7): .Fl -name is --name
    problems = []
    for verb in VERBS:
        helped = subprocess.run([program, verb, "--help"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", helped.stdout))
        problems += [f"docs/man: does not name {o} of {verb}" for o in sorted(options)
                     if not re.search(rf"{o}(?![\w-])", text)]
        if helped.returncode or not options:
            problems.append(f"{program} {verb} --help: status {helped.returncode}, {len(options)} options")
    return problems, []


def link_problems(top):
    found = []
    pages = csource.sources(top, "docs", (".md",)) + [f for f in os.listdir(top) if f.endswith(".md")]
    for path in pages:
        for link in re.findall(r"\]\(([^)#\s]+)", csource.read(top, path)):
            if "://" not in link and not os.path.exists(os.path.join(top, os.path.dirname(path), link)):
                found.append(f"{path}: links to {link}, which does not exist")
    return found, []


def main():
    top = csource.root(*sys.argv[1:2])
    program = sys.argv[2] if len(sys.argv) > 2 else None
    problems = []
    for found, skipped in (map_problems(top), manual_problems(top, program), link_problems(top)):
        problems += found
        for why in skipped:
            print("skipped: " + why)
    csource.finish("check-docs", problems, 3)


main()
