#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each header compiles alone, with gcc and clang, and has the guard its path asks for."""
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys

import csource

FLAGS = ["-std=gnu17", "-D_GNU_SOURCE", '-DMAILFERRY_VERSION="0"', "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror",
         "-fsyntax-only", "-Isrc", "-Itests", "-include", "src/base/banned.h"]


def compile_alone(top, compiler, path):
    text = f'#include "{path.split("/", 1)[1]}"\n'
    done = subprocess.run([compiler, *FLAGS, "-x", "c", "-"], cwd=top, input=text, capture_output=True, text=True)
    return [f"{path}: does not compile alone with {compiler}:\n{done.stderr}"] if done.returncode else []


def guard(top, path):
    name = re.sub(r"\W", "_", path.removeprefix("src/")).upper()
    text = csource.code(csource.read(top, path))
    good = re.match(rf"\s*#ifndef {name}\n#define {name}\n", text)
    return [] if good else [f"{path}: its include guard should be {name}"]


def main():
    top = csource.root(*sys.argv[1:])
    paths = [p for p in csource.sources(top, "src", (".h",)) + csource.sources(top, "tests/lib", (".h",))]
    compilers = [c for c in ("gcc", "clang") if shutil.which(c)]
    problems = [p for path in paths for p in guard(top, path)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(compile_alone, top, c, path) for path in paths for c in compilers]
        for job in jobs:
            problems += job.result()
    csource.finish(f"check-headers ({', '.join(compilers)})", problems, len(paths))


main()
