"""From what the user names to a target and its instances."""

from dataclasses import replace
from decimal import Decimal

import pytest

from scaler.domain.errors import AccessDenied, NotFound, Throttled, UsageError
from scaler.domain.instance import Reference, Selector
from scaler.domain.policy import Approval, OnOom, Policy, Target
from scaler.engine.targets import choose_target, find
from scaler.testing import FakeClock, FakeProvider

WEB = Target("web", (Reference("fake", "eu-west-1/i-0abc"),))
API = Target("api", (Reference("fake", "i-0def"), Selector("fake", tags={"role": "api"})))
POLICY = Policy("scale.yml", {"web": WEB, "api": API})
ONE = Policy("scale.yml", {"web": WEB})


def test_a_name_of_the_policy_is_its_target() -> None:
    assert choose_target(POLICY, "api") is API


def test_nothing_named_is_the_only_target() -> None:
    assert choose_target(ONE, None) is WEB


@pytest.mark.parametrize(
    ("named", "target"),
    [
        ("fake:eu-west-1/i-0abc", WEB),
        ("fake:i-0abc", WEB),
        ("fake:i-0def", API),
        ("fake:us-east-1/i-0def", API),
    ],
)
def test_a_reference_with_or_without_its_region_has_the_limits_of_the_policys_target(named: str, target: Target) -> None:
    assert choose_target(POLICY, named) is target


@pytest.mark.parametrize("named", ["fake:i-0", "fake:us-east-1/i-0abc", "other:i-0abc", "fake:xi-0abc"])
def test_an_instance_that_no_target_names_has_the_common_keys_of_the_policy(named: str) -> None:
    common = replace(API, on_oom=OnOom(approval=Approval.NEVER), headroom=Decimal("0.3"))

    target = choose_target(replace(POLICY, defaults=common), named)

    assert (target.name, target.instances) == (named, (Reference.parse(named),))
    assert (target.on_oom.approval, target.headroom) == (Approval.NEVER, Decimal("0.3"))


def test_without_a_policy_file_naming_an_instance_is_the_consent() -> None:
    target = choose_target(None, "fake:web-1")

    assert (target.name, target.instances) == ("fake:web-1", (Reference("fake", "web-1"),))
    assert target.on_oom.approval is Approval.AUTO


@pytest.mark.parametrize(
    ("policy", "name", "words", "hint"),
    [
        (POLICY, None, "No instance is named, and the policy file has several targets.", "Name one of: web, api;"),
        (POLICY, "db", "scale.yml has no target 'db'.", "Name one of: web, api;"),
        (None, None, "No instance is named, and there is no policy file.", "scale policy init"),
        (None, "db", "There is no policy file, so nothing is known as 'db'.", "scale policy init"),
    ],
)
def test_what_cannot_be_resolved_is_refused_with_the_names_there_are(
    policy: Policy | None, name: str | None, words: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        choose_target(policy, name)

    assert str(caught.value) == words
    assert hint in caught.value.hint


def test_the_instances_of_a_target_are_found_once_each_and_in_order() -> None:
    clock = FakeClock()
    cloud = FakeProvider(clock)
    for key in ("b", "a", "c"):
        cloud.add(key, tags={"role": "web" if key < "c" else "db"})
    target = Target("web", (Reference("fake", "b"), Selector("fake", tags={"role": "web"})))

    scopes = find(lambda _: cloud, clock, target, POLICY)

    assert [scope.instance.id for scope in scopes] == ["fake:a", "fake:b"]
    assert {scope.target.name for scope in scopes} == {"web"}


def test_only_the_instance_that_the_user_named_is_found() -> None:
    clock = FakeClock()
    cloud = FakeProvider(clock)
    cloud.add("a")
    cloud.add("b")
    target = Target("web", (Reference("fake", "a"), Reference("fake", "b")))

    assert [scope.instance.id for scope in find(lambda _: cloud, clock, target, None, Reference("fake", "b"))] == ["fake:b"]


def test_an_instance_that_does_not_exist_is_not_found_and_a_passing_fault_is_no_answer() -> None:
    clock = FakeClock()
    cloud = FakeProvider(clock)
    cloud.fail("find", Throttled("slow down"), times=2)

    with pytest.raises(NotFound):
        find(lambda _: cloud, clock, WEB, None)


@pytest.mark.parametrize(
    "entry",
    [
        Reference("fake", "web-1"),
        Selector("fake", tags={"role": "web"}),
    ],
)
@pytest.mark.parametrize("named", ["fake:web-1", "fake:storefront"])
def test_the_limits_of_a_target_hold_by_whatever_name_its_instance_is_named(entry: Reference | Selector, named: str) -> None:
    cloud = FakeProvider(FakeClock())
    cloud.add("web-1", name="storefront", tags={"role": "web"})
    other = Target("other", (Reference("fake", "gone"), Reference("elsewhere", "web-1")))
    mine = Target("mine", (entry,), headroom=Decimal("0.4"))
    policy = Policy("scale.yml", {"other": other, "mine": mine})

    (scope,) = find(lambda _: cloud, cloud.clock, choose_target(policy, named), policy, Reference.parse(named))

    assert scope.target is mine


def test_an_instance_whose_name_only_looks_like_a_targets_does_not_get_its_limits() -> None:
    cloud = FakeProvider(FakeClock())
    cloud.add("web-1")
    policy = Policy("scale.yml", {"far": Target("far", (Reference("fake", "eu-west-1/web-1"),))})

    (scope,) = find(lambda _: cloud, cloud.clock, choose_target(policy, "fake:web-1"), policy, Reference("fake", "web-1"))

    assert scope.target.name == "fake:web-1"


def test_a_target_that_may_not_be_looked_up_is_an_error_and_not_no_limit() -> None:
    cloud = FakeProvider(FakeClock())
    cloud.add("web-1")
    policy = Policy("scale.yml", {"web": Target("web", (Selector("fake", tags={"role": "web"}),))})
    cloud.fail_at(2, AccessDenied("ec2:DescribeInstances is not allowed"), after=False)

    with pytest.raises(AccessDenied):
        find(lambda _: cloud, cloud.clock, choose_target(policy, "fake:web-1"), policy, Reference("fake", "web-1"))
