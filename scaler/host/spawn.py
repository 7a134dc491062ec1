"""Start the deploy: in a process group of its own, on its terminal, with everything else as scale itself was given it."""

import contextlib
import ctypes
import errno
import os
import shutil
import signal
import struct
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from scaler.domain.errors import NotDone, UsageError
from scaler.host.relay import Streams
from scaler.host.terminal import Terminal, set_foreground

_PR_SET_PDEATHSIG = 1
_STATUS = struct.Struct("i")


class CannotRun(UsageError):
    """The command does not exist (127) or cannot be run (126), as a shell has it."""

    def __init__(self, message: str, status: int, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status


@dataclass(slots=True)
class Process:
    """A deploy that runs."""

    pid: int
    """Its own, and its process group's."""
    reports: int | None
    """Where the leader of its session reports what becomes of it; readable when there is news. None: it is our own child."""
    _child: subprocess.Popen[bytes]

    def changes(self) -> Sequence[int]:
        """The wait statuses (stopped, ended) since this was last asked."""
        return self._own_changes() if self.reports is None else self._reported(self.reports)

    def signal_group(self, number: int) -> None:
        """Send a signal to all of it; a stopped process does not get one until it goes on."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)
            if number not in {signal.SIGKILL, signal.SIGTSTP}:
                os.killpg(self.pid, signal.SIGCONT)

    def has_group(self) -> bool:
        """Whether any process of its group is left."""
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    def close(self) -> None:
        """Forget it, once it has ended."""
        if self.reports is not None:
            os.close(self.reports)
            self._child.wait()

    def _own_changes(self) -> Sequence[int]:
        seen = []
        with contextlib.suppress(ChildProcessError):
            while (waited := os.waitpid(self.pid, os.WNOHANG | os.WUNTRACED))[0]:
                seen.append(waited[1])
                if not os.WIFSTOPPED(waited[1]):
                    self._child.returncode = 0  # Popen must not wait for it too
        return seen

    def _reported(self, reports: int) -> Sequence[int]:
        try:
            data = os.read(reports, 64 * _STATUS.size)
        except BlockingIOError:
            return []
        # Without a word the leader ends only if it is killed; the deploy is told to end then.
        return [status for (status,) in _STATUS.iter_unpack(data)] or [signal.SIGKILL]


def spawn(
    argv: Sequence[str], env: Mapping[str, str], terminal: Terminal, streams: Streams, enter: Callable[[], None] | None
) -> Process:
    """Start it.

    Raises:
        CannotRun: there is no such command, or it is not executable.
        NotDone: it could not be put where it was to run.
    """
    if not argv[0]:
        raise CannotRun("The deploy's command is empty.", 127, hint="Write it after --: scale guard -- COMMAND.")
    ours, theirs = os.pipe() if terminal.has_screen else (None, None)
    try:
        child = _popen(argv, env, streams, _preparation(terminal, theirs, enter))
    except BaseException:
        if ours is not None:
            os.close(ours)
        raise
    finally:
        if theirs is not None:
            os.close(theirs)
    if ours is None:
        return Process(child.pid, None, child)
    (pid,) = _STATUS.unpack(os.read(ours, _STATUS.size))
    os.set_blocking(ours, False)
    return Process(pid, ours, child)


def _popen(argv: Sequence[str], env: Mapping[str, str], streams: Streams, prepare: Callable[[], None]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            argv,
            env=dict(env),
            stdin=streams.stdin,
            stdout=streams.stdout,
            stderr=streams.stderr,
            preexec_fn=prepare,  # noqa: PLW1509 - plain system calls only
            close_fds=False,  # none of ours are inheritable; those our caller passes on (a make jobserver, <(…)) are the deploy's
        )
    except subprocess.SubprocessError as error:
        raise NotDone("The deploy could not be put into its sandbox, so it was not run.") from error
    except FileNotFoundError as error:
        raise _not_found(argv[0], env) from error
    except (OSError, ValueError) as error:
        raise _not_runnable(argv[0], error) from error


def _not_found(name: str, env: Mapping[str, str]) -> CannotRun:
    if shutil.which(name, path=env.get("PATH")):
        return CannotRun(f"{name!r} names an interpreter that does not exist.", 127, hint="Check its first line, #!….")
    return CannotRun(f"There is no command {name!r}.", 127, hint="Check its name and PATH; a shell's own words need sh -c '…'.")


def _not_runnable(name: str, error: OSError | ValueError) -> CannotRun:
    if not isinstance(error, OSError):
        return CannotRun(f"{name!r} cannot be run: {error}.", 126)
    hint = f"chmod +x {name}" if error.errno == errno.EACCES and not os.path.isdir(name) else ""  # noqa: PTH112
    if error.errno == errno.ENOEXEC:
        hint = "A script begins with a line like #!/bin/sh."
    return CannotRun(f"{name!r} cannot be run: {error.strerror}.", 126, hint=hint)


def _preparation(terminal: Terminal, reports: int | None, enter: Callable[[], None] | None) -> Callable[[], None]:
    """What the child does between fork and exec: plain system calls only."""
    libc, scale = ctypes.CDLL(None), os.getpid()
    lend_to = terminal.lendable()

    def prepare() -> None:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP, signal.SIGCHLD, signal.SIGCONT):
            if callable(signal.getsignal(number)):  # what is ignored stays so: nohup, a shell's background jobs
                signal.signal(number, signal.SIG_DFL)
        parent = scale
        if reports is None:
            os.setpgid(0, 0)
        else:
            _end_with(libc, scale, signal.SIGKILL)
            parent = _lead(reports)
        tty = 1 if reports is not None else lend_to
        if tty is not None:
            set_foreground(tty, os.getpgrp())
        _end_with(libc, parent, signal.SIGTERM)
        if enter is not None:
            enter()

    return prepare


def _end_with(libc: ctypes.CDLL, parent: int, number: int) -> None:
    """If the parent is killed, this process gets the signal: the deploy does not go on unwatched."""
    libc.prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os._exit(1)


def _lead(reports: int) -> int:
    """Become a session on the pseudo-terminal; its leader stays here and reports, the deploy goes on as its child, and gets its pid.

    A leader of its own, as a shell is in any terminal: without one the kernel takes the deploy's group for orphaned, so that Ctrl-Z
    does nothing, and hangs up on whatever the deploy leaves running.
    """
    os.setsid()
    set_controlling(1)
    leader = os.getpid()
    pid = os.fork()
    if not pid:
        os.setpgid(0, 0)
        return leader
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)  # whichever of us comes first
    os.write(reports, _STATUS.pack(pid))
    for first, last in ((0, 1), (2, reports), (reports + 1, os.sysconf("SC_OPEN_MAX"))):
        os.closerange(first, last)
    status = 0x7F
    while os.WIFSTOPPED(status) or status == 0x7F:
        _, status = os.waitpid(pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            set_foreground(1, leader)  # so that its own end hangs up on nobody
        os.write(reports, _STATUS.pack(status))
    os._exit(0)


def set_controlling(tty: int) -> None:
    """Make the terminal the session's own."""
    import fcntl  # noqa: PLC0415
    import termios  # noqa: PLC0415

    fcntl.ioctl(tty, termios.TIOCSCTTY, 0)
