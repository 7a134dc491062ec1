from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from scaler.domain.errors import Incompatible, NotFound, StoreError, UsageError, WrongState
from scaler.domain.instance import CheckLevel, Health, InstanceId, InstanceState, Reference, Selector, TagKey
from scaler_providers.local.provider import LocalProvider
from scaler_providers.local.sandbox import open_sandbox

WEB = InstanceId("local:web")


@pytest.fixture
def provider(state_home: Path) -> LocalProvider:
    return LocalProvider()


def test_any_name_is_an_instance_that_runs_on_the_smallest_type_and_leaves_no_file(
    provider: LocalProvider, state_home: Path
) -> None:
    (found,) = provider.find(Reference("local", "web"))

    assert (found.id, found.name, found.state, found.type_name) == (WEB, "web", InstanceState.RUNNING, "256MiB")
    assert (found.public_address, found.private_address, found.health) == (None, "127.0.0.1", Health.UNKNOWN)
    provider.start(WEB)
    provider.write_tag(WEB, TagKey.INTENT, None)
    assert list(state_home.glob("*.json")) == []


def test_a_change_is_seen_by_another_process_of_scale(provider: LocalProvider) -> None:
    provider.stop(WEB)
    provider.set_instance_type(WEB, "512MiB")
    provider.start(WEB)

    seen = LocalProvider().observe([WEB])[WEB]

    assert (seen.state, seen.type_name) == (InstanceState.RUNNING, "512MiB")
    assert seen.launched_at is not None


@pytest.mark.parametrize("name", ["a/b", "-a", ".a", "..", "a b", "", "ä", "a" * 101, "web\n"])
def test_what_cannot_be_a_file_name_everywhere_is_no_name(provider: LocalProvider, name: str) -> None:
    uses: list[Callable[[], object]] = [
        lambda: provider.find(Reference("local", name)),
        lambda: provider.find(Selector("local", tags={"Name": name})),
        lambda: provider.stop(InstanceId(f"local:{name}")),
        lambda: provider.write_tag(InstanceId(f"local:{name}"), TagKey.PEAKS, "x"),
    ]
    for use in uses:
        with pytest.raises(UsageError, match="cannot name a local instance"):
            use()
    assert provider.observe([InstanceId(f"local:{name}")]) == {}


def test_the_tag_name_selects_that_instance(provider: LocalProvider) -> None:
    assert [one.id for one in provider.find(Selector("local", tags={"Name": "web"}))] == [WEB]


@pytest.mark.parametrize("tags", [{}, {"role": "web"}, {"Name": "web", "role": "web"}])
def test_other_tags_select_nothing(provider: LocalProvider, tags: dict[str, str]) -> None:
    with pytest.raises(NotFound):
        provider.find(Selector("local", tags=tags))


def test_a_region_selects_nothing(provider: LocalProvider) -> None:
    with pytest.raises(NotFound):
        provider.find(Selector("local", location="eu-west-1", tags={"Name": "web"}))


def test_only_instances_with_an_intent_are_found_by_it(provider: LocalProvider) -> None:
    provider.write_tag(WEB, TagKey.INTENT, "v1 x=1")
    provider.write_tag(InstanceId("local:db"), TagKey.PEAKS, "v1")

    assert [one.id for one in provider.find_with_intent()] == [WEB]


def test_a_corrupt_record_is_said_when_looking_for_intents(provider: LocalProvider, state_home: Path) -> None:
    state_home.mkdir(parents=True)
    (state_home / "web.json").write_text("{")

    with pytest.raises(StoreError, match=r"web\.json"):
        provider.find_with_intent()


def test_a_running_instance_keeps_its_type(provider: LocalProvider) -> None:
    with pytest.raises(WrongState):
        provider.set_instance_type(WEB, "512MiB")

    assert provider.observe([WEB])[WEB].type_name == "256MiB"


def test_an_unknown_type_is_refused_with_the_ladder(provider: LocalProvider) -> None:
    provider.stop(WEB)

    with pytest.raises(Incompatible, match="256MiB, 512MiB"):
        provider.set_instance_type(WEB, "t3.large")


def test_a_type_this_machine_no_longer_holds_does_not_start(provider: LocalProvider, state_home: Path) -> None:
    provider.stop(WEB)
    path = state_home / "web.json"
    path.write_text(path.read_text().replace("256MiB", "1048576GiB"))

    with pytest.raises(Incompatible, match="1048576GiB"):
        provider.start(WEB)

    assert provider.observe([WEB])[WEB].state is InstanceState.STOPPED


def test_offerings_cost_nothing_and_say_where_that_is_from(provider: LocalProvider) -> None:
    offered = provider.offerings(provider.find(Reference("local", "web"))[0])

    assert {(one.usd_per_hour, one.price_source) for one in offered} == {(Decimal(0), "this machine")}


@pytest.mark.parametrize(("kind", "codes"), [("cgroup2", []), ("cgroup1", []), ("address-space", ["address_space_sandbox"])])
def test_a_limit_that_only_refuses_allocations_is_a_warning(state_home: Path, kind: str, codes: list[str]) -> None:
    provider = LocalProvider(kind=lambda: kind)

    findings = provider.check(provider.find(Reference("local", "web"))[0], "512MiB")

    assert [finding.code for finding in findings] == codes
    assert all(finding.level is CheckLevel.WARNING and "refused" in finding.text for finding in findings)


def test_another_providers_instance_is_not_found(provider: LocalProvider) -> None:
    with pytest.raises(NotFound):
        provider.stop(InstanceId("ec2:i-0abc"))
    with pytest.raises(NotFound):
        provider.find(Reference("ec2", "i-0abc"))


@pytest.mark.parametrize("limit", [0, -1])
def test_a_sandbox_needs_memory(limit: int) -> None:
    with pytest.raises(UsageError):
        open_sandbox("web", limit)


def test_the_providers_sandbox_has_the_limit_asked_for(provider: LocalProvider) -> None:
    with provider.sandbox("web", 256 << 20) as sandbox:
        assert sandbox.limit_bytes == sandbox.counters().limit_bytes == 256 << 20
