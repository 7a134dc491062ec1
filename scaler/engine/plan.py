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
from scaler.engine.calls import call
from scaler.engine.targets import Scope
from scaler.ports import Clock, Store

_T = TypeVar("_T")

_CHECKED = 5
"""How many offerings are checked with the provider before it is said that none will do."""
_FALLBACKS = 3
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
    plan = replace(plan, considered=considered)
    if request.to_type is not None:
        chosen, refused = _named(offerings, current, need, wish, request)
        return _finish(scope, clock, store, plan, [chosen], refused)
    acceptable = [one.offering for one in considered if one.is_acceptable]
    if not request.is_growth and need.confidence == 0:
        acceptable.sort(key=lambda one: -one.type.memory_mib)  # nothing is known of the need: one step down, not all of them
    refused = _below_need(acceptable[0], need, request) if acceptable else _why_none(considered, wish)
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
    return need.target_bytes if need.confidence > 0 else 0


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


def _why_none(considered: Sequence[Considered], wish: Wish) -> list[Refusal]:
    """Why nothing will do: of the nearest misses, the reasons a user can change."""
    near = [one for one in considered if one.fits] or list(considered)
    codes: dict[str, Refusal] = {}
    for one in sorted(near, key=lambda one: (len(one.refused), one.offering.type.memory_mib)):
        for refusal in one.refused:
            codes.setdefault(refusal.code, refusal)
    if not any(one.fits for one in considered):
        size = f"{wish.at_least_bytes / 1024**3:.3g} GiB"
        return [Refusal("none_large_enough", f"no type has {size}"), *list(codes.values())[:2]]
    changeable = [
        refusal for code, refusal in codes.items() if code not in ("fewer_vcpus", "no_growth", "previous_generation", "burstable")
    ]
    return (changeable or list(codes.values()))[:4]


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
        findings=tuple(findings),
        refused=tuple(refused),
        steps=tuple(steps),
        downtime_seconds_expected=_downtime(scope, store),
    )


def _downtime(scope: Scope, store: Store) -> float:
    """The median of what operations on this instance took, else a prior."""
    seen = sorted(one.downtime_seconds for one in _remembered(lambda: store.operations(scope.instance.id)) if one.downtime_seconds)
    if seen:
        return seen[len(seen) // 2]
    return 0.0 if scope.provider.capabilities.has_sandbox else CLOUD_DOWNTIME_SECONDS
