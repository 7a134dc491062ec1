"""Times of the week in which an instance may be stopped, by the wall clock of their zone."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaler.domain.choice import against_windows
from scaler.domain.policy import Limits, Weekday, Window

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = Window(frozenset({Weekday.FRI}), time(22), time(6), BERLIN)
DAY = Window(frozenset({Weekday.MON, Weekday.TUE}), time(9), time(17, 30), BERLIN)


def berlin(day: int, hour: int, minute: int = 0, second: int = 0) -> datetime:
    """A moment of November 2026, when the 23rd is a Monday."""
    return datetime(2026, 11, day, hour, minute, second, tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("window", "now", "inside"),
    [
        (DAY, berlin(23, 8, 59, 59), False),
        (DAY, berlin(23, 9), True),
        (DAY, berlin(24, 17, 29, 59), True),
        (DAY, berlin(24, 17, 30), False),
        (DAY, berlin(25, 12), False),
        (NIGHT, berlin(27, 21, 59), False),
        (NIGHT, berlin(27, 22), True),
        (NIGHT, berlin(28, 0), True),
        (NIGHT, berlin(28, 5, 59, 59), True),
        (NIGHT, berlin(28, 6), False),
        (NIGHT, berlin(28, 22), False),
        (NIGHT, berlin(27, 5), False),
    ],
)
def test_a_window_opens_at_its_start_and_has_closed_at_its_end(window: Window, now: datetime, inside: bool) -> None:
    assert window.contains(now) is inside
    assert window.contains(now.astimezone(UTC)) is inside
    assert window.contains(now.astimezone(ZoneInfo("Pacific/Auckland"))) is inside


def test_the_night_of_sunday_runs_into_monday() -> None:
    night = Window(frozenset({Weekday.SUN}), time(23), time(1), BERLIN)

    assert night.contains(berlin(23, 0, 30))
    assert not night.contains(berlin(22, 0, 30))


def test_a_window_that_ends_where_it_starts_lasts_a_day() -> None:
    window = Window(frozenset({Weekday.MON}), time(9), time(9), BERLIN)

    assert window.contains(berlin(23, 9))
    assert window.contains(berlin(24, 8, 59))
    assert not window.contains(berlin(24, 9))
    assert not window.contains(berlin(23, 8, 59))


def test_the_hour_that_comes_twice_in_autumn_is_inside_twice() -> None:
    window = Window(frozenset({Weekday.SUN}), time(2), time(3), BERLIN)
    half_past_midnight_utc = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)

    assert window.contains(half_past_midnight_utc)
    assert window.contains(half_past_midnight_utc + timedelta(hours=1))
    assert not window.contains(half_past_midnight_utc + timedelta(hours=2))


def test_the_hour_that_is_left_out_in_spring_never_comes() -> None:
    window = Window(frozenset({Weekday.SUN}), time(2), time(3), BERLIN)
    morning = datetime(2026, 3, 29, 0, 0, tzinfo=UTC)

    assert not any(window.contains(morning + timedelta(minutes=minute)) for minute in range(180))


def test_the_wall_clock_counts_in_summer_and_in_winter() -> None:
    window = Window(frozenset(Weekday), time(9), time(10), BERLIN)

    assert window.contains(datetime(2026, 7, 1, 7, 30, tzinfo=UTC))
    assert window.contains(datetime(2026, 12, 1, 8, 30, tzinfo=UTC))
    assert not window.contains(datetime(2026, 12, 1, 7, 30, tzinfo=UTC))


times = st.times().map(lambda at: at.replace(second=0, microsecond=0))


@given(st.sampled_from(Weekday), times, times, st.integers(min_value=0, max_value=7 * 24 * 60 - 1))
def test_a_window_and_its_complement_share_no_moment_and_leave_none_out(day: Weekday, start: time, end: time, minute: int) -> None:
    """Without changes of the clock: a daily window and the daily window from its end to its start are each other's complement."""
    now = datetime(2026, 11, 23, tzinfo=UTC) + timedelta(minutes=minute)
    every_day = frozenset(Weekday)
    inside = Window(every_day, start, end, ZoneInfo("UTC")).contains(now)
    outside = Window(every_day, end, start, ZoneInfo("UTC")).contains(now)

    assert inside is not outside or start == end
    assert not Window(frozenset({day}), start, end, ZoneInfo("UTC")).contains(now) or inside


def test_no_window_allows_any_time_and_several_allow_each() -> None:
    assert against_windows(Limits(), berlin(25, 12)) is None
    assert against_windows(Limits(windows=(DAY, NIGHT)), berlin(28, 1)) is None


def test_outside_of_all_windows_the_refusal_names_them() -> None:
    refusal = against_windows(Limits(windows=(DAY, NIGHT)), berlin(25, 12))

    assert refusal is not None
    assert refusal.code == "outside_windows"
    assert refusal.text == ("limits.windows allows a stop only at mon,tue 09:00-17:30 Europe/Berlin; fri 22:00-06:00 Europe/Berlin")
