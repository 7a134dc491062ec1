"""One small function for each thing that speaks against giving an instance another type, and the table of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from scaler.domain.instance import CheckLevel, Finding
from scaler_providers.ec2.api import Record
from scaler_providers.ec2.catalog import architectures
from scaler_providers.ec2.describe import tags_of


@dataclass(frozen=True, slots=True)
class Facts:
    """What was read about the instance and the two types."""

    instance: Record
    type_name: str
    """The type wanted."""
    present: Record
    """The catalogue entry of its type; empty where AWS no longer lists it."""
    wanted: Record | None
    """The entry of the type wanted; None where there is no such type."""
    is_offered: bool
    """Whether the instance's zone has the type wanted."""
    attributes: Mapping[str, object]
    """`disableApiStop` and `instanceInitiatedShutdownBehavior`, as far as they could be read."""


Rule = Callable[[Facts], Finding | None]


def _blocker(code: str, text: str) -> Finding:
    return Finding(CheckLevel.BLOCKER, code, text)


def _warning(code: str, text: str) -> Finding:
    return Finding(CheckLevel.WARNING, code, text)


def unknown_type(facts: Facts) -> Finding | None:
    if facts.wanted is not None:
        return None
    return _blocker("unknown_type", f"This region has no type {facts.type_name}. Look for the name with: scale plan.")


def wrong_architecture(facts: Facts) -> Finding | None:
    architecture = facts.instance["Architecture"]
    if facts.wanted is None or architecture in architectures(facts.wanted):
        return None
    runs = ", ".join(architectures(facts.wanted))
    text = f"{facts.type_name} runs {runs}; the instance's disk holds {architecture} programs and would not boot."
    return _blocker("wrong_architecture", f"{text} Choose a type of {architecture}.")


def not_offered_in_zone(facts: Facts) -> Finding | None:
    if facts.wanted is None or facts.is_offered:
        return None
    zone = facts.instance["Placement"]["AvailabilityZone"]
    return _blocker(
        "not_offered_in_zone", f"{zone} does not have {facts.type_name}: a start would fail. Choose a type the zone has."
    )


def root_not_ebs(facts: Facts) -> Finding | None:
    if facts.instance.get("RootDeviceType", "ebs") == "ebs":
        return None
    return _blocker("root_not_ebs", "Its root disk is an instance store, so it cannot be stopped, only replaced.")


def spot(facts: Facts) -> Finding | None:
    if facts.instance.get("InstanceLifecycle") != "spot":
        return None
    return _blocker("spot", "It is a spot instance; their type cannot be changed. Launch a new one of the larger type.")


def capacity_block(facts: Facts) -> Finding | None:
    if facts.instance.get("InstanceLifecycle") not in ("capacity-block", "scheduled"):
        return None
    return _blocker("capacity_block", "It runs in capacity bought for its present type; another type has no place there.")


def auto_scaling_group(facts: Facts) -> Finding | None:
    group = tags_of(facts.instance).get("aws:autoscaling:groupName")
    if group is None:
        return None
    text = f"It belongs to the Auto Scaling group {group}, which terminates instances that stop."
    return _blocker("auto_scaling_group", f"{text} Change the type in the group's launch template instead.")


def managed_by_service(facts: Facts) -> Finding | None:
    operator = facts.instance.get("Operator", {})
    if not operator.get("Managed"):
        return None
    who = operator.get("Principal", "an AWS service")
    return _blocker("managed_by_service", f"It is run by {who}, which alone may change it. Change the size there.")


def hibernation(facts: Facts) -> Finding | None:
    if not facts.instance.get("HibernationOptions", {}).get("Configured"):
        return None
    return _blocker("hibernation", "It was launched with hibernation enabled; the type of such instances cannot be changed.")


def dedicated_host(facts: Facts) -> Finding | None:
    if facts.instance.get("Placement", {}).get("Tenancy") != "host":
        return None
    text = "It sits on a Dedicated Host, which has room for certain types only; whether for this one cannot be checked here."
    return _blocker("dedicated_host", text)


