"""Read the kernel's out-of-memory reports.

The report's form: mm/oom_kill.c of Linux 4.9 to 6.12 (`dump_header`, `dump_tasks`, `__oom_kill_process`). Prefixes of dmesg,
journalctl, syslog and serial consoles are skipped by searching for the kernel's own words within each line. Red Hat's 3.10 puts a
`UID` before or after the name.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from scaler.domain.units import KIB

_PAGE = 4096
_STAMP = re.compile(r"\[\s*(\d{1,9}\.\d{1,9})\]")
_INVOKED = re.compile(r"invoked oom-killer:")
_CONSTRAINT = re.compile(r"oom-kill:constraint=(CONSTRAINT_\w+)")
_OOM_CGROUP = re.compile(r"oom_memcg=([^,\s]+)")
_OLD_CGROUP = re.compile(r"killed as a result of limit of (\S+)")
_KILLED = re.compile(
    r"Killed process (\d+)(?:, UID \d+,)? \((.{0,64}?)\)(?:, UID \d+)?[, ]+"
    r"total-vm:(\d+)kB, anon-rss:(\d+)kB, file-rss:(\d+)kB(?:, shmem-rss:(\d+)kB)?"
)
_KILL_WORDS = re.compile(r"(Memory cgroup out|Out) of memory(?: \(\w+\))?: Kill(?:ed)? process")
_GROUP_KILL = re.compile(r"are going to be killed due to memory\.oom\.group set")
_TASK_HEADER = re.compile(r"\[\s*pid\s*\](\s+uid\s+tgid\s+total_vm\s+rss\s.*\bname)\s*$")
_TASK = re.compile(r"\[\s*(\d+)\]((?:\s+-?\d+)+\s+\S.*)$")
_PAGES_RAM = re.compile(r"\b(\d+) pages RAM\b")
_PAGES_RESERVED = re.compile(r"\b(\d+) pages reserved\b")
_CGROUP_LIMIT = re.compile(r"memory: usage \d+kB, limit (\d+)kB")
_LONGEST_LINE = 4096
"""The kernel cuts its lines at about 1,000 characters; what is longer with all its prefixes is not the kernel's."""


class Constraint(StrEnum):
    """What ran out."""

    MACHINE = "machine"
    CGROUP = "cgroup"
    NODES = "nodes"
    """A cpuset or memory policy: some of the machine's memory nodes."""


@dataclass(frozen=True, slots=True)
class Task:
    """One process in the kernel's table at the moment of a kill."""

    pid: int
    name: str
    """At most 15 characters: the kernel cuts it."""
    rss_bytes: int


@dataclass(frozen=True, slots=True)
class OomKill:
    """One process the kernel killed for want of memory."""

    pid: int
    name: str
    rss_bytes: int
    """Anonymous, file and shared memory together, when it was killed."""
    constraint: Constraint
    cgroup: str | None
    """The cgroup whose limit was reached; None where it was the machine or an old kernel did not say."""
    seconds_since_boot: float | None
    line: int
    """Counted from 1 in the text that was read."""
    text: str
    tasks: tuple[Task, ...] = ()
    total_bytes: int | None = None
    """The memory of what ran out: the machine's less what the kernel reserved, or the cgroup's limit."""


@dataclass(slots=True)
class _Report:
    words: Constraint | None = None
    """What ran out by the words of the kill: `Memory cgroup out of memory` or `Out of memory`."""
    constraint: Constraint | None = None
    cgroup: str | None = None
    tasks: list[Task] = field(default_factory=list)
    columns: int = 0
    """Of the task table being read, the pid's own not counted; 0 outside of one."""
    ram_pages: int | None = None
    reserved_pages: int = 0
    limit_bytes: int | None = None

    def total_bytes(self, constraint: Constraint) -> int | None:
        if constraint is Constraint.CGROUP:
            return self.limit_bytes
        return None if self.ram_pages is None else (self.ram_pages - self.reserved_pages) * _PAGE

    def is_about(self, words: Constraint | None) -> bool:
        """Whether a kill told in these words can be this report's."""
        known = self.constraint or self.words
        return words is None or known is None or (words is Constraint.CGROUP) == (known is Constraint.CGROUP)


def find_kills(text: str) -> Sequence[OomKill]:
    """All kills reported in a kernel log, in order. Text that holds none, or no kernel log at all, yields none."""
    return list(_kills(text))


def _kills(text: str) -> Iterator[OomKill]:
    report = previous = _Report()
    is_group = False
    for number, whole in enumerate(text.replace("\r", "\n" if "\n" not in text else "").split("\n"), 1):
        line = whole[:_LONGEST_LINE]
        if _INVOKED.search(line):
            report, is_group = _Report(), False
        elif _GROUP_KILL.search(line):
            report, is_group = previous, True
        elif killed := _KILLED.search(line):
            words = _words(line)
            if not report.is_about(words):
                report, is_group = _Report(), False
            report.words = words or report.words
            yield _kill(report, killed, line, number)
            # A report tells of one kill, or of a whole group's. The kernel rations reports: a kill may follow that has none of its own.
            previous = report
            report = report if is_group else _Report()
        else:
            _note(report, line)


def _words(line: str) -> Constraint | None:
    words = _KILL_WORDS.search(line)
    if words is None:
        return None
    return Constraint.MACHINE if words[1] == "Out" else Constraint.CGROUP


def _note(report: _Report, line: str) -> None:
    if report.columns and _note_task(report, line):
        return
    if constraint := _CONSTRAINT.search(line):
        report.columns = 0
        report.constraint = {"CONSTRAINT_NONE": Constraint.MACHINE, "CONSTRAINT_MEMCG": Constraint.CGROUP}.get(
            constraint[1], Constraint.NODES
        )
        if cgroup := _OOM_CGROUP.search(line):
            report.cgroup = cgroup[1]
    elif old := _OLD_CGROUP.search(line):
        report.constraint, report.cgroup = Constraint.CGROUP, old[1]
    elif words := _words(line):
        report.words = words
    elif header := _TASK_HEADER.search(line):
        report.columns = len(header[1].split())
    else:
        _note_totals(report, line)


def _note_task(report: _Report, line: str) -> bool:
    task = _TASK.search(line)
    cells = task[2].split(None, report.columns - 1) if task else []
    if task is None or len(cells) != report.columns or not cells[3].isdecimal():
        return False
    report.tasks.append(Task(int(task[1]), cells[-1].rstrip(), int(cells[3]) * _PAGE))
    return True


def _note_totals(report: _Report, line: str) -> None:
    if ram := _PAGES_RAM.search(line):
        report.ram_pages = int(ram[1])
    elif reserved := _PAGES_RESERVED.search(line):
        report.reserved_pages = int(reserved[1])
    elif limit := _CGROUP_LIMIT.search(line):
        report.limit_bytes = int(limit[1]) * KIB


def _kill(report: _Report, killed: re.Match[str], line: str, number: int) -> OomKill:
    constraint = report.constraint or report.words or Constraint.MACHINE
    stamp = _STAMP.search(line)
    return OomKill(
        pid=int(killed[1]),
        name=killed[2],
        rss_bytes=sum(int(part or 0) for part in killed.group(4, 5, 6)) * KIB,
        constraint=constraint,
        cgroup=report.cgroup,
        seconds_since_boot=float(stamp[1]) if stamp else None,
        line=number,
        text=line.strip(),
        tasks=tuple(report.tasks),
        total_bytes=report.total_bytes(constraint),
    )
