# SPDX-License-Identifier: MIT
"""Commands for gdb that show the tasks of a program with filch: a running one, or one that has left a core.

    (gdb) source filch-gdb.py
    (gdb) filch tasks
    (gdb) filch bt 0x7f5477a6a9c0

filch/descriptor.h tells how they find what they read; debugging information of filch itself is not needed, but that of the
program makes backtraces better. Backtraces of tasks that wait are for x86-64: what jump_fcontext of Boost.Context saves
there stands in the descriptor (context.*), and on other machines the descriptor says nothing of it.
"""

import re
import struct

import gdb
import gdb.unwinder

VERSION = 1
MAGIC = b"filch\n1\0"
FIELDS, WORDS = 120, 6  # filch/descriptor.h
HEAD = "=8sIIIIQQ"
REGISTERS = ("r12", "r13", "r14", "r15", "rbx", "rbp", "rip")
WORKERS_MAX = 4096


# ---------------------------------------------------------------------------------------------------------------- memory


def read(address, size):
    return gdb.selected_inferior().read_memory(address, size).tobytes()


def number(record, at, size=8):
    return int.from_bytes(record[at : at + size], "little")


def number_at(address, size=8):
    return number(read(address, size), 0, size)


def text(record):
    """UTF-8, as far as it can be shown; what cannot is "?"."""
    plain = record.split(b"\0", 1)[0].decode("utf-8", "replace").replace("\ufffd", "?")
    plain = plain.encode(gdb.host_charset(), "replace").decode(gdb.host_charset())
    return "".join(letter if letter.isprintable() and letter != '"' else "?" for letter in plain)


def text_at(address, size=32):
    """Text that may end just before a page that is not there."""
    found = b""
    while address != 0 and len(found) < size and b"\0" not in found:
        try:
            found += read(address + len(found), 1)
        except gdb.MemoryError:
            break
    return text(found)


# ------------------------------------------------------------------------------------------------------------ descriptor


def images():
    """Where the first byte of each file is mapped."""
    for line in gdb.execute("info proc mappings", to_string=True).splitlines():
        words = line.split()
        if len(words) >= 5 and words[0].startswith("0x") and words[-1].startswith("/"):
            if int(words[3], 16) == 0:
                yield int(words[0], 16)


def notes(image):
    """The notes of an ELF image: owner, type, address of the content, content."""
    header = read(image, 64)
    if header[:5] != b"\x7fELF\x02":
        return
    at, size, count = number(header, 32), number(header, 54, 2), number(header, 56, 2)
    parts = [read(image + at + i * size, 56) for i in range(min(count, 64))]
    base = image
    for part in parts:
        if number(part, 0, 4) == 1 and number(part, 8) == 0:  # PT_LOAD
            base = image - number(part, 16)
            break
    for part in parts:
        if number(part, 0, 4) != 4:  # PT_NOTE
            continue
        start, left = base + number(part, 16), min(number(part, 40), 65536)
        while left >= 12:
            name_size, size, kind = struct.unpack("=III", read(start, 12))
            content = start + 12 + (name_size + 3 & ~3)
            following = content + (size + 3 & ~3)
            if following - start > left:
                break
            yield read(start + 12, name_size), kind, content, read(content, size)
            left -= following - start
            start = following


class Descriptor:
    """Names and what they stand for: fields["task.wait"], words["task.state.2"]."""

    def __init__(self, address):
        size = struct.calcsize(HEAD)
        magic, version, whole, word_size, self.room, self.table, self.process = struct.unpack(HEAD, read(address, size))
        if magic != MAGIC:
            raise gdb.GdbError("what filch's note leads to is no descriptor")
        if version != VERSION or whole != size + FIELDS * 32 + WORDS * 32 or word_size != 8:
            raise gdb.GdbError(
                f"the program's filch has a descriptor of version {version}; these commands read version {VERSION}"
            )
        record = read(address, whole)
        self.fields, self.words = {}, {}
        for i in range(FIELDS):
            name, value = struct.unpack_from("=28sI", record, size + i * 32)
            self.fields[text(name)] = value
        for i in range(WORDS):
            name, word = struct.unpack_from("=16s16s", record, size + FIELDS * 32 + i * 32)
            self.words[text(name)] = text(word)

    def __getitem__(self, name):
        if name not in self.fields:
            raise gdb.GdbError(f"the program's filch does not tell where {name} is")
        return self.fields[name]

    def take(self, record, name, size=8):
        return number(record, self[name], size)


