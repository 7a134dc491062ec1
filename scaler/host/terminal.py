"""The terminal scale was started from: lent to the deploy, and given back on every path."""

import contextlib
import fcntl
import os
import pty
import signal
import struct
import termios
import tty
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

_KEYS_BYTES = 4096


@dataclass(slots=True)
class Terminal:
    """What of stdin and stdout is a terminal, and which process group has it.

    `has_screen`: stdout is one, so the child gets a pseudo-terminal. `has_keyboard`: stdin is one. `foreground_tty`: a descriptor of the
    controlling terminal where scale's process group is in its foreground; None elsewhere.
    """

    has_screen: bool
    has_keyboard: bool
    foreground_tty: int | None = None
    _main: int | None = None
    _saved: list[object] | None = None

    @classmethod
    def of_this_process(cls) -> Self:
        """Look at descriptors 0 and 1 and at the controlling terminal."""
        return cls(os.isatty(1), os.isatty(0), _foreground_tty())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._restore()
        if self.foreground_tty is not None:
            os.close(self.foreground_tty)

    @property
    def is_raw(self) -> bool:
        """Keys are passed on one by one."""
        return self.has_screen and self.has_keyboard

    @property
    def is_foreground(self) -> bool:
        """Ctrl-C reaches the child directly, not scale."""
        return self.foreground_tty is not None

    def open_pty(self) -> tuple[int, int]:
        """Our side and the child's side of a pseudo-terminal like the real one."""
        self._main, theirs = pty.openpty()
        with contextlib.suppress(termios.error):
            termios.tcsetattr(theirs, termios.TCSANOW, termios.tcgetattr(1))
        self.copy_size()
        return self._main, theirs

    def prepare_child(self, stdout: int) -> None:
        """In the child: a session of its own on the pseudo-terminal, or a process group of its own in the same session."""
        if self.has_screen:
            os.setsid()
            fcntl.ioctl(stdout, termios.TIOCSCTTY, 0)
            return
        os.setpgid(0, 0)
        if self.foreground_tty is not None:
            _set_foreground(self.foreground_tty, os.getpgrp())

    @contextlib.contextmanager
    def lent(self) -> Iterator[None]:
        """While the child runs: the keyboard is raw, or the child's group has the terminal; afterwards all is as it was."""
        if not self.has_screen and self.foreground_tty is not None:
            try:
                yield
            finally:
                _set_foreground(self.foreground_tty, os.getpgrp())
            return
        self._make_raw()
        try:
            yield
        finally:
            self._restore()

    def suspend(self, pid: int) -> None:
        """The child was stopped from the keyboard: stop with it, and go on with it when the shell continues us."""
        self._restore()
        if not self.has_screen and self.foreground_tty is not None:
            _set_foreground(self.foreground_tty, os.getpgrp())
        os.kill(os.getpid(), signal.SIGSTOP)
        if self.has_screen:
            self._make_raw()
        elif self.foreground_tty is not None:
            _set_foreground(self.foreground_tty, pid)
        os.killpg(pid, signal.SIGCONT)

    def copy_size(self) -> None:
        """Give the pseudo-terminal the size of the real one."""
        if self._main is None:
            return
        with contextlib.suppress(OSError):
            size = fcntl.ioctl(1, termios.TIOCGWINSZ, b"\0" * 8)
            if size != fcntl.ioctl(self._main, termios.TIOCGWINSZ, b"\0" * 8) and struct.unpack("HHHH", size)[0]:
                fcntl.ioctl(self._main, termios.TIOCSWINSZ, size)

    def forward_keys(self) -> bool:
        """Pass on what was typed; false where the keyboard is gone."""
        try:
            keys = os.read(0, _KEYS_BYTES)
        except OSError:
            return False
        if keys and self._main is not None:
            os.write(self._main, keys)
        return bool(keys)

    def _make_raw(self) -> None:
        if self.is_raw:
            self._saved = termios.tcgetattr(0)
            tty.setraw(0, termios.TCSADRAIN)

    def _restore(self) -> None:
        if self._saved is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(0, termios.TCSADRAIN, self._saved)  # type: ignore[arg-type]
            self._saved = None


def _foreground_tty() -> int | None:
    try:
        handle = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError:
        return None
    if os.tcgetpgrp(handle) == os.getpgrp():
        return handle
    os.close(handle)
    return None


def _set_foreground(handle: int, group: int) -> None:
    """Give the terminal to a group; done from the background this raises SIGTTOU, which is ignored meanwhile."""
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.tcsetpgrp(handle, group)
    signal.signal(signal.SIGTTOU, before)
