"""However a log is cut into chunks, the watcher says what reading it line by line says."""

import io
import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaler.host.watch import Watcher

_STEMS = (b"illed", b"emory", b" 137")

_WORDS = ("Killed", "memory", "code 137", "é", "x", " ", "\r", "\n", "\r\n", "il", "led", "\x00")

_text = st.lists(st.sampled_from(_WORDS), max_size=40).map("".join)


def classes(text: str) -> list[str]:
    """One class that asks for more than a stem, and two that do not."""
    return [name for name in ("Killed", "memory", "code 137") if name in text]


def chunks_of(data: bytes, cuts: list[int]) -> list[bytes]:
    """The data cut at these places, wherever they fall."""
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[begin:end] for begin, end in itertools.pairwise(places)]


def reference(streams: dict[str, list[tuple[int, bytes]]]) -> list[tuple[int, str, str]]:
    """What a plain reader keeps: of each class the first and the last four lines. `streams`: pieces, each with the breaks before it."""
    seen = []
    for stream, pieces in streams.items():
        data = b"".join(piece for _, piece in pieces)
        before = [count + piece[:at].count(b"\n") for count, piece in pieces for at in range(len(piece))]
        begin = 0
        for line in data.split(b"\n"):
            parts = [part.decode() for part in line.split(b"\r") if any(stem in part for stem in _STEMS)]
            seen += [(before[begin] + 1, part, stream) for part in parts]
            begin += len(line) + 1
    kept = set()
    for name in ("Killed", "memory", "code 137"):
        found = [one for one in seen if name in one[1]]
        kept |= {*found[:4], *found[-4:]}
    return sorted(kept)


def watched(chunks: list[tuple[str, bytes]]) -> list[tuple[int | None, str, str]]:
    watcher = Watcher(_STEMS, classes)
    for stream, chunk in chunks:
        watcher.feed(stream, chunk)
    return [(line.number, line.text, line.stream) for line in watcher.lines()]


@given(_text, st.lists(st.integers(0, 500), max_size=12))
@settings(max_examples=200, deadline=None)
def test_any_cut_of_a_log_says_the_same_as_reading_it_line_by_line(text: str, cuts: list[int]) -> None:
    data = text.encode()

    lines = watched([("stdout", chunk) for chunk in chunks_of(data, cuts)])

    assert sorted(set(lines), key=str) == sorted(reference({"stdout": [(0, data)]}), key=str)


_few_words = st.lists(st.sampled_from(_WORDS), min_size=1, max_size=4).map("".join)
"""At most two lines with a stem: four of these fill no class."""


@given(st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), _few_words), max_size=4))
@settings(max_examples=250, deadline=None)
def test_lines_of_two_streams_are_numbered_where_they_begin_in_order_of_arrival(pieces: list[tuple[str, str]]) -> None:
    chunks = [(stream, text.encode()) for stream, text in pieces]
    streams: dict[str, list[tuple[int, bytes]]] = {"stdout": [], "stderr": []}
    breaks = 0
    for stream, chunk in chunks:
        streams[stream].append((breaks, chunk))
        breaks += chunk.count(b"\n")

    lines = watched(chunks)

    assert sorted(set(lines), key=str) == sorted(reference(streams), key=str)


@given(_text)
def test_asking_twice_says_the_same_twice(text: str) -> None:
    watcher = Watcher(_STEMS, classes)
    watcher.feed("stdout", text.encode())

    assert watcher.lines() == watcher.lines()


@pytest.mark.parametrize("between", range(990, 1030))
def test_in_a_long_line_a_word_is_not_lost_where_the_part_shown_of_another_ends(between: int) -> None:
    line = b"#" * 3000 + b"memory" + b"#" * between + b"Killed: code 137" + b"#" * 3000 + b"\n"
    watcher = Watcher(_STEMS, lambda text: ["all"] if "Killed: code 137" in text else [])

    watcher.feed("stdout", line)

    assert watcher.lines()


@pytest.mark.parametrize("chunk_bytes", [100, 4096, 1 << 20])
def test_an_endless_line_costs_as_much_a_byte_as_any_other_and_little_memory(chunk_bytes: int) -> None:
    line = b"#" * 9_000_000 + b" Killed " + b"#" * 1_000_000
    watcher = Watcher(_STEMS, classes)
    began = time.process_time()

    for at in range(0, len(line), chunk_bytes):
        watcher.feed("stdout", line[at : at + chunk_bytes])

    (text,) = {one.text.strip("#") for one in watcher.lines()}
    assert text == " Killed "
    assert time.process_time() - began < 3  # seen: 0.2
    assert all(len(one.text) <= 2048 for one in watcher.lines())


def test_the_time_to_read_a_file_grows_with_its_length_alone() -> None:
    block = b"".join(b"step %d of the build: Killed, memory, code 137\n" % number for number in range(20_000))

    def seconds(times: int) -> float:
        began = time.process_time()
        Watcher(_STEMS, classes).scan(io.BytesIO(block * times))
        return time.process_time() - began

    seconds(1)
    small, large = min(seconds(2) for _ in range(3)), min(seconds(16) for _ in range(2))

    assert large < 8 * small * 2.5
