"""What was observed of a failed deploy."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class OutputLine:
    """One line the deploy printed."""

    number: int | None
    """Counted from 1, stdout and stderr together in order of arrival; None far into a very long log."""
    text: str
    """As printed, colours included; a very long line is cut around what made it worth keeping."""
    stream: str = "stdout"


@dataclass(frozen=True, slots=True)
class KernelLog:
    """What a kernel logged: of the instance, of this machine, or of a console."""

    text: str
    source: str
    """`kernel` (a kernel log that was read directly) or `console` (what the instance printed on its console)."""
    booted_at: datetime | None = None
    """When this kernel started, to date its lines by; None where it is not known."""


@dataclass(frozen=True, slots=True)
class Counters:
    """OOM kills the kernel counted between the deploy's start and its end, on the instance itself or in its sandbox."""

    oom_kills: int
    limit_bytes: int | None = None
    peak_bytes: int | None = None
    """The most that was in use and could not be reclaimed."""
    refuses_instead_of_killing: bool = False
    """The limit is one on address space: allocations beyond it are refused, nothing is killed."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of one failed attempt. None: that source could not be read; empty: it was read and says nothing."""

    exit_code: int | None
    """128+N for a death by signal N; None where the caller does not know it."""
    output: Sequence[OutputLine] = ()
    """The lines worth keeping, in order."""
    kernel_logs: Sequence[KernelLog] = ()
    counters: Counters | None = None
    began_at: datetime | None = None
    """When the attempt began: kills before it are not its own. Aware, UTC."""
    instance_cgroup: str | None = None
    """The cgroup that *is* the instance (a sandbox): the kernel names it in its reports."""
    instance_memory_bytes: int | None = None
    other_machine_oom_kills: int = 0
    """Kills counted meanwhile on the machine the command ran on, where that is not the instance."""
