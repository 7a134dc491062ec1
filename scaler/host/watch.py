"""Watch a deploy's output as it passes: bounded memory, memory speed.

Nearly all bytes are only searched for a few literals. A line that holds one of them is taken out and classified; of each class the
first and the last few lines are kept.
"""

import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from scaler.domain.evidence import OutputLine

CHUNK_BYTES = 1 << 17
"""Read at once. Larger buffers cost more than fewer calls save: each is mapped anew by malloc (1.0 s a GiB with 1 MiB, 0.35 with this)."""

_LINE_BYTES = 64 * 1024
"""A line without an end is looked at in pieces of this size."""
_SHOWN_BYTES = 2048
"""A longer line is kept only this far around what made it worth keeping."""
_OVERLAP_BYTES = 256
"""So much of a piece is seen again with the next one, for what lies across the cut."""
_KEPT = 4
"""How many first and how many last lines of a class are kept."""
_HITS = 16
"""Where a chunk holds a literal more than twice as often, only so many first and last places are looked at. Counted for each literal
alone, so that a word on every line hides no other."""
_WAITING = 64
"""Of the lines there was no time to classify, so many last ones of each literal are classified at the end."""
_NUMBERED_BYTES = 64 << 20
"""Counting line breaks costs three times the search, so lines that begin further on than this have no number."""

Classify = Callable[[str], Sequence[str]]
"""The classes a line belongs to; none: it is not worth keeping."""


@dataclass(slots=True)
class _Allowance:
    """How many lines may be classified as they come: `burst` at once, then `per_second`. One takes about 25 µs."""

    burst: float = 1000
    per_second: float = 2000
    _since: float = 0.0

    def take(self) -> bool:
        if self.burst < 1:
            now = time.monotonic()
            self.burst = min(self.burst + (now - self._since) * self.per_second, 1000)
            self._since = now
        if self.burst < 1:
            return False
        self.burst -= 1
        return True


class _Found(NamedTuple):
    """A line, or the part of it, that holds a literal. Many are made, and a tuple is made faster than a frozen dataclass."""

    order: int
    number: int | None
    shown: bytes
    stream: str

    def line(self) -> OutputLine:
        return OutputLine(self.number, self.shown.decode("utf-8", "replace"), self.stream)


