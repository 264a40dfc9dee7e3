#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Calls that belong to few folders: system calls to os/, run/ and net/, printing to cli/ (libraries return
faults, who decides prints)."""
import re
import sys

import csource

KERNEL = """open openat creat fopen fdopen freopen opendir mkdir rmdir unlink rename stat lstat fstat truncate ftruncate
    fsync fdatasync flock mmap socket connect accept accept4 bind listen recv recvfrom recvmsg send sendto sendmsg shutdown
    getaddrinfo getnameinfo poll ppoll select epoll_wait time clock_gettime gettimeofday clock sleep usleep nanosleep rand
    srand rand_r random srandom drand48 arc4random getrandom getentropy RAND_bytes fork vfork execve execv execvp execl
    system popen posix_spawn waitpid kill raise signal sigaction pthread_create mkstemp mkdtemp""".split()
PRINT = "printf vprintf fprintf vfprintf puts fputs putchar putc fputc fwrite perror err errx warn warnx syslog".split()
RULES = [(KERNEL, {"os", "run", "net"}, "belongs to os/, run/ or net/"), (PRINT, {"cli"}, "prints: only cli/ does"),
         (["exit", "_exit", "quick_exit"], {"cli", "net", "os"}, "ends the program: return a fault")]
EXCEPTIONS = {  # where a process is about to abort() over a bug or for want of memory
    ("src/base/xalloc.c", "fputs"), ("src/run/fiber.c", "fputs"), ("src/run/loop.c", "fprintf"),
    ("src/os/step.c", "fprintf"),
}
CALL = re.compile(r"(?<![\w.>])(\w+)\s*\(")
OWN = re.compile(r"^static\s[^;{}()]*?\b(\w+)\(", re.M)  # a static function of the file may carry such a name


def problems_of(path, text):
    folder = path.split("/")[1]
    own = set(OWN.findall(text))
    for number, line in enumerate(text.split("\n"), 1):
        for name in CALL.findall(line):
            for names, allowed, why in RULES:
                if name in names and folder not in allowed and name not in own and (path, name) not in EXCEPTIONS:
                    yield f"{path}:{number}: {name}() {why}"


def main():
    top = csource.root(*sys.argv[1:])
    paths = [p for p in csource.sources(top) if not csource.is_test(p) and p != "src/base/banned.h"]
    problems = []
    for path in paths:
        problems += problems_of(path, csource.code(csource.read(top, path)))
    csource.finish("check-banned", problems, len(paths))


main()
