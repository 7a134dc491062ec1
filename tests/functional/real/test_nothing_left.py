"""What every real test checks at its end, sandboxes and processes that are left, is seen while there is something to see."""

import signal
import time
from collections.abc import Callable

import pytest

from tests.functional.real.conftest import Guard

pytestmark = pytest.mark.real


def test_a_running_deploy_is_seen_and_nothing_of_it_once_its_guard_was_stopped(guard: Guard) -> None:
    with guard.start("sh", "-c", "sleep 60; true") as process:
        assert wait_until(lambda: "sleep 60 " in guard.processes())
        assert len(guard.cgroups()) == 1
        process.send_signal(signal.SIGTERM)

        assert process.wait(30) == 128 + signal.SIGTERM

    assert guard.processes() == []
    assert guard.cgroups() == []


def test_a_guard_that_is_killed_leaves_no_sandbox_and_no_process(guard: Guard) -> None:
    with guard.start("sh", "-c", "sleep 60; true") as process:
        assert wait_until(lambda: "sleep 60 " in guard.processes())
        process.kill()

    assert wait_until(lambda: not guard.processes() and not guard.cgroups())


def wait_until(holds: Callable[[], bool], seconds: float = 15) -> bool:
    """Whether it comes to hold in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
