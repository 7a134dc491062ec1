"""Where a cgroup hierarchy is mounted and where this process is in it: cgroups(7), proc_pid_mountinfo(5)."""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

INITIAL_NAMESPACE = "cgroup:[4026531835]"
"""PROC_CGROUP_INIT_INO in the kernel's include/linux/proc_ns.h, a fixed number."""


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """One mounted hierarchy."""

    mount: Path
    root: str
    """The cgroup that is seen at `mount`: `/`, but for a container's that sees only its own part."""
    own: str
    """The cgroup of this process."""

    def own_directory(self) -> Path | None:
        """This process's cgroup below the mount; None where it lies outside of what is mounted."""
        if ".." in PurePosixPath(self.own).parts or not PurePosixPath(self.own).is_relative_to(self.root):
            return None
        return self.mount / PurePosixPath(self.own).relative_to(self.root)

    def own_and_ancestors(self) -> list[Path]:
        """Nearest first, up to the mount; empty where the own cgroup is not visible."""
        own = self.own_directory()
        if own is None or not own.is_dir():
            return []
        return [own, *(parent for parent in own.parents if parent.is_relative_to(self.mount))]

    def kernel_name(self, directory: Path) -> str | None:
        """What the kernel's log calls this cgroup; None inside a cgroup namespace, which hides the path above it."""
        if str(Path("/proc/self/ns/cgroup").readlink()) != INITIAL_NAMESPACE:
            return None
        return str(PurePosixPath(self.root) / directory.relative_to(self.mount))


def find_v1_memory() -> Hierarchy | None:
    """The version 1 hierarchy with the memory controller, where there is one."""
    return _find(_read("mountinfo"), _read("cgroup"), "memory")


def find_v2() -> Hierarchy | None:
    """The version 2 hierarchy, where it is mounted; whether it has the memory controller is another question."""
    return _find(_read("mountinfo"), _read("cgroup"), None)


def _find(mountinfo: str, cgroup: str, controller: str | None) -> Hierarchy | None:
    own = _own(cgroup, controller)
    if own is None:
        return None
    found = [Hierarchy(mount, root, own) for mount, root in _mounts(mountinfo, controller)]
    # Where it is mounted several times, the one that shows the own cgroup is of use.
    return next((hierarchy for hierarchy in found if hierarchy.own_directory() is not None), found[0] if found else None)


def _own(cgroup: str, controller: str | None) -> str | None:
    for line in cgroup.splitlines():
        number, controllers, path = line.split(":", 2)
        if controller in controllers.split(",") if controller else (number, controllers) == ("0", ""):
            return path
    return None


def _mounts(mountinfo: str, controller: str | None) -> list[tuple[Path, str]]:
    found = []
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        root, mount = (_unescape(field) for field in before.split()[3:5])
        kind, _, options = after.split(" ", 2)
        if (kind == "cgroup2") if controller is None else (kind == "cgroup" and controller in options.split(" ")[-1].split(",")):
            found.append((Path(mount), root))
    return found


def _unescape(field: str) -> str:
    """Space, tab, newline and backslash are written as octal numbers."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)


def _read(name: str) -> str:
    try:
        return Path("/proc/self", name).read_text()
    except OSError:
        return ""
