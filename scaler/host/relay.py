"""Pass the deploy's output on, byte for byte as it comes, and show it to a watcher."""

import contextlib
import fcntl
import os
import select
import selectors
import struct
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from scaler.host.terminal import Terminal
from scaler.host.watch import CHUNK_BYTES, Watcher

_PIPE_BYTES = 1 << 20
"""The most that a user may ask for without privileges (/proc/sys/fs/pipe-max-size)."""
_LINGER_SECONDS = 0.3
"""How long output is waited for after the deploy has ended, where something it left behind holds its streams open."""
_LINGER_LIMIT_SECONDS = 2.0
"""The same where that something goes on writing."""
_READS = 16
"""A stream that has more is read so often before anything else is looked at."""


class Streams:
    """The child's ends and ours of its output: a pseudo-terminal, or pipes."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._sources: dict[int, tuple[str, int]] = {}
        self._child_ends: list[int] = []
        self.stdin: int | None = None
        if terminal.has_screen:
            main, self.stdout = terminal.open_pty()
            self._add(main, self.stdout, "stdout", 1)
            self.stdin = self.stdout if terminal.has_keyboard else None
            self.stderr = self.stdout if os.isatty(2) else self._pipe("stderr", 2)
        else:
            self.stdout = self._pipe("stdout", 1)
            # Where both end in one place, one pipe keeps their words in the order they were said.
            self.stderr = self.stdout if _are_one(1, 2) else self._pipe("stderr", 2)

    def _pipe(self, name: str, to: int) -> int:
        ours, theirs = os.pipe()
        os.set_blocking(ours, False)
        with contextlib.suppress(OSError):  # the user's share of pipe memory may be used up
            fcntl.fcntl(ours, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
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
        if ours == self._terminal.main:
            self._terminal.main = None
        os.close(ours)

    @property
    def open(self) -> Mapping[int, tuple[str, int]]:
        """What can still be read: our end, its name, and where it goes."""
        return self._sources


@dataclass(slots=True)
class Relay:
    """The loop between the child's streams and ours. `look` tells whether the child has ended; `wakeups` are readable when that may have
    changed."""

    streams: Streams
    terminal: Terminal
    watcher: Watcher
    look: Callable[[], bool]
    wakeups: Sequence[int | None]

    def run(self) -> None:
        """Until the child has ended and all it wrote has been passed on."""
        with selectors.DefaultSelector() as selector:
            for fd in (*self.wakeups, *self.streams.open):
                if fd is not None:
                    selector.register(fd, selectors.EVENT_READ)
            while not self.look():
                self._set_keys(selector)
                self._serve(selector, None)
            self._drain(selector)

    def _drain(self, selector: selectors.BaseSelector) -> None:
        """What the child itself wrote is in the pipes now; something it left behind may hold them open and write for ever."""
        for fd in self.wakeups:
            if fd is not None:
                selector.unregister(fd)
        owed = sum(_readable_bytes(fd) for fd in self.streams.open)
        until = time.monotonic() + _LINGER_LIMIT_SECONDS
        while self.streams.open and (owed > 0 or time.monotonic() < until):
            passed = self._serve(selector, _LINGER_SECONDS)
            if passed is None:
                return
            owed -= passed

    def _serve(self, selector: selectors.BaseSelector, seconds: float | None) -> int | None:
        """Do what the descriptors that are ready ask for; how many bytes of output were passed on, or None where none was ready in time."""
        ready = selector.select(seconds)
        passed = 0
        for key, events in ready:
            fd = key.fd
            if fd in self.streams.open:
                if events & selectors.EVENT_WRITE:
                    self.terminal.pass_keys()
                passed += self._forward(fd, selector)
            elif fd == 0 and 0 not in self.wakeups:
                self.terminal.read_keys()
            elif fd == self.wakeups[0]:
                self._woken(fd)
        return passed if ready else None

    def _woken(self, wakeup: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(wakeup, 512)
        self.terminal.copy_size()

    def _set_keys(self, selector: selectors.BaseSelector) -> None:
        """Listen to the keyboard only while the child takes what is typed, and scale is in the foreground."""
        if not self.terminal.has_screen:
            return
        listens = 0 in selector.get_map()
        if self.terminal.has_keys and not listens:
            selector.register(0, selectors.EVENT_READ)
        elif listens and not self.terminal.has_keys:
            selector.unregister(0)
        if self.terminal.main is not None:
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self.terminal.has_typed else 0)
            if selector.get_key(self.terminal.main).events != wanted:
                selector.modify(self.terminal.main, wanted)

    def _forward(self, ours: int, selector: selectors.BaseSelector) -> int:
        """Pass on what can be read now; a stream that is over, or that nobody reads any more on our side, is closed."""
        name, to = self.streams.open[ours]
        passed = 0
        for _ in range(_READS):
            try:
                chunk = os.read(ours, CHUNK_BYTES)
                _write_all(to, chunk)
            except BlockingIOError:
                break
            except OSError:
                # The other side of a pseudo-terminal is closed, or ours is (EPIPE, EIO, ENOSPC): the deploy gets its own SIGPIPE then.
                chunk = b""
            if not chunk:
                selector.unregister(ours)
                self.streams.drop(ours)
                break
            self.watcher.feed(name, chunk)
            passed += len(chunk)
            if len(chunk) < CHUNK_BYTES:
                break
        return passed


def _write_all(to: int, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        try:
            rest = rest[os.write(to, rest) :]
        except BlockingIOError:  # whoever else has this terminal or pipe made it non-blocking
            select.select([], [to], [])


def _are_one(one: int, other: int) -> bool:
    try:
        return os.path.samestat(os.fstat(one), os.fstat(other))
    except OSError:
        return False


def _readable_bytes(fd: int) -> int:
    try:
        (count,) = struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, b"\0" * 4))
    except OSError:
        return 0
    return int(count)
