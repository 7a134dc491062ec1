"""Sandboxes on the memory hierarchy of cgroups version 1: docs.kernel.org/admin-guide/cgroup-v1/memory.html."""

import os
from contextlib import suppress
from pathlib import Path

from scaler_providers.local.cgroup import CgroupSandbox
from scaler_providers.local.hierarchy import Hierarchy, find_v1_memory


def find_place() -> tuple[Hierarchy, Path] | None:
    """The hierarchy and the cgroup in which a sandbox can be made: the own one, so that limits set above it hold as well."""
    hierarchy = find_v1_memory()
    if hierarchy is None:
        return None
    # In a container that sees another part of the tree than its own, the top of that part serves: version 1 lets root enter any cgroup.
    for directory in hierarchy.own_and_ancestors() or [hierarchy.mount]:
        if os.access(directory, os.W_OK | os.X_OK) and os.access(directory / "cgroup.procs", os.W_OK):
            return hierarchy, directory
    return None


class Cgroup1Sandbox(CgroupSandbox):
    """A version 1 memory cgroup."""

    kind: str = "cgroup1"

    def _set_limit(self) -> None:
        limit = str(self.limit_bytes)
        (self.path / "memory.limit_in_bytes").write_text(limit)
        # Memory and swap together: without it swap hides the limit. Absent where the kernel does not account for swap.
        with_swap = self.path / "memory.memsw.limit_in_bytes"
        if with_swap.exists():
            with_swap.write_text(limit)

    def _oom_kills(self) -> int:
        """Version 1 counts a kill in the victim's own cgroup only, so those a deploy makes inside are added."""
        return sum(_oom_kills(Path(directory)) for directory, _, _ in os.walk(self.path))

    def _unreclaimable(self, stat: dict[str, int]) -> int:
        # The lists hold anonymous and shared memory, and what is locked. The kernel's own share is left out: version 1 does not
        # say how much of it (directory entries, inodes) could be taken back.
        lists = ("total_inactive_anon", "total_active_anon", "total_unevictable", "total_swap")
        return sum(stat.get(name, 0) for name in lists)


def _oom_kills(directory: Path) -> int:
    with suppress(OSError):  # removed meanwhile
        for line in (directory / "memory.oom_control").read_text().splitlines():
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
    return 0
