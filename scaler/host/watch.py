"""Watch a deploy's output as it passes: bounded memory, memory speed.

Nearly all bytes are only searched for a few literals. A line that holds one of them is taken out and classified; of each class the
first and the last few lines are kept.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from scaler.domain.evidence import OutputLine

CHUNK_BYTES = 1 << 20

_LINE_BYTES = 64 * 1024
"""A line without an end is looked at in pieces of this size."""
_SHOWN_BYTES = 2048
"""A longer line is kept only this far around what made it worth keeping."""
_KEPT = 4
"""How many first and how many last lines of a class are kept."""
_HITS = 256
"""Of a chunk with more hits only this many of the first and of the last are looked at: a log that is all evidence costs no more."""
_NUMBERED_BYTES = 64 << 20
"""Counting line breaks costs three times the search, so lines that begin further on than this have no number."""

Classify = Callable[[str], Sequence[str]]
"""The classes a line belongs to; none: it is not worth keeping."""


@dataclass(slots=True)
class _Kept:
    first: list[OutputLine] = field(default_factory=list)
    last: deque[OutputLine] = field(default_factory=lambda: deque(maxlen=_KEPT))


class Watcher:
    """Fed chunks as they come; then asked which lines were worth keeping."""

    def __init__(self, stems: Sequence[bytes], classify: Classify) -> None:
        """`stems`: literals, one of which is in every line worth keeping; up to 16 are searched at once at memory speed."""
        from ahocorasick_rs import BytesAhoCorasick, MatchKind  # noqa: PLC0415 - no command needs it before a log is read

        # Leftmost matching is what the library's vectorised search can do: 4 GB/s measured, against 0.5 with the other kind.
        self._search = BytesAhoCorasick(stems, matchkind=MatchKind.LeftmostFirst).find_matches_as_indexes
        self._classify = classify
        self._open_lines: dict[str, tuple[bytes, int | None]] = {}
        self._kept: dict[str, _Kept] = {}
        self._offset = 0
        self._breaks: int | None = 0

    def feed(self, stream: str, chunk: bytes) -> None:
        """Look at the next chunk of a stream (`stdout`, `stderr`)."""
        begun, number = self._open_lines.get(stream, (b"", self._number(0)))
        end = chunk.find(b"\n")
        if end < 0:
            self._open_lines[stream] = self._cut(stream, begun + chunk, number)
        else:
            self._look(stream, begun + chunk[:end], number)
            last = chunk.rfind(b"\n")
            self._search_lines(stream, chunk, end + 1, last)
            open_number = None if self._breaks is None else self._breaks + chunk.count(b"\n") + 1
            self._open_lines[stream] = self._cut(stream, chunk[last + 1 :], open_number)
        self._count(chunk)

    def scan(self, source: BinaryIO) -> None:
        """Feed a whole file or pipe."""
        while chunk := source.read(CHUNK_BYTES):
            self.feed("stdout", chunk)

    def lines(self) -> Sequence[OutputLine]:
        """The lines kept, in order of their numbers (those without one last)."""
        for stream, (begun, number) in self._open_lines.items():
            self._look(stream, begun, number)
        self._open_lines.clear()
        unique = {id(line): line for kept in self._kept.values() for line in (*kept.first, *kept.last)}
        return sorted(unique.values(), key=lambda line: (line.number is None, line.number or 0))

    def _number(self, breaks_since: int) -> int | None:
        return None if self._breaks is None else self._breaks + breaks_since + 1

    def _count(self, chunk: bytes) -> None:
        self._offset += len(chunk)
        if self._breaks is not None:
            self._breaks = self._breaks + chunk.count(b"\n") if self._offset <= _NUMBERED_BYTES else None

    def _cut(self, stream: str, begun: bytes, number: int | None) -> tuple[bytes, int | None]:
        """What is kept of a line that has not ended: all of it, or its end where it is too long to wait for."""
        if len(begun) <= _LINE_BYTES:
            return begun, number
        self._look(stream, begun, number)
        return begun[-_SHOWN_BYTES // 8 :], number

    def _search_lines(self, stream: str, chunk: bytes, begin: int, end: int) -> None:
        """Look at the lines between two line breaks of a chunk that hold a literal."""
        hits = self._search(chunk)
        if len(hits) > 2 * _HITS:
            hits = [*hits[:_HITS], *hits[-_HITS:]]
        counted_to, breaks, seen_to = 0, 0, begin
        for _, start, _ in hits:
            if not seen_to <= start < end:
                continue
            line_start = chunk.rfind(b"\n", 0, start) + 1
            seen_to = chunk.find(b"\n", start)
            if self._breaks is not None:
                breaks += chunk.count(b"\n", counted_to, line_start)
                counted_to = line_start
            self._classify_line(stream, chunk[line_start:seen_to], start - line_start, self._number(breaks))

    def _look(self, stream: str, line: bytes, number: int | None) -> None:
        """Look at one line by itself; where it is long, at each place that holds a literal."""
        seen_to = -1
        for _, start, _ in self._search(line)[:_HITS]:
            if start > seen_to:
                self._classify_line(stream, line, start, number)
                seen_to = start + _SHOWN_BYTES // 2

    def _classify_line(self, stream: str, line: bytes, at: int, number: int | None) -> None:
        # Progress bars return to the line's beginning: what a person saw is the part between two returns.
        begin = max(line.rfind(b"\r", 0, at) + 1, at - _SHOWN_BYTES // 2)
        stop = line.find(b"\r", at)
        text = line[begin : min(len(line) if stop < 0 else stop, at + _SHOWN_BYTES // 2)].decode("utf-8", "replace")
        classes = self._classify(text)
        found = OutputLine(number, text, stream)
        for name in classes:
            kept = self._kept.setdefault(name, _Kept())
            (kept.first if len(kept.first) < _KEPT else kept.last).append(found)
