"""The shape of a policy file. The descriptions are what editors show; None is a key that was not given."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from scaler.policyfile.amounts import Duration, Growth, Headroom, HourlyPrice, Memory, MonthlyPrice
from scaler.policyfile.calendar import Day, EndTime, StartTime, Zone
from scaler.policyfile.connections import SshHost, TcpHost, Url
from scaler.policyfile.words import (
    TARGET_NAME,
    TYPE_NAME,
    ApprovalName,
    Architecture,
    Command,
    Flag,
    Glob,
    InstanceReference,
    Place,
    ProviderName,
    RemedyName,
    Retries,
    Status,
    TagValue,
    TargetName,
    TypeName,
    Version,
)


def _key(description: str, *, min_length: int | None = None, **schema: Any) -> Any:  # noqa: ANN401 - as pydantic's Field
    """An optional key. A `default` in `schema` is only shown: the domain's own classes hold the defaults that apply."""
    return Field(default=None, min_length=min_length, description=description, json_schema_extra=schema or None)


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class OnOomSection(Section):
    """What to do when a deploy ran out of its instance's memory."""

    remedies: list[RemedyName] | None = _key(
        "Tried in this order, one for each failed attempt; the last one serves again while attempts are left.",
        default=["resize"],
        min_length=1,
    )
    approval: ApprovalName | None = _key(
        "Who says yes to a plan: auto (this file has), ask (a person at the terminal), never (only diagnose and show).",
        default="ask",
    )
    retries: Retries | None = _key("How many more times the deploy is run at the most.", default=1)


class TypesSection(Section):
    """Which instance types are allowed, as patterns with * and ?."""

    allow: list[Glob] | None = _key("Only these types. Without it all are allowed.")
    deny: list[Glob] | None = _key("Never these types, whatever `allow` says.")


class WindowSection(Section):
    """Times of the week in which an instance may be stopped."""

    days: list[Day] | None = _key(
        "Days on which the window begins. Without it every day.",
        default=["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
        min_length=1,
    )
    start: StartTime = Field(alias="from", description="When it begins, by the wall clock of `zone`.")
    end: EndTime = Field(alias="to", description="When it ends. Earlier than `from`: on the next day. 24:00 is the end of the day.")
    zone: Zone = Field(description="The time zone, by its IANA name.")


class LimitsSection(Section):
    """What an instance may become. What is not given is not limited."""

    max_memory: Memory | None = _key("The most memory the instance may have.")
    max_price: MonthlyPrice | None = _key("The most the whole instance may cost a month of 730 hours.")
    max_growth: Growth | None = _key("The largest factor by which its memory may grow in one run.")
    types: TypesSection | None = None
    architectures: list[Architecture] | None = _key("Processor architectures allowed. Without it the instance's own.")
    windows: list[WindowSection] | None = _key("When the instance may be stopped. Without it at any time.", min_length=1)


_TIMEOUT = "How long to go on trying before the instance counts as not healthy."


class TcpSection(Section):
    """Healthy when a connection opens."""

    tcp: TcpHost = Field(description="HOST:PORT. {address} stands for the instance's address.")
    timeout: Duration | None = _key(_TIMEOUT, default="2m")


class HttpSection(Section):
    """Healthy when the answer has an expected status."""

    http: Url = Field(description="The URL to get. {address} stands for the instance's address.")
    expect: list[Status] | None = _key("Statuses that mean healthy. Without it any from 200 to 399.", min_length=1)
    timeout: Duration | None = _key(_TIMEOUT, default="2m")


class SshSection(Section):
    """Healthy when the system's ssh can run `true` there."""

    ssh: SshHost = Field(description="USER@HOST:PORT, user and port optional. {address} stands for the instance's address.")
    timeout: Duration | None = _key(_TIMEOUT, default="2m")


class CommandSection(Section):
    """Healthy when the command ends with 0. It sees SCALE_INSTANCE and SCALE_INSTANCE_ADDRESS."""

    command: Command = Field(description="A list of words, or text that is split into words; no shell is run.")
    timeout: Duration | None = _key(_TIMEOUT, default="2m")


PROBE_KEYS: dict[str, type[Section]] = {"tcp": TcpSection, "http": HttpSection, "ssh": SshSection, "command": CommandSection}


def tag(section: type[BaseModel]) -> str:
    """How pydantic's error locations show that this variant was chosen."""
    return f"<{section.__name__}>"


def _probe_kind(value: object) -> str | None:
    keys = value if isinstance(value, Mapping) else {}
    return next((tag(section) for key, section in PROBE_KEYS.items() if key in keys), None)


ProbeSection = Annotated[
    Annotated[TcpSection, Tag(tag(TcpSection))]
    | Annotated[HttpSection, Tag(tag(HttpSection))]
    | Annotated[SshSection, Tag(tag(SshSection))]
    | Annotated[CommandSection, Tag(tag(CommandSection))],
    Discriminator(_probe_kind, custom_error_type="probe", custom_error_message="no probe"),
]


class SelectorSection(Section):
    """Instances named by what they carry rather than by id."""

    model_config = ConfigDict(json_schema_extra={"not": {"required": ["region", "zone"]}})

    provider: ProviderName = Field(description="The provider, like ec2.")
    region: Place | None = _key("Where to look. Without it the region of the environment.")
    zone: Place | None = _key("The same, for providers that think in zones. Give one of the two.")
    tags: dict[str, TagValue] = Field(min_length=1, description="Tags (labels) the instance carries, all of them.")


def _instance_kind(value: object) -> str:
    return tag(SelectorSection) if isinstance(value, Mapping) else "<reference>"


InstanceSection = Annotated[
    Annotated[InstanceReference, Tag("<reference>")] | Annotated[SelectorSection, Tag(tag(SelectorSection))],
    Discriminator(_instance_kind),
]


class CommonSection(Section):
    on_oom: OnOomSection | None = None
    limits: LimitsSection | None = None
    health: list[ProbeSection] | None = _key("How to see that the instance serves again. All must succeed.", default=[])
    headroom: Headroom | None = _key("Margin on top of the memory needed: 15%, or a number below 1.", default="15%")
    deadline: Duration | None = _key("How long a change of the instance may take in all.", default="15m")


class TargetSection(CommonSection):
    """A deploy and the instances it needs. Its own keys go before those at the top of the file, key by key."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["instance"]}, {"required": ["instances"]}]})

    instance: InstanceSection | None = _key("The instance, as PROVIDER:NAME or by its tags. Either this or `instances`.")
    instances: list[InstanceSection] | None = _key("The instances, where the deploy needs several.", min_length=1)
    deploy: Command | None = _key("The deploy's command. Without it the command line gives it. No shell is run.")
    rehearse: Flag | None = _key("Run the deploy on this machine, in a sandbox with the instance's memory.", default=False)


class PolicyFile(CommonSection):
    """What scale may do when a deploy runs out of memory."""

    version: Version = Field(description="The version of this format.")
    prices: dict[TypeName, HourlyPrice] | None = _key(
        "Prices by instance type that replace the provider's (negotiated rates).", default={}, propertyNames={"pattern": TYPE_NAME}
    )
    targets: dict[TargetName, TargetSection] | None = _key(
        "Deploys by the name the command line uses for them.", default={}, propertyNames={"pattern": TARGET_NAME}
    )
