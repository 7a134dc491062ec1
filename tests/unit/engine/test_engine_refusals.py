"""What a cloud refuses, delays or forgets in the middle of an operation, and how it ends then."""

import itertools
from collections.abc import Callable
from datetime import timedelta

import pytest

from scaler.domain.errors import (
    AccessDenied,
    CredentialsMissing,
    Incompatible,
    NotDone,
    ScalerError,
    Unavailable,
    WrongState,
)
from scaler.domain.instance import InstanceState, TagKey
from scaler.domain.operation import Goal
from scaler.domain.outcome import Outcome
from scaler.domain.policy import TcpProbe
from scaler.engine.operate import execute
from scaler.testing import Call
from tests.unit.engine.world import DEADLINE, WEB, Behind, World, a_world, an_intent, meddle

PROBE = TcpProbe("{address}", 443, timedelta(minutes=20))


@pytest.mark.parametrize(
    "error", [AccessDenied("ec2:StopInstances is not allowed", hint="Allow it."), Incompatible("cannot be stopped")]
)
def test_a_refused_stop_changes_nothing_and_removes_the_intent(world: World, error: ScalerError) -> None:
    world.cloud.fail("stop", error, times=99)

    result = world.grow(fallbacks=["g1.large"])

    assert (result.outcome, result.exit_code) == (Outcome.REFUSED, 3)
    assert result.hint == f"{error} {error.hint}".strip()
    assert (world.changes, world.is_as_before()) == (["stop"], True)


def test_a_stop_that_fails_for_another_reason_leaves_the_instance_as_it_was(world: World) -> None:
    world.cloud.fail("stop", NotDone("an unknown code: Zap"))

    result = world.grow()

    assert (result.outcome, result.exit_code, result.hint) == (Outcome.ROLLED_BACK, 4, "an unknown code: Zap")
    assert world.is_as_before()


@pytest.mark.parametrize("error", [AccessDenied("ec2:StartInstances is not allowed"), CredentialsMissing("the token has expired")])
def test_a_denied_start_is_tried_again_because_starting_is_what_matters(world: World, error: ScalerError) -> None:
    world.cloud.fail("start", error, times=20)

    result = world.grow()

    assert (result.outcome, world.web.state, world.web.type_name) == (Outcome.DONE, InstanceState.RUNNING, "b1.large")


def test_a_start_denied_for_ever_ends_at_the_deadline_with_the_command_to_run(world: World) -> None:
    world.cloud.fail("start", AccessDenied("ec2:StartInstances is not allowed"), times=10**6)

    result = world.grow()

    assert (result.outcome, result.exit_code) == (Outcome.NEEDS_ATTENTION, 5)
    assert "web-1 is stopped, type b1.small" in result.hint
    assert "ec2:StartInstances is not allowed" in result.hint
    assert result.hint.endswith("Go on with: scale resume fake:web-1")
    assert DEADLINE <= result.ended_at - result.started_at <= DEADLINE + timedelta(seconds=15)
    assert len(world.cloud.calls) < 2000, "it waits between two tries"


def test_a_denied_change_of_type_is_tried_for_half_a_minute_then_the_old_type_is_started(world: World) -> None:
    world.cloud.fail("set_instance_type", AccessDenied("ec2:ModifyInstanceAttribute is not allowed"), times=10**6)

    result = world.grow()

    assert result.outcome is Outcome.ROLLED_BACK
    assert "ec2:ModifyInstanceAttribute is not allowed" in result.hint
    assert world.is_as_before()
    assert 60 <= result.downtime_seconds <= 75


def test_a_change_of_type_denied_for_a_moment_does_not_matter(world: World) -> None:
    world.cloud.fail("set_instance_type", AccessDenied("not yet allowed"), times=3)

    assert world.grow().outcome is Outcome.DONE


def test_an_unknown_error_of_the_start_goes_back_at_once(world: World) -> None:
    world.cloud.fail("start", NotDone("an unknown code: Zap"))

    result = world.grow()

    assert (result.outcome, world.is_as_before()) == (Outcome.ROLLED_BACK, True)
    assert "Zap" in result.hint
    assert result.downtime_seconds < 60


def test_no_capacity_for_either_type_for_a_while_still_ends_running(world: World) -> None:
    world.cloud.no_capacity = {"b1.large", "b1.small"}
    meddle(world, "observe", lambda: _free(world, "b1.small", after=300))

    result = world.grow()

    assert (result.outcome, world.is_as_before()) == (Outcome.ROLLED_BACK, True)
    assert 300 <= result.downtime_seconds <= 330
    assert [one.step for one in result.steps].count("start") == 2, "a try that is repeated is told once"


