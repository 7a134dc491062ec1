"""Driving an operation through what a cloud does: every ending, and what stands on the instance then."""

import itertools
from datetime import timedelta

import pytest

from scaler.domain.errors import (
    Incompatible,
    QuotaExceeded,
    ScalerError,
    Unavailable,
)
from scaler.domain.instance import InstanceState
from scaler.domain.operation import LEASE, Intent, Step
from scaler.domain.outcome import Outcome
from scaler.domain.policy import TcpProbe
from scaler.testing import Call, FakeProvider
from tests.unit.engine.world import ListedProber, World, a_world

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
