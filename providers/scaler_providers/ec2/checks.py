"""What can be known, before anything is stopped, about giving an instance another type."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from scaler.domain.errors import AccessDenied, Incompatible
from scaler.domain.instance import CheckLevel, Finding, TagKey
from scaler_providers.ec2.api import Api, Record
from scaler_providers.ec2.catalog import Catalog
from scaler_providers.ec2.describe import TAG_KEYS, Place
from scaler_providers.ec2.rules import RULES, Facts

_ATTRIBUTES: Mapping[str, str] = {
    "disableApiStop": "DisableApiStop",
    "instanceInitiatedShutdownBehavior": "InstanceInitiatedShutdownBehavior",
}
"""What only DescribeInstanceAttribute tells: the name in the question to the key of the answer."""


@dataclass(frozen=True, slots=True)
class _Rehearsal:
    """A call an operation will make, asked for as a dry run."""

    operation: str
    parameters: Record


def check(api: Api, catalog: Catalog, place: Place, record: Record, type_name: str) -> list[Finding]:
    """All findings, blockers first. Changes nothing: reads, and dry runs of the calls the operation will make."""
    entries = {entry["InstanceType"]: entry for entry in catalog.types(place.region, [record["InstanceType"], type_name])}
    attributes, unread = _attributes(api, place)
    facts = Facts(
        instance=record,
        type_name=type_name,
        present=entries.get(record["InstanceType"], {}),
        wanted=entries.get(type_name),
        is_offered=type_name in catalog.offered(place.region, record["Placement"]["AvailabilityZone"]),
        attributes=attributes,
    )
    found = [finding for rule in RULES if (finding := rule(facts)) is not None]
    found += [*unread, *_refusals(api, place, type_name if facts.wanted else record["InstanceType"])]
    return sorted(found, key=lambda finding: list(CheckLevel).index(finding.level))


def _attributes(api: Api, place: Place) -> tuple[dict[str, object], list[Finding]]:
    values: dict[str, object] = {}
    unread = []
    for name, key in _ATTRIBUTES.items():
        try:
            answer = api.call(place.region, "describe_instance_attribute", place.name, InstanceId=place.name, Attribute=name)
            values[name] = answer.get(key, {}).get("Value")
        except AccessDenied as error:
            text = f"{error} So it is not known what the instance's {name} is; the change may be refused half way."
            unread.append(Finding(CheckLevel.WARNING, "not_checked", text))
    return values, unread


def _refusals(api: Api, place: Place, type_name: str) -> Iterator[Finding]:
    """Dry runs: a missing permission must show now, not while the instance is down."""
    for each in _rehearsals(place, type_name):
        error = api.refusal(place.region, each.operation, place.name, **each.parameters)
        if isinstance(error, AccessDenied):
            yield Finding(CheckLevel.BLOCKER, "missing_permission", f"{error} {error.hint} Nothing was changed.")
        elif isinstance(error, Incompatible):
            yield Finding(CheckLevel.BLOCKER, "refused_by_aws", f"{error} Nothing was changed.")
        elif error is not None and error.retryable:
            raise error


def _rehearsals(place: Place, type_name: str) -> Sequence[_Rehearsal]:
    ids = {"InstanceIds": [place.name]}
    tags = {"Resources": [place.name], "Tags": [{"Key": TAG_KEYS[TagKey.INTENT], "Value": "v1"}]}
    return (
        _Rehearsal("create_tags", tags),
        _Rehearsal("delete_tags", tags),
        _Rehearsal("stop_instances", ids),
        _Rehearsal("modify_instance_attribute", {"InstanceId": place.name, "InstanceType": {"Value": type_name}}),
        _Rehearsal("start_instances", ids),
    )
