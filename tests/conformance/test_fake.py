"""The fake cloud keeps the contract, and fails exactly as it is told to."""

import pytest

from scaler.domain.errors import Incompatible, NoCapacity, NotFound, Refused, Throttled, Unavailable, UsageError, WrongState
from scaler.domain.instance import Health, Instance, InstanceState, Reference, Selector, TagKey
from scaler.domain.operation import failed_to_start
from scaler.ports import Provider
from scaler.testing import Call, FakeClock, FakeProvider, ProviderConformance, settle


class TestFakeProvider(ProviderConformance):
    provider_class = FakeProvider
    unknown_reference = "fake:nobody"

    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()

    @pytest.fixture
    def provider(self, clock: FakeClock) -> Provider:
        return FakeProvider(clock)

    @pytest.fixture
    def instance(self, provider: Provider) -> Instance:
        assert isinstance(provider, FakeProvider)
        return provider.add()


def test_a_machine_takes_its_time_to_stop_to_start_and_to_be_healthy() -> None:
    clock = FakeClock()
    cloud = FakeProvider(clock, stop_seconds=20, start_seconds=10, health_seconds=30)
    web = cloud.add()

    def now() -> tuple[InstanceState, Health]:
        seen = cloud.observe([web.id])[web.id]
        return seen.state, seen.health

    assert now() == (InstanceState.RUNNING, Health.OK)
    cloud.stop(web.id)
    clock.sleep(19)
    assert now() == (InstanceState.STOPPING, Health.UNKNOWN)
    clock.sleep(1)
    assert now() == (InstanceState.STOPPED, Health.UNKNOWN)
    cloud.start(web.id)
    clock.sleep(9)
    assert now() == (InstanceState.PENDING, Health.UNKNOWN)
    clock.sleep(1)
    assert now() == (InstanceState.RUNNING, Health.INITIALIZING)
    clock.sleep(30)
    assert now() == (InstanceState.RUNNING, Health.OK)


def test_a_machine_that_is_stopping_cannot_be_started() -> None:
    cloud = FakeProvider()
    web = cloud.add()
    cloud.stop(web.id)

    with pytest.raises(WrongState):
        cloud.start(web.id)


def test_no_capacity_leaves_the_machine_stopped() -> None:
    cloud = FakeProvider()
    web = cloud.add(state=InstanceState.STOPPED)
    cloud.no_capacity.add("b1.small")

    with pytest.raises(NoCapacity):
        cloud.start(web.id)

    assert cloud.machine(web.id).state is InstanceState.STOPPED


def test_a_bouncing_start_is_accepted_and_ends_stopped_with_the_clouds_reason() -> None:
    clock = FakeClock()
    cloud = FakeProvider(clock)
    web = cloud.add(state=InstanceState.STOPPED)
    cloud.bouncing.add("b1.small")

    cloud.start(web.id)

    assert failed_to_start(settle(cloud, web.id, InstanceState.STOPPED, clock))


def test_a_stop_by_request_is_no_failed_start() -> None:
    clock = FakeClock()
    cloud = FakeProvider(clock)
    web = cloud.add()

    cloud.stop(web.id)

    assert not failed_to_start(settle(cloud, web.id, InstanceState.STOPPED, clock))


def test_an_impaired_type_fails_its_status_checks_only_after_a_start() -> None:
    clock = FakeClock()
    cloud = FakeProvider(clock)
    web = cloud.add(state=InstanceState.STOPPED)
    cloud.impaired.add("b1.small")

    cloud.start(web.id)
    clock.sleep(40)

    assert cloud.observe([web.id])[web.id].health is Health.IMPAIRED


def test_a_fault_before_the_effect_leaves_no_effect_and_passes_after_its_times() -> None:
    cloud = FakeProvider()
    web = cloud.add()
    cloud.fail("stop", Throttled("slow down"), times=2)

    for _ in range(2):
        with pytest.raises(Throttled):
            cloud.stop(web.id)
        assert cloud.machine(web.id).state is InstanceState.RUNNING
    cloud.stop(web.id)

    assert cloud.machine(web.id).state is InstanceState.STOPPING
    assert cloud.calls == [Call("stop", (web.id,))] * 3


def test_a_fault_after_the_effect_is_a_lost_answer() -> None:
    cloud = FakeProvider()
    web = cloud.add()
    cloud.fail("stop", Unavailable("connection reset"), after=True)

    with pytest.raises(Unavailable):
        cloud.stop(web.id)

    assert cloud.machine(web.id).state is InstanceState.STOPPING


def test_a_fault_after_a_read_loses_the_answer_too() -> None:
    cloud = FakeProvider()
    web = cloud.add()
    cloud.fail("observe", Unavailable("connection reset"), after=True)

    with pytest.raises(Unavailable):
        cloud.observe([web.id])


def test_the_nth_call_can_be_made_to_fail() -> None:
    cloud = FakeProvider()
    web = cloud.add()
    cloud.fail_at(2, KeyboardInterrupt(), after=True)
    cloud.observe([web.id])

    with pytest.raises(KeyboardInterrupt):
        cloud.write_tag(web.id, TagKey.INTENT, "v1")

    assert cloud.machine(web.id).records == {TagKey.INTENT: "v1"}


def test_a_name_that_two_carry_is_refused_with_their_ids() -> None:
    cloud = FakeProvider()
    cloud.add("a", name="web")
    cloud.add("b", name="web")

    with pytest.raises(Refused, match="fake:a, fake:b"):
        cloud.find(Reference("fake", "web"))


def test_a_selector_finds_what_carries_all_its_tags_in_its_zone() -> None:
    cloud = FakeProvider()
    one = cloud.add("a", tags={"role": "web", "stage": "live"})
    cloud.add("b", tags={"role": "web"})

    assert [each.id for each in cloud.find(Selector("fake", tags={"role": "web", "stage": "live"}))] == [one.id]
    with pytest.raises(NotFound):
        cloud.find(Selector("fake", "zone-b", {"role": "web"}))


def test_a_machine_that_is_gone_is_observed_as_such_and_not_found() -> None:
    cloud = FakeProvider()
    web = cloud.add()
    cloud.machine(web.id).state = InstanceState.GONE

    assert cloud.observe([web.id])[web.id].state is InstanceState.GONE
    with pytest.raises(NotFound):
        cloud.find(Reference.parse(web.id))


def test_another_architecture_is_neither_offered_nor_taken() -> None:
    cloud = FakeProvider()
    web = cloud.add(state=InstanceState.STOPPED)

    assert "a1.large" not in [one.type.name for one in cloud.offerings(web)]
    assert [one.code for one in cloud.check(web, "a1.large")] == ["wrong_architecture"]
    with pytest.raises(Incompatible):
        cloud.set_instance_type(web.id, "a1.large")


def test_a_type_the_zone_lacks_is_listed_as_unavailable() -> None:
    cloud = FakeProvider()
    web = cloud.add()
    cloud.not_offered.add("g1.large")

    assert [one.type.name for one in cloud.offerings(web) if not one.is_available] == ["g1.large"]


def test_a_record_longer_than_any_cloud_takes_is_refused() -> None:
    cloud = FakeProvider()
    web = cloud.add()

    with pytest.raises(UsageError):
        cloud.write_tag(web.id, TagKey.PEAKS, "x" * 257)
