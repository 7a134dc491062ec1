"""Plans: what is chosen, what is refused and with which words; making one changes nothing."""

from dataclasses import replace
from datetime import UTC, datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from scaler.domain.choice import Refusal
from scaler.domain.diagnosis import Diagnosis
from scaler.domain.errors import Refused, Throttled, UsageError
from scaler.domain.instance import CheckLevel, Finding, TagKey
from scaler.domain.outcome import DeployRecord, OperationResult, Outcome
from scaler.domain.peaks import Peak, encode
from scaler.domain.plan import Plan
from scaler.domain.policy import Limits, Remedy, Weekday, Window
from scaler.domain.rules import Cause
from scaler.domain.units import GIB, MIB
from scaler.engine.calls import READ_SECONDS
from scaler.engine.plan import CLOUD_DOWNTIME_SECONDS, Request, make
from scaler.testing import FakeProvider
from tests.unit.engine.world import WEB, World, a_world, broken_store

OOM = Diagnosis(Cause.INSTANCE_MEMORY, 0.97, ())
AT = datetime(2026, 1, 4, 12, 0, tzinfo=UTC)


def _plan(world: World, request: Request | None = None, **target: object) -> Plan:
    scope = replace(world.scope(), target=replace(world.target, **target))  # type: ignore[arg-type]
    return make(scope, request or Request(diagnosis=OOM), world.clock, world.store)


def _codes(plan: Plan) -> list[str]:
    return [refusal.code for refusal in plan.refused]


def _chosen(plan: Plan) -> str | None:
    return plan.chosen.type.name if plan.chosen else None


def _blocker(code: str) -> Finding:
    return Finding(CheckLevel.BLOCKER, code, f"it is so: {code}")


def test_the_cheapest_type_with_the_needed_memory_is_chosen_and_the_next_ones_are_its_fallbacks(world: World) -> None:
    plan = _plan(world)

    assert (plan.remedy, _chosen(plan), _codes(plan)) == (Remedy.RESIZE, "b1.medium", [])
    assert [one.type.name for one in plan.fallbacks] == ["b1.large", "g1.large", "b1.xlarge"]
    assert plan.need.target_bytes == 4 * GIB
    assert plan.usd_per_month_delta == Decimal("0.02") * 730


def test_making_a_plan_changes_nothing(world: World) -> None:
    _plan(world)

    assert {call.method for call in world.cloud.calls} <= {"observe", "offerings", "check"}
    assert world.is_as_before()


def test_a_blocked_offering_gives_way_to_the_next(world: World) -> None:
    world.cloud.findings["b1.medium"] = [_blocker("quota")]
    world.cloud.findings["g1.large"] = [_blocker("no_driver")]

    plan = _plan(world)

    assert (_chosen(plan), _codes(plan)) == ("b1.large", [])
    assert [one.type.name for one in plan.fallbacks] == ["b1.xlarge", "g1.xlarge"], "a fallback is tried while the instance is down"


def test_warnings_do_not_block_and_are_shown(world: World) -> None:
    warning = Finding(CheckLevel.WARNING, "public_address_changes", "its public address will change")
    world.cloud.findings["b1.medium"] = [warning]

    plan = _plan(world)

    assert (_chosen(plan), plan.findings) == ("b1.medium", (warning,))


def test_where_all_are_blocked_the_plan_is_refused_with_each_reason_once(world: World) -> None:
    for name in world.cloud.prices:
        world.cloud.findings[name] = [_blocker("root_not_ebs")]

    plan = _plan(world)

    assert (plan.remedy, _chosen(plan), _codes(plan)) == (None, None, ["root_not_ebs"])
    assert [call.method for call in world.cloud.calls].count("check") == 5


def test_a_type_that_is_named_is_taken(world: World) -> None:
    plan = _plan(world, Request(to_type="g1.2xlarge"))

    assert (plan.remedy, _chosen(plan), plan.fallbacks) == (Remedy.RESIZE, "g1.2xlarge", ())


