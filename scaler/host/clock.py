"""The real time."""

import time
from datetime import UTC, datetime


class SystemClock:
    """A `Clock` that is the machine's own."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
