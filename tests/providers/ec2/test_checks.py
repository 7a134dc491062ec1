"""What `check` reads and rehearses, against the emulator."""

import pytest

from scaler.domain.errors import NotFound, Throttled
from scaler.domain.instance import Instance, InstanceState
from scaler_providers.ec2.provider import Ec2Provider
from tests.providers.ec2.emulator import Emulator, Launch, ec2_id
from tests.providers.ec2.faults import FaultProxy


@pytest.fixture
def web(launch: Launch) -> Instance:
    return launch()


def codes(provider: Ec2Provider, instance: Instance, type_name: str = "t3.large") -> list[str]:
    return [finding.code for finding in provider.check(instance, type_name)]


def test_an_ordinary_change_is_rehearsed_call_by_call_and_found_free_of_blockers(
    provider: Ec2Provider, proxy: FaultProxy, web: Instance
) -> None:
    assert codes(provider, web) == []

    rehearsed = {"CreateTags", "DeleteTags", "StopInstances", "ModifyInstanceAttribute", "StartInstances"}
    assert rehearsed <= set(proxy.actions)


def test_a_rehearsal_changes_nothing(provider: Ec2Provider, web: Instance) -> None:
    provider.check(web, "t3.large")

    after = provider.observe([web.id])[web.id]
    assert (after.state, after.type_name, after.records) == (InstanceState.RUNNING, "t3.small", {})


@pytest.mark.parametrize(
    ("action", "permission"),
    [
        ("CreateTags", "ec2:CreateTags"),
        ("DeleteTags", "ec2:DeleteTags"),
        ("StopInstances", "ec2:StopInstances"),
        ("ModifyInstanceAttribute", "ec2:ModifyInstanceAttribute"),
        ("StartInstances", "ec2:StartInstances"),
    ],
)
def test_a_missing_permission_is_a_blocker_that_names_it(
    provider: Ec2Provider, proxy: FaultProxy, web: Instance, action: str, permission: str
) -> None:
    proxy.fail(action, "UnauthorizedOperation", status=403)

    found = provider.check(web, "t3.large")

    assert [finding.code for finding in found] == ["missing_permission"]
    assert permission in found[0].text


def test_a_type_that_ec2_refuses_in_the_rehearsal_is_a_blocker_with_its_words(
    provider: Ec2Provider, proxy: FaultProxy, web: Instance
) -> None:
    proxy.fail("ModifyInstanceAttribute", "InvalidInstanceAttributeValue", "Modifying the instance type is not allowed")

    found = provider.check(web, "t3.large")

    assert [finding.code for finding in found] == ["refused_by_aws"]
    assert "is not allowed" in found[0].text


def test_a_passing_fault_in_the_rehearsal_is_no_finding(provider: Ec2Provider, proxy: FaultProxy, web: Instance) -> None:
    proxy.fail("StopInstances", "RequestLimitExceeded", status=503)

    with pytest.raises(Throttled):
        provider.check(web, "t3.large")


def test_stop_protection_is_read(provider: Ec2Provider, web: Instance, ec2: Emulator) -> None:
    ec2.modify_instance_attribute(InstanceId=ec2_id(web), DisableApiStop={"Value": True})

    assert codes(provider, web) == ["stop_protection"]


def test_an_attribute_that_may_not_be_read_is_a_warning(provider: Ec2Provider, proxy: FaultProxy, web: Instance) -> None:
    proxy.fail("DescribeInstanceAttribute", "UnauthorizedOperation", status=403)

    found = provider.check(web, "t3.large")

    assert [(finding.level.value, finding.code) for finding in found] == [("warning", "not_checked")]
    assert "ec2:DescribeInstanceAttribute" in found[0].text


def test_blockers_come_before_warnings(provider: Ec2Provider, proxy: FaultProxy, web: Instance) -> None:
    proxy.fail("DescribeInstanceAttribute", "UnauthorizedOperation", status=403)
    proxy.fail("StartInstances", "UnauthorizedOperation", status=403)

    assert codes(provider, web) == ["missing_permission", "not_checked"]


def test_another_architecture_and_an_unknown_type_are_found_in_the_real_catalogue(provider: Ec2Provider, web: Instance) -> None:
    assert codes(provider, web, "t4g.large") == ["wrong_architecture"]
    assert codes(provider, web, "zz9.none") == ["unknown_type"]


def test_an_instance_that_is_gone_cannot_be_checked(provider: Ec2Provider, proxy: FaultProxy, web: Instance) -> None:
    proxy.answer("DescribeInstances", "<DescribeInstancesResponse><reservationSet/></DescribeInstancesResponse>")

    with pytest.raises(NotFound):
        provider.check(web, "t3.large")
