"""Which types are offered, read from the emulator's copy of the real catalogue."""

from decimal import Decimal

import pytest

from scaler.domain.instance import Instance, Offering
from scaler_providers.ec2.provider import Ec2Provider
from tests.providers.ec2.emulator import Launch
from tests.providers.ec2.faults import FaultProxy

ONE_PAGE = """<DescribeInstanceTypeOfferingsResponse><instanceTypeOfferingSet><item><instanceType>{type}</instanceType>
<locationType>availability-zone</locationType><location>us-east-1a</location></item></instanceTypeOfferingSet>{more}
</DescribeInstanceTypeOfferingsResponse>"""


@pytest.fixture
def web(launch: Launch) -> Instance:
    return launch()


def by_name(offerings: object) -> dict[str, Offering]:
    assert isinstance(offerings, list)
    return {offering.type.name: offering for offering in offerings}


def test_an_entry_says_memory_vcpus_family_and_whether_it_bursts(provider: Ec2Provider, web: Instance) -> None:
    offered = by_name(provider.offerings(web))

    small, steady = offered["t3.small"].type, offered["m7i.large"].type
    assert (small.memory_mib, small.vcpus, small.family, small.is_burstable) == (2048, Decimal(2), "t3", True)
    assert (steady.memory_mib, steady.family, steady.is_burstable) == (8192, "m7i", False)


def test_bare_metal_and_former_generations_are_left_out(provider: Ec2Provider, web: Instance) -> None:
    names = by_name(provider.offerings(web))

    assert "m7i.metal-24xl" not in names
    assert "m3.large" not in names


def test_the_own_family_is_offered_whatever_its_generation(provider: Ec2Provider, launch: Launch) -> None:
    old = launch("m3.large")

    offered = by_name(provider.offerings(old))

    assert not offered["m3.large"].type.is_current_generation
    assert "m3.xlarge" in offered
    assert "c3.xlarge" not in offered


def test_the_bare_metal_of_the_own_family_is_left_out_unless_it_is_the_present_type(provider: Ec2Provider, launch: Launch) -> None:
    assert "m5.metal" not in by_name(provider.offerings(launch("m5.large")))
    assert "m5.metal" in by_name(provider.offerings(launch("m5.metal")))


def test_a_machine_without_a_gpu_is_offered_none_and_one_with_a_gpu_keeps_it(provider: Ec2Provider, launch: Launch) -> None:
    plain, gpu = by_name(provider.offerings(launch())), by_name(provider.offerings(launch("g5.xlarge")))

    assert "g5.2xlarge" not in plain
    assert "g5.2xlarge" in gpu
    assert "m7i.2xlarge" not in gpu


def test_types_of_the_region_that_the_zone_lacks_are_listed_as_unavailable(proxy: FaultProxy, web: Instance) -> None:
    proxy.answer("DescribeInstanceTypeOfferings", ONE_PAGE.format(type="t3.small", more="<nextToken>2</nextToken>"))
    proxy.answer("DescribeInstanceTypeOfferings", ONE_PAGE.format(type="t3.large", more=""))

    offered = by_name(Ec2Provider().offerings(web))

    assert sorted(name for name, offering in offered.items() if offering.is_available) == ["t3.large", "t3.small"]
    assert not offered["t3.medium"].is_available


def test_the_catalogue_is_read_once(provider: Ec2Provider, proxy: FaultProxy, web: Instance) -> None:
    provider.offerings(web)
    proxy.clear()

    provider.offerings(web)

    assert proxy.actions == ["DescribeInstances"]
