#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs Python tests (unittest) and Meson's tests and writes TAP, one line a test, as ./check counts it.

    tests/tap.py python [-j JOBS] FILE...   each file in a process of its own
    tests/tap.py meson BUILD [OPTION...]    meson test in that build
"""
import concurrent.futures
import os
import re
import subprocess
import sys
import time
import unittest
import xml.etree.ElementTree as ElementTree


class Result(unittest.TestResult):
    """One TAP line a test, at once; what went wrong follows as comments."""

    def __init__(self, name):
        super().__init__()
        self.name = name

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()

    def line(self, word, test, more="", details=""):
        if not more:
            more = f"  [{time.monotonic() - getattr(self, 'began', time.monotonic()):.1f} s]"
        method = getattr(test, "_testMethodName", str(test)).removeprefix("test_").replace("_", " ")
        print(f"{word} - {self.name}: {method}{more}")
        for text in details.splitlines():
            print("# " + text)
        sys.stdout.flush()

    def addSuccess(self, test):
        self.line("ok", test)

    def addSkip(self, test, reason):
        self.line("ok", test, f" # SKIP {reason}")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.line("not ok", test, details=self._exc_info_to_string(err, test))

    def addError(self, test, err):
        super().addError(test, err)
        self.line("not ok", test, details=self._exc_info_to_string(err, test))

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err:
            self.line("not ok", test, f" {subtest._subDescription()}", self._exc_info_to_string(err, test))


def run_one(path):
    folder, file = os.path.split(os.path.abspath(path))
    sys.path.insert(0, folder)
    name = file.removesuffix(".py")
    result = Result(name.removeprefix("test_").removeprefix("test-"))
    unittest.defaultTestLoader.loadTestsFromName(name).run(result)
    return 0 if result.wasSuccessful() else 1


def run_python(words):
    jobs = 1
    if words[:1] == ["-j"]:
        jobs, words = int(words[1]), words[2:]

    def start(path):
        done = subprocess.run([sys.executable, __file__, "one", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL)
        text = done.stdout.decode(errors="replace")
        if done.returncode and not re.search(r"(?m)^not ok", text):
            text += f"not ok - {os.path.basename(path)} ended with status {done.returncode}\n"
        print(text, end="", flush=True)
        return done.returncode

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        return max(map(abs, pool.map(start, words)), default=0)


def run_meson(build, options):
    done = subprocess.run(["meson", "test", "-C", build, "--no-rebuild", "--print-errorlogs", *options],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    text = done.stdout.decode(errors="replace")
    print(re.sub(r"(?m)^", "# ", text), flush=True)
    log = re.search(r"Full log written to (.*)\.txt", text)
    failed = 0
    for suite in ElementTree.parse(log.group(1) + ".junit.xml").iter("testsuite") if log else ():
        name = suite.get("name").split(" / ")[-1].removeprefix("mailferry.")
        for case in suite.iter("testcase"):
            kinds = {child.tag: child for child in case}
            bad = "failure" in kinds or "error" in kinds
            failed += bad
            skip = " # SKIP" if "skipped" in kinds else ""
            print(f"{'not ok' if bad else 'ok'} - {name}: {case.get('name')}{skip}")
    if done.returncode and not failed:
        print(f"not ok - meson test ended with status {done.returncode}")
    return done.returncode


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    what, words = sys.argv[1], sys.argv[2:]
    if what == "one":
        return run_one(words[0])
    if what == "python":
        return run_python(words)
    return run_meson(words[0], words[1:])


if __name__ == "__main__":
    sys.exit(main())
