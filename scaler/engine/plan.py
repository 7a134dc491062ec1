"""Make a Plan: what the instance should become, and what speaks against it. Changes nothing."""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from scaler.domain.choice import Considered, Refusal, Wish, against_limits, against_windows, consider, with_prices
from scaler.domain.diagnosis import Diagnosis
from scaler.domain.errors import Refused, StoreError, UsageError
from scaler.domain.instance import CheckLevel, Finding, Instance, Offering, TagKey
from scaler.domain.need import Need, estimate
from scaler.domain.peaks import Peak, decode
from scaler.domain.plan import Plan, resize_steps
from scaler.domain.policy import Remedy
from scaler.domain.units import format_bytes
from scaler.engine.calls import call
from scaler.engine.targets import Scope
from scaler.ports import Clock, Store

_T = TypeVar("_T")

_CHECKED = 5
"""How many offerings are checked with the provider before it is said that none will do."""
_FALLBACKS = 3
_LEAST_DOWNTIME_SECONDS = 5.0
"""No cloud stops and starts a machine in less: what took less was an emulator."""
CLOUD_DOWNTIME_SECONDS = 120.0
"""Expected until an operation was measured: a stop and a start of a small EC2 instance, from public reports; no better source."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the user or guard asks for."""

    diagnosis: Diagnosis | None = None
    to_type: str | None = None
    memory_bytes: int | None = None
    original_bytes: int | None = None
    """The memory before the first change of this run; None: the present one."""
    is_growth: bool = True
    is_forced: bool = False
    """`scale down` below what past deploys needed."""


def make(scope: Scope, request: Request, clock: Clock, store: Store) -> Plan:
    """The plan for one instance. Where nothing will do, its `remedy` is None and `refused` says why.

    Raises:
        UsageError: the type or amount asked for has no meaning for this instance.
        AccessDenied, CredentialsMissing, Unavailable: the provider could not be read.
    """
    instance = scope.instance
    offerings = with_prices(call(lambda: scope.provider.offerings(instance), clock), dict(scope.usd_per_hour))
    current = _current(offerings, instance)
    peaks = _peaks(scope, store)
    has_system = not (scope.provider.capabilities.has_sandbox or scope.target.rehearse)
    need = estimate(current.type.memory_bytes, peaks, scope.target.headroom, request.diagnosis, has_system=has_system)
    plan = Plan(instance, current, need, None)
    wish = Wish(
        at_least_bytes=_at_least(need, current, request),
        original_bytes=request.original_bytes or current.type.memory_bytes,
        limits=scope.target.limits,
        is_growth=request.is_growth,
    )
    considered = consider(offerings, current, wish)
    if not request.is_growth and request.memory_bytes is None and (need.confidence == 0 or request.is_forced):
        considered = _least_loss_first(considered, current)
    plan = replace(plan, considered=considered)
    if request.to_type is not None:
        chosen, refused = _named(offerings, current, need, wish, request)
        return _finish(scope, clock, store, plan, [chosen], refused)
    acceptable = [one.offering for one in considered if one.is_acceptable]
    refused = _below_need(acceptable[0], need, request) if acceptable else _why_none(considered, current, wish, request)
    return _finish(scope, clock, store, plan, acceptable, refused)


def _current(offerings: Sequence[Offering], instance: Instance) -> Offering:
    for offering in offerings:
        if offering.type.name == instance.type_name:
            return offering
    raise Refused(
        f"{instance.name} is a {instance.type_name}, which its provider no longer describes. Nothing was changed.",
        hint="Name the type to change to: scale up --to TYPE.",
    )


def _peaks(scope: Scope, store: Store) -> Sequence[Peak]:
    """What the instance and this machine remember of past deploys. An entry that both have weighs no more than one."""
    on_instance = decode(scope.instance.records.get(TagKey.PEAKS, ""))
    here = [
        Peak(record.limit_bytes, record.peak_bytes, record.cause is not None, record.began_at)
        for record in _remembered(lambda: store.deploys(scope.instance.id))
        if record.limit_bytes is not None and (record.cause is None or record.cause.value == "instance_memory")
    ]
    return [*on_instance, *here]