def test_no_capacity_for_either_type_for_ever_says_so_and_what_to_run(world: World) -> None:
    world.cloud.no_capacity = {"b1.large", "b1.small"}

    result = world.grow()

    assert (result.outcome, result.exit_code) == (Outcome.NEEDS_ATTENTION, 5)
    assert "web-1 is stopped, type b1.small" in result.hint
    assert "zone-a has no b1.small now" in result.hint
    assert result.hint.endswith("Go on with: scale resume fake:web-1")
    assert world.intent is not None
    assert world.intent.goal is Goal.BACK
    assert [call.method for call in world.cloud.calls].count("start") < 250, "not one a second"

    world.cloud.no_capacity = set()
    resumed = world.resume()

    assert resumed is not None
    assert world.is_as_before(), "an operation on its way back stays so"


def test_a_wrong_state_is_waited_out_without_a_hot_loop_and_ends_at_the_deadline(world: World) -> None:
    world.cloud.fail("start", WrongState("it is still stopping"), times=10**6)

    result = world.grow()

    assert result.outcome is Outcome.NEEDS_ATTENTION
    assert "it is still stopping" in result.hint
    assert [call.method for call in world.cloud.calls].count("start") <= 900, "at most one a second"


def test_looks_that_are_behind_do_not_make_a_hot_loop_of_stops() -> None:
    world = World()
    cloud = world.cloud = Behind(world.clock)
    cloud.add("web-1")
    plan = world.plan()

    asked_at = []

    def fall_behind_for_eight_stops(call: Call) -> None:
        if call.method == "stop":
            asked_at.append(world.clock.now())
            cloud.behind = {WEB: plan.instance} if world.changes.count("stop") < 8 else None

    cloud.after = fall_behind_for_eight_stops

    result = execute(world.driver(), plan, (), DEADLINE)

    assert result.outcome is Outcome.DONE
    assert len(asked_at) == 8
    assert min(later - earlier for earlier, later in itertools.pairwise(asked_at[1:])) >= timedelta(seconds=1)


def test_a_look_that_is_behind_shows_the_last_bounce_and_not_one_of_this_start() -> None:
    world = World()
    cloud = world.cloud = Behind(world.clock)
    cloud.add("web-1")
    cloud.bouncing = {"b1.large"}
    plan = world.plan(fallbacks=["g1.large", "b1.xlarge"])
    shown: list[Call] = []

    def fall_behind_for_three_looks(call: Call) -> None:
        if call.method == "start" and world.web.type_name == "g1.large" and cloud.behind is None and not shown:
            cloud.behind = {WEB: world.web.describe(world.clock.now())}
        elif call.method == "observe" and cloud.behind is not None:
            shown.append(call)
            cloud.behind = cloud.behind if len(shown) < 3 else None

    cloud.before = fall_behind_for_three_looks

    result = execute(world.driver(), plan, (), DEADLINE)

    assert len(shown) == 3
    assert (result.outcome, result.to_type) == (Outcome.DONE, "g1.large")


def test_a_bounce_of_the_past_is_not_taken_for_one_of_this_start() -> None:
    world = a_world(state=InstanceState.STOPPED)
    world.web.state_reason = "Server.InsufficientInstanceCapacity: long ago"
    world.web.records[TagKey.INTENT] = an_intent(world, owner="dead:7").encode()
    world.clock.sleep(16)

    result = world.resume()

    assert result is not None
    assert (result.outcome, world.web.type_name) == (Outcome.DONE, "b1.large")


def test_a_record_that_cannot_be_rewritten_stops_nothing(world: World) -> None:
    """The intent moves on to the fallback in memory; the instance is down meanwhile."""
    world.cloud.no_capacity = {"b1.large"}
    plan = world.plan(fallbacks=["g1.large"])
    written = iter(range(10**6))
    _refuse(world, "write_tag", lambda: AccessDenied("ec2:CreateTags is not allowed") if 0 < next(written) < 20 else None)

    result = execute(world.driver(), plan, (), DEADLINE)

    assert (result.outcome, result.to_type, world.web.state) == (Outcome.DONE, "g1.large", InstanceState.RUNNING)


def test_an_intent_that_cannot_be_removed_is_said(world: World) -> None:
    plan = world.plan()
    _refuse(
        world, "write_tag", lambda: AccessDenied("ec2:DeleteTags is not allowed") if world.web.type_name == "b1.large" else None
    )

    result = execute(world.driver(), plan, (), DEADLINE)

    assert result.outcome is Outcome.DONE
    assert "ec2:DeleteTags is not allowed" in result.hint
    assert "scale resume fake:web-1" in result.hint


