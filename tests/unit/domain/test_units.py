"""Amounts of memory and spans of time, as people write them."""

from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaler.domain.errors import UsageError
from scaler.domain.units import format_bytes, format_duration, parse_bytes, parse_duration


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("8g", 8 * 1024**3),
        ("8G", 8 * 1024**3),
        ("8GB", 8 * 10**9),
        ("8gib", 8 * 1024**3),
        ("8192MiB", 8 * 1024**3),
        ("1.5GiB", 1536 * 1024**2),
        (" 512 MiB ", 512 * 1024**2),
        ("1k", 1024),
        ("1kB", 1000),
        ("2T", 2 * 1024**4),
        ("1000", 1000),
        ("1000B", 1000),
    ],
)
def test_an_amount_is_read_with_its_unit(text: str, amount: int) -> None:
    assert parse_bytes(text) == amount


@pytest.mark.parametrize(
    "text", ["0", "0GiB", "-1", "-8g", "", " ", "g", "8x", "8 8", "1,5g", "8gg", "1e3", "½", "inf", "nan", "8g8"]
)
def test_what_is_no_amount_is_refused_with_the_way_to_write_it(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_bytes(text)

    assert repr(text) in str(caught.value)
    assert "8GiB" in caught.value.hint


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (512 * 1024**2, "512 MiB"),
        (1536 * 1024**2, "1.5 GiB"),
        (8 * 1024**3, "8 GiB"),
        (24 * 1024**4, "24 TiB"),
        (-2 * 1024**3, "-2 GiB"),
    ],
)
def test_an_amount_is_written_in_the_unit_that_reads_best(amount: int, text: str) -> None:
    assert format_bytes(amount) == text


@given(st.integers(min_value=1, max_value=2**50))
def test_an_amount_that_is_written_reads_back_to_within_its_last_digit(amount: int) -> None:
    assert abs(parse_bytes(format_bytes(amount)) - amount) <= amount * 0.06


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90s", timedelta(seconds=90)),
        ("90sec", timedelta(seconds=90)),
        ("250ms", timedelta(milliseconds=250)),
        ("15m", timedelta(minutes=15)),
        ("15 min", timedelta(minutes=15)),
        ("1h30m", timedelta(minutes=90)),
        ("1.5h", timedelta(minutes=90)),
        ("7d", timedelta(days=7)),
        ("0s", timedelta(0)),
    ],
)
def test_a_span_is_read_with_its_units(text: str, span: timedelta) -> None:
    assert parse_duration(text) == span


@pytest.mark.parametrize("text", ["", "90", "s", "-1s", "1h30", "1x", "soon", "15m!", "PT15M"])
def test_what_is_no_span_is_refused_with_the_way_to_write_it(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_duration(text)

    assert repr(text) in str(caught.value)
    assert "15m" in caught.value.hint


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (7.4, "7 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (3780, "1 h 3 min"),
    ],
)
def test_a_span_is_written_without_needless_parts(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_and_nothing_else(text: str) -> None:
    with suppress(UsageError):
        assert parse_bytes(text) > 0
    with suppress(UsageError):
        assert parse_duration(text) >= timedelta(0)