def _remembered(recall: Callable[[], Sequence[_T]]) -> Sequence[_T]:
    """What the history says; a history that cannot be read costs an estimate, not the plan."""
    try:
        return recall()
    except StoreError:
        return ()


def _at_least(need: Need, current: Offering, request: Request) -> int:
    if request.memory_bytes is not None:
        if request.is_growth and request.memory_bytes <= current.type.memory_bytes:
            raise UsageError("That is no more memory than it has now.", hint="Use `scale down` for less.")
        return request.memory_bytes
    if request.is_growth:
        return need.target_bytes
    return need.target_bytes if need.confidence > 0 and not request.is_forced else 0


def _least_loss_first(considered: Sequence[Considered], current: Offering) -> tuple[Considered, ...]:
    """Where no need bounds the way down: one step, not all of them, and rather memory than processors."""

    def loss(one: Considered) -> tuple[bool, bool, int]:
        kind = one.offering.type
        return (not one.is_acceptable, kind.vcpus < current.type.vcpus, -kind.memory_mib if one.is_acceptable else 0)

    return tuple(sorted(considered, key=loss))


def _named(
    offerings: Sequence[Offering], current: Offering, need: Need, wish: Wish, request: Request
) -> tuple[Offering, list[Refusal]]:
    """The type the user named. Naming it settles taste (vCPUs, family), not the policy's limits."""
    by_name = {offering.type.name: offering for offering in offerings}
    if request.to_type not in by_name:
        close = difflib.get_close_matches(request.to_type or "", by_name, n=3)
        hint = f"Did you mean {' or '.join(close)}?" if close else "See them with: scale plan --all"
        raise UsageError(f"{request.to_type} is not among the {current.type.architecture} types of this provider.", hint=hint)
    chosen = by_name[request.to_type]
    if chosen.type.name == current.type.name:
        raise UsageError(f"It already is a {chosen.type.name}.")
    if (chosen.type.memory_mib < current.type.memory_mib) == request.is_growth:
        verb = "scale down" if request.is_growth else "scale up"
        raise UsageError(f"{chosen.type.name} is the other way: use `{verb}`.")
    refused = against_limits(chosen, wish)
    if not chosen.is_available:
        refused.append(Refusal("not_offered_in_zone", f"{chosen.type.name} is not offered in {current.zone}"))
    return chosen, [*refused, *_below_need(chosen, need, request)]


def _below_need(chosen: Offering, need: Need, request: Request) -> list[Refusal]:
    """Whether going down to `chosen` would bring back the failure that made the instance grow."""
    if request.is_growth or request.is_forced or need.confidence == 0 or chosen.type.memory_bytes >= need.target_bytes:
        return []
    name, memory = chosen.type.name, chosen.type.memory_mib
    return [Refusal("below_need", f"past deploys needed more than the {memory} MiB of {name}; --force goes below all the same")]


def _why_none(considered: Sequence[Considered], current: Offering, wish: Wish, request: Request) -> list[Refusal]:
    """Why nothing will do: of the nearest misses, the reasons a user can change."""
    kind = current.type
    aimed = [one for one in considered if _is_aimed_at(one.offering, current, wish)]
    if not aimed and wish.is_growth:
        return [
            Refusal(
                "largest_type", f"{kind.name} is the largest type there is: none has more than {format_bytes(kind.memory_bytes)}"
            )
        ]
    if not aimed:
        return [
            Refusal(
                "smallest_type", f"{kind.name} is the smallest type there is: none has less than {format_bytes(kind.memory_bytes)}"
            )
        ]
    near = [one for one in aimed if one.fits]
    if not near:
        return _too_small(aimed, wish, request)
    codes: dict[str, Refusal] = {}
    for one in sorted(near, key=lambda one: (len(one.refused), one.offering.type.memory_mib)):
        for refusal in one.refused:
            codes.setdefault(refusal.code, refusal)
    changeable = [refusal for code, refusal in codes.items() if code not in ("fewer_vcpus", "previous_generation", "burstable")]
    return (changeable or list(codes.values()))[:4]


