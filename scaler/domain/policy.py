"""What the user allows. Read from `scale.yml` by `scaler.policyfile`; the defaults here are those of a run without a file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

from scaler.domain.instance import Reference, Selector


class Remedy(StrEnum):
    """A kind of answer to a deploy that ran out of memory."""

    RETRY = "retry"
    """Run the deploy again as it is: for a shortage that passes by itself."""
    RESIZE = "resize"
    """Give the instance a larger type in place."""


class Approval(StrEnum):
    """Who says yes to a plan."""

    AUTO = "auto"
    """The policy has said it."""
    ASK = "ask"
    """A person at the terminal; where there is none, nothing is changed."""
    NEVER = "never"
    """Nobody: only diagnose and show the plan."""


class Weekday(StrEnum):
    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


@dataclass(frozen=True, slots=True)
class Window:
    """Times of the week in which an instance may be stopped."""

    days: frozenset[Weekday]
    start: time
    end: time
    """Exclusive. Not later than `start`: the window runs past midnight, into the day after the named ones."""
    zone: ZoneInfo

    def contains(self, now: datetime) -> bool:
        """Whether the moment (aware, any zone) lies in the window, by the wall clock of its zone."""
        local = now.astimezone(self.zone)
        today = list(Weekday)[local.weekday()]
        yesterday = list(Weekday)[local.weekday() - 1]
        at = local.time().replace(tzinfo=None)
        if self.start < self.end:
            return today in self.days and self.start <= at < self.end
        return (today in self.days and at >= self.start) or (yesterday in self.days and at < self.end)

    def __str__(self) -> str:
        days = ",".join(day for day in Weekday if day in self.days)
        return f"{days} {self.start:%H:%M}-{self.end:%H:%M} {self.zone.key}"


@dataclass(frozen=True, slots=True)
class Limits:
    """What an instance may become. Everything unset allows everything."""

    max_memory_bytes: int | None = None
    max_usd_per_month: Decimal | None = None
    """Ceiling for the whole instance, not for the difference."""
    max_growth: Decimal | None = None
    """Largest factor between the memory before the first change of a run and after the last."""
    types_allow: tuple[str, ...] = ()
    """Globs; empty allows all."""
    types_deny: tuple[str, ...] = ()
    """Globs; stronger than `types_allow`."""
    architectures: tuple[str, ...] = ()
    """Empty: the instance's own."""
    windows: tuple[Window, ...] = ()
    """Empty: at any time."""


@dataclass(frozen=True, slots=True)
class TcpProbe:
    """Healthy when a connection opens. `{address}` in host stands for the instance's address."""

    host: str
    port: int
    timeout: timedelta


@dataclass(frozen=True, slots=True)
class HttpProbe:
    """Healthy when the status is in `expect`. `{address}` in url stands for the instance's address."""

    url: str
    expect: tuple[int, ...]
    """Empty: any of 200 to 399."""
    timeout: timedelta


@dataclass(frozen=True, slots=True)
class SshProbe:
    """Healthy when the system's ssh runs `true` there. `{address}` in host stands for the instance's address."""

    host: str
    user: str | None
    port: int | None
    timeout: timedelta


@dataclass(frozen=True, slots=True)
class CommandProbe:
    """Healthy when the command ends with 0. It sees SCALE_INSTANCE and SCALE_INSTANCE_ADDRESS."""

    argv: tuple[str, ...]
    timeout: timedelta


Probe = TcpProbe | HttpProbe | SshProbe | CommandProbe


@dataclass(frozen=True, slots=True)
class OnOom:
    """What to do when a deploy ran out of its instance's memory."""

    remedies: tuple[Remedy, ...] = (Remedy.RESIZE,)
    """In this order, one for each failed attempt; the last one serves again while attempts are left."""
    approval: Approval = Approval.ASK
    retries: int = 1
    """How many more attempts at the most."""


@dataclass(frozen=True, slots=True)
class Target:
    """A deploy and the instances it needs."""

    name: str
    instances: tuple[Reference | Selector, ...]
    deploy: tuple[str, ...] = ()
    """The deploy's command; empty where the command line gives it."""
    on_oom: OnOom = OnOom()
    limits: Limits = Limits()
    health: tuple[Probe, ...] = ()
    headroom: Decimal = Decimal("0.15")
    """Share of the need added on top as margin."""
    deadline: timedelta = timedelta(minutes=15)
    """How long an operation may wait in all."""
    rehearse: bool = False
    """Run the deploy on this machine, inside a sandbox with the instance's memory, instead of trusting it to reach the instance."""


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy file, read and valid."""

    path: str
    targets: Mapping[str, Target] = field(default_factory=dict)
    defaults: Target = Target(name="", instances=())
    """What holds for an instance that no target names: the file's common keys."""
    usd_per_hour: Mapping[str, Decimal] = field(default_factory=dict)
    """Prices by type name that replace the provider's (negotiated rates)."""
