"""Clocks for tests: one that only moves when told to, and the real one."""

import time
from datetime import UTC, datetime, timedelta

_START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
"""A Monday morning, so that policy windows can be tried from it."""


class FakeClock:
    """Time that passes only by `sleep`, and then at once."""

    def __init__(self, start: datetime = _START) -> None:
        self._now = start
        self.slept: list[float] = []
        """Every sleep asked for, in seconds, oldest first."""

    def now(self) -> datetime:
        return self._now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._now += timedelta(seconds=seconds)


class RealClock:
    """The machine's own time, for suites whose cloud does not take a clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
