"""Who may change an instance: stale plans, leases, rivals, interruptions, and third parties."""

from dataclasses import replace
from datetime import timedelta

import pytest

from scaler.domain.errors import (
    LockHeld,
    NotFound,
    PlanStale,
    Refused,
    Unavailable,
)
from scaler.domain.instance import InstanceState, TagKey
from scaler.domain.operation import Intent, Step
from scaler.domain.outcome import Outcome
from scaler.domain.policy import TcpProbe
from scaler.engine.operate import execute
from scaler.testing import Call
from tests.unit.engine.world import DEADLINE, WEB, Behind, World, a_world, an_intent, meddle

PROBE = TcpProbe("{address}", 443, timedelta(minutes=20))


@pytest.mark.parametrize("what", ["state", "type"])
def test_a_stale_plan_is_refused_and_changes_nothing(world: World, what: str) -> None:
    plan = world.plan()
    if what == "state":
        world.web.state = InstanceState.STOPPED
    else:
        world.web.type_name = "b1.medium"

    with pytest.raises(PlanStale, match="no longer as the plan has it"):
        execute(world.driver(), plan, (), DEADLINE)

    assert (world.changes, world.web.records) == ([], {})


def test_a_plan_without_a_type_is_refused(world: World) -> None:
    plan = replace(world.plan(), chosen=None)

    with pytest.raises(Refused):
        execute(world.driver(), plan, (), DEADLINE)

    assert world.changes == []


def test_an_instance_that_vanished_since_the_plan_is_not_found(world: World) -> None:
    plan = world.plan()
    world.cloud.remove(WEB)

    with pytest.raises(NotFound):
        execute(world.driver(), plan, (), DEADLINE)


def test_a_live_lease_is_refused_and_nothing_is_changed(world: World) -> None:
    plan = world.plan()
    world.web.records[TagKey.INTENT] = held = an_intent(world, owner="other:7").encode()

    with pytest.raises(LockHeld, match="other:7") as caught:
        execute(world.driver(), plan, (), DEADLINE)

    assert caught.value.exit_code == 3
    assert (world.changes, world.web.records) == ([], {TagKey.INTENT: held})


def test_a_dead_intent_on_a_running_instance_is_replaced(world: World) -> None:
    world.web.records[TagKey.INTENT] = an_intent(world, owner="dead:7").encode()
    world.clock.sleep(16)

    assert world.grow().outcome is Outcome.DONE
    assert world.intent is None


def test_an_unfinished_operation_on_a_stopped_instance_is_finished_first(world: World) -> None:
    """Otherwise it would be taken for one that is meant to be stopped, and left so."""
    world.web.records[TagKey.INTENT] = held = an_intent(world, owner="dead:7").encode()
    world.web.state = InstanceState.STOPPED
    world.clock.sleep(16)

    with pytest.raises(Refused) as caught:
        world.grow()

    assert caught.value.hint == "Finish it first: scale resume fake:web-1"
    assert (world.changes, world.web.records) == ([], {TagKey.INTENT: held})


def test_an_intent_of_a_later_version_is_left_alone(world: World) -> None:
    world.web.records[TagKey.INTENT] = "v9 something else"

    with pytest.raises(Refused, match="v9 something else"):
        world.grow()

    assert (world.changes, world.web.records) == ([], {TagKey.INTENT: "v9 something else"})


def test_of_two_writers_at_the_same_moment_the_later_token_wins() -> None:
    world = a_world()
    plan = world.plan()
    rival = an_intent(world, owner="rival:2")
    writes = [lambda: _write(world, rival)]
    meddle(world, "write_tag", lambda: writes.pop()() if writes else None)

    with pytest.raises(LockHeld, match="rival:2"):
        execute(world.driver(), plan, (), DEADLINE)

    assert world.changes == []
    assert world.intent is not None
    assert world.intent.token == rival.token


def test_a_rival_that_writes_after_our_read_wins_too(world: World) -> None:
    plan = world.plan()
    rival = an_intent(world, owner="rival:2")
    looks = [lambda: None, lambda: _write(world, rival)]
    meddle(world, "observe", lambda: looks.pop(0)() if looks else None)

    with pytest.raises(LockHeld, match="Nothing was changed by this command"):
        execute(world.driver(), plan, (), DEADLINE)

    assert world.changes == []


def test_an_owner_that_lost_its_lease_halfway_leaves_the_instance_to_the_new_one(world: World) -> None:
    meddle(world, "stop", lambda: _write(world, an_intent(world, owner="rival:2")))

    result = world.grow()

    assert (result.outcome, result.exit_code) == (Outcome.NEEDS_ATTENTION, 5)
    assert "rival:2 has taken over" in result.hint
    assert "scale status fake:web-1" in result.hint
    assert world.changes == ["stop"]
    assert world.intent is not None
    assert world.intent.owner == "rival:2"


