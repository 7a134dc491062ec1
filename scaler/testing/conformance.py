"""The contract of `scaler.ports.Provider`, executed against one adapter."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

import pytest

from scaler.domain.errors import Incompatible, NotFound, WrongState
from scaler.domain.instance import CheckLevel, Instance, InstanceId, InstanceState, Offering, Reference, Selector, TagKey
from scaler.ports import Clock, Provider
from scaler.testing.clock import RealClock

LONGEST_VALUE = ("v1 a=b+c-d_e.f:g/h@i Z9 " * 11)[:256].rstrip().ljust(256, "=")
"""256 characters, every kind that tag values may hold among them, and no blank at either end (clouds trim those)."""


def settle(provider: Provider, id: InstanceId, state: InstanceState, clock: Clock, seconds: float = 600) -> Instance:  # noqa: A002
    """Look at an instance, by `clock`, until it is in `state`; fails the test where that takes more than `seconds`."""
    until = clock.now() + timedelta(seconds=seconds)
    while True:
        instance = provider.observe([id]).get(id)
        if instance is not None and instance.state is state:
            return instance
        if clock.now() >= until:
            pytest.fail(f"{id} is {instance.state if instance else 'unknown'} and not {state} after {seconds} s")
        clock.sleep(0.2)


class ProviderConformance:
    """Subclass it as `TestSomething`, name the adapter, and override the fixtures `provider` and `instance`.

    Tests leave the instance as they find it or stopped; the fixture owes each test a running one.
    """

    provider_class: ClassVar[type[Any]]
    """The adapter, as its entry point names it."""
    unknown_reference: ClassVar[str]
    """A well-formed canonical reference to an instance that does not exist, such as `ec2:us-east-1/i-0123456789abcdef0`."""
    unknown_type: ClassVar[str] = "zz9.none"
    cloud_refuses_type_change_while_running: ClassVar[bool] = True
    """False only where the emulator behind the adapter is known to allow what the real cloud refuses."""
    cloud_refuses_unknown_types: ClassVar[bool] = True
    """Likewise."""

    @pytest.fixture
    def provider(self) -> Provider:
        raise NotImplementedError("override the fixture `provider`")

    @pytest.fixture
    def instance(self, provider: Provider) -> Instance:
        """A running instance, smaller than the largest type it could become."""
        raise NotImplementedError("override the fixture `instance`")

    @pytest.fixture
    def clock(self) -> Clock:
        """The provider's clock. Override it where the provider was given one."""
        return RealClock()

    def larger_type(self, provider: Provider, instance: Instance) -> str:
        """A type with more memory that the instance can become: by default the next one offered."""
        offerings = provider.offerings(instance)
        present = present_offering(offerings, instance)
        larger = [one for one in offerings if one.is_available and one.type.memory_mib > present.type.memory_mib]
        return larger[0].type.name

    def test_the_suite_runs_against_the_class_it_names(self, provider: Provider) -> None:
        assert isinstance(provider, self.provider_class)
        assert self.provider_class.name == provider.name

    def test_a_reference_finds_exactly_its_instance(self, provider: Provider, instance: Instance) -> None:
        found = provider.find(Reference.parse(instance.id))

        assert [one.id for one in found] == [instance.id]
        assert found[0].type_name == instance.type_name
        assert found[0].state is InstanceState.RUNNING

    def test_an_id_is_the_canonical_reference_of_this_provider(self, provider: Provider, instance: Instance) -> None:
        assert Reference.parse(instance.id).provider == provider.name

    def test_a_reference_to_nothing_is_not_found(self, provider: Provider) -> None:
        with pytest.raises(NotFound) as caught:
            provider.find(Reference.parse(self.unknown_reference))

        assert str(caught.value)

    @pytest.mark.usefixtures("instance")
    def test_a_selector_that_matches_nothing_is_not_found(self, provider: Provider) -> None:
        with pytest.raises(NotFound):
            provider.find(Selector(provider.name, tags={"scale-conformance": "nothing-carries-this"}))

    def test_observing_leaves_unknown_ids_out(self, provider: Provider, instance: Instance) -> None:
        seen = provider.observe([instance.id, InstanceId(self.unknown_reference)])

        assert list(seen) == [instance.id]
        assert seen[instance.id].id == instance.id

    def test_observing_nothing_answers_nothing(self, provider: Provider) -> None:
        assert dict(provider.observe([])) == {}

    def test_moments_are_aware_and_utc(self, provider: Provider, instance: Instance) -> None:
        launched_at = provider.observe([instance.id])[instance.id].launched_at

        assert launched_at is None or is_utc(launched_at)

    def test_offerings_contain_the_present_type_once(self, provider: Provider, instance: Instance) -> None:
        names = [one.type.name for one in provider.offerings(instance)]

        assert names.count(instance.type_name) == 1
        assert len(names) == len(set(names))

    def test_offerings_are_of_the_instances_architecture_and_zone(self, provider: Provider, instance: Instance) -> None:
        offerings = provider.offerings(instance)

        assert {one.type.architecture for one in offerings} == {instance.architecture}
        assert {one.zone for one in offerings} == {instance.zone}

    def test_offerings_are_ordered_by_memory_then_name(self, provider: Provider, instance: Instance) -> None:
        order = [(one.type.memory_mib, one.type.name) for one in provider.offerings(instance)]

        assert order == sorted(order)

    def test_a_price_names_its_source(self, provider: Provider, instance: Instance) -> None:
        for one in provider.offerings(instance):
            assert bool(one.price_source) == (one.usd_per_hour is not None), one.type.name

    def test_checking_an_ordinary_change_finds_no_blocker(self, provider: Provider, instance: Instance) -> None:
        findings = provider.check(instance, self.larger_type(provider, instance))

        assert [one for one in findings if one.level is CheckLevel.BLOCKER] == []

    def test_checking_an_unknown_type_finds_a_blocker(self, provider: Provider, instance: Instance) -> None:
        findings = provider.check(instance, self.unknown_type)

        assert "unknown_type" in [one.code for one in findings if one.level is CheckLevel.BLOCKER]

    def test_checking_changes_nothing(self, provider: Provider, instance: Instance) -> None:
        before = provider.observe([instance.id])[instance.id]

        provider.check(instance, self.larger_type(provider, instance))

        after = provider.observe([instance.id])[instance.id]
        assert (after.state, after.type_name, after.records) == (before.state, before.type_name, before.records)

    def test_stop_then_type_then_start_gives_the_new_type(self, provider: Provider, instance: Instance, clock: Clock) -> None:
        larger = self.larger_type(provider, instance)

        provider.stop(instance.id)
        settle(provider, instance.id, InstanceState.STOPPED, clock)
        provider.set_instance_type(instance.id, larger)
        assert provider.observe([instance.id])[instance.id].type_name == larger
        provider.start(instance.id)

        assert settle(provider, instance.id, InstanceState.RUNNING, clock).type_name == larger

    def test_the_type_of_a_running_instance_cannot_be_set(self, provider: Provider, instance: Instance) -> None:
        if not self.cloud_refuses_type_change_while_running:
            pytest.skip("the emulator behind this adapter changes running instances")

        with pytest.raises(WrongState):
            provider.set_instance_type(instance.id, self.larger_type(provider, instance))

        assert provider.observe([instance.id])[instance.id].type_name == instance.type_name

    def test_an_unknown_type_cannot_be_set(self, provider: Provider, instance: Instance, clock: Clock) -> None:
        if not self.cloud_refuses_unknown_types:
            pytest.skip("the emulator behind this adapter takes any type")
        provider.stop(instance.id)
        settle(provider, instance.id, InstanceState.STOPPED, clock)

        with pytest.raises(Incompatible):
            provider.set_instance_type(instance.id, self.unknown_type)

        assert provider.observe([instance.id])[instance.id].type_name == instance.type_name

    def test_stopping_a_stopped_instance_succeeds(self, provider: Provider, instance: Instance, clock: Clock) -> None:
        provider.stop(instance.id)
        provider.stop(instance.id)
        settle(provider, instance.id, InstanceState.STOPPED, clock)
        provider.stop(instance.id)

        assert provider.observe([instance.id])[instance.id].state is InstanceState.STOPPED

    def test_starting_a_running_instance_succeeds(self, provider: Provider, instance: Instance, clock: Clock) -> None:
        provider.start(instance.id)
        assert provider.observe([instance.id])[instance.id].state is InstanceState.RUNNING

        provider.stop(instance.id)
        settle(provider, instance.id, InstanceState.STOPPED, clock)
        provider.start(instance.id)
        provider.start(instance.id)

        settle(provider, instance.id, InstanceState.RUNNING, clock)

    def test_a_stopped_instance_is_still_found(self, provider: Provider, instance: Instance, clock: Clock) -> None:
        provider.stop(instance.id)
        settle(provider, instance.id, InstanceState.STOPPED, clock)

        assert [one.id for one in provider.find(Reference.parse(instance.id))] == [instance.id]

    @pytest.mark.parametrize("key", list(TagKey))
    def test_a_record_is_written_replaced_and_removed(self, provider: Provider, instance: Instance, key: TagKey) -> None:
        for value in ("v1 first", "v1 second"):
            provider.write_tag(instance.id, key, value)
            assert provider.observe([instance.id])[instance.id].records == {key: value}

        provider.write_tag(instance.id, key, None)
        provider.write_tag(instance.id, key, None)

        assert dict(provider.observe([instance.id])[instance.id].records) == {}

    def test_a_record_of_256_characters_comes_back_as_written(self, provider: Provider, instance: Instance) -> None:
        provider.write_tag(instance.id, TagKey.PEAKS, LONGEST_VALUE)

        assert provider.observe([instance.id])[instance.id].records[TagKey.PEAKS] == LONGEST_VALUE
        provider.write_tag(instance.id, TagKey.PEAKS, None)

    def test_records_are_not_among_the_users_tags(self, provider: Provider, instance: Instance) -> None:
        before = dict(provider.observe([instance.id])[instance.id].tags)
        provider.write_tag(instance.id, TagKey.INTENT, "v1 x=1")

        assert dict(provider.observe([instance.id])[instance.id].tags) == before
        provider.write_tag(instance.id, TagKey.INTENT, None)

    def test_records_survive_a_stop(self, provider: Provider, instance: Instance, clock: Clock) -> None:
        provider.write_tag(instance.id, TagKey.INTENT, "v1 x=1")
        provider.stop(instance.id)

        stopped = settle(provider, instance.id, InstanceState.STOPPED, clock)

        assert stopped.records == {TagKey.INTENT: "v1 x=1"}

    def test_an_instance_is_found_by_its_intent_only_while_it_has_one(self, provider: Provider, instance: Instance) -> None:
        provider.write_tag(instance.id, TagKey.PEAKS, "v1 peaks")
        assert instance.id not in [one.id for one in provider.find_with_intent()]

        provider.write_tag(instance.id, TagKey.INTENT, "v1 x=1")
        found = {one.id: one for one in provider.find_with_intent()}
        assert found[instance.id].records[TagKey.INTENT] == "v1 x=1"

        provider.write_tag(instance.id, TagKey.INTENT, None)
        assert instance.id not in [one.id for one in provider.find_with_intent()]
        provider.write_tag(instance.id, TagKey.PEAKS, None)

    @pytest.mark.parametrize("method", ["stop", "start", "console_log"])
    def test_calls_for_an_unknown_instance_are_not_found(self, provider: Provider, method: str) -> None:
        with pytest.raises(NotFound):
            getattr(provider, method)(InstanceId(self.unknown_reference))

    def test_the_console_is_text_with_its_moment_or_nothing(self, provider: Provider, instance: Instance) -> None:
        log = provider.console_log(instance.id)

        assert log is None or (isinstance(log.text, str) and is_utc(log.read_at))
        assert log is None or provider.capabilities.has_console_log


def present_offering(offerings: Sequence[Offering], instance: Instance) -> Offering:
    """What the instance is now, among what it could be."""
    return next(one for one in offerings if one.type.name == instance.type_name)


def is_utc(moment: datetime) -> bool:
    """Whether a moment is aware and written in UTC."""
    return moment.utcoffset() == timedelta(0)
