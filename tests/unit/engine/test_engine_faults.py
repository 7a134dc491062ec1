"""Passing faults and deaths at every single call of an operation: they never change how it ends."""

from collections.abc import Callable

import pytest

from scaler.domain.errors import LockHeld, ScalerError, Throttled, Unavailable
from scaler.domain.instance import InstanceState
from scaler.domain.operation import LEASE, Goal
from scaler.domain.outcome import OperationResult, Outcome
from scaler.engine.operate import execute
from scaler.testing import FakeProvider
from tests.unit.engine.world import DEADLINE, World

FALLBACKS = ("g1.large",)


class Killed(BaseException):
    """The process dies: nothing in scale may catch this."""


def _plain(world: World) -> None:
    """A cloud without trouble."""


def _no_capacity(world: World) -> None:
    world.cloud.no_capacity = {"b1.large"}


def _bouncing(world: World) -> None:
    world.cloud.bouncing = {"b1.large"}


def _impaired(world: World) -> None:
    world.cloud.impaired = {"b1.large", "g1.large"}


SCENARIOS = [_plain, _no_capacity, _bouncing, _impaired]


def _world(scenario: Callable[[World], None]) -> tuple[World, Callable[[], OperationResult], int]:
    """A world, its operation ready to run, and the number of calls received so far."""
    world = World()
    world.cloud = FakeProvider(world.clock, stop_seconds=6, start_seconds=4, health_seconds=6)
    world.cloud.add("web-1")
    scenario(world)
    plan = world.plan(fallbacks=FALLBACKS)
    return world, lambda: execute(world.driver(), plan, (), DEADLINE), len(world.cloud.calls)


def _calls(scenario: Callable[[World], None]) -> range:
    """The numbers of all calls of the operation, as `FakeProvider.fail_at` counts them."""
    world, run, before = _world(scenario)
    run()
    return range(before + 1, len(world.cloud.calls) + 1)


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("error", [Throttled("slow down"), Unavailable("503")], ids=["throttled", "unavailable"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_passing_fault_of_any_call_does_not_change_the_outcome(
    scenario: Callable[[World], None], error: ScalerError, after: bool, times: int
) -> None:
    plain, run, _ = _world(scenario)
    expected = run()

    for number in _calls(scenario):
        world, run, _ = _world(scenario)
        for each in range(times):
            world.cloud.fail_at(number + each, error, after=after)

        result = run()

        assert (result.outcome, result.to_type, result.hint) == (expected.outcome, expected.to_type, expected.hint), number
        assert (world.web.state, world.web.type_name) == (InstanceState.RUNNING, plain.web.type_name), number
        assert world.intent is None, number


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_after_a_death_at_any_call_another_process_brings_it_to_an_end(scenario: Callable[[World], None], after: bool) -> None:
    for number in _calls(scenario):
        world, run, _ = _world(scenario)
        world.cloud.fail_at(number, Killed(), after=after)
        with pytest.raises(Killed):
            run()
        world.clock.sleep(LEASE.total_seconds() + 1)

        result = world.resume()

        assert world.web.state is InstanceState.RUNNING, number
        assert world.web.type_name in {"b1.small", "b1.large", "g1.large"}, number
        assert world.intent is None, number
        assert result is None or result.outcome in (Outcome.DONE, Outcome.ROLLED_BACK), number


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_after_a_death_at_any_call_a_plain_operation_reaches_the_new_type(after: bool) -> None:
    for number in _calls(_plain):
        world, run, _ = _world(_plain)
        world.cloud.fail_at(number, Killed(), after=after)
        with pytest.raises(Killed):
            run()
        had_intent = world.intent is not None
        had_begun = bool(world.changes)
        world.clock.sleep(LEASE.total_seconds() + 1)

        result = world.resume()

        assert (result is not None) == had_intent, number
        assert world.web.type_name == ("b1.large" if had_intent or had_begun else "b1.small"), number


def test_two_deaths_in_a_row_are_no_worse_than_one() -> None:
    for number in _calls(_impaired):
        world, run, _ = _world(_impaired)
        world.cloud.fail_at(number, Killed())
        world.cloud.fail_at(number + 7, Killed())
        with pytest.raises(Killed):
            run()
        for _ in range(2):
            world.clock.sleep(LEASE.total_seconds() + 1)
            try:
                world.resume()
            except Killed:
                continue

        assert (world.web.state, world.intent) == (InstanceState.RUNNING, None), number


def test_while_the_lease_of_the_dead_process_lives_resume_is_refused_at_any_point() -> None:
    for number in _calls(_plain):
        world, run, _ = _world(_plain)
        world.cloud.fail_at(number, Killed())
        with pytest.raises(Killed):
            run()
        if world.intent is None:
            continue
        changes = list(world.changes)

        with pytest.raises(LockHeld, match="runner:1 is changing web-1 from"):
            world.resume()

        assert world.changes == changes, number


def test_resume_within_twenty_seconds_of_a_death_takes_over() -> None:
    world, run, _ = _world(_plain)
    world.cloud.fail("set_instance_type", Killed(), after=True)
    with pytest.raises(Killed):
        run()
    world.clock.sleep(20)

    result = world.resume()

    assert result is not None
    assert (result.outcome, result.to_type) == (Outcome.DONE, "b1.large")
    assert result.downtime_seconds >= 30, "the time while nobody was at it counts: 6 s to stop, 20 s dead, 4 s to start"


def test_an_operation_on_its_way_back_is_resumed_on_its_way_back() -> None:
    world, run, _ = _world(_impaired)
    world.cloud.after = lambda _: _die_on_the_way_back(world)
    with pytest.raises(Killed):
        run()
    world.cloud.after = lambda _: None
    world.cloud.impaired = set()
    world.clock.sleep(16)

    result = world.resume()

    assert result is not None
    assert (result.outcome, world.is_as_before()) == (Outcome.ROLLED_BACK, True)


def _die_on_the_way_back(world: World) -> None:
    if world.intent is not None and world.intent.goal is Goal.BACK:
        raise Killed


def test_what_was_lost_while_nobody_was_at_it_does_not_count_against_the_new_type() -> None:
    world, run, _ = _world(_plain)
    world.cloud.fail("set_instance_type", Killed())
    with pytest.raises(Killed):
        run()
    world.clock.sleep(24 * 3600)

    result = world.resume()

    assert result is not None
    assert (result.outcome, result.to_type) == (Outcome.DONE, "b1.large")
