"""Read the kernel's out-of-memory reports.

The report's form: mm/oom_kill.c of Linux 4.9 to 6.12 (`dump_header`, `dump_tasks`, `__oom_kill_process`). Prefixes of dmesg,
journalctl, syslog and serial consoles are skipped by searching for the kernel's own words within each line.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from scaler.domain.units import KIB

_PAGE = 4096
_STAMP = re.compile(r"\[\s*(\d{1,9}\.\d{1,9})\]")
_INVOKED = re.compile(r"(\S+) invoked oom-killer:")
_CONSTRAINT = re.compile(r"oom-kill:constraint=(CONSTRAINT_\w+)")
_OOM_CGROUP = re.compile(r"oom_memcg=([^,\s]+)")
_OLD_CGROUP = re.compile(r"killed as a result of limit of (\S+)")
_KILLED = re.compile(
    r"Killed process (\d+),?(?: UID \d+,)? \(([^)]*)\)[, ]+total-vm:(\d+)kB, anon-rss:(\d+)kB, file-rss:(\d+)kB(?:, shmem-rss:(\d+)kB)?"
)
_CGROUP_KILL = re.compile(r"Memory cgroup out of memory", re.IGNORECASE)
_TASK_HEADER = re.compile(r"\[\s*pid\s*\]\s+uid\s+tgid\s+total_vm\s+rss\b")
_TASK = re.compile(r"\[\s*(\d+)\]\s+\d+\s+\d+\s+\d+\s+(\d+)\s+.*?(-?\d+)\s+(\S.*?)\s*$")
_PAGES_RAM = re.compile(r"\b(\d+) pages RAM\b")
_PAGES_RESERVED = re.compile(r"\b(\d+) pages reserved\b")
_CGROUP_LIMIT = re.compile(r"memory: usage \d+kB, limit (\d+)kB")
_KEPT_TASKS = 512


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
    constraint: Constraint | None = None
    cgroup: str | None = None
    tasks: list[Task] = field(default_factory=list)
    in_table: bool = False
    ram_pages: int | None = None
    reserved_pages: int = 0
    limit_bytes: int | None = None

    def total_bytes(self, constraint: Constraint) -> int | None:
        if constraint is Constraint.CGROUP:
            return self.limit_bytes
        return None if self.ram_pages is None else (self.ram_pages - self.reserved_pages) * _PAGE


def find_kills(text: str) -> Sequence[OomKill]:
    """All kills reported in a kernel log, in order. Text that holds none, or no kernel log at all, yields none."""
    return list(_kills(text))


def _kills(text: str) -> Iterator[OomKill]:
    report = _Report()
    for number, line in enumerate(text.replace("\r", "\n" if "\n" not in text else "").split("\n"), 1):
        if _INVOKED.search(line):
            report = _Report()
            continue
        killed = _KILLED.search(line)
        if killed is None:
            _note(report, line)
            continue
        yield _kill(report, killed, line, number)


def _note(report: _Report, line: str) -> None:
    if report.in_table and _note_task(report, line):
        return
    if constraint := _CONSTRAINT.search(line):
        report.in_table = False
        report.constraint = {"CONSTRAINT_NONE": Constraint.MACHINE, "CONSTRAINT_MEMCG": Constraint.CGROUP}.get(
            constraint[1], Constraint.NODES
        )
        if cgroup := _OOM_CGROUP.search(line):
            report.cgroup = cgroup[1]
    elif old := _OLD_CGROUP.search(line):
        report.constraint, report.cgroup = Constraint.CGROUP, old[1]
    elif _TASK_HEADER.search(line):
        report.in_table = True
    else:
        _note_totals(report, line)


def _note_task(report: _Report, line: str) -> bool:
    without_stamp = _STAMP.sub("", line, count=1) if line.count("[") > 1 else line
    task = _TASK.search(without_stamp)
    if task is None or len(report.tasks) >= _KEPT_TASKS:
        return False
    report.tasks.append(Task(int(task[1]), task[4], int(task[2]) * _PAGE))
    return True


def _note_totals(report: _Report, line: str) -> None:
    if ram := _PAGES_RAM.search(line):
        report.ram_pages = int(ram[1])
    elif reserved := _PAGES_RESERVED.search(line):
        report.reserved_pages = int(reserved[1])
    elif limit := _CGROUP_LIMIT.search(line):
        report.limit_bytes = int(limit[1]) * KIB


def _kill(report: _Report, killed: re.Match[str], line: str, number: int) -> OomKill:
    report.in_table = False
    constraint = report.constraint
    if constraint is None:
        constraint = Constraint.CGROUP if _CGROUP_KILL.search(line) else Constraint.MACHINE
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
