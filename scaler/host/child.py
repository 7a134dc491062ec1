"""Run the deploy as if scale were not there: its terminal, its streams, its signals and its exit code stay its own."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType

from scaler.host.relay import Relay, Streams
from scaler.host.spawn import CannotRun, Process, spawn
from scaler.host.terminal import Terminal
from scaler.host.watch import Watcher

__all__ = ["CannotRun", "ChildResult", "run"]

_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_GRACE_SECONDS = 10
"""How long a deploy that was asked to end may take before it is killed; as long as `docker stop` gives."""


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
    What it leaves running is not waited for; a pipe such a process still writes to is closed when scale ends.
    `enter` is called in the child before the command begins. Must be called from the main thread.

    Raises:
        CannotRun: there is no such command, or it is not executable.
        NotDone: `enter` failed.
    """
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        terminal = stack.enter_context(Terminal.of_this_process())
        streams = stack.enter_context(contextlib.closing(Streams(terminal)))
        child = _Child(terminal)
        wakeup = stack.enter_context(_handling(child))
        process = spawn(argv, env, terminal, streams, enter)
        stack.callback(process.close)
        with child.guarding(process):
            streams.begin()
            terminal.engage(process.pid)
            child.relay(Relay(streams, terminal, watcher, child.look, [wakeup, process.reports]))
    status = child.status if child.status is not None else signal.SIGKILL
    code = 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    ctrl_c = terminal.was_lent and code == 128 + signal.SIGINT
    return ChildResult(code, time.monotonic() - began, bool(child.asked) or ctrl_c)


class _Abandoned(Exception):
    """Scale is to end though somebody does not read its output."""


@dataclass(slots=True)
class _Child:
    terminal: Terminal
    process: Process | None = None
    status: int | None = None
    """How it ended, as waitpid says it; None while it lives."""
    asked: list[int] = field(default_factory=list)
    """The signals to end that scale was sent."""
    _asked_at: float = 0.0
    _is_killed: bool = False
    _is_relaying: bool = False
    _is_stopping: bool = False
    """Scale itself was sent the stop, and with it all of its group."""

    def look(self) -> bool:
        """Whether it has ended; a child that was stopped stops scale with it."""
        if self.status is None and self.process is not None:
            for status in self.process.changes():
                if not os.WIFSTOPPED(status):
                    self.status = status
                elif not self.terminal.lend_late(self.process.pid, os.WSTOPSIG(status)):
                    self.terminal.suspend(self.process.pid, alone=self._is_stopping)
                    self._is_stopping = False
        return self.status is not None

    @contextlib.contextmanager
    def guarding(self, process: Process) -> Iterator[None]:
        """Whatever happens within, the deploy does not outlive it."""
        self.process = process
        for number in self.asked:  # these came while it was being started
            process.signal_group(number)
        try:
            yield
        except BaseException:
            process.signal_group(signal.SIGKILL)
            raise
        finally:
            self.terminal.release(process.pid)
        if self.asked:
            self._wait_for_group(process)

    def relay(self, relay: Relay) -> None:
        """Pass its output on until it has ended."""
        with contextlib.suppress(_Abandoned):
            self._is_relaying = True
            relay.run()
            self._is_relaying = False

    def ask(self, number: int, _frame: FrameType | None) -> None:
        """Handle a signal to end."""
        self.asked.append(number)
        if self.process is None:
            return
        if self.asked.count(number) > 1:
            self.kill(number, None)
            return
        self.process.signal_group(number)
        if number != signal.SIGINT:
            self._asked_at = time.monotonic()
            signal.alarm(_GRACE_SECONDS)

    def kill(self, _number: int, _frame: FrameType | None) -> None:
        """Handle that it had its time."""
        self._is_killed = True
        if self.process is not None:
            self.process.signal_group(signal.SIGKILL)
        self.notice(0, None)

    def notice(self, _number: int, _frame: FrameType | None) -> None:
        """Handle a change of a child; the loop looks. Only where it was killed nobody waits for the reader of its output any more."""
        if self._is_killed and self._is_relaying and self.look():
            self._is_relaying = False
            raise _Abandoned

    def stop(self, _number: int, _frame: FrameType | None) -> None:
        """Handle a stop that the child did not get too: it stops, and scale with it."""
        if self.process is not None:
            self._is_stopping = True
            self.process.signal_group(signal.SIGTSTP)

    def go_on(self, _number: int, _frame: FrameType | None) -> None:
        """Handle that scale goes on, perhaps in the foreground now."""
        if self.process is not None and self._is_relaying:
            self.terminal.engage(self.process.pid)

    def _wait_for_group(self, process: Process) -> None:
        """What belongs to the deploy and was asked to end has the same time for it, then it is killed."""
        until = (self._asked_at or time.monotonic()) + _GRACE_SECONDS
        while process.has_group() and time.monotonic() < until and not self._is_killed:
            time.sleep(0.02)
        process.signal_group(signal.SIGKILL)


@contextlib.contextmanager
def _handling(child: _Child) -> Iterator[int]:
    """Within, signals go to the child, and a descriptor becomes readable with each."""
    handlers = {
        **dict.fromkeys(_FORWARDED, child.ask),
        signal.SIGALRM: child.kill,
        signal.SIGTSTP: child.stop,
        signal.SIGCONT: child.go_on,
        signal.SIGWINCH: _nothing,
    }
    # What is ignored stays ignored: that is how nohup and a shell's background jobs ask for it.
    wanted = {number: handler for number, handler in handlers.items() if signal.getsignal(number) is not signal.SIG_IGN}
    wanted[signal.SIGCHLD] = child.notice
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    os.set_blocking(ours, False)
    before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
    old_wakeup = signal.set_wakeup_fd(theirs, warn_on_full_buffer=False)
    try:
        yield ours
    finally:
        signal.alarm(0)
        signal.set_wakeup_fd(old_wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(ours)
        os.close(theirs)


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """A handler only so that the signal wakes the loop."""