@pytest.mark.parametrize("looks", range(1, 5))
def test_an_interruption_between_two_steps_leaves_the_intent_and_says_how_to_go_on(world: World, looks: int) -> None:
    asked = iter([False] * looks + [True] * 100)

    result = world.grow(driver=world.driver(is_interrupted=lambda: next(asked)))

    assert (result.outcome, result.exit_code) == (Outcome.NEEDS_ATTENTION, 5)
    assert "interrupted" in result.hint
    assert "scale resume fake:web-1" in result.hint
    assert world.intent is not None
    assert len(world.changes) <= looks

    resumed = world.resume()

    assert resumed is not None
    assert (resumed.outcome, world.web.type_name) == (Outcome.DONE, "b1.large")
    assert TagKey.INTENT not in world.web.records


@pytest.mark.parametrize("state", [InstanceState.RUNNING, InstanceState.STOPPED])
def test_an_interruption_before_anything_was_touched_removes_the_intent(state: InstanceState) -> None:
    world = a_world(state=state)

    result = world.grow(driver=world.driver(is_interrupted=lambda: True))

    assert (result.outcome, result.hint) == (Outcome.REFUSED, "interrupted before anything was changed")
    assert (world.changes, world.web.state, world.web.type_name) == ([], state, "b1.small")
    assert TagKey.INTENT not in world.web.records


def test_an_interruption_after_a_refused_change_only_removes_the_intent(world: World) -> None:
    looks = iter([False, True])
    world.cloud.fail("stop", NotFound("not seen yet"))

    result = world.grow(driver=world.driver(is_interrupted=lambda: next(looks)))

    assert (result.outcome, world.is_as_before()) == (Outcome.REFUSED, True)


def test_an_interruption_after_a_stop_whose_answer_was_lost_keeps_the_intent() -> None:
    """The looks are behind and show it running; it is stopping all the same."""
    world = World()
    cloud = world.cloud = Behind(world.clock)
    cloud.add("web-1")
    plan = world.plan()
    cloud.fail("stop", Unavailable("the connection was lost"), times=99, after=True)
    looks = iter([False, True])

    def fall_behind(call: Call) -> None:
        if call.method == "stop":
            cloud.behind = {WEB: plan.instance}

    cloud.before = fall_behind

    result = execute(world.driver(is_interrupted=lambda: next(looks)), plan, (), DEADLINE)

    assert result.outcome is Outcome.NEEDS_ATTENTION
    assert world.intent is not None
    assert world.web.state is not InstanceState.RUNNING


def test_an_interruption_of_a_resume_keeps_the_intent_that_it_found(world: World) -> None:
    world.web.records[TagKey.INTENT] = an_intent(world, owner="dead:7").encode()
    world.clock.sleep(16)

    result = world.resume(world.driver("runner:2", is_interrupted=lambda: True))

    assert result is not None
    assert result.outcome is Outcome.NEEDS_ATTENTION
    assert world.intent is not None


def test_a_third_party_that_changes_the_type_meanwhile_is_respected_and_the_instance_runs(world: World) -> None:
    meddle(world, "set_instance_type", lambda: setattr(world.web, "type_name", "g1.2xlarge"))

    result = world.grow()

    assert result.outcome is Outcome.NEEDS_ATTENTION
    assert "someone else changed its type to g1.2xlarge" in result.hint
    assert (world.web.state, world.web.type_name) == (InstanceState.RUNNING, "g1.2xlarge")
    assert world.intent is None


def test_a_third_party_that_changes_the_type_of_a_stopped_instance_ends_it_there() -> None:
    world = a_world(state=InstanceState.STOPPED)
    meddle(world, "set_instance_type", lambda: setattr(world.web, "type_name", "g1.2xlarge"))

    result = world.grow()

    assert result.outcome is Outcome.NEEDS_ATTENTION
    assert (world.web.state, world.web.type_name) == (InstanceState.STOPPED, "g1.2xlarge")


def test_an_instance_terminated_meanwhile_ends_the_operation(world: World) -> None:
    meddle(world, "stop", lambda: setattr(world.web, "state", InstanceState.GONE))

    result = world.grow()

    assert (result.outcome, result.exit_code) == (Outcome.NEEDS_ATTENTION, 5)
    assert result.hint == "the instance is gone: someone terminated it"
    assert result.ended_at - result.started_at < timedelta(seconds=5)


def test_an_instance_the_cloud_has_forgotten_is_looked_for_until_the_deadline(world: World) -> None:
    meddle(world, "stop", lambda: world.cloud.remove(WEB))

    result = world.grow()

    assert (result.outcome, result.exit_code) == (Outcome.NEEDS_ATTENTION, 5)
    assert "web-1 was last seen running, type b1.small" in result.hint
    assert "the deadline has passed and the provider does not show the instance" in result.hint
    assert "scale resume fake:web-1" in result.hint
    assert DEADLINE <= result.ended_at - result.started_at <= DEADLINE + timedelta(seconds=15)
    assert [decision.step for decision in world.steps].count(Step.WAIT) == 1, "it is said once"


def test_an_instance_terminated_before_the_stop_is_seen_gone_at_the_next_look(world: World) -> None:
    world.cloud.fail("stop", NotFound("no such instance"))
    meddle(world, "stop", lambda: setattr(world.web, "state", InstanceState.GONE), is_before=True)

    result = world.grow()

    assert result.hint == "the instance is gone: someone terminated it"


def _write(world: World, intent: Intent) -> None:
    world.web.records[TagKey.INTENT] = intent.encode()
