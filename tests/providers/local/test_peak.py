import time
from collections.abc import Callable

from scaler_providers.local.peak import PeakSampler
from tests.providers.local.programs import wait_until


def test_the_most_that_was_ever_seen_is_kept() -> None:
    values = iter([3, 9, 4])
    sampler = PeakSampler(lambda: next(values))

    assert [sampler.look() for _ in range(3)] == [3, 9, 9]


def test_it_looks_by_itself_until_it_is_stopped() -> None:
    count, measure = _counting(lambda: None)
    sampler = PeakSampler(measure)

    sampler.start()
    assert wait_until(lambda: len(count) >= 2)
    sampler.stop()
    seen = len(count)
    time.sleep(0.15)

    assert len(count) == seen


def test_what_is_dear_to_look_at_is_looked_at_once_a_second() -> None:
    count, measure = _counting(_burn_ten_milliseconds)
    sampler = PeakSampler(measure)

    sampler.start()
    time.sleep(1.6)
    sampler.stop()

    assert len(count) == 2


def test_a_cgroup_that_vanishes_ends_the_looking_without_a_word() -> None:
    def measure() -> int:
        raise FileNotFoundError

    sampler = PeakSampler(measure)
    sampler.start()

    assert wait_until(lambda: not sampler._thread.is_alive())


def _counting(work: Callable[[], None]) -> tuple[list[int], Callable[[], int]]:
    count: list[int] = []

    def measure() -> int:
        work()
        count.append(1)
        return 0

    return count, measure


def _burn_ten_milliseconds() -> None:
    until = time.thread_time() + 0.01
    while time.thread_time() < until:
        pass