def stop_protection(facts: Facts) -> Finding | None:
    if facts.attributes.get("disableApiStop") is not True:
        return None
    text = "It is protected against being stopped. Take that off with:"
    command = f"aws ec2 modify-instance-attribute --no-disable-api-stop --instance-id {facts.instance['InstanceId']}"
    return _blocker("stop_protection", f"{text} {command}")


def eni_count(facts: Facts) -> Finding | None:
    has = len(facts.instance.get("NetworkInterfaces", ()))
    most = (facts.wanted or {}).get("NetworkInfo", {}).get("MaximumNetworkInterfaces")
    if most is None or has <= most:
        return None
    return _blocker(
        "eni_count", f"It has {has} network interfaces and {facts.type_name} takes {most}. Detach some, or choose a larger type."
    )


def boot_mode(facts: Facts) -> Finding | None:
    """`uefi-preferred` boots either way, and an image that names no mode is started in the type's own."""
    mode = facts.instance.get("BootMode")
    supported = (facts.wanted or {}).get("SupportedBootModes", ())
    if mode in (None, "uefi-preferred") or not supported or mode in supported:
        return None
    return _blocker(
        "boot_mode", f"Its image boots by {mode} and {facts.type_name} only by {', '.join(supported)}: it would not start."
    )


def ena_required(facts: Facts) -> Finding | None:
    """Where the present type needs ENA too, the instance runs with it, whatever its flag says."""
    is_required = _ena(facts.wanted or {}) == "required" and _ena(facts.present) != "required"
    if not is_required or facts.instance.get("EnaSupport"):
        return None
    text = f"{facts.type_name} needs the ENA network driver, and the instance is not marked as having it."
    return _blocker(
        "ena_required", f"{text} Install the driver, then mark it with: aws ec2 modify-instance-attribute --ena-support"
    )


def public_address_changes(facts: Facts) -> Finding | None:
    associations = [each.get("Association", {}) for each in facts.instance.get("NetworkInterfaces", ())]
    lost = [each["PublicIp"] for each in associations if each.get("IpOwnerId") == "amazon"]
    if not lost:
        return None
    text = f"Its public address {', '.join(lost)} is not an Elastic IP: after the stop it gets another one."
    return _warning("public_address_changes", f"{text} DNS records, allow-lists and known_hosts that name the old one go stale.")


def instance_store_lost(facts: Facts) -> Finding | None:
    if not facts.present.get("InstanceStorageSupported"):
        return None
    text = f"{facts.instance['InstanceType']} has local disks, whose content is lost at the stop."
    return _warning("instance_store_lost", f"{text} Check that nothing but scratch data (swap, caches) is on them.")


def burstable(facts: Facts) -> Finding | None:
    if facts.present.get("BurstablePerformanceSupported") or not (facts.wanted or {}).get("BurstablePerformanceSupported"):
        return None
    text = f"{facts.type_name} earns its full CPU speed as credits, which {facts.instance['InstanceType']} does not need to."
    return _warning("burstable", f"{text} Under steady load it is slower, or billed extra in unlimited mode.")


def infrastructure_code(facts: Facts) -> Finding | None:
    stack = tags_of(facts.instance).get("aws:cloudformation:stack-name")
    if stack is None:
        return None
    text = f"It was made by the CloudFormation stack {stack}; the stack's next update may give it its old type back."
    return _warning("infrastructure_code", f"{text} Set the new type in the template too.")


def shutdown_terminates(facts: Facts) -> Finding | None:
    if facts.attributes.get("instanceInitiatedShutdownBehavior") != "terminate":
        return None
    text = "A shutdown from inside it terminates it. scale stops it from outside, which does not; a `poweroff` on it would."
    return _warning("shutdown_terminates", text)


RULES: Sequence[Rule] = (
    unknown_type,
    wrong_architecture,
    not_offered_in_zone,
    root_not_ebs,
    spot,
    capacity_block,
    auto_scaling_group,
    managed_by_service,
    hibernation,
    dedicated_host,
    stop_protection,
    eni_count,
    boot_mode,
    ena_required,
    public_address_changes,
    instance_store_lost,
    burstable,
    infrastructure_code,
    shutdown_terminates,
)


def _ena(entry: Record) -> str:
    return str(entry.get("NetworkInfo", {}).get("EnaSupport", ""))
