# SPDX-License-Identifier: Apache-2.0
"""gdb commands for fibers, in a live process or a core file:

    (gdb) source tools/gdb/fibers.py
    (gdb) fibers            lists them: number, state, name, what each waits for
    (gdb) fibers bt         and with a back-trace each
    (gdb) fibers bt TEXT    only those whose name contains TEXT

A suspended fiber's registers stand in its jmp_buf, three of them mangled by glibc; an unwinder hands them to
gdb as the caller of the innermost frame, so nothing in the process is changed. x86-64 with glibc only."""
import gdb
from gdb.unwinder import Unwinder

# the order of a jmp_buf; see glibc's sysdeps/x86_64/jmpbuf-offsets.h
REGISTERS = ["rbx", "rbp", "r12", "r13", "r14", "r15", "rsp", "rip"]
MANGLED = {"rbp", "rsp", "rip"}
STATES = ["ready", "running", "waiting"]


def unmangle(value, guard):
    value = (value >> 17 | value << 47) & (2 ** 64 - 1)
    return value ^ guard


def pointer_guard():
    thread = int(gdb.parse_and_eval("$fs_base"))
    return int.from_bytes(gdb.selected_inferior().read_memory(thread + 0x30, 8).tobytes(), "little")


def registers_of(fiber):
    saved = fiber["context"]["inside"][0]["__jmpbuf"]
    guard = pointer_guard()
    values = {name: int(saved[i]) & (2 ** 64 - 1) for i, name in enumerate(REGISTERS)}
    return {name: unmangle(v, guard) if name in MANGLED else v for name, v in values.items()}


class FrameId:
    def __init__(self, registers):
        self.sp, self.pc = registers["rsp"], registers["rip"]


class FiberUnwinder(Unwinder):
    """While a fiber is shown, its saved registers are what called the innermost frame."""

    def __init__(self):
        super().__init__("mailferry fibers")
        self.registers = None

    def __call__(self, pending):
        if self.registers is None or pending.level() != 0:
            return None
        kind = gdb.lookup_type("unsigned long")
        values = {name: gdb.Value(v).cast(kind) for name, v in self.registers.items()}
        info = pending.create_unwind_info(FrameId(values))
        for name, value in values.items():
            info.add_saved_register(name, value)
        return info

    def backtrace(self, registers):
        self.registers = registers
        gdb.invalidate_cached_frames()
        try:
            text = gdb.execute("bt", to_string=True)
        finally:
            self.registers = None
            gdb.invalidate_cached_frames()
        return text[text.index("#1"):] if "#1" in text else text


UNWINDER = FiberUnwinder()
gdb.unwinder.register_unwinder(None, UNWINDER, replace=True)


def all_fibers():
    loop = gdb.parse_and_eval("'loop.c'::running")
    if int(loop) == 0:
        raise gdb.GdbError("no loop runs")
    kind = gdb.lookup_type("struct fiber")
    offset = next(f.bitpos // 8 for f in kind.fields() if f.name == "all")
    head = loop["fibers"].address
    link = head["next"]
    while link != head:
        yield gdb.Value(int(link) - offset).cast(kind.pointer()).dereference()
        link = link["next"]


def line(number, fiber):
    state = STATES[int(fiber["state"])]
    if state != "running":
        state += f" for {fiber['what'].string()}"
    if fiber["cancelled"]:
        state += ", cancelled"
    nursery = f" ({fiber['nursery']['name'].string()})" if int(fiber["nursery"]) else ""
    return f"{number:4} {fiber['name'].string(errors='replace')}{nursery}: {state}"


def backtrace(fiber):
    if STATES[int(fiber["state"])] == "running":
        return gdb.execute("bt", to_string=True)
    if not fiber["context"]["started"]:
        return "     not started\n"
    return UNWINDER.backtrace(registers_of(fiber))


class Fibers(gdb.Command):
    def __init__(self):
        super().__init__("fibers", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        words = argument.split(None, 1)
        if words and words[0] != "bt":
            raise gdb.GdbError("fibers, or fibers bt, or fibers bt TEXT")
        wanted = words[1] if len(words) > 1 else ""
        for number, fiber in enumerate(all_fibers()):
            if wanted not in fiber["name"].string(errors="replace"):
                continue
            gdb.write(line(number, fiber) + "\n")
            if words:
                gdb.write(backtrace(fiber) + "\n")


Fibers()
