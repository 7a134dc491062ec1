"""Pass the deploy's output on, byte for byte as it comes, and show it to a watcher."""

import contextlib
import errno
import fcntl
import os
import select
import selectors
import struct
import termios
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from scaler.host.terminal import Terminal
from scaler.host.watch import CHUNK_BYTES, Watcher

_LINGER_SECONDS = 0.3
"""How long output is waited for after the deploy has ended, where something it left behind holds its streams open."""
_LINGER_LIMIT_SECONDS = 2.0
"""The same where that something goes on writing."""
_F_SETPIPE_SZ = 1031
"""From linux/fcntl.h; the fcntl module has it from Python 3.10 on some platforms only."""


class Streams:
    """The child's ends and ours of its output: a pseudo-terminal, or pipes."""

    def __init__(self, terminal: Terminal) -> None:
        self._sources: dict[int, tuple[str, int]] = {}
        self._child_ends: list[int] = []
        self.stdin: int | None = None
        if terminal.has_screen:
            main, self.stdout = terminal.open_pty()
            self._add(main, self.stdout, "stdout", 1)
            self.stdin = self.stdout if terminal.has_keyboard else None
            self.stderr = self.stdout if os.isatty(2) else self._pipe("stderr", 2)
        else:
            self.stdout, self.stderr = self._pipe("stdout", 1), self._pipe("stderr", 2)

    def _pipe(self, name: str, to: int) -> int:
        ours, theirs = os.pipe()
        with contextlib.suppress(OSError):  # the user's share of pipe memory may be used up
            fcntl.fcntl(ours, _F_SETPIPE_SZ, CHUNK_BYTES)
        self._add(ours, theirs, name, to)
        return theirs

    def _add(self, ours: int, theirs: int, name: str, to: int) -> None:
        self._sources[ours] = (name, to)
        self._child_ends.append(theirs)

    def begin(self) -> None:
        """Close the child's ends here, so that its end can be seen."""
        while self._child_ends:
            os.close(self._child_ends.pop())

    def close(self) -> None:
        self.begin()
        for ours in list(self._sources):
            self.drop(ours)

    def drop(self, ours: int) -> None:
        """Read no more from this one."""
        del self._sources[ours]
        os.close(ours)

    def open(self) -> Mapping[int, tuple[str, int]]:
        """What can still be read: our end, its name, and where it goes."""
        return dict(self._sources)


@dataclass(slots=True)
class Relay:
    """The loop between the child's streams and ours. `is_over` tells whether the child has ended, `wakeup` is readable when that may have changed."""

    streams: Streams
    terminal: Terminal
    watcher: Watcher
    is_over: Callable[[], bool]
    wakeup: int

    def run(self) -> None:
        """Until the child has ended and all it wrote has been passed on."""
        with selectors.DefaultSelector() as selector:
            keys = [0] if self.terminal.is_raw else []
            for fd in (self.wakeup, *self.streams.open(), *keys):
                selector.register(fd, selectors.EVENT_READ)
            while not self.is_over():
                for key, _ in selector.select():
                    self._handle(key.fd, selector)
            self._drain(selector)

    def _drain(self, selector: selectors.BaseSelector) -> None:
        """What the child itself wrote is in the pipes now; something it left behind may hold them open and write for ever."""
        owed = sum(_readable_bytes(fd) for fd in self.streams.open())
        until = time.monotonic() + _LINGER_LIMIT_SECONDS
        while self.streams.open() and (owed > 0 or time.monotonic() < until):
            ready = [key.fd for key, _ in selector.select(_LINGER_SECONDS) if key.fd in self.streams.open()]
            if not ready:
                return
            owed -= sum(self._handle(fd, selector) for fd in ready)

    def _handle(self, fd: int, selector: selectors.BaseSelector) -> int:
        """Do what a readable descriptor asks for; how many bytes of output were passed on."""
        if fd == self.wakeup:
            with contextlib.suppress(BlockingIOError):
                os.read(fd, 512)
            self.terminal.copy_size()
        elif fd not in self.streams.open():
            if not self.terminal.forward_keys():
                selector.unregister(fd)
        elif passed := self._forward(fd):
            return passed
        else:
            selector.unregister(fd)
            self.streams.drop(fd)
        return 0

    def _forward(self, ours: int) -> int:
        """Pass one chunk on; 0 where this stream is over, or nobody reads our own any more."""
        name, to = self.streams.open()[ours]
        try:
            chunk = os.read(ours, CHUNK_BYTES)
        except OSError as error:
            if error.errno == errno.EIO:  # a pseudo-terminal whose other side is closed
                return 0
            raise
        try:
            _write_all(to, chunk)
        except BrokenPipeError:
            return 0  # our end is closed then: the deploy gets its own SIGPIPE, as without scale
        if chunk:
            self.watcher.feed(name, chunk)
        return len(chunk)


def _write_all(to: int, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        try:
            rest = rest[os.write(to, rest) :]
        except BlockingIOError:  # whoever else has this terminal or pipe made it non-blocking
            select.select([], [to], [])


def _readable_bytes(fd: int) -> int:
    try:
        (count,) = struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, b"\0" * 4))
    except OSError:
        return 0
    return int(count)