def _is_aimed_at(offering: Offering, current: Offering, wish: Wish) -> bool:
    more = offering.type.memory_mib - current.type.memory_mib
    return more > 0 if wish.is_growth else more < 0


def _too_small(aimed: Sequence[Considered], wish: Wish, request: Request) -> list[Refusal]:
    size = format_bytes(wish.at_least_bytes)
    if not wish.is_growth and request.memory_bytes is None:
        return [Refusal("below_need", f"past deploys needed {size}, and no smaller type has that; --force goes below all the same")]
    if not wish.is_growth:
        return [Refusal("none_between", f"no type smaller than the present one has {size}")]
    largest = max(aimed, key=lambda one: one.offering.type.memory_mib).offering.type
    return [
        Refusal("none_large_enough", f"no type has {size}"),
        Refusal("largest_type", f"the largest is {largest.name} with {format_bytes(largest.memory_bytes)}"),
    ]


def _finish(scope: Scope, clock: Clock, store: Store, plan: Plan, candidates: Sequence[Offering], refused: list[Refusal]) -> Plan:
    """Hold the candidates against the provider's own rules; the first that passes is taken, the next ones are its fallbacks."""
    window = against_windows(scope.target.limits, clock.now())
    refused = [*refused, *([window] if window else [])]
    blocked: list[Refusal] = []
    passed: list[tuple[Offering, Sequence[Finding]]] = []
    for offering in candidates[: 1 if refused else _CHECKED]:
        findings = _check(scope, clock, plan.instance, offering)
        blockers = [Refusal(one.code, one.text) for one in findings if one.level is CheckLevel.BLOCKER]
        if refused:
            return _complete(scope, store, plan, [(offering, findings)], [*refused, *blockers])
        if not blockers:
            passed.append((offering, findings))
        blocked += [refusal for refusal in blockers if refusal not in blocked]
        if len(passed) > _FALLBACKS:
            break
    return _complete(scope, store, plan, passed, []) if passed else replace(plan, refused=(*refused, *blocked))


def _check(scope: Scope, clock: Clock, instance: Instance, offering: Offering) -> Sequence[Finding]:
    return call(lambda: scope.provider.check(instance, offering.type.name), clock)


def _complete(
    scope: Scope, store: Store, plan: Plan, passed: Sequence[tuple[Offering, Sequence[Finding]]], refused: list[Refusal]
) -> Plan:
    (chosen, findings), *rest = passed
    has_checks = scope.provider.capabilities.has_status_checks
    steps = resize_steps(plan.instance, chosen.type.name, len(scope.target.health), has_status_checks=has_checks)
    return replace(
        plan,
        remedy=None if refused else Remedy.RESIZE,
        chosen=chosen,
        fallbacks=tuple(offering for offering, _ in rest),
        findings=(*findings, *_losses(plan.current, chosen)),
        refused=tuple(refused),
        steps=tuple(steps),
        downtime_seconds_expected=_downtime(scope, store),
    )


def _losses(current: Offering, chosen: Offering) -> Sequence[Finding]:
    """What else becomes less with the new type."""
    if chosen.type.vcpus >= current.type.vcpus:
        return ()
    text = f"{chosen.type.name} has {chosen.type.vcpus} vCPUs, {current.type.name} has {current.type.vcpus}"
    return (Finding(CheckLevel.WARNING, "fewer_vcpus", text),)


def _downtime(scope: Scope, store: Store) -> float:
    """The median of what operations on this instance took, else a prior."""
    if scope.provider.capabilities.has_sandbox:
        return 0.0
    measured = (one.downtime_seconds for one in _remembered(lambda: store.operations(scope.instance.id)))
    seen = sorted(seconds for seconds in measured if seconds >= _LEAST_DOWNTIME_SECONDS)
    return seen[len(seen) // 2] if seen else CLOUD_DOWNTIME_SECONDS
