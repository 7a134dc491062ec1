"""Drive one operation: look, decide, act, wait; until the instance runs again or its time is over.

Whatever a call answers, the next step is chosen from the next look. While the instance is down no error ends the loop: starting it
is what matters.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from scaler.domain.errors import (
    AccessDenied,
    CredentialsMissing,
    Incompatible,
    LockHeld,
    NoCapacity,
    NotFound,
    QuotaExceeded,
    Refused,
    ScalerError,
)
from scaler.domain.instance import Instance, InstanceState, TagKey
from scaler.domain.operation import (
    LEASE,
    Decision,
    Goal,
    Intent,
    Observation,
    Step,
    decide,
    turned_back,
    with_next_type,
)
from scaler.domain.outcome import OperationResult, Outcome, StepTaken
from scaler.engine.calls import call
from scaler.engine.probing import Probing
from scaler.ports import Clock, Prober, Provider

PATIENCE_SECONDS = 5.0
"""How long one call is tried again before the driver looks anew: well within the lease, so that it is renewed meanwhile."""
_POLL_SECONDS = 1.0
_SLOW_POLL_SECONDS = 5.0
"""After an answer that seldom changes within a second, such as no capacity."""
_RENEW_BEFORE = LEASE / 2
_DENIED_LIMIT = timedelta(seconds=30)
"""How long a denied change of type is tried again. New permissions take some seconds to reach every endpoint; a longer downtime
is not worth it, as the way back needs no change of type."""

OnStep = Callable[[Instance, Decision], None]
"""Told of every step that is taken, and of every wait whose reason is new."""


@dataclass(frozen=True, slots=True)
class Driver:
    """What driving needs. `is_interrupted` is asked between steps: true leaves the intent for `scale resume`, or removes it where
    nothing was touched yet."""

    provider: Provider
    clock: Clock
    prober: Prober
    owner: str
    on_step: OnStep
    is_interrupted: Callable[[], bool]


@dataclass(slots=True)
class Run:
    """One operation while this process drives it."""

    instance: Instance
    """As it was last seen."""
    intent: Intent
    probing: Probing
    is_shown: bool = True
    """Whether the last look showed it."""
    is_begun_here: bool = True
    """False after a take-over: what the dead owner asked for may still be under way, whatever is seen."""
    may_be_touched: bool = False
    """Whether a change was asked for and not plainly refused."""
    stopped_at: datetime | None = None
    running_at: datetime | None = None
    steps: list[StepTaken] = field(default_factory=list)
    last_step: Step | None = None
    problem: str = ""
    """Why the type first chosen was given up."""
    trouble: str = ""
    """The last error, until a step succeeds."""
    denied_since: datetime | None = None
    started_as: str | None = None
    reason_before_start: str = ""
    was_pending: bool = False
    """Seen starting since it was last asked to."""
    result: OperationResult | None = None

    @property
    def is_untouched(self) -> bool:
        """Whether nothing is changed yet but the intent, as far as can be seen."""
        return self.stopped_at is None and self.instance.type_name == self.intent.from_type

    @property
    def is_reason_new(self) -> bool:
        return self.started_as == self.instance.type_name and (
            self.was_pending or self.instance.state_reason != self.reason_before_start
        )


def drive(driver: Driver, run: Run) -> OperationResult:
    """Take steps until the operation has ended.

    Raises:
        LockHeld: another process took the lease before anything was changed.
    """
    address = run.instance.public_address
    try:
        while (result := run.result) is None:
            if driver.is_interrupted():
                _interrupt(driver, run)
            elif wait := _turn(driver, run):
                driver.clock.sleep(wait)
    finally:
        run.probing.end()
    return replace(result, hint=f"{result.hint} {_new_address(address, run.instance)}".strip())


def _new_address(before: str | None, instance: Instance) -> str:
    """A public address that changed is said: names, allow-lists and ssh configurations still hold the old one."""
    now = instance.public_address
    if before is None or now is None or before == now:
        return ""
    return f"Its public address is now {now} (was {before}): change what names the old one."


def _interrupt(driver: Driver, run: Run) -> None:
    if run.is_untouched and run.is_begun_here and not run.may_be_touched:
        _finish(driver, run, Outcome.REFUSED, "interrupted before anything was changed")
    else:
        _leave(driver, run, "interrupted")


def in_words(error: ScalerError) -> str:
    """An error and what to do about it, in one line."""
    return f"{error} {error.hint}".strip()


def _turn(driver: Driver, run: Run) -> float:
    """Look and take one step; how many seconds to wait before the next look."""
    try:
        seen = call(lambda: driver.provider.observe([run.instance.id]), driver.clock, seconds=PATIENCE_SECONDS)
    except ScalerError as error:
        run.trouble, run.is_shown = in_words(error), False
        if driver.clock.now() >= run.intent.deadline:
            _leave(driver, run, "the deadline has passed and the provider does not say how it is now")
            return 0.0
        return _SLOW_POLL_SECONDS
    now = driver.clock.now()
    shown = seen.get(run.instance.id)
    run.is_shown = shown is not None
    if shown is not None:
        _note_state(run, shown, now)
        if (holder := _other_holder(run, now)) is not None:
            _yield(driver, run, holder)
            return 0.0
        if run.probing.current is not None:
            _probe(driver, run)  # what it says within its time counts, however late it is looked at
    decision = decide(run.intent, Observation(shown, run.probing.state, run.is_reason_new, run.probing.until), now)
    is_repeated = decision.step is run.last_step
    _note_step(driver, run, decision)
    try:
        _renew(driver, run, decision, now)
        wait = _act(driver, run, decision)
    except ScalerError as error:
        return _after_error(driver, run, decision.step, error)
    return max(wait, _POLL_SECONDS) if is_repeated else wait


def _note_state(run: Run, instance: Instance, now: datetime) -> None:
    run.instance, state = instance, instance.state
    if run.stopped_at is None and run.intent.was_running and state in (InstanceState.STOPPING, InstanceState.STOPPED):
        run.stopped_at = now
    is_back = state is InstanceState.RUNNING and run.stopped_at is not None
    run.running_at = (run.running_at or now) if is_back else None
    run.was_pending = run.was_pending or state is InstanceState.PENDING
    if state is not InstanceState.RUNNING:
        run.probing.restart()


def _note_step(driver: Driver, run: Run, decision: Decision) -> None:
    run.last_step = decision.step
    if run.steps and (run.steps[-1].step, run.steps[-1].why) == (decision.step, decision.why):
        return
    run.steps.append(StepTaken(decision.step, driver.clock.now(), decision.why))
    driver.on_step(run.instance, decision)


def _other_holder(run: Run, now: datetime) -> Intent | None:
    """Whoever wrote another live intent since. A dead one is what a read shows that is older than our own write."""
    standing = Intent.decode(run.instance.records.get(TagKey.INTENT, ""))
    return standing if standing is not None and standing.token != run.intent.token and standing.is_leased(now) else None


def _yield(driver: Driver, run: Run, holder: Intent) -> None:
    hint = f"Watch it with: scale status {run.instance.id}"
    if run.is_untouched:
        text = f"{holder.owner} began to change {run.instance.name} at the same moment. Nothing was changed by this command."
        raise LockHeld(text, hint=hint)
    text = f"{holder.owner} has taken over the change of {run.instance.name}. {hint}"
    run.result = _result(driver, run, Outcome.NEEDS_ATTENTION, text)


def _renew(driver: Driver, run: Run, decision: Decision, now: datetime) -> None:
    """Without a look that says who holds the lease, only one that still lives is renewed: another may have taken it since."""
    is_last = decision.step in (Step.FINISH, Step.GIVE_UP)
    is_ours = run.is_shown or run.intent.is_leased(now)
    if not is_last and is_ours and run.intent.lease_until - now <= _RENEW_BEFORE:
        _write(driver, run)


def _write(driver: Driver, run: Run) -> None:
    """Write the intent with a new lease. The instance comes first: where this fails, the next look tries again, and a record that
    is behind leads `scale resume` to the same end."""
    renewed = replace(run.intent, lease_until=driver.clock.now() + LEASE)
    try:
        _tag(driver, run, renewed.encode())
    except ScalerError as error:
        run.trouble = in_words(error)
    else:
        run.intent = renewed


def _tag(driver: Driver, run: Run, value: str | None) -> None:
    _call(driver, lambda: driver.provider.write_tag(run.instance.id, TagKey.INTENT, value))


def _call(driver: Driver, action: Callable[[], None]) -> None:
    call(action, driver.clock, seconds=PATIENCE_SECONDS)


def _change(driver: Driver, run: Run, action: Callable[[], None]) -> None:
    def once() -> None:
        try:
            action()
        except ScalerError as error:
            run.may_be_touched |= error.retryable  # the answer may be lost, and the request not
            raise
        run.may_be_touched = True

    _call(driver, once)


def _act(driver: Driver, run: Run, decision: Decision) -> float:
    provider, instance_id = driver.provider, run.instance.id
    match decision.step:
        case Step.WAIT:
            return _POLL_SECONDS
        case Step.STOP:
            asked_at = driver.clock.now()
            _change(driver, run, lambda: provider.stop(instance_id))
            run.stopped_at, run.running_at = run.stopped_at or asked_at, None  # a look that is behind may have shown it running
        case Step.SET_TYPE:
            _change(driver, run, lambda: provider.set_instance_type(instance_id, run.intent.wanted_type))
        case Step.START:
            run.started_as, run.reason_before_start = run.instance.type_name, run.instance.state_reason
            run.was_pending = False
            _change(driver, run, lambda: provider.start(instance_id))
        case Step.PROBE:
            return _probe(driver, run)
        case _:
            _decided(driver, run, decision)
            return 0.0
    run.trouble, run.denied_since = "", None
    return 0.0


def _decided(driver: Driver, run: Run, decision: Decision) -> None:
    """The steps that ask nothing of the instance."""
    match decision.step:
        case Step.NEXT_TYPE:
            _change_intent(driver, run, with_next_type(run.intent), decision.why)
        case Step.TURN_BACK:
            _change_intent(driver, run, turned_back(run.intent), _joined(decision.why, run.trouble))
        case Step.FINISH:
            is_back = run.instance.type_name == run.intent.from_type
            _finish(
                driver, run, Outcome.ROLLED_BACK if is_back else Outcome.DONE, _joined(decision.why, run.problem or run.trouble)
            )
        case _:
            _give_up(driver, run, decision.why)


def _change_intent(driver: Driver, run: Run, intent: Intent, problem: str) -> None:
    run.intent, run.problem, run.trouble, run.denied_since = intent, problem, "", None
    run.probing.restart()
    _write(driver, run)


def _joined(*texts: str) -> str:
    return ": ".join(text for text in texts if text)


def _probe(driver: Driver, run: Run) -> float:
    result = run.probing.ask(driver.prober, run.instance, driver.clock.now())
    if result is None:
        return _POLL_SECONDS
    run.trouble = "" if result.ok else f"the health check fails: {result.text}"
    return 0.0 if result.ok else _POLL_SECONDS


def _after_error(driver: Driver, run: Run, step: Step, error: ScalerError) -> float:
    """What an error changes about the operation: nothing, its type, or its direction. How many seconds to wait."""
    run.trouble = in_words(error)
    if error.retryable or isinstance(error, NotFound):
        return _POLL_SECONDS
    if step is not Step.STOP and run.intent.goal is Goal.FORWARD and isinstance(error, (NoCapacity, QuotaExceeded, Incompatible)):
        _turn_to(driver, run, with_next_type(run.intent))
        return 0.0
    if run.is_untouched:
        _finish(driver, run, Outcome.REFUSED if isinstance(error, Refused) else Outcome.ROLLED_BACK, run.trouble)
        return 0.0
    if run.intent.goal is Goal.FORWARD and not _may_be_granted(driver, run, step, error):
        _turn_to(driver, run, turned_back(run.intent))
        return 0.0
    return _SLOW_POLL_SECONDS


def _turn_to(driver: Driver, run: Run, intent: Intent) -> None:
    problem = run.trouble
    _note_step(driver, run, Decision(Step.TURN_BACK if intent.goal is Goal.BACK else Step.NEXT_TYPE, problem))
    _change_intent(driver, run, intent, problem)


def _may_be_granted(driver: Driver, run: Run, step: Step, error: ScalerError) -> bool:
    """Whether waiting is better than turning back: a denied start would be denied for the old type too."""
    if not isinstance(error, (AccessDenied, CredentialsMissing)):
        return False
    run.denied_since = run.denied_since or driver.clock.now()
    return step is Step.START or driver.clock.now() - run.denied_since < _DENIED_LIMIT


def _leave(driver: Driver, run: Run, why: str) -> None:
    """End here with the intent in place and its lease over, so that `scale resume` can go on at once."""
    verb = "is" if run.is_shown else "was last seen"
    state = f"{run.instance.name} {verb} {run.instance.state}, type {run.instance.type_name}"
    run.steps.append(StepTaken("left", driver.clock.now(), f"{why}; {state}"))
    hint = f"{state}: {_joined(why, run.trouble or run.problem)}. Go on with: scale resume {run.instance.id}"
    run.intent = replace(run.intent, lease_until=driver.clock.now())
    try:
        _tag(driver, run, run.intent.encode())
    except ScalerError:
        hint += f" (from {LEASE.seconds} s from now)"
    run.result = _result(driver, run, Outcome.NEEDS_ATTENTION, hint)


def _give_up(driver: Driver, run: Run, why: str) -> None:
    instance = run.instance
    if instance.state is InstanceState.GONE:
        run.result = _result(driver, run, Outcome.NEEDS_ATTENTION, why)
    elif instance.state is InstanceState.RUNNING and not run.intent.knows(instance.type_name):
        _finish(driver, run, Outcome.NEEDS_ATTENTION, f"{instance.name} is running: {why}. Look at it: scale status {instance.id}")
    else:
        _leave(driver, run, why)


def _finish(driver: Driver, run: Run, outcome: Outcome, why: str) -> None:
    """End the operation and remove the intent."""
    hint = "" if outcome is Outcome.DONE else why
    try:
        call(lambda: driver.provider.write_tag(run.instance.id, TagKey.INTENT, None), driver.clock)
    except ScalerError as error:
        hint = f"{hint} The intent could not be removed ({error}); `scale resume {run.instance.id}` removes it.".strip()
    run.result = _result(driver, run, outcome, hint)


def _result(driver: Driver, run: Run, outcome: Outcome, hint: str) -> OperationResult:
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
