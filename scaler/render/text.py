"""The same things in words, for a person: plain lines, no colours, nothing wider than it has to be."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from scaler.domain.choice import Considered
from scaler.domain.diagnosis import Diagnosis
from scaler.domain.instance import CheckLevel, Instance, Offering, TagKey
from scaler.domain.need import Need
from scaler.domain.operation import Decision, Intent, Step
from scaler.domain.outcome import DeployRecord, OperationResult, Outcome
from scaler.domain.peaks import decode
from scaler.domain.plan import Plan
from scaler.domain.rules import Cause
from scaler.domain.units import format_bytes, format_duration

_CAUSES = {
    Cause.INSTANCE_MEMORY: "the instance ran out of memory",
    Cause.HEAP_LIMIT: "a program reached its own heap limit, not the machine's memory",
    Cause.CONTAINER_LIMIT: "a container or control group reached its own memory limit, not the machine's",
    Cause.GPU_MEMORY: "the graphics processor ran out of memory, not the machine",
    Cause.DISK_FULL: "a disk is full",
    Cause.INTERRUPTED: "it was ended from outside",
    Cause.OTHER: "nothing points to memory",
    Cause.INCONCLUSIVE: "it cannot be told from what was seen",
}

_STEPS = {
    Step.WAIT: "waiting",
    Step.STOP: "stopping",
    Step.SET_TYPE: "changing the type",
    Step.START: "starting",
    Step.PROBE: "health check",
    Step.NEXT_TYPE: "next type",
    Step.TURN_BACK: "turning back",
    Step.FINISH: "ready",
    Step.GIVE_UP: "giving up",
}

_TYPES_SHOWN = 8
_RESIDENTS_SHOWN = 6


def diagnosis(value: Diagnosis) -> Iterator[str]:
    """Why it died: the cause, then what it rests on, then what held the memory, then what helps."""
    yield f"cause: {_CAUSES[value.cause]} ({value.cause}, {value.confidence:.0%} sure)"
    for reason in value.reasons:
        where = f"{reason.source}" if reason.line is None else f"{reason.source}, line {reason.line}"
        yield f"  - [{where}] {reason.text}"
    if value.memory:
        yield f"  memory at the kill, of {format_bytes(value.memory.total_bytes)}:"
        for one in value.memory.resident[:_RESIDENTS_SHOWN]:
            yield f"    {format_bytes(one.rss_bytes):>10}  {one.name}" + ("" if one.part_of_deploy else "  (resident)")
    yield f"advice: {value.advice}"


def need(value: Need) -> Iterator[str]:
    yield f"needs: {format_bytes(value.target_bytes)} ({_confidence(value.confidence)})"
    for part in value.parts:
        yield f"  {format_bytes(part.bytes):>10}  {part.what} ({part.source})"


def _confidence(value: float) -> str:
    if value == 0:
        return "nothing is known of the need; this is what it has"
    return f"{value:.0%} sure"


def plan(value: Plan, *, show_all: bool = False) -> Iterator[str]:
    """The plan: the instance, the need, the types, what will be done and what to mind."""
    yield f"{_named(value.instance)}: {_offering(value.current)}, {value.instance.state}, {value.instance.zone}"
    yield from need(value.need)
    yield from _types(value, show_all=show_all)
    for refusal in value.refused:
        yield f"refused [{refusal.code}]: {refusal.text}"
    if value.remedy is None or value.chosen is None:
        yield "plan: none; nothing will be changed"
        return
    yield f"plan: {value.remedy} {value.current.type.name} -> {_offering(value.chosen)}{_delta(value)}"
    for number, step in enumerate(value.steps, 1):
        yield f"  {number}. {step}"
    yield f"  expected downtime: {format_duration(value.downtime_seconds_expected)}"
    if value.fallbacks:
        yield f"  if it cannot be started: {', '.join(one.type.name for one in value.fallbacks)}, then back to {value.current.type.name}"
    for finding in value.findings:
        if finding.level is CheckLevel.WARNING:
            yield f"  mind [{finding.code}]: {finding.text}"


def _types(value: Plan, *, show_all: bool) -> Iterator[str]:
    good = [one for one in value.considered if one.is_acceptable]
    shown = value.considered if show_all else good[:_TYPES_SHOWN]
    if not shown:
        return
    yield "types, all:" if show_all else "types that fit, best first:"
    width = max(len(one.offering.type.name) for one in shown)
    for one in shown:
        yield f"  {one.offering.type.name:<{width}}  {_row(one, value.current)}"
    if len(good) > len(shown):
        yield f"  and {len(good) - len(shown)} more (scale plan --all)"


def _row(one: Considered, current: Offering) -> str:
    kind = one.offering.type
    memory, price = format_bytes(kind.memory_bytes), _price(one.offering.usd_per_month)
    if one.offering.usd_per_month is not None and current.usd_per_month is not None:
        price += f" ({one.offering.usd_per_month - current.usd_per_month:+.2f})"
    refused = f"  no: {one.refused[0].text}" if one.refused else ""
    return f"{memory:>9}  {kind.vcpus:>3} vCPU  {price}{refused}"


def _offering(value: Offering) -> str:
    kind = value.type
    return f"{kind.name} ({format_bytes(kind.memory_bytes)}, {kind.vcpus} vCPU, {_price(value.usd_per_month)})"


def _price(usd_per_month: Decimal | None) -> str:
    return "price unknown" if usd_per_month is None else f"{usd_per_month:.2f} USD/month"


def _delta(value: Plan) -> str:
    delta = value.usd_per_month_delta
    source = f"; {value.chosen.price_source}" if value.chosen and value.chosen.price_source else ""
    return "" if delta is None else f", {delta:+.2f} USD/month{source}"


def doing(step: Step) -> str:
    """What is being done in a step."""
    return _STEPS[step]


def step(instance: Instance, decision: Decision) -> str:
    """One step of an operation and its reason."""
    return f"{instance.name}: {doing(decision.step)} ({decision.why})"


def operation(value: OperationResult) -> Iterator[str]:
    words = {
        Outcome.DONE: f"{value.instance} is now {value.to_type} (was {value.from_type})",
        Outcome.UNCHANGED: f"{value.instance} is {value.to_type}, unchanged",
        Outcome.REFUSED: f"{value.instance} was not changed, it is {value.to_type}",
        Outcome.ROLLED_BACK: f"{value.instance} is back on {value.to_type}, as it was",
        Outcome.NEEDS_ATTENTION: f"{value.instance} needs a person",
    }
    took = format_duration((value.ended_at - value.started_at).total_seconds())
    yield f"{words[value.outcome]}; took {took}, down for {format_duration(value.downtime_seconds)}"
    if value.hint:
        yield f"  {value.hint}"


def status(value: Instance) -> Iterator[str]:
    yield f"{_named(value)}: {value.type_name}, {value.state}, {value.zone}, {value.architecture}, checks {value.health}"
    if value.address:
        yield f"  address: {value.address}"
    text = value.records.get(TagKey.INTENT, "")
    intent = Intent.decode(text)
    if intent:
        yield f"  being changed from {intent.from_type} to {intent.wanted_type} ({intent.goal}) by {intent.owner} since {intent.started_at:%F %T} UTC"
        yield f"  its lease ends {intent.lease_until:%F %T} UTC; after that `scale resume {value.id}` finishes it"
    elif text:
        yield f"  carries an intent this version cannot read: {text}"
    for one in decode(value.records.get(TagKey.PEAKS, "")):
        what = "killed, needed more" if one.was_oom else "passed"
        peak = "" if one.peak_bytes is None else f", peak {format_bytes(one.peak_bytes)}"
        yield f"  deploy {one.at:%F %H:%M} UTC: {what}, with {format_bytes(one.limit_bytes)}{peak}"


def history(deploys: Sequence[DeployRecord], operations: Sequence[OperationResult]) -> Iterator[str]:
    if not deploys and not operations:
        yield "nothing is recorded on this machine yet"
    for one in deploys:
        end = "passed" if one.exit_code == 0 else f"exit {one.exit_code}, {one.cause or 'not diagnosed'}"
        peak = "" if one.peak_bytes is None else f", peak {format_bytes(one.peak_bytes)}"
        where = f"{one.instance or one.target or '-'} {one.type_name or ''}".strip()
        yield f"{one.began_at:%F %T}  deploy     {where}: {end}, {format_duration(one.seconds)}{peak}  $ {one.command}"
    for result in operations:
        yield f"{result.started_at:%F %T}  operation  {next(operation(result))}"


def _named(value: Instance) -> str:
    return value.id if value.id.endswith(f"/{value.name}") or value.id.endswith(f":{value.name}") else f"{value.name} ({value.id})"