@pytest.mark.parametrize(
    ("request_", "words", "hint"),
    [
        (Request(to_type="b1.largo"), "b1.largo is not among the x86_64 types", "b1.large"),
        (Request(to_type="zz"), "zz is not among", "See them with: scale plan --all"),
        (Request(to_type="b1.small"), "It already is a b1.small", ""),
        (Request(to_type="b1.large", is_growth=False), "b1.large is the other way: use `scale up`", ""),
        (Request(memory_bytes=1 * GIB), "no more memory than it has now", "scale down"),
        (Request(memory_bytes=2 * GIB), "no more memory than it has now", "scale down"),
    ],
)
def test_a_request_without_meaning_is_a_usage_error(world: World, request_: Request, words: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        _plan(world, request_)

    assert words in str(caught.value)
    assert hint in caught.value.hint


def test_a_smaller_type_is_not_taken_by_scale_up() -> None:
    with pytest.raises(UsageError, match="is the other way: use `scale down`"):
        _plan(a_world("b1.large"), Request(to_type="b1.small"))


def test_a_named_type_that_the_zone_does_not_have_is_refused(world: World) -> None:
    world.cloud.not_offered = {"b1.large"}

    assert "not_offered_in_zone" in _codes(_plan(world, Request(to_type="b1.large")))


@pytest.mark.parametrize(
    ("limits", "code", "words"),
    [
        (Limits(max_memory_bytes=3 * GIB), "max_memory", "limits.max_memory is 3 GiB; b1.medium has 4 GiB"),
        (Limits(max_usd_per_month=Decimal(20)), "max_price", "limits.max_price is 20 USD/month; b1.medium costs 29.20"),
        (Limits(max_growth=Decimal("1.5")), "max_growth", "limits.max_growth is 1.5; b1.medium has 2 times the memory"),
        (Limits(types_allow=("c9.*",)), "type_not_allowed", "limits.types.allow does not name b1.medium (it has c9.*)"),
        (Limits(types_deny=("*",)), "type_denied", "limits.types.deny has *"),
        (Limits(architectures=("arm64",)), "architecture_not_allowed", "limits.architectures is arm64; b1.medium is x86_64"),
    ],
)
@pytest.mark.parametrize("request_", [Request(diagnosis=OOM), Request(to_type="b1.medium")], ids=["by need", "by name"])
def test_each_limit_refuses_loudly_by_its_name(world: World, request_: Request, limits: Limits, code: str, words: str) -> None:
    plan = _plan(world, request_, limits=limits)

    assert plan.remedy is None
    assert Refusal(code, words) in plan.refused


def test_a_ceiling_below_the_need_is_not_answered_with_less_than_the_need(world: World) -> None:
    plan = _plan(world, Request(memory_bytes=12 * GIB), limits=Limits(max_memory_bytes=8 * GIB))

    assert (plan.remedy, _chosen(plan)) == (None, None)


def test_more_memory_than_any_type_has_is_said(world: World) -> None:
    plan = _plan(world, Request(memory_bytes=100 * GIB))

    assert plan.refused[0] == Refusal("none_large_enough", "no type has 100 GiB")


@pytest.mark.parametrize(
    ("type_name", "request_", "code", "words"),
    [
        ("g1.2xlarge", Request(), "largest_type", "g1.2xlarge is the largest type there is"),
        ("b1.small", Request(is_growth=False), "smallest_type", "b1.small is the smallest type there is"),
        (
            "b1.large",
            Request(memory_bytes=7 * GIB, is_growth=False),
            "none_between",
            "no type smaller than the present one has 7 GiB",
        ),
    ],
)
def test_where_there_is_no_type_in_that_direction_it_is_said(type_name: str, request_: Request, code: str, words: str) -> None:
    plan = _plan(a_world(type_name), request_)

    assert (plan.remedy, plan.refused[0].code) == (None, code)
    assert words in plan.refused[0].text


def test_where_no_smaller_type_holds_what_deploys_needed_the_way_down_is_refused() -> None:
    world = a_world("b1.large")
    world.web.records[TagKey.PEAKS] = encode([Peak(8 * GIB, 5 * GIB, False, AT)])

    plan = _plan(world, Request(is_growth=False))

    assert (plan.remedy, _codes(plan)) == (None, ["below_need"])


def test_growth_is_measured_against_the_memory_before_the_first_change_of_the_run() -> None:
    world = a_world("b1.medium")
    limits = Limits(max_growth=Decimal(2))

    assert _chosen(_plan(world, limits=limits)) == "b1.large"
    assert "max_growth" in _codes(_plan(world, Request(diagnosis=OOM, original_bytes=2 * GIB), limits=limits))


def test_outside_its_windows_an_instance_is_not_stopped(world: World) -> None:
    nights = Window(frozenset(Weekday), time(22), time(4), ZoneInfo("UTC"))

    at_nine = _plan(world, limits=Limits(windows=(nights,)))
    world.clock.sleep(14 * 3600)
    at_eleven_pm = _plan(world, limits=Limits(windows=(nights,)))

    assert (at_nine.remedy, _codes(at_nine), _chosen(at_nine)) == (None, ["outside_windows"], "b1.medium")
    assert at_eleven_pm.remedy is Remedy.RESIZE


def test_where_nothing_will_do_the_window_is_told_too(world: World) -> None:
    never = Window(frozenset(), time(22), time(4), ZoneInfo("UTC"))

    plan = _plan(world, limits=Limits(windows=(never,), max_memory_bytes=3 * GIB))

    assert {"max_memory", "outside_windows"} <= set(_codes(plan))


def test_the_policys_own_prices_choose(world: World) -> None:
    scope = replace(world.scope(), usd_per_hour={"g1.large": Decimal("0.01")})

    plan = make(scope, Request(diagnosis=OOM), world.clock, world.store)

    assert plan.chosen is not None
    assert (_chosen(plan), plan.chosen.price_source) == ("g1.large", "the policy file")


def test_a_price_that_is_not_known_is_refused_where_there_is_a_ceiling(world: World) -> None:
    world.cloud.prices.clear()

    plan = _plan(world, limits=Limits(max_usd_per_month=Decimal(1000)))

    assert plan.remedy is None
    assert "price_unknown" in _codes(plan)


def test_without_a_ceiling_an_unknown_price_ranks_by_memory_and_gives_no_sum(world: World) -> None:
    del world.cloud.prices["b1.medium"]

    plan = _plan(world)

    assert (_chosen(plan), plan.usd_per_month_delta) == ("b1.medium", None)


def test_going_down_without_knowing_the_need_takes_one_step() -> None:
    assert _chosen(_plan(a_world("b1.xlarge"), Request(is_growth=False))) == "b1.large"


def test_going_down_to_fewer_processors_is_said() -> None:
    plan = _plan(a_world("b1.xlarge"), Request(is_growth=False))
    growth = _plan(a_world("b1.small"))

    assert [finding.code for finding in plan.findings] == ["fewer_vcpus"]
    assert "4" in plan.findings[0].text
    assert growth.findings == ()


def test_going_down_keeps_the_processors_where_a_type_does() -> None:
    assert _chosen(_plan(a_world("g1.xlarge"), Request(is_growth=False))) == "g1.large"
    assert _chosen(_plan(a_world("b1.large"), Request(is_growth=False))) == "b1.medium"


def test_going_down_with_a_measured_need_takes_the_cheapest_that_fits() -> None:
    world = a_world("b1.xlarge")
    world.web.records[TagKey.PEAKS] = encode([Peak(16 * GIB, 1 * GIB, False, AT)])

    assert _chosen(_plan(world, Request(is_growth=False))) == "b1.small"


@pytest.mark.parametrize("request_", [Request(to_type="b1.small", is_growth=False), Request(memory_bytes=2 * GIB, is_growth=False)])
def test_going_down_below_what_past_deploys_needed_is_refused_and_can_be_forced(request_: Request) -> None:
    world = a_world("b1.xlarge")
    world.web.records[TagKey.PEAKS] = encode([Peak(16 * GIB, 3 * GIB, False, AT)])

    refused = _plan(world, request_)
    forced = _plan(world, replace(request_, is_forced=True))

    assert (refused.remedy, _codes(refused)) == (None, ["below_need"])
    assert "--force" in refused.refused[0].text
    assert (forced.remedy, _chosen(forced)) == (Remedy.RESIZE, "b1.small")


def test_what_this_machine_remembers_counts_like_what_the_instance_carries(world: World) -> None:
    world.store.kept_deploys = [
        DeployRecord(WEB, "web", "make", AT, 60.0, 0, None, 8 * GIB, 5 * GIB, "b1.large"),
        DeployRecord(WEB, "web", "make", AT, 60.0, 137, Cause.INTERRUPTED, 64 * GIB, None, "b1.small"),
        DeployRecord(WEB, "web", "make", AT, 60.0, 0, None, None, None, None),
    ]

    plan = _plan(world)

    assert plan.need.parts[0].bytes == 5 * GIB
    assert _chosen(plan) == "b1.large"


def test_an_instance_whose_type_is_not_described_is_refused(world: World) -> None:
    world.web.type_name = "x0.old"

    with pytest.raises(Refused, match="which its provider no longer describes"):
        _plan(world)


def test_the_expected_downtime_is_the_median_of_what_was_measured(world: World) -> None:
    def operation(seconds: float) -> OperationResult:
        return OperationResult(WEB, Outcome.DONE, "b1.small", "b1.large", AT, AT, seconds, ())

    before = _plan(world)
    world.store.kept_operations = [
        operation(seconds) for seconds in (0.0, 0.1, 0.2, 0.3, 40.0, 30.0, 300.0)
    ]  # the shortest are an emulator's

    assert before.downtime_seconds_expected == CLOUD_DOWNTIME_SECONDS
    assert _plan(world).downtime_seconds_expected == 40.0


def test_a_history_that_cannot_be_read_does_not_hurt_the_plan(world: World) -> None:
    expected = _plan(world)
    world.store = broken_store()

    assert _plan(world) == expected


def test_a_passing_fault_while_planning_is_tried_again(world: World) -> None:
    world.cloud.fail("offerings", Throttled("slow down"), times=3)
    world.cloud.fail("check", Throttled("slow down"), times=3)

    assert _chosen(_plan(world)) == "b1.medium"


def test_a_provider_that_throttles_for_ever_is_given_up_in_time(world: World) -> None:
    world.cloud.fail("offerings", Throttled("slow down"), times=10**6)
    began = world.clock.now()

    with pytest.raises(Throttled):
        _plan(world)

    assert READ_SECONDS <= (world.clock.now() - began).total_seconds() <= READ_SECONDS + 10


def test_a_measured_peak_that_passed_leads_to_just_that_and_a_margin(world: World) -> None:
    world.web.records[TagKey.PEAKS] = encode([Peak(8 * GIB, 3000 * MIB, False, AT)])

    plan = _plan(world)

    assert plan.need.target_bytes == round((3000 + 150) * MIB * Decimal("1.15"))
    assert _chosen(plan) == "b1.medium"


def test_a_target_says_how_large_the_margin_is(world: World) -> None:
    world.web.records[TagKey.PEAKS] = encode([Peak(8 * GIB, 3000 * MIB, False, AT)])

    assert _chosen(_plan(world, headroom=Decimal("0.5"))) == "b1.large"


class _Sandboxes(FakeProvider):
    """Instances that are sandboxes: no operating system of their own, nothing to wait for."""

    capabilities = replace(FakeProvider.capabilities, has_sandbox=True, has_status_checks=False)


def test_a_sandbox_holds_no_operating_system_and_costs_no_downtime(world: World) -> None:
    world.cloud = _Sandboxes(world.clock)
    world.cloud.add("web-1")
    world.web.records[TagKey.PEAKS] = encode([Peak(8 * GIB, 3000 * MIB, False, AT)])

    plan = make(world.scope(), Request(diagnosis=OOM), world.clock, world.store)

    assert [part.what for part in plan.need.parts] == ["the deploy and what ran beside it", "margin"]
    assert plan.downtime_seconds_expected == 0.0


def test_a_target_that_rehearses_holds_no_operating_system_either(world: World) -> None:
    world.web.records[TagKey.PEAKS] = encode([Peak(8 * GIB, 3000 * MIB, False, AT)])

    plan = _plan(world, rehearse=True)

    assert len(plan.need.parts) == 2


def test_the_steps_of_the_plan_name_what_is_waited_for(world: World) -> None:
    plan = _plan(world)

    assert plan.steps == (
        "write the intent on web-1",
        "stop web-1",
        "change its type from b1.small to b1.medium",
        "start web-1",
        "wait for the provider's status checks",
        "remove the intent",
    )
