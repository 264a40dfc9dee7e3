#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plants one violation at a time in a small tree: each checker must find it, and only then fail."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = {
    "meson.build": "folders = ['base', 'run', 'cli']\n",
    "src/base/banned.h": "#ifndef BASE_BANNED_H\n#define BASE_BANNED_H\n#include <stdio.h>\n#endif\n",
    "src/base/good.h": "#ifndef BASE_GOOD_H\n#define BASE_GOOD_H\n\nint good(void);\n\n#endif\n",
    "src/base/good.c": '#include "base/good.h"\n\nint good(void)\n{\n\treturn 0;\n}\n',
    "src/base/meson.build": "base_lib = static_library('base',\n  files('good.c'), dependencies: [below])\nbelow += base\n",
    "src/run/run.h": '#ifndef RUN_RUN_H\n#define RUN_RUN_H\n#include "base/good.h"\n#endif\n',
}


class Tools(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.mkdtemp(prefix="mailferry-tools-")
        self.addCleanup(shutil.rmtree, self.top)
        for path, text in TREE.items():
            self.write(path, text)

    def write(self, path, text):
        os.makedirs(os.path.dirname(os.path.join(self.top, path)), exist_ok=True)
        with open(os.path.join(self.top, path), "w", encoding="utf-8") as f:
            f.write(text)

    def run_tool(self, tool, *more):
        done = subprocess.run([sys.executable, os.path.join(HERE, tool), *more], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def finds(self, tool, path, text, words):
        before, _ = self.run_tool(tool, self.top)
        self.assertEqual(before, 0)
        self.write(path, text)
        code, out = self.run_tool(tool, self.top)
        self.assertEqual(code, 1, out)
        self.assertIn(words, out)

    def test_layer_above(self):
        self.finds("check-layers.py", "src/base/x.c", '#include "run/run.h"\n', "src/base/x.c: includes run/run.h")

    def test_system_header(self):
        self.finds("check-layers.py", "src/base/x.c", "#include <sys/socket.h>\n", "belongs to net, os, run")

    def test_unknown_folder(self):
        self.finds("check-layers.py", "src/other/x.c", "\n", "not in meson.build")

    def test_include_without_folder(self):
        self.finds("check-layers.py", "src/base/x.c", '#include "buf.h"\n', "name it from src/")

    def test_system_call(self):
        self.finds("check-banned.py", "src/base/x.c", "int f(void) {\n\treturn time(NULL);\n}\n", "src/base/x.c:2: time()")

    def test_printing(self):
        self.finds("check-banned.py", "src/run/x.c", 'void f(void) { printf("x"); }\n', "prints")

    def test_ending(self):
        self.finds("check-banned.py", "src/run/x.c", "void f(void) { exit(1); }\n", "ends the program")

    def test_harmless(self):
        self.write("src/base/x.c", '/* open() */\nstatic int send(int a) { return s.open(a) + s->time(a) + imap_open(a); }\n'
                   'const char *x = "time()"; int y = send(1);\n')
        self.assertEqual(self.run_tool("check-banned.py", self.top)[0], 0)

    def test_header_alone(self):
        self.finds("check-headers.py", "src/base/x.h", "#ifndef BASE_X_H\n#define BASE_X_H\nsize_t f(struct unknown u);\n#endif\n",
                   "does not compile alone")

    def test_header_guard(self):
        self.finds("check-headers.py", "src/base/x.h", "#ifndef X_H\n#define X_H\n#endif\n", "should be BASE_X_H")

    def test_map(self):
        self.write("docs/map.md", " ".join(f + "/" for f in os.listdir(os.path.join(self.top, "src"))))
        self.finds("check-docs.py", "src/newcomer/x.c", "\n", "does not name newcomer/")

    def test_manual(self):
        self.write("docs/map.md", "base/ run/\n")
        self.write("docs/man/mailferry.1", ".B \\-\\-from\n.It Fl -quiet\n")
        self.write("program", "#!/bin/sh\necho '  --from URL  --to URL --quiet'\n")
        os.chmod(os.path.join(self.top, "program"), 0o755)
        code, out = self.run_tool("check-docs.py", self.top, os.path.join(self.top, "program"))
        self.assertEqual(code, 1, out)
        self.assertIn("does not name --to", out)
        self.assertNotIn("does not name --from", out)
        self.assertNotIn("does not name --quiet", out)

    def test_link(self):
        self.write("docs/map.md", "base/ run/\n")
        self.finds("check-docs.py", "docs/x.md", "[a](nowhere.md)\n", "nowhere.md")

    def test_sizes(self):
        self.write("src/base/x.c", "int big(void)\n{\n" + "\tf();\n" * 5000 + "}\n")
        code, out = self.run_tool("check-sizes.py", self.top)
        self.assertEqual(code, 0)
        self.assertRegex(out, r"5002  big  src/base/x.c")

    def test_new_module(self):
        code, out = self.run_tool("new-module", "base", "fresh-one", self.top)
        self.assertEqual(code, 0, out)
        with open(os.path.join(self.top, "src/base/meson.build"), encoding="utf-8") as f:
            build = f.read()
        self.assertIn("'fresh-one.c'", build)
        self.assertIn("files('test-fresh-one.c')", build)
        for tool in ("check-layers.py", "check-headers.py", "check-banned.py"):
            code, out = self.run_tool(tool, self.top)
            self.assertEqual(code, 0, out)
        self.assertNotEqual(self.run_tool("new-module", "base", "fresh-one", self.top)[0], 0)


if __name__ == "__main__":
    unittest.main()