def descriptors():
    found = set()
    for image in images():
        try:
            for owner, kind, content, distance in notes(image):
                if owner == b"filch\0" and kind == 1:
                    found.add(content + int.from_bytes(distance, "little", signed=True))
        except gdb.MemoryError:
            continue
    if not found:
        raise gdb.GdbError("this is no program with filch: none of the files that it has mapped is")
    return [Descriptor(address) for address in sorted(found)]


# ----------------------------------------------------------------------------------------------------------------- model


class Task:
    """A task as it stands in memory. `context`: where its registers are saved, or 0; `holds`: who it waits for, or 0."""

    def __init__(self, runtime, address, record):
        d = self.d = runtime.d
        self.runtime, self.address = runtime, address
        self.fn = d.take(record, "task.fn")
        self.spawned_at = d.take(record, "task.spawned_at")
        self.cancelled = bool(d.take(record, "task.hints", 2) & d["task.CANCELLED"])
        self.name, self.reason, self.object, self.context, self.holds, self.since_ns, self.scope = "", "", 0, 0, 0, 0, 0
        self.stack = (0, 0)
        self.worker = None
        self.state = 0 if d.take(record, "task.state", 1) == d["task.READY"] else 1
        self.read_extra(d.take(record, "task.extra"))
        if self.state == 1:
            self.read_wait(d.take(record, "task.wait"))

    def read_extra(self, address):
        d = self.d
        if address == 0:
            return
        record = read(address, d["extra.size"])
        if d.take(record, "extra.task") == self.address:
            name = d["extra.name"]
            self.name = text(record[name : name + d["extra.name_size"]])
            self.scope = d.take(record, "extra.scope")

    def read_wait(self, word):
        d = self.d
        if word & d["waiter.WORD"] != d["waiter.WORD"]:
            return
        in_place = 1 << d["waiter.in_place_shift"]
        address = word & ~(in_place | d["waiter.BITS"])
        if word & in_place:
            self.state, self.reason, self.object, self.holds = 2, "await", address, address
        elif word & (d["waiter.PARKED"] | d["waiter.CAUSES"] & ~d["waiter.RECHECK"]) == d["waiter.PARKED"]:
            self.read_waiter(read(address, d["waiter.size"]))

    def read_waiter(self, record):
        d = self.d
        if d.take(record, "waiter.word") != self.address + d["task.wait"]:
            return
        self.state = 2
        self.reason = text_at(d.take(record, "waiter.reason"))
        self.object = d.take(record, "waiter.object")
        self.context = d.take(record, "waiter.context")
        self.since_ns = d.take(record, "waiter.since_ns")
        stack = d.take(record, "waiter.stack")
        if stack != 0:
            low = number_at(stack + d["stack.low"])
            self.stack = (low, low + number_at(stack + d["stack.size"]))
        if self.reason == "await":
            self.holds = self.object
        elif self.reason == "mutex":
            owner = number_at(self.object + d["mutex.owner"])
            if not owner & d["owner.THREAD"]:
                self.holds = owner & ~(d["owner.FLAG"] | d["owner.CHILD"])

    def kind(self):
        """What tasks that are alike have in common."""
        return (self.fn, self.spawned_at, self.state, self.reason, self.scope != 0, self.cancelled)

    def describe(self):
        words = f'task {self.address:#x} "{self.name}" {function(self.fn)}: ' + self.d.words[f"task.state.{self.state}"]
        if self.worker is not None:
            words += f" (worker {self.worker.index})"
        if self.state == 2:
            words += f" for {self.reason} {self.object:#x}"
        holder = self.runtime.task_at(self.holds)
        if self.holds and self.holds != self.object:
            words += f', held by task {self.holds:#x} "{holder.name if holder else ""}"'
        return words + (", cancelled" if self.cancelled else "")


