"""From EC2's description of an instance to the domain's Instance, and between the two ways of naming one."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from itertools import islice

from scaler.domain.errors import UsageError
from scaler.domain.instance import Health, Instance, InstanceId, InstanceState, Reference, TagKey
from scaler_providers.ec2.api import Api, Record

TAG_KEYS: Mapping[TagKey, str] = {TagKey.INTENT: "scale:intent", TagKey.PEAKS: "scale:peaks"}

_STATES: Mapping[str, InstanceState] = {
    "pending": InstanceState.PENDING,
    "running": InstanceState.RUNNING,
    "stopping": InstanceState.STOPPING,
    "stopped": InstanceState.STOPPED,
    "shutting-down": InstanceState.GONE,
    "terminated": InstanceState.GONE,
}
NOT_GONE: Record = {
    "Name": "instance-state-name",
    "Values": [name for name, state in _STATES.items() if state is not InstanceState.GONE],
}
"""A filter."""

_MAX_FILTER_VALUES = 200
"""https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html."""
_MAX_STATUS_IDS = 100
"""https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceStatus.html."""

_ID = re.compile(r"i-[0-9A-Za-z]+")


@dataclass(frozen=True, slots=True)
class Place:
    """An instance as EC2 names it."""

    region: str
    name: str
    """Its id (`i-0abc`), or its Name tag."""

    @property
    def is_id(self) -> bool:
        return _ID.fullmatch(self.name) is not None

    @classmethod
    def of(cls, id: InstanceId) -> "Place":  # noqa: A002
        """Where a canonical id points.

        Raises:
            UsageError: it is not of the form `ec2:REGION/ID`.
        """
        region, _, name = id.removeprefix("ec2:").partition("/")
        if not name:
            raise UsageError(f"{id!r} is not the id of an EC2 instance.", hint="Write it like ec2:eu-west-1/i-0abc…")
        return cls(region, name)

    @classmethod
    def named(cls, reference: Reference, api: Api) -> "Place":
        """Where a user's reference points; without a region, the default one."""
        region, slash, name = reference.name.partition("/")
        return cls(region, name) if slash else cls(api.default_region, region)


def instance_id(region: str, ec2_id: str) -> InstanceId:
    return InstanceId(f"ec2:{region}/{ec2_id}")


def records(api: Api, region: str, filters: Sequence[Record]) -> list[Record]:
    """EC2's own descriptions of the instances that match all filters.

    Filters, not a list of ids: an unknown id then is left out, where a list makes the whole call fail.
    """
    reservations = api.pages(region, "describe_instances", "Reservations", Filters=list(filters))
    return [record for reservation in reservations for record in reservation["Instances"]]


def records_by_id(api: Api, region: str, ec2_ids: Sequence[str]) -> list[Record]:
    """Likewise, of these ids; unknown ones left out."""
    chunks = _chunks(ec2_ids, _MAX_FILTER_VALUES)
    return [record for chunk in chunks for record in records(api, region, [{"Name": "instance-id", "Values": chunk}])]


def instances(api: Api, region: str, found: Sequence[Record]) -> list[Instance]:
    """The domain's view of these descriptions, with the status checks of the running ones, ordered by id."""
    running = [record["InstanceId"] for record in found if record["State"]["Name"] == "running"]
    health = _health(api, region, running)
    return sorted((_instance(region, record, health) for record in found), key=lambda instance: instance.id)


def tags_of(record: Record) -> dict[str, str]:
    """All tags, scale's own included."""
    return {tag["Key"]: tag["Value"] for tag in record.get("Tags", ())}


def _instance(region: str, record: Record, health: Mapping[str, Health]) -> Instance:
    tags = tags_of(record)
    own = {key: tags.pop(name) for key, name in TAG_KEYS.items() if name in tags}
    state = _STATES[record["State"]["Name"]]
    # A running instance that the status call does not list yet has just started.
    known = health.get(record["InstanceId"], Health.INITIALIZING) if state is InstanceState.RUNNING else Health.UNKNOWN
    launched_at = record.get("LaunchTime")
    return Instance(
        id=instance_id(region, record["InstanceId"]),
        name=tags.get("Name") or record["InstanceId"],
        state=state,
        type_name=record["InstanceType"],
        zone=record["Placement"]["AvailabilityZone"],
        architecture=record["Architecture"],
        health=known,
        launched_at=launched_at.astimezone(UTC) if launched_at else None,
        state_reason=_reason(record.get("StateReason", {})),
        public_address=record.get("PublicIpAddress"),
        private_address=record.get("PrivateIpAddress"),
        tags=tags,
        records=own,
    )


def _reason(reason: Record) -> str:
    """`Client.UserInitiatedShutdown: User initiated shutdown`; EC2 mostly repeats the code in the message, not always."""
    code, message = reason.get("Code", ""), reason.get("Message", "")
    return message if message.startswith(code) else f"{code}: {message}"


def _health(api: Api, region: str, ec2_ids: Sequence[str]) -> dict[str, Health]:
    found: dict[str, Health] = {}
    for chunk in _chunks(ec2_ids, _MAX_STATUS_IDS):
        statuses = api.pages(region, "describe_instance_status", "InstanceStatuses", InstanceIds=chunk, IncludeAllInstances=True)
        found |= {status["InstanceId"]: _health_of(status) for status in statuses}
    return found


def _health_of(status: Record) -> Health:
    """Ok only where both the machine under it and the instance itself are; `insufficient-data` is a check not done yet."""
    words = {status[key]["Status"] for key in ("SystemStatus", "InstanceStatus")}
    if "impaired" in words:
        return Health.IMPAIRED
    if words & {"initializing", "insufficient-data"}:
        return Health.INITIALIZING
    return Health.OK if words == {"ok"} else Health.UNKNOWN


def _chunks(values: Sequence[str], size: int) -> Iterator[list[str]]:
    left = iter(values)
    while chunk := list(islice(left, size)):
        yield chunk
