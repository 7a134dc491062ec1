"""Sandboxes on cgroups version 2: docs.kernel.org/admin-guide/cgroup-v2.html."""

import os
from pathlib import Path

from scaler_providers.local import owner
from scaler_providers.local.cgroup import CgroupSandbox
from scaler_providers.local.hierarchy import Hierarchy, find_v2


def find_place() -> tuple[Hierarchy, Path] | None:
    """The hierarchy and the nearest cgroup, from the own one upwards, in which this user can make one with a memory limit."""
    hierarchy = find_v2()
    if hierarchy is None:
        return None
    for directory in hierarchy.own_and_ancestors():
        if _is_usable(directory):
            return hierarchy, directory
    return None


class Cgroup2Sandbox(CgroupSandbox):
    """A version 2 cgroup."""

    kind: str = "cgroup2"

    def _prepare_parent(self) -> bool:
        if "memory" not in _words(self._parent, "cgroup.subtree_control"):
            (self._parent / "cgroup.subtree_control").write_text("+memory")
            return True
        return any(owner.is_borrowed(path.name) for path in self._parent.glob(f"{owner.PREFIX}*"))

    def _set_limit(self) -> None:
        (self.path / "memory.max").write_text(str(self.limit_bytes))
        swap = self.path / "memory.swap.max"
        if swap.exists():
            swap.write_text("0")

    def _oom_kills(self) -> int:
        """`memory.events` counts for the cgroups below as well (`memory.events.local` would not)."""
        lines = (self.path / "memory.events").read_text().splitlines()
        return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)

    def _unreclaimable(self, stat: dict[str, int]) -> int:
        # The lists hold anonymous and shared memory, and what is locked.
        lists = stat["inactive_anon"] + stat["active_anon"] + stat["unevictable"]
        if "kernel" in stat:  # since Linux 5.18
            return lists + stat["kernel"] - stat.get("slab_reclaimable", 0)
        return lists + sum(stat.get(name, 0) for name in ("kernel_stack", "pagetables", "slab_unreclaimable", "percpu"))


def _is_usable(directory: Path) -> bool:
    if "memory" not in _words(directory, "cgroup.controllers") or not os.access(directory, os.W_OK | os.X_OK):
        return False
    # To move a process, one must be allowed to write here too: this is the common ancestor of where it is and where it goes.
    if not os.access(directory / "cgroup.procs", os.W_OK):
        return False
    if "memory" in _words(directory, "cgroup.subtree_control"):
        return True
    return os.access(directory / "cgroup.subtree_control", os.W_OK) and _may_have_controllers(directory)


def _may_have_controllers(directory: Path) -> bool:
    """A cgroup with processes of its own cannot hand controllers on; only the root, which has no `cgroup.type`, can."""
    kind = _words(directory, "cgroup.type")
    return not kind or (kind == ["domain"] and not _words(directory, "cgroup.procs"))


def _words(directory: Path, name: str) -> list[str]:
    try:
        return (directory / name).read_text().split()
    except OSError:
        return []
