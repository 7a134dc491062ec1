"""The most memory that was in use, found by looking often."""

import time
from collections.abc import Callable
from threading import Event, Lock, Thread

_INTERVAL_SECONDS = 0.1
_LONGEST_SECONDS = 1.0
"""A peak that nobody saw makes a wrong size, whatever looking costs."""
_SHARE_OF_CPU = 0.005


class PeakSampler:
    """Looks every 100 ms, less often, but once a second, where looking costs more than half a percent of one processor."""

    def __init__(self, measure: Callable[[], int]) -> None:
        self._measure = measure
        self._peak = 0
        self._lock = Lock()
        self._ends = Event()
        self._thread = Thread(target=self._run, name="scale-peak", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def look(self) -> int:
        """Look now; the most that was ever seen, in bytes."""
        with self._lock:
            self._peak = max(self._peak, self._measure())
            return self._peak

    def stop(self) -> None:
        self._ends.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        pause = _INTERVAL_SECONDS
        while not self._ends.wait(pause):
            before = time.thread_time()
            try:
                self.look()
            except OSError:  # somebody removed the cgroup; whoever asks next is told
                return
            pause = min(max(_INTERVAL_SECONDS, (time.thread_time() - before) / _SHARE_OF_CPU), _LONGEST_SECONDS)