class Worker:
    def __init__(self, runtime, index, record):
        d = runtime.d
        self.index, self.spare = index, index >= runtime.worker_count
        self.rests = min(d.take(record, "worker.rests", 4), 2)
        self.polls = bool(d.take(record, "worker.polls", 1))
        self.blocks = bool(d.take(record, "worker.blocks", 4))
        self.thread = d.take(record, "worker.thread", 4)
        region = d.take(record, "worker.region")
        self.task = region & ~d["region.BITS"]
        if region & d["region.OPEN"]:
            self.task = number_at(self.task + d["region.task"])
        if self.rests != 0:
            self.task = 0
        self.searches = self.rests == 0 and region == 0

    def describe(self, runtime):
        words = f"{'spare' if self.spare else 'worker'} {self.index}: " + runtime.d.words[f"worker.rests.{self.rests}"]
        if self.rests == 1 and self.polls:
            words += " in the poller"
        if self.task:
            words += f', runs task {self.task:#x} "{runtime.task_at(self.task).name}"'
        if self.searches:
            words += ", searches"
        if self.blocks:
            words += ", blocked by its own account"
        thread = thread_of(self)
        return words + (f"; thread {thread.num} (LWP {self.thread})" if thread else f"; LWP {self.thread}")


class Runtime:
    def __init__(self, descriptor, address):
        d = self.d = descriptor
        self.address = address
        record = read(address, d["runtime.size"])
        name = d["runtime.name"]
        self.name = text(record[name : name + 16])
        self.process = d.take(record, "runtime.process", 4)
        self.worker_count = d.take(record, "runtime.worker_count", 4)
        if self.worker_count == 0:
            raise gdb.GdbError(
                f"the core has zeroes in place of the runtime at {address:#x}, as those that gdb's gcore writes: "
                "have the kernel write one (kill -ABRT)"
            )
        self.tasks = list(self.read_tasks(record))
        self.by_address = {task.address: task for task in self.tasks}
        self.workers = list(self.read_workers(record))
        for worker in self.workers:
            task = self.task_at(worker.task)
            if task and task.state == 1:
                task.worker = worker
            else:
                worker.task = 0  # it searches, and has still in hand what it ran last

    def describe(self):
        workers, tasks = self.worker_count, len(self.tasks)
        counts = f"{workers} worker{'s' * (workers != 1)}, {tasks} task{'s' * (tasks != 1)}"
        return f'runtime {self.address:#x} "{self.name}": {counts}'

    def read_workers(self, record):
        d = self.d
        first, known = d.take(record, "runtime.workers"), d.take(record, "runtime.worker_known", 4)
        for i in range(min(known, WORKERS_MAX)):
            address = first + i * d["worker.size"]
            if i >= self.worker_count:
                address = number(record, d["runtime.spares"] + 8 * (i - self.worker_count))
            yield Worker(self, i, read(address, d["worker.size"]))

    def read_tasks(self, record):
        d = self.d
        slab, count = d.take(record, "runtime.task_slabs"), d.take(record, "runtime.task_slab_records")
        at, size = d.take(record, "runtime.task_records_at"), d["task.size"]
        seen = set()
        while slab != 0 and slab not in seen:
            seen.add(slab)
            records = read(slab, at + count * size)
            for i in range(count):
                one = records[at + i * size : at + (i + 1) * size]
                if number(one, d["task.state"], 1) in (d["task.READY"], d["task.STARTED"]):
                    yield Task(self, slab + at + i * size, one)
            slab = d.take(records, "slab.next")

    def task_at(self, address):
        return self.by_address.get(address)


def runtimes():
    """All runtimes; one that cannot be read is told of."""
    found = []
    for descriptor in descriptors():
        table = read(descriptor.table, 8 * descriptor.room)
        for i in range(descriptor.room):
            address = number(table, 8 * i)
            if address == 0:
                continue
            try:
                runtime = Runtime(descriptor, address)
            except gdb.MemoryError as error:
                print(f"the runtime at {address:#x} cannot be read: {error}")
                continue
            if runtime.process == number_at(descriptor.process, 4):  # else a fork's copy
                found.append(runtime)
    return found


# ---------------------------------------------------------------------------------------------------------------- places


