"""The terminal scale was started from: lent to the deploy, and given back on every path."""

import contextlib
import fcntl
import os
import pty
import signal
import stat
import struct
import termios
import tty
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

_KEYS_BYTES = 1024


@dataclass(slots=True)
class Terminal:
    """What of stdin and stdout is a terminal, and who has it.

    `has_screen`: stdout is one, so the child gets a pseudo-terminal. `has_keyboard`: stdin is one. `main`: our side of the child's.
    """

    has_screen: bool
    has_keyboard: bool
    is_piped: bool
    """Scale is part of a pipeline: `less` beside it may want the keyboard, so the child gets it only when it asks."""
    main: int | None = None
    was_lent: bool = False
    """Ctrl-C reaches the child directly, not scale."""
    _tty: int | None = None
    """The controlling terminal."""
    _saved: list[object] | None = None
    _typed: bytearray = field(default_factory=bytearray)
    """Keys the child has not taken yet."""

    @classmethod
    def of_this_process(cls) -> Self:
        """Look at descriptors 0, 1 and 2 and at the controlling terminal."""
        try:
            handle = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC | os.O_NOCTTY)
        except OSError:
            handle = None
        return cls(os.isatty(1), os.isatty(0), any(_is_pipe(fd) for fd in range(3)), _tty=handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._restore()
        if self._tty is not None:
            os.close(self._tty)

    @property
    def has_keys(self) -> bool:
        """Keys are to be read now, and the child has taken the last ones."""
        return self._saved is not None and self.main is not None and not self._typed

    @property
    def has_typed(self) -> bool:
        """There are keys the child has not taken yet."""
        return bool(self._typed)

    def open_pty(self) -> tuple[int, int]:
        """Our side and the child's side of a pseudo-terminal like the real one."""
        self.main, theirs = pty.openpty()
        os.set_blocking(self.main, False)
        with contextlib.suppress(termios.error):
            modes = termios.tcgetattr(1)
            if not self.has_keyboard:
                modes[1] &= ~termios.OPOST  # the real one is not raw then, and translates line ends itself
            termios.tcsetattr(theirs, termios.TCSANOW, modes)
        self.copy_size()
        return self.main, theirs

    def lendable(self) -> int | None:
        """The controlling terminal where the child is to have it from its first moment."""
        if self.has_screen or self.is_piped or not self._is_ours():
            return None
        self.was_lent = True
        return self._tty

    def engage(self, group: int) -> None:
        """Make the keyboard raw, or lend the terminal to the child's group, where scale is in the foreground and is to do so."""
        if not self._is_ours():
            return
        if self.has_screen:
            if self.has_keyboard and self._saved is None:
                self.was_lent = True
                self._saved = termios.tcgetattr(0)
                tty.setraw(0, termios.TCSANOW)
        elif self.was_lent and self._tty is not None:
            set_foreground(self._tty, group)

    def release(self, group: int) -> None:
        """Have everything as it was."""
        self._restore()
        with contextlib.suppress(OSError):
            if self._tty is not None and os.tcgetpgrp(self._tty) == group:
                set_foreground(self._tty, os.getpgrp())

    def lend_late(self, group: int, stopped_by: int) -> bool:
        """Lend the terminal to a child that was stopped because it asked for it (a prompt for a password); false where that was not it."""
        if stopped_by not in {signal.SIGTTIN, signal.SIGTTOU} or self.has_screen or not self._is_ours():
            return False
        self.was_lent = True
        self.engage(group)
        os.killpg(group, signal.SIGCONT)
        return True

    def suspend(self, group: int, *, alone: bool) -> None:
        """The child was stopped: stop with it, and go on with it when the shell continues us.

        Unless `alone`, the whole group scale is in is stopped, as the terminal would: a shell waits for all of a pipeline. Where no
        shell could continue it the kernel ignores that, and the child goes on.
        """
        self.release(group)
        before = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid() if alone else 0, signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, before)
        self.engage(group)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGCONT)

    def copy_size(self) -> None:
        """Give the pseudo-terminal the size of the real one."""
        if self.main is None:
            return
        with contextlib.suppress(OSError):
            size = fcntl.ioctl(1, termios.TIOCGWINSZ, b"\0" * 8)
            if size != fcntl.ioctl(self.main, termios.TIOCGWINSZ, b"\0" * 8) and struct.unpack("HHHH", size)[0]:
                fcntl.ioctl(self.main, termios.TIOCSWINSZ, size)

    def read_keys(self) -> bool:
        """Take what was typed; false where the keyboard is gone."""
        try:
            keys = os.read(0, _KEYS_BYTES)
        except OSError:
            keys = b""
        if not keys:
            self.has_keyboard = False
            self._restore()
            return False
        self._typed += keys
        self.pass_keys()
        return True

    def pass_keys(self) -> None:
        """Give the child as much of it as it takes now."""
        with contextlib.suppress(BlockingIOError):
            while self._typed and self.main is not None:
                del self._typed[: os.write(self.main, self._typed)]

    def _restore(self) -> None:
        if self._saved is not None:
            with contextlib.suppress(termios.error), _deaf_to(signal.SIGTTOU):
                termios.tcsetattr(0, termios.TCSANOW, self._saved)  # type: ignore[arg-type]
            self._saved = None

    def _is_ours(self) -> bool:
        try:
            return self._tty is not None and os.tcgetpgrp(self._tty) == os.getpgrp()
        except OSError:
            return False


def set_foreground(handle: int, group: int) -> None:
    """Give the terminal to a group; from the background that raises SIGTTOU, which would stop us."""
    with contextlib.suppress(OSError), _deaf_to(signal.SIGTTOU):
        os.tcsetpgrp(handle, group)


@contextlib.contextmanager
def _deaf_to(number: int) -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [number])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _is_pipe(fd: int) -> bool:
    try:
        return stat.S_ISFIFO(os.fstat(fd).st_mode)
    except OSError:
        return False
