"""Reads that leave the instance out, as an eventually consistent cloud gives them: they never change how an operation ends."""

import itertools
from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest

from scaler.domain.errors import Unavailable
from scaler.domain.instance import Instance, InstanceId, InstanceState
from scaler.domain.operation import LEASE, Intent
from scaler.domain.outcome import Outcome
from scaler.engine.operate import execute
from scaler.testing import FakeProvider
from tests.unit.engine.world import DEADLINE, World


class Absent(FakeProvider):
    """A cloud whose looks leave out everything while `hidden` holds their numbers, the first being 1."""

    looks = 0
    hidden: range = range(0)

    def observe(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, Instance]:
        self.looks += 1
        seen = super().observe(ids)
        return {} if self.looks in self.hidden else seen


def _world() -> tuple[World, Absent]:
    world = World()
    cloud = world.cloud = Absent(world.clock, stop_seconds=6, start_seconds=4, health_seconds=6)
    cloud.add("web-1")
    return world, cloud


def _looks_of_a_plain_operation() -> tuple[int, int]:
    """The number of its first look after the plan was checked, and of its last."""
    world, cloud = _world()
    plan = world.plan()
    before = cloud.looks
    execute(world.driver(), plan, (), DEADLINE)
    return before + 2, cloud.looks


@pytest.mark.parametrize("length", [1, 3])
def test_looks_that_leave_the_instance_out_do_not_change_the_outcome(length: int) -> None:
    first, last = _looks_of_a_plain_operation()
    for number in range(first, last + 1):
        world, cloud = _world()
        cloud.hidden = range(number, number + length)

        result = world.grow()

        assert (result.outcome, result.to_type, result.hint) == (Outcome.DONE, "b1.large", ""), number
        assert (world.web.state, world.intent) == (InstanceState.RUNNING, None), number
        assert 10 <= result.downtime_seconds <= 20, number


def test_a_long_absence_is_said_once_and_the_lease_is_kept_meanwhile() -> None:
    world, cloud = _world()
    cloud.hidden = range(6, 66)

    result = world.grow()

    assert result.outcome is Outcome.DONE
    assert [decision.why for decision in world.steps].count("the provider does not show the instance now") == 1
    written = [Intent.decode(str(call.arguments[2])) for call in cloud.calls if call.method == "write_tag"]
    leases = [intent.lease_until for intent in written if intent is not None]
    assert max(later - earlier for earlier, later in itertools.pairwise(leases)) < LEASE


def test_a_lease_that_ended_while_nothing_was_shown_is_not_taken_back() -> None:
    world, cloud = _world()
    cloud.hidden = range(6, 66)
    looked = []

    def lose_the_lease(method: str) -> None:
        looked.append(method)
        if method == "observe" and cloud.looks == 8:
            world.clock.sleep(LEASE.total_seconds() + 1)
            looked.clear()

    cloud.after = lambda call: lose_the_lease(call.method)
    execute(world.driver(), world.plan(), (), DEADLINE)

    while_hidden = looked[: cloud.hidden.stop - 9]
    assert set(while_hidden) == {"observe"}


def test_a_claim_whose_read_back_leaves_the_instance_out_looks_again() -> None:
    world, cloud = _world()
    plan = world.plan()
    cloud.hidden = range(cloud.looks + 2, cloud.looks + 4)

    assert execute(world.driver(), plan, (), DEADLINE).outcome is Outcome.DONE


def test_a_claim_on_an_instance_that_is_not_shown_again_is_withdrawn() -> None:
    world, cloud = _world()
    plan = world.plan()
    cloud.hidden = range(cloud.looks + 2, 10**6)
    began = world.clock.now()

    with pytest.raises(Unavailable, match="does not show web-1 any more"):
        execute(world.driver(), plan, (), DEADLINE)

    assert (world.changes, world.intent) == ([], None)
    assert world.clock.now() - began < timedelta(seconds=30)
