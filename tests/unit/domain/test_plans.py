"""What a plan assumes, costs and consists of."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from scaler.domain.instance import Health, Instance, InstanceId, InstanceState, InstanceType, Offering, TagKey
from scaler.domain.need import Need
from scaler.domain.outcome import OperationResult, Outcome
from scaler.domain.plan import Plan, fingerprint, resize_steps
from scaler.domain.policy import Remedy

WEB = Instance(InstanceId("ec2:eu-west-1/i-0abc"), "web", InstanceState.RUNNING, "t3.small", "eu-west-1a", "x86_64")


@pytest.mark.parametrize(
    "other",
    [
        replace(WEB, id=InstanceId("ec2:eu-west-1/i-0abd")),
        replace(WEB, state=InstanceState.STOPPED),
        replace(WEB, type_name="t3.large"),
        replace(WEB, zone="eu-west-1b"),
    ],
)
def test_a_plan_is_stale_when_identity_state_type_or_zone_are_others(other: Instance) -> None:
    assert fingerprint(other) != fingerprint(WEB)


def test_a_plan_is_not_stale_for_what_it_does_not_rest_on() -> None:
    other = replace(
        WEB,
        name="web-2",
        health=Health.OK,
        public_address="198.51.100.7",
        tags={"a": "b"},
        records={TagKey.PEAKS: "x"},
        state_reason="y",
    )

    assert fingerprint(other) == fingerprint(WEB)
    assert len(fingerprint(WEB)) == 16


def offering(name: str, usd_per_hour: str | None) -> Offering:
    return Offering(
        InstanceType(name, 2048, Decimal(2), "x86_64"), "eu-west-1a", None if usd_per_hour is None else Decimal(usd_per_hour)
    )


@pytest.mark.parametrize(
    ("now", "then", "delta"),
    [("0.02", "0.08", Decimal("43.80")), ("0.08", "0.02", Decimal("-43.80")), (None, "0.08", None), ("0.02", None, None)],
)
def test_a_plans_price_is_the_difference_or_unknown(now: str | None, then: str | None, delta: Decimal | None) -> None:
    plan = Plan(WEB, offering("t3.small", now), Need(0, 1, 1, (), 0.0), Remedy.RESIZE, offering("t3.large", then))

    assert plan.usd_per_month_delta == delta
    assert plan.fingerprint == fingerprint(WEB)
    assert replace(plan, chosen=None).usd_per_month_delta is None


def test_a_resize_of_a_running_instance_stops_and_starts_it_and_waits_until_it_is_well() -> None:
    assert resize_steps(WEB, "t3.large", 2, has_status_checks=True) == [
        "write the intent on web",
        "stop web",
        "change its type from t3.small to t3.large",
        "start web",
        "wait for the provider's status checks",
        "wait for 2 health checks",
        "remove the intent",
    ]
    assert resize_steps(WEB, "t3.large", 1, has_status_checks=False)[-2:] == ["wait for the health check", "remove the intent"]
    assert resize_steps(WEB, "t3.large", 0, has_status_checks=False)[-2:] == ["start web", "remove the intent"]


@pytest.mark.parametrize("state", [InstanceState.STOPPED, InstanceState.STOPPING])
def test_a_resize_of_a_stopped_instance_never_starts_it(state: InstanceState) -> None:
    assert resize_steps(replace(WEB, state=state), "t3.large", 2, has_status_checks=True) == [
        "write the intent on web",
        "change its type from t3.small to t3.large",
        "remove the intent",
    ]


def ended(outcome: Outcome) -> OperationResult:
    at = datetime(2026, 11, 23, tzinfo=UTC)
    return OperationResult(WEB.id, outcome, "t3.small", "t3.large", at, at, 0.0, ())


def test_every_outcome_has_the_contracts_exit_code() -> None:
    assert {str(outcome): ended(outcome).exit_code for outcome in Outcome} == {
        "done": 0,
        "unchanged": 0,
        "refused": 3,
        "rolled_back": 4,
        "needs_attention": 5,
    }
