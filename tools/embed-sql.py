#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the schema's files as a C table: tools/embed-sql.py OUTPUT 001-NAME.sql 002-NAME.sql …
They must be numbered from 001 without holes, and come in that order."""
import os
import re
import sys

HEAD = """/* Written by tools/embed-sql.py. */
#include "state/schema.h"

const struct schema_step schema_steps[] = {
"""


def main():
    output, *paths = sys.argv[1:]
    text = HEAD
    for number, path in enumerate(paths, 1):
        name = os.path.basename(path)
        if not re.fullmatch(rf"{number:03}-[a-z0-9-]+\.sql", name):
            sys.exit(f"{path}: should be called {number:03}-SOMETHING.sql")
        with open(path, encoding="utf-8") as f:
            lines = f.read().split("\n")
        text += f'\t{{ "{name}",\n'
        for line in lines:
            escaped = line.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t").replace("?", "\\?")
            text += f'\t  "{escaped}\\n"\n'
        text += "\t},\n"
    text += "};\n\nconst size_t schema_n_steps = sizeof(schema_steps) / sizeof(schema_steps[0]);\n"
    with open(output, "w", encoding="utf-8") as f:
        f.write(text)


main()