def function(address):
    """The name of a function, as gdb has it."""
    found = re.match(r"(.+?)(?: \+ \d+)? in section ", gdb.execute(f"info symbol {address:#x}", to_string=True))
    return found.group(1) if found else f"{address:#x}"


def place(address):
    """Where a call returns to."""
    line = gdb.find_pc_line(address - 1)
    if line.symtab is not None:
        return f"{function(address)} at {line.symtab.filename}:{line.line}"
    return gdb.execute(f"info symbol {address:#x}", to_string=True).split(" in section")[0].strip()


def thread_of(worker):
    for thread in gdb.selected_inferior().threads():
        if thread.ptid[1] == worker.thread:
            return thread
    return None


# ------------------------------------------------------------------------------------------------------------ backtraces


class Saved(gdb.unwinder.Unwinder):
    """Has the caller of the innermost frame be the suspended one of a task.

    Registers of a core cannot be written, and those of a process had better not be: so nothing is changed, and while a
    task is selected, gdb believes that frame 0, which is whatever its thread is in, was called by the task.
    """

    def __init__(self):
        super().__init__("filch")
        self.registers = None

    def select(self, registers):
        self.registers = registers
        gdb.invalidate_cached_frames()

    def __call__(self, pending):
        if self.registers is None or pending.level() != 0:
            return None
        # Below all frames of the task, so that each of them is further out than this.
        info = pending.create_unwind_info(FrameId(self.registers["rsp"] - 16, pending.read_register("rip")))
        for name, value in self.registers.items():
            info.add_saved_register(name, gdb.Value(value).cast(pending.read_register(name).type))
        return info


class FrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = gdb.Value(sp), pc


saved = Saved()
gdb.unwinder.register_unwinder(None, saved, replace=True)
gdb.events.cont.connect(lambda event: saved.select(None))
gdb.events.exited.connect(lambda event: saved.select(None))


def registers_of(task):
    """What the task will go on with."""
    d = task.d
    if "context.rip" not in d.fields:
        raise gdb.GdbError("backtraces of tasks that wait are for x86-64")
    size = d["context.size"]
    if not task.stack[0] <= task.context <= task.stack[1] - size:
        raise gdb.GdbError(f"task {task.address:#x} waits, but its registers are not on its stack")
    record = read(task.context, size)
    registers = {name: d.take(record, f"context.{name}") for name in REGISTERS}
    registers["rsp"] = task.context + size
    return registers


def select(task):
    """Where the frames of the task can be seen: the first of them. It may be a thread's that is switched to."""
    seen = set()
    while task.state == 2 and not task.context and task.holds and task.address not in seen:  # it has called another in place
        seen.add(task.address)
        callee = task.runtime.task_at(task.holds)
        if callee is None:
            break
        task = callee
    if task.state == 0:
        raise gdb.GdbError(f"task {task.address:#x} has not begun: it has no stack")
    if task.context:
        saved.select(registers_of(task))
        return 1
    thread = thread_of(task.worker) if task.worker else None
    if thread is None:
        raise gdb.GdbError(f"task {task.address:#x} runs, or can: it is not the one that a worker runs at the moment")
    saved.select(None)
    thread.switch()
    return 0


def unwind(task):
    """The task's backtrace as lines of text."""
    thread = gdb.selected_thread()
    kept = saved.registers
    try:
        first = select(task)
        lines = gdb.execute("backtrace", to_string=True).splitlines()
    finally:
        if thread is not None:
            thread.switch()
        saved.select(kept)
    at = 0
    for line in lines:
        found = re.match(r"#(\d+)( +)(.*)", line)
        if found:
            at = int(found.group(1))
            line = f"#{at - first:<2} {found.group(3)}"
        if re.search(r" in make_fcontext \(\)", line):
            break  # that has made the stack; what follows is none
        if at >= first:
            yield line


# -------------------------------------------------------------------------------------------------------------- commands


