"""Machines a provider runs, and what they could become."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NewType

from scaler.domain.errors import UsageError
from scaler.domain.units import MIB

InstanceId = NewType("InstanceId", str)
"""The canonical reference, unique over all providers: `ec2:eu-west-1/i-0abc`, `local:web`."""

_REFERENCE = re.compile(r"(?P<provider>[a-z][a-z0-9]*):(?P<name>[A-Za-z0-9][A-Za-z0-9._/-]*)")

HOURS_PER_MONTH = Decimal(730)
"""A month as AWS and Google bill it in their calculators: 8,760 hours / 12."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What a user writes to name an instance: `ec2:i-0abc`, `ec2:eu-west-1/i-0abc`, `local:web`."""

    provider: str
    name: str
    """All after the colon; its meaning is the provider's."""

    def __str__(self) -> str:
        return f"{self.provider}:{self.name}"

    @classmethod
    def parse(cls, text: str) -> "Reference":
        """Read a reference.

        Raises:
            UsageError: it has not the form PROVIDER:NAME, or holds characters no provider uses in names.
        """
        match = _REFERENCE.fullmatch(text)
        if match is None:
            raise UsageError(
                f"{text!r} does not name an instance.",
                hint="Write it like ec2:i-0abc…, ec2:eu-west-1/i-0abc… or local:NAME, or use a name from the policy file.",
            )
        return cls(match["provider"], match["name"])


@dataclass(frozen=True, slots=True)
class Selector:
    """Instances named by what they carry rather than by id."""

    provider: str
    location: str | None = None
    """Region or zone; None is the environment's default."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """All must match (EC2 tags, GCE labels). `Name` on EC2 is the name shown in the console."""


class InstanceState(StrEnum):
    """A provider's states, reduced to what an operation branches on."""

    PENDING = "pending"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    GONE = "gone"
    """Terminated, or on the way there."""


class Health(StrEnum):
    """What the provider's own status checks say of a running instance."""

    INITIALIZING = "initializing"
    OK = "ok"
    IMPAIRED = "impaired"
    UNKNOWN = "unknown"
    """The provider has no such checks, or the instance does not run."""


class TagKey(StrEnum):
    """What scale writes on an instance. A provider maps it to its own key: EC2 `scale:intent`, GCE `scale-intent`."""

    INTENT = "intent"
    PEAKS = "peaks"


@dataclass(frozen=True, slots=True)
class InstanceType:
    """A catalogue entry."""

    name: str
    memory_mib: int
    vcpus: Decimal
    """A whole number but for shared-core types."""
    architecture: str
    """`x86_64`, `arm64`, `i386`."""
    family: str = ""
    """`t3`, `m7i`: what types of one kind have in common; empty where the provider has no families."""
    is_current_generation: bool = True
    is_burstable: bool = False

    @property
    def memory_bytes(self) -> int:
        return self.memory_mib * MIB


@dataclass(frozen=True, slots=True)
class Offering:
    """An InstanceType in one zone, with its price."""

    type: InstanceType
    zone: str
    usd_per_hour: Decimal | None = None
    """On demand, for the instance's operating system. None: not known; never estimated."""
    price_source: str = ""
    """Where the price is from and as of when; empty where it is not known."""
    is_available: bool = True
    """Whether the provider offers the type in this zone (not whether it has capacity now)."""
    warnings: tuple[str, ...] = ()

    @property
    def usd_per_month(self) -> Decimal | None:
        return None if self.usd_per_hour is None else self.usd_per_hour * HOURS_PER_MONTH


@dataclass(frozen=True, slots=True)
class Instance:
    """One machine as the provider describes it at one moment."""

    id: InstanceId
    name: str
    """The name people know it by (EC2 Name tag), or the provider's id where it has none."""
    state: InstanceState
    type_name: str
    zone: str
    architecture: str
    health: Health = Health.UNKNOWN
    launched_at: datetime | None = None
    """When it last started; None where it is not known. Aware, UTC."""
    state_reason: str = ""
    """Why the provider last changed its state, in its own words (`Server.InsufficientInstanceCapacity: …`)."""
    public_address: str | None = None
    private_address: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    """The user's own tags."""
    records: Mapping[TagKey, str] = field(default_factory=dict)
    """What scale wrote on it."""

    @property
    def address(self) -> str | None:
        """Where it can be reached: the public address, else the private one."""
        return self.public_address or self.private_address


class CheckLevel(StrEnum):
    """How much a finding weighs."""

    BLOCKER = "blocker"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing `check` found about changing an instance to a type."""

    level: CheckLevel
    code: str
    """Stable, snake_case: `root_not_ebs`."""
    text: str
    """What is so, what it means for the machine, what would work instead."""
