"""Ends every process of a sandbox and removes it: called when the sandbox closes, and run as a process of its own for when its owner dies.

Standard library only and no import of its neighbours: it is started as a plain script, isolated from the user's environment.
"""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PATIENCE_SECONDS = 5.0
"""How long a closing sandbox waits for its processes to be gone; a killed process goes in milliseconds unless a device holds it."""
_ORPHAN_PATIENCE_SECONDS = 300.0


class Janitor:
    """A process that waits for the death of this one, then cleans up. It never outlives a sandbox that was closed."""

    def __init__(self, *task: str) -> None:
        """`task`: the command line of `main`."""
        # Only this process holds the writing end, and no program it starts inherits it: the end of file means that this process is gone.
        # An exec instead of a bare fork: no threads' locks, descriptors or terminal of the owner come along.
        waits, self._held = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", __file__, *task],
                stdin=waits,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
            )
        except BaseException:
            os.close(self._held)
            raise
        finally:
            os.close(waits)

    @property
    def pid(self) -> int:
        return self._process.pid

    def dismiss(self) -> None:
        """Let it look once more, and end."""
        os.close(self._held)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(PATIENCE_SECONDS)


def remove_cgroup(path: Path, *, give_back: bool, patience: float = PATIENCE_SECONDS) -> bool:
    """Kill all in it and below, then remove it; False where a process will not die in time.

    `give_back`: the memory controller was switched on in the parent for scale's sake. The last sandbox to leave switches it off.
    """
    deadline = time.monotonic() + patience
    while True:
        end_all(lambda: _members(path), deadline - time.monotonic(), at_once=path / "cgroup.kill")
        if _is_removed(path, give_back=give_back):
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)


def end_all(members: Callable[[], Iterable[int]], patience: float, at_once: Path | None = None) -> None:
    """Kill until there is nobody left, or patience is."""
    deadline = time.monotonic() + patience
    pause = 0.001
    while pids := list(members()):
        if at_once is None or not _kill_at_once(at_once):
            for pid in pids:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            return
        time.sleep(pause)
        pause = min(2 * pause, 0.05)


def marked(mark: int) -> list[int]:
    """The living processes whose address-space limit is exactly this number."""
    line = str(mark).encode()
    return [
        int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and _has_limit(entry, line) and _lives(entry)
    ]


@contextmanager
def alone_in(directory: Path) -> Iterator[None]:
    """Keep other sandboxes from being made or removed in this cgroup meanwhile. Nothing is locked where it is gone."""
    try:
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        yield
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _is_removed(path: Path, *, give_back: bool) -> bool:
    with alone_in(path.parent):
        for directory in [*sorted(_below(path), reverse=True), path]:
            with suppress(OSError):
                directory.rmdir()
        if path.exists():
            return False
        if give_back and not any(path.parent.glob("scale-*")):
            with suppress(OSError):  # another cgroup beside ours has come to need it
                (path.parent / "cgroup.subtree_control").write_text("-memory")
    return True


def _members(path: Path) -> list[int]:
    pids = []
    for directory in [path, *_below(path)]:
        with suppress(OSError):
            pids += [int(pid) for pid in (directory / "cgroup.procs").read_text().split()]
    # 0 stands for a process of another pid namespace, but to kill(2) it means the caller's own process group.
    return [pid for pid in pids if pid != 0]


def _below(path: Path) -> list[Path]:
    return [Path(parent, name) for parent, names, _ in os.walk(path) for name in names]


def _kill_at_once(kill: Path) -> bool:
    """Linux 5.14 kills a whole version 2 cgroup in one go, forks under way included. `cgroup.kill` is never there in version 1."""
    try:
        with kill.open("r+") as file:  # "r+": a plain "w" asks for O_CREAT, which cgroupfs answers with EACCES instead of ENOENT
            file.write("1")
    except OSError:
        return False
    return True


def _has_limit(process: Path, mark: bytes) -> bool:
    try:
        limits = (process / "limits").read_bytes()
    except OSError:
        return False
    _, found, rest = limits.partition(b"Max address space")
    return bool(found) and rest.split(None, 2)[1] == mark


def _lives(process: Path) -> bool:
    try:
        return (process / "stat").read_text(errors="replace").rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


def main(argv: list[str]) -> None:
    """`cgroup PATH keep|give-back`, or `marked LIMIT`: wait for the end of standard input, then clean up."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    while os.read(0, 1):
        pass
    if argv[0] == "cgroup":
        remove_cgroup(Path(argv[1]), give_back=argv[2] == "give-back", patience=_ORPHAN_PATIENCE_SECONDS)
    else:
        end_all(lambda: marked(int(argv[1])), _ORPHAN_PATIENCE_SECONDS)


if __name__ == "__main__":
    main(sys.argv[1:])
