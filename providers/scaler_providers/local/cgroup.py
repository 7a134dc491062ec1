"""What sandboxes on both versions of cgroups have in common."""

import os
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from scaler.domain.errors import NotDone
from scaler.ports import MemoryCounters
from scaler_providers.local import owner
from scaler_providers.local.hierarchy import Hierarchy
from scaler_providers.local.janitor import Janitor, alone_in, remove_cgroup
from scaler_providers.local.peak import PeakSampler


class CgroupSandbox(ABC):
    """A cgroup with a memory limit, as a context manager; made on entering."""

    kind: str
    notice: str = ""
    cgroup: str | None

    def __init__(self, hierarchy: Hierarchy, parent: Path, label: str, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._hierarchy = hierarchy
        self._parent = parent
        self._label = label

    def __enter__(self) -> Self:
        try:
            self._make()
        except OSError as error:
            raise NotDone(f"No sandbox could be made in {self._parent}: {error}.") from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._peak.stop()
        os.close(self._procs)
        try:
            gone = self._remove()
        finally:
            self._janitor.dismiss()
        if not gone and error is None:
            raise NotDone(
                f"A process in {self.path} does not die of SIGKILL: the kernel waits for a device on its behalf.",
                hint=f"See who it is with `cat {self.path}/cgroup.procs`; scale goes on trying for five minutes.",
            )

    def enter(self) -> None:
        os.write(self._procs, b"0")

    def counters(self) -> MemoryCounters:
        try:
            kills = self._oom_kills()
            seen = self._peak.look()
        except OSError as error:
            raise NotDone(f"The counters of {self.path} cannot be read: {error}.") from error
        # Who was killed at the limit had reached it, be it between two looks.
        return MemoryCounters(kills, self.limit_bytes, max(seen, self.limit_bytes) if kills else seen)

    @abstractmethod
    def _set_limit(self) -> None: ...

    @abstractmethod
    def _oom_kills(self) -> int: ...

    @abstractmethod
    def _unreclaimable(self, stat: dict[str, int]) -> int:
        """Bytes in use that the kernel cannot take back, from `memory.stat`."""

    def _prepare_parent(self) -> bool:
        """Whether something was switched on in the parent for scale's sake. Called with the parent locked."""
        return False

    def _make(self) -> None:
        with alone_in(self._parent):
            borrowed = self._prepare_parent()
            self.path = self._parent / owner.directory_name(self._label, borrowed=borrowed)
            self.path.mkdir()
        try:
            self._janitor = Janitor("cgroup", str(self.path), "give-back" if borrowed else "keep")
        except BaseException:
            self._remove()
            raise
        try:
            self._set_limit()
            self._procs = os.open(self.path / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)
        except BaseException:
            self._remove()
            self._janitor.dismiss()
            raise
        self.cgroup = self._hierarchy.kernel_name(self.path)
        self._peak = PeakSampler(self._look)
        self._peak.start()
        self._sweep()

    def _look(self) -> int:
        lines = (self.path / "memory.stat").read_text().splitlines()
        return self._unreclaimable({name: int(value) for name, _, value in (line.partition(" ") for line in lines)})

    def _remove(self) -> bool:
        return remove_cgroup(self.path, give_back=owner.is_borrowed(self.path.name))

    def _sweep(self) -> None:
        """Remove what dead owners left whose janitor was killed too."""
        for path in self._parent.glob(f"{owner.PREFIX}*"):
            if owner.is_orphaned(path.name):
                with suppress(OSError):
                    remove_cgroup(path, give_back=owner.is_borrowed(path.name))
