"""Driving an operation through what a cloud does: every ending, and what stands on the instance then."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from scaler.domain.errors import (
    AccessDenied,
    CredentialsMissing,
    Incompatible,
    LockHeld,
    NotDone,
    NotFound,
    PlanStale,
    QuotaExceeded,
    Refused,
    ScalerError,
    Unavailable,
    WrongState,
)
from scaler.domain.instance import Instance, InstanceId, InstanceState, TagKey
from scaler.domain.operation import LEASE, Goal, Intent, Step
from scaler.domain.outcome import Outcome
from scaler.domain.policy import TcpProbe
from scaler.engine.operate import execute
from scaler.testing import Call, FakeProvider
from tests.unit.engine.world import DEADLINE, WEB, ListedProber, World, a_world

PROBE = TcpProbe("{address}", 443, timedelta(minutes=20))


def test_plain_growth_ends_running_on_the_new_type(world: World) -> None:
    result = world.grow()

    assert (result.outcome, result.exit_code, result.hint) == (Outcome.DONE, 0, "")
    assert (result.from_type, result.to_type) == ("b1.small", "b1.large")
    assert (world.web.state, world.web.type_name) == (InstanceState.RUNNING, "b1.large")
    assert world.intent is None
    assert world.changes == ["stop", "set_instance_type", "start"]


def test_the_downtime_is_what_the_stop_and_the_start_took(world: World) -> None:
    result = world.grow()

    assert 30 <= result.downtime_seconds <= 33, "20 s to stop and 10 s to start"
    assert (result.ended_at - result.started_at).total_seconds() >= 60, "the status checks are waited for besides"


def test_the_downtime_counts_from_the_first_look_where_the_answer_to_the_stop_was_lost(world: World) -> None:
    world.cloud.fail("stop", Unavailable("the connection was lost"), times=20, after=True)

    result = world.grow()

    assert result.outcome is Outcome.DONE
    assert 15 <= result.downtime_seconds <= 33


def test_a_public_address_that_changed_is_said(world: World) -> None:
    def renumber(call: Call) -> None:
        if call.method == "start":
            world.web.public_address = "203.0.113.99"

    world.cloud.before = renumber

    result = world.grow()

    assert result.outcome is Outcome.DONE
    assert "203.0.113.99 (was 203.0.113.10)" in result.hint


def test_the_steps_say_what_was_done_in_order_and_each_once(world: World) -> None:
    result = world.grow()

    assert [one.step for one in result.steps] == ["stop", "wait", "set_type", "start", "wait", "wait", "finish"]
    assert [decision.step for decision in world.steps] == [one.step for one in result.steps]
    assert all(one.why for one in result.steps)


def test_the_intent_is_written_before_the_first_change_and_renewed_while_it_lasts(world: World) -> None:
    world.grow()

    methods = [call.method for call in world.cloud.calls]
    assert methods.index("write_tag") < methods.index("stop")
    written = [call.arguments[2] for call in world.cloud.calls if call.method == "write_tag"]
    leases = [intent.lease_until for text in written if isinstance(text, str) and (intent := Intent.decode(text))]
    assert max(later - earlier for earlier, later in itertools.pairwise(leases)) < LEASE
    assert written[-1] is None


def test_no_capacity_for_the_new_type_takes_the_fallback_and_reports_done(world: World) -> None:
    world.cloud.no_capacity = {"b1.large"}

    result = world.grow(fallbacks=["g1.large"])

    assert (result.outcome, result.to_type) == (Outcome.DONE, "g1.large")
    assert (world.web.state, world.web.type_name) == (InstanceState.RUNNING, "g1.large")
    assert world.intent is None


@pytest.mark.parametrize("fault", ["no_capacity", "bouncing"])
def test_every_fallback_is_tried_once_before_the_old_type_is_started(world: World, fault: str) -> None:
    setattr(world.cloud, fault, {"b1.large", "g1.large", "b1.xlarge"})

    result = world.grow(fallbacks=["g1.large", "b1.xlarge"])

    assert (result.outcome, result.exit_code, result.to_type) == (Outcome.ROLLED_BACK, 4, "b1.small")
    types = [call.arguments[1] for call in world.cloud.calls if call.method == "set_instance_type"]
    assert types == ["b1.large", "g1.large", "b1.xlarge", "b1.small"]
    assert [call.method for call in world.cloud.calls].count("start") == 4
    assert world.is_as_before()


def test_no_capacity_and_no_fallback_starts_the_old_type_and_says_why(world: World) -> None:
    world.cloud.no_capacity = {"b1.large"}

    result = world.grow()

    assert (result.outcome, result.exit_code) == (Outcome.ROLLED_BACK, 4)
    assert "zone-a has no b1.large now" in result.hint
    assert world.is_as_before()


@pytest.mark.parametrize("error", [QuotaExceeded("the account may run 8 vCPUs"), Incompatible("b1.large needs another image")])
@pytest.mark.parametrize("method", ["start", "set_instance_type"])
def test_quota_and_incompatibility_are_answered_like_missing_capacity(world: World, method: str, error: ScalerError) -> None:
    world.cloud.fail(method, error)

    first = world.grow(fallbacks=["g1.large"])

    assert (first.outcome, first.to_type) == (Outcome.DONE, "g1.large")


@pytest.mark.parametrize("error", [QuotaExceeded("the account may run 8 vCPUs"), Incompatible("b1.large needs another image")])
@pytest.mark.parametrize("method", ["start", "set_instance_type"])
def test_quota_and_incompatibility_without_a_fallback_go_back(world: World, method: str, error: ScalerError) -> None:
    world.cloud.fail(method, error)

    result = world.grow()

    assert result.outcome is Outcome.ROLLED_BACK
    assert str(error) in result.hint
    assert world.is_as_before()


def test_a_bounce_after_a_start_that_was_accepted_takes_the_fallback(world: World) -> None:
    world.cloud.bouncing = {"b1.large"}

    result = world.grow(fallbacks=["g1.large"])

    assert (result.outcome, result.to_type) == (Outcome.DONE, "g1.large")
    assert [call.method for call in world.cloud.calls].count("start") == 2


def test_a_bounce_between_two_looks_is_noticed_by_its_new_reason() -> None:
    world = World()
    world.cloud = FakeProvider(world.clock, start_seconds=0)
    world.cloud.add("web-1")
    world.cloud.bouncing = {"b1.large"}

    result = world.grow(fallbacks=["g1.large"])

    assert (result.outcome, result.to_type) == (Outcome.DONE, "g1.large")
    assert [call.method for call in world.cloud.calls].count("start") == 2


def test_an_impaired_instance_goes_back_to_the_old_type(world: World) -> None:
    world.cloud.impaired = {"b1.large"}

    result = world.grow(fallbacks=["g1.large"])

    assert (result.outcome, result.exit_code) == (Outcome.ROLLED_BACK, 4)
    assert "status checks fail on b1.large" in result.hint
    assert world.is_as_before()
    assert result.downtime_seconds > 60, "down twice: it counts until it runs for good"


def test_passing_health_checks_end_it_on_the_new_type(world: World) -> None:
    prober = world.prober = ListedProber([False, False, True])

    result = world.grow(probes=[PROBE])

    assert (result.outcome, result.to_type) == (Outcome.DONE, "b1.large")
    assert prober.asked == ["203.0.113.10"] * 3


def test_failing_health_checks_go_back_once_two_thirds_of_the_time_are_over(world: World) -> None:
    world.prober = ListedProber([False])

    result = world.grow(probes=[PROBE])

    assert result.outcome is Outcome.ROLLED_BACK
    assert "the health check fails: connection refused" in result.hint
    back = next(one for one in result.steps if one.step == Step.TURN_BACK)
    assert timedelta(seconds=600) <= back.at - result.started_at <= timedelta(seconds=605)
    assert world.is_as_before()


def test_a_stopped_instance_gets_its_type_and_stays_stopped() -> None:
    world = a_world(state=InstanceState.STOPPED)

    result = world.grow()

    assert (result.outcome, result.downtime_seconds) == (Outcome.DONE, 0.0)
    assert (world.web.state, world.web.type_name) == (InstanceState.STOPPED, "b1.large")
    assert (world.changes, world.intent) == (["set_instance_type"], None)


def test_a_stopped_instance_that_refuses_the_type_stays_as_it_was() -> None:
    world = a_world(state=InstanceState.STOPPED)
    world.cloud.fail("set_instance_type", Incompatible("it needs another image"))

    result = world.grow()

    assert result.outcome is Outcome.ROLLED_BACK
    assert (world.web.state, world.web.type_name, world.intent) == (InstanceState.STOPPED, "b1.small", None)


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
    world.web.records[TagKey.INTENT] = held = _intent(world, owner="other:7").encode()

    with pytest.raises(LockHeld, match="other:7") as caught:
        execute(world.driver(), plan, (), DEADLINE)

    assert caught.value.exit_code == 3
    assert (world.changes, world.web.records) == ([], {TagKey.INTENT: held})


def test_a_dead_intent_on_a_running_instance_is_replaced(world: World) -> None:
    world.web.records[TagKey.INTENT] = _intent(world, owner="dead:7").encode()
    world.clock.sleep(16)

    assert world.grow().outcome is Outcome.DONE
    assert world.intent is None


def test_an_unfinished_operation_on_a_stopped_instance_is_finished_first(world: World) -> None:
    """Otherwise it would be taken for one that is meant to be stopped, and left so."""
    world.web.records[TagKey.INTENT] = held = _intent(world, owner="dead:7").encode()
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
    rival = _intent(world, owner="rival:2")
    writes = [lambda: _write(world, rival)]
    _meddle(world, "write_tag", lambda: writes.pop()() if writes else None)

    with pytest.raises(LockHeld, match="rival:2"):
        execute(world.driver(), plan, (), DEADLINE)

    assert world.changes == []
    assert world.intent is not None
    assert world.intent.token == rival.token


def test_a_rival_that_writes_after_our_read_wins_too(world: World) -> None:
    plan = world.plan()
    rival = _intent(world, owner="rival:2")
    looks = [lambda: None, lambda: _write(world, rival)]
    _meddle(world, "observe", lambda: looks.pop(0)() if looks else None)

    with pytest.raises(LockHeld, match="Nothing was changed by this command"):
        execute(world.driver(), plan, (), DEADLINE)

    assert world.changes == []


def test_an_owner_that_lost_its_lease_halfway_leaves_the_instance_to_the_new_one(world: World) -> None:
    _meddle(world, "stop", lambda: _write(world, _intent(world, owner="rival:2")))

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
    world.web.records[TagKey.INTENT] = _intent(world, owner="dead:7").encode()
    world.clock.sleep(16)

    result = world.resume(world.driver("runner:2", is_interrupted=lambda: True))

    assert result is not None
    assert result.outcome is Outcome.NEEDS_ATTENTION
    assert world.intent is not None


def test_a_third_party_that_changes_the_type_meanwhile_is_respected_and_the_instance_runs(world: World) -> None:
    _meddle(world, "set_instance_type", lambda: setattr(world.web, "type_name", "g1.2xlarge"))

    result = world.grow()

    assert result.outcome is Outcome.NEEDS_ATTENTION
    assert "someone else changed its type to g1.2xlarge" in result.hint
    assert (world.web.state, world.web.type_name) == (InstanceState.RUNNING, "g1.2xlarge")
    assert world.intent is None


def test_a_third_party_that_changes_the_type_of_a_stopped_instance_ends_it_there() -> None:
    world = a_world(state=InstanceState.STOPPED)
    _meddle(world, "set_instance_type", lambda: setattr(world.web, "type_name", "g1.2xlarge"))

    result = world.grow()

    assert result.outcome is Outcome.NEEDS_ATTENTION
    assert (world.web.state, world.web.type_name) == (InstanceState.STOPPED, "g1.2xlarge")


def test_an_instance_terminated_meanwhile_ends_the_operation(world: World) -> None:
    _meddle(world, "stop", lambda: setattr(world.web, "state", InstanceState.GONE))

    result = world.grow()

    assert (result.outcome, result.exit_code) == (Outcome.NEEDS_ATTENTION, 5)
    assert result.hint == "the instance is gone: someone terminated it"
    assert result.ended_at - result.started_at < timedelta(seconds=5)


def test_an_instance_the_cloud_has_forgotten_is_looked_for_until_the_deadline(world: World) -> None:
    _meddle(world, "stop", lambda: world.cloud.remove(WEB))

    result = world.grow()

    assert (result.outcome, result.exit_code) == (Outcome.NEEDS_ATTENTION, 5)
    assert "web-1 was last seen running, type b1.small" in result.hint
    assert "the deadline has passed and the provider does not show the instance" in result.hint
    assert "scale resume fake:web-1" in result.hint
    assert DEADLINE <= result.ended_at - result.started_at <= DEADLINE + timedelta(seconds=15)
    assert [decision.step for decision in world.steps].count(Step.WAIT) == 1, "it is said once"


def test_an_instance_terminated_before_the_stop_is_seen_gone_at_the_next_look(world: World) -> None:
    world.cloud.fail("stop", NotFound("no such instance"))
    _meddle(world, "stop", lambda: setattr(world.web, "state", InstanceState.GONE), is_before=True)

    result = world.grow()

    assert result.hint == "the instance is gone: someone terminated it"


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
    _meddle(world, "observe", lambda: _free(world, "b1.small", after=300))

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


class Behind(FakeProvider):
    """A cloud whose looks show, while told so, how everything was before."""

    behind: Mapping[InstanceId, Instance] | None = None

    def observe(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, Instance]:
        seen = super().observe(ids)
        return seen if self.behind is None else self.behind


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
    world.web.records[TagKey.INTENT] = _intent(world, owner="dead:7").encode()
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


def _meddle(world: World, method: str, action: Callable[[], object], *, is_before: bool = False) -> None:
    """Let something happen around each call of one method."""

    def hook(call: Call) -> None:
        if call.method == method:
            action()

    if is_before:
        world.cloud.before = hook
    else:
        world.cloud.after = hook


def _refuse(world: World, method: str, error: Callable[[], ScalerError | None]) -> None:
    """Let each call of one method fail while `error` gives one."""

    def hook() -> None:
        if (refusal := error()) is not None:
            raise refusal

    _meddle(world, method, hook, is_before=True)


def _write(world: World, intent: Intent) -> None:
    world.web.records[TagKey.INTENT] = intent.encode()


def _free(world: World, type_name: str, after: float) -> None:
    if world.clock.now() - world.web.launched_at >= timedelta(seconds=after):
        world.cloud.no_capacity.discard(type_name)


def _intent(world: World, owner: str) -> Intent:
    now = world.clock.now()
    return Intent("b1.small", "b1.large", (), Goal.FORWARD, True, owner, owner[:4] * 2, now + LEASE, now, now + DEADLINE)
