"""Who owns a sandbox, written in its directory's name so that anyone can tell whether the owner still lives."""

import os
import re
import secrets
from pathlib import Path

PREFIX = "scale-"

_NAME = re.compile(r"scale-.*-(?P<pid>\d+)-(?P<started>\d+)-(?P<namespace>\d+)-[0-9a-f]{6}(?P<borrowed>b?)")


def directory_name(label: str, *, borrowed: bool) -> str:
    """A name no other call gets: `scale-LABEL-PID-START-PIDNAMESPACE-RANDOM`.

    `borrowed`: the memory controller was switched on above it for scale's sake, and the last to leave switches it off.
    """
    plain = re.sub(r"[^A-Za-z0-9_.]", "_", label)[:40]
    started = _started(os.getpid())
    return f"{PREFIX}{plain}-{os.getpid()}-{started}-{_namespace()}-{secrets.token_hex(3)}{'b' if borrowed else ''}"


def is_borrowed(name: str) -> bool:
    match = _NAME.fullmatch(name)
    return match is not None and bool(match["borrowed"])


def is_orphaned(name: str) -> bool:
    """Whether it names a sandbox whose owner is dead.

    Of owners in another pid namespace (another container on the same cgroup tree) nothing can be known, so they count as alive.
    """
    match = _NAME.fullmatch(name)
    return match is not None and match["namespace"] == _namespace() and _started(int(match["pid"])) != match["started"]


def _started(pid: int) -> str | None:
    """When a process started, in clock ticks since boot: with its pid it names one process for good. None: there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field, the command's name, may hold spaces and parentheses; `starttime` is the 22nd: proc_pid_stat(5).
    return stat.rpartition(")")[2].split()[19]


def _namespace() -> str:
    return re.sub(r"\D", "", str(Path("/proc/self/ns/pid").readlink()))
