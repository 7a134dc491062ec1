"""The main job: a deploy failed for want of memory, its instance grows, the deploy runs again."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from scaler.domain.diagnosis import Diagnosis, Source
from scaler.domain.errors import ScalerError, UsageError
from scaler.domain.evidence import Evidence
from scaler.domain.instance import TagKey
from scaler.domain.outcome import EXIT_CODES, DeployRecord, OperationResult, Outcome
from scaler.domain.peaks import Peak, decode, encode
from scaler.domain.plan import Plan
from scaler.domain.policy import Approval, Remedy, Target
from scaler.domain.rules import Cause
from scaler.engine import plan as planning
from scaler.engine.calls import call
from scaler.engine.diagnose import diagnose_on
from scaler.engine.operate import Driver, execute
from scaler.engine.targets import Scope
from scaler.ports import Clock, Provider, Store

RETRY_PAUSE_SECONDS = 10.0
"""Before a deploy is run again as it is: time for a neighbour's burst to pass."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of the deploy, ended."""

    evidence: Evidence
    exit_code: int
    seconds: float
    began_at: datetime
    peak_bytes: int | None = None
    is_interrupted: bool = False
    """Someone ended guard itself: nothing more is to be done."""


@dataclass(frozen=True, slots=True)
class Ending:
    """One attempt and why it ended as it did; `diagnosis` None where it succeeded."""

    attempt: Attempt
    diagnosis: Diagnosis | None


@dataclass(slots=True)
class Report:
    """What was done about a deploy."""

    endings: list[Ending] = field(default_factory=list)
    plan: Plan | None = None
    operation: OperationResult | None = None
    outcome: Outcome = Outcome.UNCHANGED
    """What became of the instance."""
    error: ScalerError | None = None
    """Why a remedy could not be tried."""
    is_ready: bool = False
    """A remedy was applied: the deploy can run again."""


