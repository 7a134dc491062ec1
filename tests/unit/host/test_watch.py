"""Nothing that matters is missed, whatever the log's size, speed and shape."""

import io
import time
from collections.abc import Iterator

import pytest

from scaler.domain.evidence import OutputLine
from scaler.domain.rules import STEMS, codes
from scaler.host import watch
from scaler.host.watch import Watcher

KILLED = b"g++: fatal error: Killed signal terminated program cc1plus"


def seen(chunks: list[bytes], stream: str = "stdout") -> list[OutputLine]:
    watcher = Watcher(STEMS, codes)
    for chunk in chunks:
        watcher.feed(stream, chunk)
    return list(watcher.lines())


def filler(count: int, text: bytes = b"compiling %d\n") -> bytes:
    return b"".join(text % number for number in range(count))


def test_a_line_is_found_with_its_number_and_stream() -> None:
    assert seen([b"one\ntwo\n" + KILLED + b"\nthree\n"], "stderr") == [OutputLine(3, KILLED.decode(), "stderr")]


def test_a_quiet_log_leaves_nothing() -> None:
    assert seen([filler(1000)]) == []


@pytest.mark.parametrize("cut", range(1, len(KILLED) + 2))
def test_a_line_that_arrives_in_two_pieces_is_found_wherever_it_is_cut(cut: int) -> None:
    log = b"one\n" + KILLED + b"\nlast\n"

    assert seen([log[: 4 + cut - 1], log[4 + cut - 1 :]]) == [OutputLine(2, KILLED.decode())]


def test_a_log_that_arrives_byte_by_byte_says_the_same() -> None:
    log = filler(50) + KILLED + b"\n" + filler(50)

    assert seen([log[at : at + 1] for at in range(len(log))]) == seen([log])


def test_a_last_line_without_an_end_is_found() -> None:
    assert seen([b"one\n", KILLED]) == [OutputLine(2, KILLED.decode())]


def test_lines_of_both_streams_are_numbered_in_order_of_arrival() -> None:
    watcher = Watcher(STEMS, codes)
    watcher.feed("stdout", b"one\ntwo\n")
    watcher.feed("stderr", KILLED + b"\n")
    watcher.feed("stdout", b"four\nvirtual memory exhausted\n")

    assert [(line.number, line.stream) for line in watcher.lines()] == [(3, "stderr"), (5, "stdout")]


def test_the_part_between_two_returns_is_the_line_a_person_saw() -> None:
    assert seen([b"10%\r50%\r" + KILLED + b"\r100%\n"]) == [OutputLine(1, KILLED.decode())]


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    (line,) = seen([b"\xff\x00 Cannot allocate memory\n"])

    assert line.text == "\N{REPLACEMENT CHARACTER}\x00 Cannot allocate memory"


@pytest.mark.parametrize("before", [10, 5_000, 70_000, 200_000])
def test_a_long_line_is_cut_around_what_matters(before: int) -> None:
    (line,) = {line.text: line for line in seen([b"x" * before + b" Cannot allocate memory " + b"y" * 100_000 + b"\n"])}.values()

    assert "Cannot allocate memory" in line.text
    assert len(line.text) <= 2048


@pytest.mark.parametrize(
    "noise", [b"cp /var/workspace/%d.png /srv\n", b"memory in use: %d\n", b"killed %d stale locks of memory\n"]
)
@pytest.mark.parametrize("chunk_bytes", [1000, 1 << 17, 1 << 20])
def test_words_on_every_line_hide_no_other_line(noise: bytes, chunk_bytes: int) -> None:
    log = filler(9000, noise) + KILLED + b"\n" + filler(9000, noise)

    lines = seen([log[at : at + chunk_bytes] for at in range(0, len(log), chunk_bytes)])

    assert OutputLine(9001, KILLED.decode()) in lines


def test_the_first_and_the_last_lines_of_a_class_are_kept_in_order() -> None:
    numbers = [line.number for line in seen([filler(100, b"%d: Cannot allocate memory\n")])]

    assert numbers == [1, 2, 3, 4, 97, 98, 99, 100]


def test_of_a_flood_the_very_last_line_is_kept() -> None:
    flood = filler(60_000, b"%d: Cannot allocate memory\n")
    chunks = [flood[at : at + watch.CHUNK_BYTES] for at in range(0, len(flood), watch.CHUNK_BYTES)]

    lines = seen(chunks)

    assert lines[0].number == 1
    assert lines[-1].text == "59999: Cannot allocate memory"
    assert len(lines) <= 8


def test_a_log_that_is_all_evidence_takes_little_longer_than_one_that_has_none() -> None:
    flood = filler(400_000, b"%d: Cannot allocate memory\n")

    began = time.perf_counter()
    seen([flood[at : at + watch.CHUNK_BYTES] for at in range(0, len(flood), watch.CHUNK_BYTES)])

    assert time.perf_counter() - began < 2  # 13 MiB; classifying each line takes 10 s


def test_lines_far_into_a_live_log_have_no_number_and_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_NUMBERED_BYTES", 1000)

    assert seen([filler(100), filler(100), KILLED + b"\n"]) == [OutputLine(None, KILLED.decode())]


def test_all_lines_of_a_file_have_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_NUMBERED_BYTES", 1000)
    watcher = Watcher(STEMS, codes)

    watcher.scan(io.BytesIO(filler(300_000) + KILLED + b"\n"))

    assert watcher.lines() == [OutputLine(300_001, KILLED.decode())]


def test_memory_stays_bounded_in_an_endless_log() -> None:
    import tracemalloc

    def endless(count: int) -> Iterator[bytes]:
        yield from (b"memory " * 10_000 + b"\n" + b"x" * 60_000 for _ in range(count))

    watcher = Watcher(STEMS, codes)
    tracemalloc.start()
    for chunk in endless(60):
        watcher.feed("stdout", chunk)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 4 << 20  # of 8 MiB fed


def test_lines_are_classified_again_as_time_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    classified: list[str] = []

    def classify(text: str) -> list[str]:
        classified.append(text)
        return ["class"]

    watcher = Watcher([b"memory"], classify)

    for number in range(3000):
        watcher.feed("stdout", b"memory %d\n" % number)
    at_once = len(classified)
    for number in range(3000):
        now += 0.0001  # less than a line's worth each time
        watcher.feed("stdout", b"memory %d\n" % number)

    assert at_once == 1000
    assert 1598 <= len(classified) <= 1600