def find_tasks(argument):
    """The tasks that an address, an expression or a name stands for."""
    all_tasks = [task for runtime in runtimes() for task in runtime.tasks]
    name = argument.strip().strip('"')
    named = [task for task in all_tasks if task.name and task.name == name]
    if named:
        return named
    try:
        address = int(gdb.parse_and_eval(argument).cast(gdb.lookup_type("unsigned long")))
    except gdb.error:
        raise gdb.GdbError(f"no task has the name {argument}, and it is no address either")
    found = [task for task in all_tasks if task.address == address]
    if not found:
        raise gdb.GdbError(f"there is no task at {address:#x} that lives: filch tasks lists those that do")
    return found


def alike(tasks):
    """Groups of tasks that are alike, in the order of their first ones."""
    groups = {}
    for task in tasks:
        groups.setdefault(task.kind(), []).append(task)
    return groups.values()


def check_target():
    if not gdb.selected_inferior().threads():
        raise gdb.GdbError("there is neither a process nor a core")


class Filch(gdb.Command):
    """What the tasks of a program with filch do."""

    def __init__(self):
        super().__init__("filch", gdb.COMMAND_STACK, gdb.COMPLETE_NONE, True)


class Command(gdb.Command):
    def __init__(self, name):
        super().__init__(f"filch {name}", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        check_target()
        try:
            self.run(argument.strip())
        except gdb.MemoryError as error:
            raise gdb.GdbError(f"what stands there cannot be read: {error}")


class Runtimes(Command):
    """List the runtimes of the program.
Usage: filch runtimes"""

    def run(self, argument):
        if argument:
            raise gdb.GdbError("filch runtimes takes no argument")
        found = runtimes()
        for runtime in found:
            print(runtime.describe())
        if not found:
            print("no runtime: none was made yet, or all have ended")


class Workers(Command):
    """List the workers of all runtimes: what each does, and which thread it is.
Usage: filch workers"""

    def run(self, argument):
        if argument:
            raise gdb.GdbError("filch workers takes no argument")
        for runtime in runtimes():
            print(runtime.describe())
            for worker in runtime.workers:
                print("  " + worker.describe(runtime))


class Tasks(Command):
    """List the tasks of all runtimes; those that are alike stand in one line, with their number.
Usage: filch tasks [-v]
-v lists each of them, and where it was spawned."""

    def run(self, argument):
        if argument not in ("", "-v"):
            raise gdb.GdbError("usage: filch tasks [-v]")
        for runtime in runtimes():
            print(runtime.describe())
            for group in [[task] for task in runtime.tasks] if argument else alike(runtime.tasks):
                more = f", x {len(group):,} in all" if len(group) > 1 else ""
                where = f"; spawned at {place(group[0].spawned_at)}" if argument else ""
                print("  " + group[0].describe() + more + where)


class Backtrace(Command):
    """Print the backtrace of a task, or of all tasks.
Usage: filch bt TASK
       filch bt all
TASK is an address, as filch tasks prints it, or a name. Of tasks that are alike, have the same backtrace or the same
name, one stands for the others. Nothing in the process is changed."""

    def run(self, argument):
        if not argument:
            raise gdb.GdbError("usage: filch bt TASK, or filch bt all")
        tasks = [t for r in runtimes() for t in r.tasks] if argument == "all" else find_tasks(argument)
        groups = {}
        for task in tasks:
            try:
                lines = tuple(unwind(task))
            except gdb.error as error:
                lines = (str(error),)
            bare = tuple(re.sub(r"0x[0-9a-f]+", "", line) for line in lines)
            groups.setdefault((task.kind(), bare), (task, lines, []))[2].append(task)
        for task, lines, group in groups.values():
            print(task.describe() + (f", x {len(group):,} in all" if len(group) > 1 else ""))
            for line in lines:
                print("  " + line)


class Select(Command):
    """Select a task, so that backtrace, up, down, frame, info locals and print show its frames.
Usage: filch task TASK
       filch task
TASK is an address or a name. Of a task that waits, the frames begin with number 1; frame 0 is the thread's own. Without
TASK, and when the program goes on, none is selected any more."""

    def run(self, argument):
        if not argument:
            saved.select(None)
            print("no task is selected")
            return
        task = find_tasks(argument)[0]
        first = select(task)
        print(task.describe())
        gdb.execute(f"frame {first}")


Filch()
Runtimes("runtimes")
Workers("workers")
Tasks("tasks")
Backtrace("bt")
Select("task")
