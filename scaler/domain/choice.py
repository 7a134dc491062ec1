"""Which offering to take: everything considered, with the reasons of everything refused."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fnmatch import fnmatchcase

from scaler.domain.instance import Offering
from scaler.domain.policy import Limits
from scaler.domain.units import format_bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an offering will not do."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Considered:
    """One offering held against the need and the policy."""

    offering: Offering
    fits: bool
    """It has the memory, whatever else speaks against it."""
    refused: tuple[Refusal, ...] = ()

    @property
    def is_acceptable(self) -> bool:
        return self.fits and not self.refused


@dataclass(frozen=True, slots=True)
class Wish:
    """What is looked for."""

    at_least_bytes: int
    original_bytes: int
    """The instance's memory before the first change of this run: what `max_growth` is measured against."""
    limits: Limits
    is_growth: bool = True
    """False: `scale down`, which takes less than the present memory."""


def consider(offerings: Sequence[Offering], current: Offering, wish: Wish) -> tuple[Considered, ...]:
    """Every other offering with its verdict, best first: acceptable ones, then those that fit, then the rest."""
    seen = [_judge(offering, current, wish) for offering in offerings if offering.type.name != current.type.name]
    known = all(one.offering.usd_per_hour is not None for one in seen if one.is_acceptable)
    return tuple(sorted(seen, key=lambda one: _rank(one, current, by_price=known)))


def with_prices(offerings: Sequence[Offering], usd_per_hour: dict[str, Decimal]) -> tuple[Offering, ...]:
    """The offerings with the policy's own prices in place of the provider's."""
    return tuple(
        replace(one, usd_per_hour=usd_per_hour[one.type.name], price_source="the policy file")
        if one.type.name in usd_per_hour
        else one
        for one in offerings
    )


def _rank(one: Considered, current: Offering, *, by_price: bool) -> tuple[object, ...]:
    kind = one.offering.type
    price = one.offering.usd_per_hour if by_price and one.offering.usd_per_hour is not None else Decimal(0)
    change = (kind.family != current.type.family, kind.vcpus)
    order = (price, *change, kind.memory_mib) if by_price else (kind.memory_mib, *change)
    return (not one.is_acceptable, not one.fits, order, kind.name)


def _judge(offering: Offering, current: Offering, wish: Wish) -> Considered:
    fits = offering.type.memory_bytes >= wish.at_least_bytes
    refused = [*_against_instance(offering, current, wish), *against_limits(offering, wish)]
    if not fits:
        text = f"{format_bytes(offering.type.memory_bytes)} is less than the {format_bytes(wish.at_least_bytes)} needed"
        refused.insert(0, Refusal("too_little_memory", text))
    return Considered(offering, fits, tuple(refused))


def _against_instance(offering: Offering, current: Offering, wish: Wish) -> list[Refusal]:
    kind, now = offering.type, current.type
    refused = []
    if not offering.is_available:
        refused.append(Refusal("not_offered_in_zone", f"{kind.name} is not offered in {current.zone}"))
    if not kind.is_current_generation:
        refused.append(Refusal("previous_generation", f"{kind.name} is of a previous generation"))
    if kind.architecture != now.architecture:
        refused.append(Refusal("wrong_architecture", f"{kind.name} is {kind.architecture}, the instance {now.architecture}"))
    if wish.is_growth and kind.vcpus < now.vcpus:
        refused.append(Refusal("fewer_vcpus", f"{kind.name} has {kind.vcpus} vCPUs, the instance {now.vcpus}"))
    if kind.is_burstable and not now.is_burstable:
        refused.append(Refusal("burstable", f"{kind.name} is burstable, {now.name} is not"))
    if wish.is_growth and kind.memory_mib <= now.memory_mib:
        refused.append(Refusal("no_growth", f"{kind.name} has no more memory than {now.name}"))
    if not wish.is_growth and kind.memory_mib >= now.memory_mib:
        refused.append(Refusal("no_shrinking", f"{kind.name} has no less memory than {now.name}"))
    return refused


def against_limits(offering: Offering, wish: Wish) -> list[Refusal]:
    """What the policy's limits say against an offering, each naming its limit."""
    return [*_against_names(offering, wish.limits), *_against_amounts(offering, wish), *_against_price(offering, wish.limits)]


def _against_names(offering: Offering, limits: Limits) -> list[Refusal]:
    name, architecture = offering.type.name, offering.type.architecture
    refused = []
    if limits.types_allow and not any(fnmatchcase(name, glob) for glob in limits.types_allow):
        refused.append(
            Refusal("type_not_allowed", f"limits.types.allow does not name {name} (it has {', '.join(limits.types_allow)})")
        )
    if denied := [glob for glob in limits.types_deny if fnmatchcase(name, glob)]:
        refused.append(Refusal("type_denied", f"limits.types.deny has {denied[0]}"))
    if limits.architectures and architecture not in limits.architectures:
        allowed = ", ".join(limits.architectures)
        refused.append(Refusal("architecture_not_allowed", f"limits.architectures is {allowed}; {name} is {architecture}"))
    return refused


def _against_amounts(offering: Offering, wish: Wish) -> list[Refusal]:
    limits, memory = wish.limits, offering.type.memory_bytes
    refused = []
    if limits.max_memory_bytes is not None and memory > limits.max_memory_bytes:
        text = f"limits.max_memory is {format_bytes(limits.max_memory_bytes)}; {offering.type.name} has {format_bytes(memory)}"
        refused.append(Refusal("max_memory", text))
    if limits.max_growth is not None and memory > wish.original_bytes * limits.max_growth:
        text = f"limits.max_growth is {limits.max_growth}; {offering.type.name} has {memory / wish.original_bytes:.3g} times the memory"
        refused.append(Refusal("max_growth", text))
    return refused


def _against_price(offering: Offering, limits: Limits) -> list[Refusal]:
    if limits.max_usd_per_month is None:
        return []
    ceiling, price = limits.max_usd_per_month, offering.usd_per_month
    if price is None:
        text = f"limits.max_price is {ceiling} USD/month and the price of {offering.type.name} is not known"
        return [Refusal("price_unknown", text)]
    if price > ceiling:
        return [Refusal("max_price", f"limits.max_price is {ceiling} USD/month; {offering.type.name} costs {price:.2f}")]
    return []


def against_windows(limits: Limits, now: datetime) -> Refusal | None:
    """Whether the policy lets an instance be stopped at this moment."""
    if not limits.windows or any(window.contains(now) for window in limits.windows):
        return None
    windows = "; ".join(str(window) for window in limits.windows)
    return Refusal("outside_windows", f"limits.windows allows a stop only at {windows}")