class Watcher:
    """Fed chunks as they come; then asked which lines were worth keeping."""

    def __init__(self, stems: Sequence[bytes], classify: Classify) -> None:
        """`stems`: literals, one of which is in every line worth keeping; four bytes or more each, else the search is four times slower."""
        from ahocorasick_rs import BytesAhoCorasick, MatchKind  # noqa: PLC0415 - no command needs it before a log is read

        # Leftmost matching is what the library's vectorised search can do: 4 GB/s measured, against 0.5 with the other kind.
        self._search = BytesAhoCorasick(stems, matchkind=MatchKind.LeftmostFirst).find_matches_as_indexes
        self._classify = classify
        self._allowance = _Allowance(_since=time.monotonic())
        self._open_lines: dict[str, tuple[bytes, int | None]] = {}
        self._first: dict[str, list[_Found]] = defaultdict(list)
        self._last: dict[str, deque[_Found]] = defaultdict(lambda: deque(maxlen=_KEPT))
        self._waiting: dict[int, deque[_Found]] = defaultdict(lambda: deque(maxlen=_WAITING))
        self._unclassified: _Found | None = None
        """The line found last, where it had to wait: it waits for each literal in it, so that a frequent one does not push it out."""
        self._found = 0
        self._numbered_bytes: float = _NUMBERED_BYTES
        self._offset = 0
        self._breaks: int | None = 0

    def feed(self, stream: str, chunk: bytes) -> None:
        """Look at the next chunk of a stream (`stdout`, `stderr`)."""
        begun, number = self._open_lines.pop(stream, (b"", self._number(0)))
        end = chunk.find(b"\n")
        breaks = chunk.count(b"\n") if self._breaks is not None and end >= 0 else 0
        if end < 0:
            self._open_lines[stream] = self._cut(stream, begun + chunk, number)
        else:
            self._look(stream, begun + chunk[:end], number)
            last = chunk.rfind(b"\n")
            self._search_lines(stream, chunk, end + 1, last)
            if last + 1 < len(chunk):
                self._open_lines[stream] = self._cut(stream, chunk[last + 1 :], self._number(breaks))
        self._offset += len(chunk)
        if self._breaks is not None:
            self._breaks = self._breaks + breaks if self._offset <= self._numbered_bytes else None

    def scan(self, source: BinaryIO) -> None:
        """Feed a whole file or pipe. Nobody waits for its lines meanwhile, so all have numbers and more are classified."""
        self._numbered_bytes, self._allowance = float("inf"), _Allowance(200_000, 0)
        while chunk := source.read(CHUNK_BYTES):
            self.feed("stdout", chunk)

    def lines(self) -> Sequence[OutputLine]:
        """The lines kept, in order of arrival."""
        for stream, (begun, number) in self._open_lines.items():
            self._look(stream, begun, number)
        self._open_lines.clear()
        kept: dict[int, _Found] = {}
        for found in self._classes().values():
            kept.update((one.order, one) for one in (*found[:_KEPT], *found[-_KEPT:]))
        unique = {(one.number, one.stream, one.shown, one.order if one.number is None else None): one for one in kept.values()}
        return [one.line() for one in sorted(unique.values(), key=lambda one: one.order)]

    def _classes(self) -> dict[str, list[_Found]]:
        """What was kept of each class in order of arrival, with what had to wait for it."""
        classes = {name: [*first, *self._last[name]] for name, first in self._first.items()}
        waiting = {found.order: found for waits in self._waiting.values() for found in waits}
        for found in waiting.values():
            for name in self._classify(found.line().text):
                classes.setdefault(name, []).append(found)
        return {name: sorted(found, key=lambda one: one.order) for name, found in classes.items()}

    def _number(self, breaks_since: int) -> int | None:
        return None if self._breaks is None else self._breaks + breaks_since + 1

    def _cut(self, stream: str, begun: bytes, number: int | None) -> tuple[bytes, int | None]:
        """What is kept of a line that has not ended: all of it, or its end where it is too long to wait for."""
        if len(begun) <= _LINE_BYTES:
            return begun, number
        self._look(stream, begun, number)
        return begun[-_OVERLAP_BYTES:], number

    def _search_lines(self, stream: str, chunk: bytes, begin: int, end: int) -> None:
        """Look at the lines between two line breaks of a chunk that hold a literal."""
        counted_to, breaks, line_start, line_end, shown_to = 0, 0, 0, begin, 0
        for stem, start, _ in _thinned(self._search(chunk)):
            if not begin <= start < end:
                continue
            if start >= line_end:
                line_start, line_end = chunk.rfind(b"\n", 0, start) + 1, chunk.find(b"\n", start)
                if self._breaks is not None:
                    breaks += chunk.count(b"\n", counted_to, line_start)
                    counted_to = line_start
            if start >= shown_to:
                shown_to = self._take(stream, stem, chunk, (line_start, start, line_end), self._number(breaks))
            elif self._unclassified is not None:
                self._waiting[stem].append(self._unclassified)

    def _look(self, stream: str, line: bytes, number: int | None) -> None:
        """Look at one line by itself."""
        shown_to = 0
        for stem, start, _ in _thinned(self._search(line)):
            if start >= shown_to:
                shown_to = self._take(stream, stem, line, (0, start, len(line)), number)
            elif self._unclassified is not None:
                self._waiting[stem].append(self._unclassified)

    def _take(self, stream: str, stem: int, text: bytes, place: tuple[int, int, int], number: int | None) -> int:
        """Classify what is seen around a hit, or let it wait; returns where that ends. `place`: line start, hit, line end."""
        line_start, at, line_end = place
        # Progress bars return to the line's beginning: what a person saw is the part between two returns.
        begin = text.rfind(b"\r", line_start, at) + 1 or line_start
        stop = text.find(b"\r", at, line_end)
        if stop < 0:
            stop = line_end
        done_to = stop
        if stop - begin > _SHOWN_BYTES:
            begin, stop = max(begin, at - _SHOWN_BYTES // 2), min(stop, at + _SHOWN_BYTES // 2)
            if stop < done_to:
                done_to = stop - _OVERLAP_BYTES  # what begins further on may be cut off
        self._found += 1
        found = _Found(self._found, number, text[begin:stop], stream)
        self._unclassified = None if self._allowance.take() else found
        if self._unclassified is not None:
            self._waiting[stem].append(found)
            return done_to
        for name in self._classify(found.line().text):
            first = self._first[name]
            (first if len(first) < _KEPT else self._last[name]).append(found)
        return done_to


def _thinned(hits: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """The hits, and of each literal that has too many the first and the last ones only; in order."""
    if len(hits) <= 2 * _HITS:
        return hits
    by_stem: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for hit in hits:
        by_stem[hit[0]].append(hit)
    kept = [
        hit for places in by_stem.values() for hit in (places if len(places) <= 2 * _HITS else places[:_HITS] + places[-_HITS:])
    ]
    return sorted(kept, key=lambda hit: hit[1])
