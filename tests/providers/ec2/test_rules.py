"""Each rule speaks when its case is there, and is silent when it is not."""

from collections.abc import Mapping
from typing import Any

import pytest

from scaler.domain.instance import CheckLevel
from scaler_providers.ec2.rules import RULES, Facts

INSTANCE: Mapping[str, Any] = {
    "InstanceId": "i-0abc",
    "InstanceType": "t3.small",
    "Architecture": "x86_64",
    "RootDeviceType": "ebs",
    "EnaSupport": True,
    "BootMode": "uefi-preferred",
    "HibernationOptions": {"Configured": False},
    "Placement": {"AvailabilityZone": "eu-west-1a", "Tenancy": "default"},
    "NetworkInterfaces": [{"Association": {"PublicIp": "203.0.113.1", "IpOwnerId": "123456789012"}}],
    "Tags": [{"Key": "Name", "Value": "web-1"}],
}
BURSTABLE: Mapping[str, Any] = {
    "InstanceType": "t3.large",
    "ProcessorInfo": {"SupportedArchitectures": ["x86_64"]},
    "NetworkInfo": {"MaximumNetworkInterfaces": 3, "EnaSupport": "required"},
    "SupportedBootModes": ["legacy-bios", "uefi"],
    "BurstablePerformanceSupported": True,
    "InstanceStorageSupported": False,
}
OLD: Mapping[str, Any] = {
    "InstanceType": "m3.large",
    "NetworkInfo": {"EnaSupport": "unsupported"},
    "InstanceStorageSupported": True,
}


def findings(
    instance: Mapping[str, Any] | None = None,
    *,
    present: Mapping[str, Any] = BURSTABLE,
    wanted: Mapping[str, Any] | None = BURSTABLE,
    is_offered: bool = True,
    attributes: Mapping[str, object] | None = None,
) -> list[tuple[str, str]]:
    """Level and code of all that the rules say of the ordinary instance with these differences."""
    facts = Facts({**INSTANCE, **(instance or {})}, "t3.large", present, wanted, is_offered, attributes or {})
    found = [finding for rule in RULES if (finding := rule(facts)) is not None]
    assert all(finding.text for finding in found)
    return [(finding.level.value, finding.code) for finding in found]


def wanted(**differences: object) -> Mapping[str, Any]:
    return {**BURSTABLE, **differences}


def test_nothing_speaks_against_an_ordinary_change() -> None:
    assert findings() == []


@pytest.mark.parametrize(
    ("code", "instance"),
    [
        ("root_not_ebs", {"RootDeviceType": "instance-store"}),
        ("spot", {"InstanceLifecycle": "spot"}),
        ("capacity_block", {"InstanceLifecycle": "capacity-block"}),
        ("capacity_block", {"InstanceLifecycle": "scheduled"}),
        ("auto_scaling_group", {"Tags": [{"Key": "aws:autoscaling:groupName", "Value": "web"}]}),
        ("managed_by_service", {"Operator": {"Managed": True, "Principal": "eks.amazonaws.com"}}),
        ("hibernation", {"HibernationOptions": {"Configured": True}}),
        ("dedicated_host", {"Placement": {"AvailabilityZone": "eu-west-1a", "Tenancy": "host"}}),
        ("wrong_architecture", {"Architecture": "arm64"}),
        ("eni_count", {"NetworkInterfaces": [{}, {}, {}, {}]}),
    ],
)
def test_an_instance_that_cannot_be_changed_is_blocked(code: str, instance: Mapping[str, Any]) -> None:
    assert findings(instance) == [("blocker", code)]


def test_a_type_that_does_not_exist_is_the_only_thing_said() -> None:
    assert findings(wanted=None, is_offered=False) == [("blocker", "unknown_type")]


def test_a_type_the_zone_lacks_is_blocked() -> None:
    assert findings(is_offered=False) == [("blocker", "not_offered_in_zone")]


def test_stop_protection_is_blocked() -> None:
    assert findings(attributes={"disableApiStop": True}) == [("blocker", "stop_protection")]
    assert findings(attributes={"disableApiStop": False}) == []


@pytest.mark.parametrize(
    ("mode", "supported", "is_blocked"),
    [
        ("uefi", ["legacy-bios"], True),
        ("legacy-bios", ["uefi"], True),
        ("uefi", ["legacy-bios", "uefi"], False),
        ("uefi-preferred", ["legacy-bios"], False),
        (None, ["uefi"], False),
        ("uefi", [], False),
    ],
)
def test_a_boot_mode_the_type_lacks_is_blocked(mode: str | None, supported: list[str], is_blocked: bool) -> None:
    found = findings({"BootMode": mode}, wanted=wanted(SupportedBootModes=supported))

    assert found == ([("blocker", "boot_mode")] if is_blocked else [])


def test_a_type_that_needs_ena_is_blocked_unless_the_instance_has_it_or_runs_with_it() -> None:
    storeless = {**OLD, "InstanceStorageSupported": False, "BurstablePerformanceSupported": True}

    assert findings({"EnaSupport": False}, present=storeless) == [("blocker", "ena_required")]
    assert findings({"EnaSupport": True}, present=storeless) == []
    assert findings({"EnaSupport": False}, present=BURSTABLE) == []


@pytest.mark.parametrize(
    ("code", "instance"),
    [
        ("public_address_changes", {"NetworkInterfaces": [{"Association": {"PublicIp": "203.0.113.1", "IpOwnerId": "amazon"}}]}),
        ("infrastructure_code", {"Tags": [{"Key": "aws:cloudformation:stack-name", "Value": "web"}]}),
    ],
)
def test_what_the_owner_should_know_is_a_warning(code: str, instance: Mapping[str, Any]) -> None:
    assert findings(instance) == [("warning", code)]


def test_losing_local_disks_is_a_warning() -> None:
    assert findings(present={**BURSTABLE, "InstanceStorageSupported": True}) == [("warning", "instance_store_lost")]


def test_only_the_step_to_a_burstable_type_is_a_warning() -> None:
    steady = {**BURSTABLE, "BurstablePerformanceSupported": False}

    assert findings(present=steady, wanted=BURSTABLE) == [("warning", "burstable")]
    assert findings(present=BURSTABLE, wanted=steady) == []


def test_an_instance_that_a_shutdown_terminates_is_a_warning() -> None:
    assert findings(attributes={"instanceInitiatedShutdownBehavior": "terminate"}) == [("warning", "shutdown_terminates")]
    assert findings(attributes={"instanceInitiatedShutdownBehavior": "stop"}) == []


def test_a_type_aws_no_longer_lists_can_still_be_left() -> None:
    assert ("blocker", "unknown_type") not in findings(present={})


def test_a_finding_is_a_blocker_or_a_warning() -> None:
    assert {level.value for level in CheckLevel} == {"blocker", "warning"}
