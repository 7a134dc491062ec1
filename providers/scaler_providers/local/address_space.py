"""Sandboxes for users who may not make cgroups: a limit on the address space of each process."""

import os
import resource
import secrets
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from scaler.domain.errors import NotDone, Refused
from scaler.domain.units import KIB, format_bytes
from scaler.ports import MemoryCounters
from scaler_providers.local.janitor import PATIENCE_SECONDS, Janitor, end_all, marked
from scaler_providers.local.peak import PeakSampler

NOTICE = (
    "This user may not make memory cgroups here, so the limit is on the address space of each process: an allocation beyond it is refused "
    "instead of a process being killed, it holds for each process and not for all of them together, and runtimes that reserve much more "
    "than they use (Node, Java, Go) may not start. Run as root, or in a cgroup delegated to this user, for the limit a machine of this size has."
)

_PAGE = resource.getpagesize()


class AddressSpaceSandbox:
    """RLIMIT_AS, as a context manager.

    Its processes are known by the limit itself. The kernel rounds it down to whole pages, so the bytes below a page are free to be this
    sandbox's mark; every child inherits it, whatever it does to its environment, session or parent. A process that lowers its own hard
    limit leaves the count.
    """

    kind: str = "address-space"
    cgroup: str | None = None
    notice: str = NOTICE

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes // _PAGE * _PAGE

    def __enter__(self) -> Self:
        self._require_room()
        self._mark = self.limit_bytes + _unused_mark(self.limit_bytes)
        try:
            self._janitor = Janitor("marked", str(self._mark))
        except OSError as error:
            raise NotDone(f"No sandbox could be made: {error}.") from error
        self._peak = PeakSampler(lambda: _in_use(marked(self._mark)))
        self._peak.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._peak.stop()
        end_all(lambda: marked(self._mark), PATIENCE_SECONDS)
        self._janitor.dismiss()

    def enter(self) -> None:
        resource.setrlimit(resource.RLIMIT_AS, (self._mark, self._mark))

    def counters(self) -> MemoryCounters:
        """No kills: allocations are refused instead. The peak counts pages that processes share after a fork once for each."""
        return MemoryCounters(0, self.limit_bytes, self._peak.look())

    def _require_room(self) -> None:
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        if hard != resource.RLIM_INFINITY and hard <= self.limit_bytes + _PAGE and os.geteuid() != 0:
            raise Refused(
                f"The address space of this session is already limited to {format_bytes(hard)}, less than the sandbox would have.",
                hint="Raise it (ulimit -Hv unlimited, as root), or choose a smaller type.",
            )


def _unused_mark(limit_bytes: int) -> int:
    while True:
        mark = 1 + secrets.randbelow(_PAGE - 1)
        if not marked(limit_bytes + mark):
            return mark


def _in_use(pids: list[int]) -> int:
    """Anonymous memory of all, and the shared memory of the one with most of it: most often it is the same memory."""
    anonymous, shared = 0, 0
    for pid in pids:
        with suppress(OSError):
            status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines())
            anonymous += _kib(status.get("RssAnon", "0"))
            shared = max(shared, _kib(status.get("RssShmem", "0")))
    return (anonymous + shared) * KIB


def _kib(value: str) -> int:
    return int(value.split(maxsplit=1)[0])
