"""Run the deploy as if scale were not there: its terminal, its streams, its signals and its exit code stay its own."""

import contextlib
import ctypes
import errno
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType

from scaler.domain.errors import UsageError
from scaler.host.relay import Relay, Streams
from scaler.host.terminal import Terminal
from scaler.host.watch import Watcher

_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_GRACE_SECONDS = 10
"""How long a deploy that was asked to end may take before it is killed; as long as `docker stop` gives."""
_PR_SET_PDEATHSIG = 1


class CannotRun(UsageError):
    """The command does not exist (127) or cannot be run (126), as a shell has it."""

    def __init__(self, message: str, status: int, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status


@dataclass(frozen=True, slots=True)
class ChildResult:
    """How the deploy ended."""

    exit_code: int
    """128+N where it died of signal N."""
    seconds: float
    is_interrupted: bool
    """Someone asked scale itself to end meanwhile; nothing more is to be done."""


def run(argv: Sequence[str], *, env: Mapping[str, str], watcher: Watcher, enter: Callable[[], None] | None = None) -> ChildResult:
    """Run a command to its end, passing its output on byte for byte as it comes, and show it to `watcher`.

    Where stdout is a terminal the command gets a pseudo-terminal of its own; otherwise pipes, stdout and stderr apart. Stdin is passed
    on. SIGINT, SIGTERM and SIGHUP are forwarded to its process group; the second one, or 10 s without an end, kills the group.
    `enter` is called in the child before the command begins. Must be called from the main thread.

    Raises:
        CannotRun: there is no such command, or it is not executable.
    """
    began = time.monotonic()
    with Terminal.of_this_process() as terminal, contextlib.ExitStack() as stack:
        streams = Streams(terminal)
        stack.callback(streams.close)
        process = _spawn(argv, env, terminal, streams, enter)
        child = stack.enter_context(_forwarding(process))
        streams.begin()
        with terminal.lent():
            Relay(streams, terminal, watcher, lambda: child.is_over(terminal), child.wakeup).run()
        if child.signals:
            _kill_group(process.pid)
    status = child.status if child.status is not None else 0
    code = 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    ctrl_c = terminal.is_foreground and code == 128 + signal.SIGINT
    return ChildResult(code, time.monotonic() - began, bool(child.signals) or ctrl_c)


@dataclass(slots=True)
class _Child:
    process: subprocess.Popen[bytes]
    signals: list[int] = field(default_factory=list)
    status: int | None = None
    """What waitpid said; None while it lives."""
    wakeup: int = -1

    def is_over(self, terminal: Terminal) -> bool:
        """Whether it has ended; a child that was stopped from the keyboard stops scale with it."""
        if self.status is not None:
            return True
        with contextlib.suppress(ChildProcessError):
            pid, status = os.waitpid(self.process.pid, os.WNOHANG | os.WUNTRACED)
            if pid and os.WIFSTOPPED(status):
                terminal.suspend(self.process.pid)
            elif pid:
                self.status = status
                self.process.returncode = 0  # Popen must not wait for it too
        return self.status is not None


def _spawn(
    argv: Sequence[str], env: Mapping[str, str], terminal: Terminal, streams: Streams, enter: Callable[[], None] | None
) -> subprocess.Popen[bytes]:
    libc, parent = ctypes.CDLL(None), os.getpid()

    def prepare() -> None:
        # Between fork and exec: plain system calls only. If scale is killed, the deploy is told to end too.
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)
        terminal.prepare_child(streams.stdout)
        if enter is not None:
            enter()

    try:
        return subprocess.Popen(
            argv,
            env=dict(env),
            stdin=streams.stdin,
            stdout=streams.stdout,
            stderr=streams.stderr,
            preexec_fn=prepare,  # noqa: PLW1509
        )
    except FileNotFoundError as error:
        raise CannotRun(
            f"There is no command {argv[0]!r}.", 127, hint="Check its name and PATH; a shell's own words need sh -c '…'."
        ) from error
    except OSError as error:
        hint = f"chmod +x {argv[0]}" if error.errno == errno.EACCES and not os.path.isdir(argv[0]) else ""  # noqa: PTH112
        if error.errno == errno.ENOEXEC:
            hint = "A script begins with a line like #!/bin/sh."
        raise CannotRun(f"{argv[0]!r} cannot be run: {error.strerror}.", 126, hint=hint) from error


@contextlib.contextmanager
def _forwarding(process: subprocess.Popen[bytes]) -> Iterator[_Child]:
    """Within, signals to end go to the child's group, and every signal wakes whoever waits on `wakeup`."""
    child = _Child(process)

    def forward(number: int, _frame: FrameType | None) -> None:
        child.signals.append(number)
        if child.signals.count(number) > 1:
            _kill_group(process.pid)
            return
        _signal_group(process.pid, number)
        if number != signal.SIGINT:
            signal.alarm(_GRACE_SECONDS)

    def kill(_number: int, _frame: FrameType | None) -> None:
        _kill_group(process.pid)

    handlers = {**dict.fromkeys(_FORWARDED, forward), signal.SIGALRM: kill, signal.SIGCHLD: _nothing}
    # What is ignored stays ignored: that is how nohup and a shell's background jobs ask for it.
    wanted = {number: handler for number, handler in handlers.items() if signal.getsignal(number) is not signal.SIG_IGN}
    before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    os.set_blocking(ours, False)
    old_wakeup = signal.set_wakeup_fd(theirs, warn_on_full_buffer=False)
    child.wakeup = ours
    try:
        yield child
    finally:
        signal.alarm(0)
        signal.set_wakeup_fd(old_wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(ours)
        os.close(theirs)


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """A handler only so that the signal wakes the loop."""


def _signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
        if number != signal.SIGKILL:
            os.killpg(pid, signal.SIGCONT)  # a stopped process does not get the signal until it goes on


def _kill_group(pid: int) -> None:
    _signal_group(pid, signal.SIGKILL)
