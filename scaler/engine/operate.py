"""Drive operations: observe all, decide, act, wait; until every instance runs again."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from scaler.domain.errors import (
    AccessDenied,
    Incompatible,
    LockHeld,
    NoCapacity,
    NotFound,
    PlanStale,
    QuotaExceeded,
    Refused,
    ScalerError,
    WrongState,
)
from scaler.domain.instance import Instance, InstanceId, InstanceState, TagKey
from scaler.domain.operation import (
    LEASE,
    Decision,
    Goal,
    Intent,
    Observation,
    ProbeState,
    Step,
    decide,
    turned_back,
    with_next_type,
)
from scaler.domain.outcome import OperationResult, Outcome, StepTaken
from scaler.domain.plan import Plan, fingerprint
from scaler.domain.policy import Probe
from scaler.engine.calls import call
from scaler.ports import Clock, Prober, Provider

_POLL_SECONDS = 1.0
_RENEW_BEFORE = LEASE / 2

OnStep = Callable[[Instance, Decision], None]
"""Told of every step that is taken, and of every wait whose reason is new."""


@dataclass(frozen=True, slots=True)
class Driver:
    """What driving needs. `is_interrupted` is asked between steps: true leaves the intent for `scale resume`."""

    provider: Provider
    clock: Clock
    prober: Prober
    owner: str
    on_step: OnStep
    is_interrupted: Callable[[], bool]


@dataclass(slots=True)
class _Run:
    """One operation while this process drives it."""

    instance: Instance
    intent: Intent
    probes: Sequence[Probe]
    probe_state: ProbeState
    steps: list[StepTaken] = field(default_factory=list)
    stopped_at: datetime | None = None
    running_at: datetime | None = None
    result: OperationResult | None = None
    last_error: ScalerError | None = None
    touched: bool = False


def execute(driver: Driver, plan: Plan, probes: Sequence[Probe], deadline: timedelta) -> OperationResult:
    """Carry out a resize plan.

    Raises:
        PlanStale: the instance is no longer what the plan was made for; nothing was changed.
        LockHeld: another live process is changing it; nothing was changed.
        Refused, NotDone: the intent could not be written; nothing was changed.
    """
    if plan.chosen is None:
        raise Refused("The plan has no type to change to.")
    instance = _fresh(driver, plan.instance.id)
    if fingerprint(instance) != plan.fingerprint:
        text = f"{instance.name} is no longer as the plan has it: it is {instance.state}, type {instance.type_name}. Nothing was changed."
        raise PlanStale(text, hint=f"Look again: scale plan {instance.id}")
    now = driver.clock.now()
    intent = Intent(
        from_type=instance.type_name,
        to_type=plan.chosen.type.name,
        fallbacks=tuple(offering.type.name for offering in plan.fallbacks),
        goal=Goal.FORWARD,
        was_running=instance.state in (InstanceState.RUNNING, InstanceState.PENDING),
        owner=driver.owner,
        token=secrets.token_hex(4),
        lease_until=now + LEASE,
        started_at=now,
        deadline=now + deadline,
    )
    return _drive(driver, [_begin(driver, instance, intent, probes)])[0]


def take_over(driver: Driver, instances: Sequence[Instance], probes: Sequence[Probe] = ()) -> list[OperationResult]:
    """Finish what dead processes began. Instances without an intent are passed over.

    Raises:
        LockHeld: a live process holds one of them.
    """
    runs = []
    for instance in instances:
        intent = Intent.decode(instance.records.get(TagKey.INTENT, ""))
        if intent is None:
            continue
        now = driver.clock.now()
        remaining = max(intent.deadline - now, timedelta(minutes=5))
        own = replace(
            intent,
            owner=driver.owner,
            token=secrets.token_hex(4),
            lease_until=now + LEASE,
            started_at=now,
            deadline=now + remaining,
        )
        runs.append(_begin(driver, instance, own, probes))
    return _drive(driver, runs)


def _begin(driver: Driver, instance: Instance, intent: Intent, probes: Sequence[Probe]) -> _Run:
    """Take the lease: write the intent, then read it back; of two writers the one whose token stands goes on."""
    held = Intent.decode(instance.records.get(TagKey.INTENT, ""))
    now = driver.clock.now()
    if held is not None and held.is_leased(now):
        text = f"{held.owner} is changing {instance.name} from {held.from_type} to {held.to_type} now. Nothing was changed by this command."
        raise LockHeld(text, hint=f"Watch it with: scale status {instance.id}")
    call(lambda: driver.provider.write_tag(instance.id, TagKey.INTENT, intent.encode()), driver.clock)
    seen = _fresh(driver, instance.id)
    standing = Intent.decode(seen.records.get(TagKey.INTENT, ""))
    if standing is not None and standing.token != intent.token:
        text = f"{standing.owner} began to change {instance.name} at the same moment. Nothing was changed by this command."
        raise LockHeld(text, hint=f"Watch it with: scale status {instance.id}")
    state = ProbeState.UNKNOWN if probes else ProbeState.NONE
    return _Run(seen, intent, probes, state)


def _fresh(driver: Driver, instance_id: InstanceId) -> Instance:
    seen = call(lambda: driver.provider.observe([instance_id]), driver.clock)
    if instance_id not in seen:
        raise NotFound(f"{instance_id} is gone.", hint="Nothing was changed.")
    return seen[instance_id]


def _drive(driver: Driver, runs: list[_Run]) -> list[OperationResult]:
    while open_runs := [run for run in runs if run.result is None]:
        until = max(run.intent.deadline for run in open_runs)
        try:
            seen = call(
                lambda: driver.provider.observe([run.instance.id for run in open_runs]),
                driver.clock,
                until=until,
                instance_is_down=True,
            )
        except ScalerError as error:
            for run in open_runs:
                run.last_error = error
                _finish(driver, run, Outcome.NEEDS_ATTENTION, str(error))
            break
        acted = [_advance(driver, run, seen.get(run.instance.id)) for run in open_runs]
        if driver.is_interrupted():
            for run in [run for run in open_runs if run.result is None]:
                _leave(driver, run)
        elif not any(acted):
            driver.clock.sleep(_POLL_SECONDS)
    return [run.result for run in runs if run.result is not None]


def _advance(driver: Driver, run: _Run, instance: Instance | None) -> bool:
    """Take one step; whether it changed something (then the next look comes at once)."""
    now = driver.clock.now()
    _note_state(run, instance, now)
    decision = decide(run.intent, Observation(instance, run.probe_state), now)
    _note_step(driver, run, decision, now)
    try:
        _renew(driver, run, now)
        return _act(driver, run, decision)
    except WrongState as error:
        run.last_error = error
        return False
    except (NoCapacity, QuotaExceeded, Incompatible) as error:
        run.last_error = error
        _rewrite(driver, run, with_next_type(run.intent))
        _note_step(driver, run, Decision(Step.NEXT_TYPE, f"{error}"), driver.clock.now())
        if run.intent.goal is Goal.BACK:
            driver.clock.sleep(_POLL_SECONDS)
        return True
    except ScalerError as error:
        run.last_error = error
        return _after_failure(driver, run)


def _after_failure(driver: Driver, run: _Run) -> bool:
    """An error that no retry cures: undo what was done, or end where nothing was."""
    if run.instance.state is InstanceState.RUNNING and run.instance.type_name == run.intent.from_type:
        _finish(
            driver, run, Outcome.REFUSED if isinstance(run.last_error, AccessDenied) else Outcome.ROLLED_BACK, str(run.last_error)
        )
    elif run.intent.goal is Goal.FORWARD:
        _rewrite(driver, run, turned_back(run.intent))
    return False


def _note_state(run: _Run, instance: Instance | None, now: datetime) -> None:
    if instance is None:
        return
    run.instance = instance
    if instance.state is InstanceState.RUNNING and run.stopped_at is not None and run.running_at is None:
        run.running_at = now


def _note_step(driver: Driver, run: _Run, decision: Decision, now: datetime) -> None:
    if (
        run.steps
        and decision.step in (Step.WAIT, Step.PROBE)
        and (run.steps[-1].step, run.steps[-1].why) == (decision.step, decision.why)
    ):
        return
    run.steps.append(StepTaken(decision.step, now, decision.why))
    driver.on_step(run.instance, decision)


def _renew(driver: Driver, run: _Run, now: datetime) -> None:
    if run.intent.lease_until - now <= _RENEW_BEFORE:
        _rewrite(driver, run, run.intent)


def _rewrite(driver: Driver, run: _Run, intent: Intent) -> None:
    run.intent = replace(intent, lease_until=driver.clock.now() + LEASE)
    _call(driver, run, lambda: driver.provider.write_tag(run.instance.id, TagKey.INTENT, run.intent.encode()))


def _call(driver: Driver, run: _Run, action: Callable[[], None]) -> None:
    down = run.instance.state is not InstanceState.RUNNING
    call(action, driver.clock, until=run.intent.deadline, instance_is_down=down)


def _act(driver: Driver, run: _Run, decision: Decision) -> bool:
    provider, instance_id = driver.provider, run.instance.id
    match decision.step:
        case Step.WAIT:
            return False
        case Step.STOP:
            _call(driver, run, lambda: provider.stop(instance_id))
            run.stopped_at, run.running_at = run.stopped_at or driver.clock.now(), None
        case Step.SET_TYPE:
            _call(driver, run, lambda: provider.set_instance_type(instance_id, run.intent.wanted_type))
        case Step.START:
            _call(driver, run, lambda: provider.start(instance_id))
        case Step.PROBE:
            return _probe(driver, run)
        case Step.NEXT_TYPE:
            _rewrite(driver, run, with_next_type(run.intent))
        case Step.TURN_BACK:
            _rewrite(driver, run, turned_back(run.intent))
        case Step.FINISH:
            _finish(driver, run, _outcome(run), str(run.last_error or decision.why))
        case Step.GIVE_UP:
            _finish(driver, run, Outcome.NEEDS_ATTENTION, decision.why)
    return True


def _probe(driver: Driver, run: _Run) -> bool:
    for probe in run.probes:
        result = driver.prober(probe, run.instance.address, run.instance.id)
        if not result.ok:
            run.probe_state = ProbeState.FAILING
            run.last_error = ScalerError(f"the health check fails: {result.text}")
            return False
    run.probe_state = ProbeState.OK
    run.last_error = None
    return True


def _outcome(run: _Run) -> Outcome:
    if run.instance.type_name == run.intent.from_type:
        return Outcome.UNCHANGED if run.intent.from_type == run.intent.to_type else Outcome.ROLLED_BACK
    return Outcome.DONE


def _leave(driver: Driver, run: _Run) -> None:
    hint = f"scale resume {run.instance.id}"
    text = f"interrupted; {run.instance.name} is {run.instance.state}, type {run.instance.type_name}"
    run.steps.append(StepTaken("interrupted", driver.clock.now(), text))
    run.result = _result(driver, run, Outcome.NEEDS_ATTENTION, hint)


def _finish(driver: Driver, run: _Run, outcome: Outcome, why: str) -> None:
    """End the operation. The intent goes, but where the instance still needs someone: then it stays for `scale resume`."""
    hint = "" if outcome is Outcome.DONE else why
    is_gone = run.instance.state is InstanceState.GONE
    needs_resume = outcome is Outcome.NEEDS_ATTENTION and run.instance.state is not InstanceState.RUNNING and not is_gone
    if needs_resume:
        hint = f"{run.instance.name} is {run.instance.state}, type {run.instance.type_name}: {why}. Go on with: scale resume {run.instance.id}"
    elif not is_gone:
        try:
            _call(driver, run, lambda: driver.provider.write_tag(run.instance.id, TagKey.INTENT, None))
        except ScalerError as error:
            hint = f"{hint} The intent could not be removed ({error}); `scale resume {run.instance.id}` removes it.".strip()
    run.result = _result(driver, run, outcome, hint)


def _result(driver: Driver, run: _Run, outcome: Outcome, hint: str) -> OperationResult:
    now = driver.clock.now()
    downtime = ((run.running_at or now) - run.stopped_at).total_seconds() if run.stopped_at else 0.0
    return OperationResult(
        instance=run.instance.id,
        outcome=outcome,
        from_type=run.intent.from_type,
        to_type=run.instance.type_name,
        started_at=run.intent.started_at,
        ended_at=now,
        downtime_seconds=round(downtime, 1),
        steps=tuple(run.steps),
        hint=hint,
    )