class Teller(Protocol):
    """Told what happens, as it happens; the command line puts it into words."""

    def failed(self, ending: Ending) -> None: ...

    def planned(self, plan: Plan) -> None: ...

    def operated(self, result: OperationResult) -> None: ...

    def retrying(self, number: int, environment: Mapping[str, str]) -> None: ...

    def note(self, text: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Session:
    """What guarding one deploy needs."""

    clock: Clock
    store: Store
    target: Target | None
    """None: no instance is known, so a failure is only diagnosed."""
    scopes: Callable[[], Sequence[Scope]]
    """The instances, as they are now."""
    is_local: bool
    """Asking for `scopes` costs no call to a cloud."""
    driver: Callable[[Provider], Driver]
    approve: Callable[[Plan, Approval], bool]
    is_interrupted: Callable[[], bool]
    """Someone asked scale to end: nothing new is begun."""
    tell: Teller
    command: str
    """How the deploy is named in the history."""
    is_dry_run: bool = False


RunDeploy = Callable[[Mapping[str, str]], Attempt]
"""Runs the deploy once with these additions to its environment."""


class Redeploy:
    """One guarded deploy, from its first attempt to the report."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._original_bytes: int | None = None
        self._has_asked = session.is_local
        self.report = Report()

    def guard(self, run: RunDeploy) -> Report:
        """Run the deploy; while it dies for want of memory and the policy allows, apply a remedy and run it again."""
        return self.follow_up(run({"SCALE_ATTEMPT": "1"}), run)

    def follow_up(self, first: Attempt, run: RunDeploy | None) -> Report:
        """All that comes after a first attempt. Without `run` it ends when the instance is ready for the next one.

        No error of a remedy escapes: the deploy's own end stays the result, and the report says what went wrong.
        """
        attempt = first
        for number in itertools.count(1):
            environment = self._settle(attempt, number)
            self.report.is_ready = environment is not None
            if environment is None or run is None or self._is_interrupted():
                break
            environment = {**environment, "SCALE_ATTEMPT": str(number + 1)}
            self._session.tell.retrying(number + 1, environment)
            attempt = run(environment)
        return self.report

    def _settle(self, attempt: Attempt, number: int) -> Mapping[str, str] | None:
        """Do what an attempt's end asks for; the environment of the next attempt, or None where there is none."""
        if attempt.exit_code == 0:
            self.report.endings.append(Ending(attempt, None))
            self._record(attempt, None, self._scopes_if_asked())
            return None
        ending, scope = self._diagnose(attempt)
        self.report.endings.append(ending)
        self._session.tell.failed(ending)
        environment = None
        if ending.diagnosis and ending.diagnosis.cause is Cause.INSTANCE_MEMORY and not attempt.is_interrupted:
            try:
                environment = self._remedy(ending.diagnosis, scope, number)
            except ScalerError as error:
                self._fail(error)
        self._record(attempt, ending.diagnosis, [scope] if scope else [])
        return environment

    def _fail(self, error: ScalerError) -> None:
        self.report.error = error
        if error.exit_code == EXIT_CODES[Outcome.NEEDS_ATTENTION]:
            self.report.outcome = Outcome.NEEDS_ATTENTION
        else:
            self._refuse()

    def _refuse(self) -> None:
        """Nothing more is changed; what an earlier operation of this run did stays the outcome."""
        if self.report.operation is None:
            self.report.outcome = Outcome.REFUSED

    def _diagnose(self, attempt: Attempt) -> tuple[Ending, Scope | None]:
        """The diagnosis, with the consoles of the instances, and the one instance that it speaks of."""
        session = self._session
        if session.target is None or attempt.is_interrupted:
            return Ending(attempt, diagnose_on(attempt.evidence, None, session.clock)), None
        try:
            scopes = session.scopes()
            self._has_asked = True
        except ScalerError as error:
            self._fail(error)
            return Ending(attempt, diagnose_on(attempt.evidence, None, session.clock)), None
        diagnoses = [(diagnose_on(attempt.evidence, scope, session.clock), scope) for scope in scopes]
        shown = [one for one in diagnoses if any(reason.source is Source.CONSOLE for reason in one[0].reasons)]
        if len(shown or diagnoses) == 1:
            diagnosis, scope = (shown or diagnoses)[0]
            return Ending(attempt, diagnosis), scope
        return Ending(attempt, diagnose_on(attempt.evidence, None, session.clock)), None

    def _is_interrupted(self) -> bool:
        if self._session.is_interrupted():
            self._session.tell.note("interrupted: the deploy is not run again")
            return True
        return False

    def _remedy(self, diagnosis: Diagnosis, scope: Scope | None, number: int) -> Mapping[str, str] | None:
        meant = self._session.target
        if meant is None or self.report.error is not None or self._is_interrupted():
            return None
        if scope is None:
            raise UsageError(
                f"{meant.name} has several instances and nothing shows which of them ran out of memory. Nothing was changed.",
                hint="Name it: --instance REF, or grow it by hand with `scale up REF`.",
            )
        target = scope.target
        remedies = target.on_oom.remedies
        remedy = remedies[min(number, len(remedies)) - 1]
        if remedy is Remedy.RETRY and number <= target.on_oom.retries and not self._session.is_dry_run:
            self._session.tell.note(f"the policy's first remedy is to run it again as it is, in {RETRY_PAUSE_SECONDS:.0f} s")
            return {"SCALE_INSTANCE_TYPE": scope.instance.type_name} if self._pause() else None
        return self._resize(diagnosis, scope, target, may_act=number <= target.on_oom.retries)

    def _pause(self) -> bool:
        """Wait before the deploy is run again as it is; false where someone asked scale to end meanwhile."""
        for _ in range(int(RETRY_PAUSE_SECONDS)):
            self._session.clock.sleep(1.0)
            if self._is_interrupted():
                return False
        return True

    def _resize(self, diagnosis: Diagnosis, scope: Scope, target: Target, *, may_act: bool) -> Mapping[str, str] | None:
        session = self._session
        request = planning.Request(diagnosis=diagnosis, original_bytes=self._original_bytes)
        plan = planning.make(scope, request, session.clock, session.store)
        self._original_bytes = self._original_bytes or plan.current.type.memory_bytes
        self.report.plan = plan
        session.tell.planned(plan)
        if plan.remedy is None:
            self._refuse()
            return None
        if held_back := self._held_back(target, may_act=may_act):
            session.tell.note(f"nothing is changed: {held_back}")
            if plan.chosen is not None and not session.is_dry_run:
                session.tell.note(f"  by hand: scale up {plan.instance.id} --to {plan.chosen.type.name}")
            return None
        if not session.approve(plan, target.on_oom.approval) or self._is_interrupted():
            return None
        result = execute(session.driver(scope.provider), plan, target.health, target.deadline)
        self.report.operation, self.report.outcome = result, result.outcome
        session.tell.operated(result)
        self._keep(lambda: session.store.add_operation(result))
        if result.outcome is not Outcome.DONE:
            return None
        memory = next(one.offering.type.memory_bytes for one in plan.considered if one.offering.type.name == result.to_type)
        return {"SCALE_INSTANCE_TYPE": result.to_type, "SCALE_MEMORY_BYTES": str(memory)}

    def _held_back(self, target: Target, *, may_act: bool) -> str:
        """Why a good plan is only shown; empty where it may be carried out."""
        if self._session.is_dry_run:
            return "this is a dry run"
        if target.on_oom.approval is Approval.NEVER:
            return "the policy only lets plans be shown (approval: never)"
        if not may_act:
            return f"the policy lets the deploy run again no more often than that (retries: {target.on_oom.retries})"
        return ""

    def _scopes_if_asked(self) -> Sequence[Scope]:
        """The instances, where knowing them costs a deploy that succeeded at once no call to a cloud."""
        if self._session.target is None or not self._has_asked:
            return []
        try:
            return self._session.scopes()
        except ScalerError as error:
            self._session.tell.note(f"the deploy's peak could not be kept on the instance: {error}")
            return []

    def _record(self, attempt: Attempt, diagnosis: Diagnosis | None, scopes: Sequence[Scope]) -> None:
        session, scope = self._session, scopes[0] if len(scopes) == 1 else None
        limit = attempt.evidence.instance_memory_bytes or self._planned_bytes(scope)
        record = DeployRecord(
            instance=scope.instance.id if scope else None,
            target=session.target.name if session.target else None,
            command=session.command,
            began_at=attempt.began_at,
            seconds=attempt.seconds,
            exit_code=attempt.exit_code,
            cause=diagnosis.cause if diagnosis else None,
            limit_bytes=limit,
            peak_bytes=attempt.peak_bytes,
            type_name=scope.instance.type_name if scope else None,
        )
        self._keep(lambda: session.store.add_deploy(record))
        is_oom = diagnosis is not None and diagnosis.cause is Cause.INSTANCE_MEMORY
        if scope and limit and (is_oom or attempt.exit_code == 0) and not session.is_dry_run:
            self._keep(lambda: self._write_peak(scope, Peak(limit, attempt.peak_bytes, is_oom, attempt.began_at)))

    def _planned_bytes(self, scope: Scope | None) -> int | None:
        plan = self.report.plan
        if plan is None or scope is None:
            return None
        known = [plan.current, *(one.offering for one in plan.considered)]
        return next((one.type.memory_bytes for one in known if one.type.name == scope.instance.type_name), None)

    def _write_peak(self, scope: Scope, peak: Peak) -> None:
        seen = call(lambda: scope.provider.observe([scope.instance.id]), self._session.clock)
        if scope.instance.id in seen:
            kept = decode(seen[scope.instance.id].records.get(TagKey.PEAKS, ""))
            call(lambda: scope.provider.write_tag(scope.instance.id, TagKey.PEAKS, encode([peak, *kept])), self._session.clock)

    def _keep(self, keep: Callable[[], None]) -> None:
        """A record that cannot be written costs a later estimate, not this deploy."""
        try:
            keep()
        except ScalerError as error:
            self._session.tell.note(f"{error} {error.hint}".strip())