@pytest.mark.parametrize("error", [AccessDenied("ec2:CreateTags is not allowed"), Unavailable("503")])
def test_an_intent_that_cannot_be_written_ends_it_before_the_first_change(world: World, error: ScalerError) -> None:
    plan = world.plan()
    world.cloud.fail("write_tag", error, times=10**6)

    with pytest.raises(type(error)):
        execute(world.driver(), plan, (), DEADLINE)

    assert (world.changes, world.is_as_before()) == ([], True)


def test_an_intent_that_cannot_be_read_back_is_withdrawn(world: World) -> None:
    plan = world.plan()
    looks = iter(range(10**6))
    _refuse(world, "observe", lambda: AccessDenied("ec2:DescribeInstances is not allowed") if next(looks) == 1 else None)

    with pytest.raises(AccessDenied):
        execute(world.driver(), plan, (), DEADLINE)

    assert (world.changes, world.is_as_before()) == ([], True)


def test_a_provider_that_answers_nothing_for_ten_minutes_does_not_change_the_outcome(world: World) -> None:
    began = world.clock.now()
    _refuse(
        world,
        "observe",
        lambda: Unavailable("503") if timedelta(seconds=35) < world.clock.now() - began < timedelta(seconds=700) else None,
    )

    result = world.grow()

    assert (result.outcome, world.web.type_name, world.intent) == (Outcome.DONE, "b1.large", None)


def test_a_provider_that_never_answers_again_ends_it_at_the_deadline_with_the_intent_in_place(world: World) -> None:
    _refuse(world, "observe", lambda: Unavailable("503 for ever") if "stop" in world.changes else None)

    result = world.grow()

    assert (result.outcome, result.exit_code) == (Outcome.NEEDS_ATTENTION, 5)
    assert "503 for ever" in result.hint
    assert world.intent is not None


def test_an_interruption_during_an_outage_is_heeded_within_seconds(world: World) -> None:
    _refuse(world, "observe", lambda: Unavailable("503") if "stop" in world.changes else None)

    result = world.grow(driver=world.driver(is_interrupted=lambda: "stop" in world.changes and len(world.clock.slept) > 3))

    assert "interrupted" in result.hint
    assert (result.ended_at - result.started_at) < timedelta(seconds=40)


def test_a_lease_that_cannot_be_ended_is_said_with_the_way_on(world: World) -> None:
    _refuse(world, "write_tag", lambda: AccessDenied("ec2:CreateTags is not allowed") if "stop" in world.changes else None)

    result = world.grow(driver=world.driver(is_interrupted=lambda: "stop" in world.changes))

    assert "scale resume fake:web-1 (from 15 s from now)" in result.hint


def test_an_instance_impaired_on_its_old_type_too_ends_as_it_was_at_the_deadline(world: World) -> None:
    world.cloud.impaired = {"b1.large", "b1.small"}

    result = world.grow()

    assert (result.outcome, world.is_as_before()) == (Outcome.ROLLED_BACK, True)
    assert result.ended_at - result.started_at >= DEADLINE


def test_a_stop_denied_on_the_way_back_keeps_the_intent_for_resume(world: World) -> None:
    world.cloud.impaired = {"b1.large"}
    _refuse(world, "stop", lambda: AccessDenied("ec2:StopInstances is not allowed") if world.web.type_name == "b1.large" else None)

    result = world.grow()

    assert result.outcome is Outcome.NEEDS_ATTENTION
    assert "web-1 is running, type b1.large" in result.hint
    assert world.intent is not None
    assert world.intent.goal is Goal.BACK


def test_an_instance_that_is_starting_is_stopped_once_it_runs() -> None:
    world = World()
    world.cloud.add("web-1", state=InstanceState.STOPPED)
    world.cloud.start(WEB)
    world.cloud.calls.clear()

    result = world.grow()

    assert (result.outcome, world.web.state) == (Outcome.DONE, InstanceState.RUNNING)


def _refuse(world: World, method: str, error: Callable[[], ScalerError | None]) -> None:
    """Let each call of one method fail while `error` gives one."""

    def hook() -> None:
        if (refusal := error()) is not None:
            raise refusal

    meddle(world, method, hook, is_before=True)


def _free(world: World, type_name: str, after: float) -> None:
    if world.clock.now() - world.web.launched_at >= timedelta(seconds=after):
        world.cloud.no_capacity.discard(type_name)
