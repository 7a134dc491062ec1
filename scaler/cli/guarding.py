"""The work of `scale guard` and `scale after`: put a session together, run it, write the report."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from scaler.cli import wiring
from scaler.cli.change import policy_reminder
from scaler.cli.running import Enclosure, Runner, sandbox_host
from scaler.cli.telling import Approve, Stderr, check_report_path, write_report
from scaler.domain.errors import UsageError
from scaler.domain.evidence import Evidence
from scaler.domain.instance import Reference, Selector
from scaler.engine.redeploy import Attempt, Ending, Redeploy, Report, Session
from scaler.host.child import CannotRun
from scaler.host.clock import SystemClock

_COMMAND_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for."""

    name: str | None
    """A target's name or a reference; None: the policy's only target, or none."""
    deploy: Sequence[str] | None
    """The deploy's command line; None: the target's own."""
    policy_path: str | None
    report_path: str | None
    is_dry_run: bool = False
    yes: bool = False


def guard(wanted: Wanted) -> int:
    """Guard one deploy; the exit code of its last attempt."""
    check_report_path(wanted.report_path)
    context = context_of(wanted)
    argv = wanted.deploy or (context.target.deploy if context else ())
    if not argv:
        raise UsageError(
            "There is no deploy to run.", hint="Write it after --: scale guard -- COMMAND; or as `deploy:` in the policy's target."
        )
    tell = Stderr()
    runner = Runner(argv, enclosure(context), context is not None, tell.note)
    with wiring.noting_interrupts() as interrupts:
        redeploy = Redeploy(session(wanted, context, tell, argv, interrupts))
        try:
            redeploy.guard(runner)
        except CannotRun as error:
            tell.note(str(error))
            redeploy.report.endings.append(Ending(unrun(error), None))
    return conclude(redeploy.report, tell, wanted.report_path, context=context)


def conclude(report: Report, tell: Stderr, report_path: str | None, *, context: wiring.Context | None) -> int:
    """Say what is left to say, write the report; the last attempt's exit code."""
    if report.error is not None:
        tell.note(f"{report.error}")
        if report.error.hint:
            tell.note(f"  {report.error.hint}")
    if context and report.operation and (reminder := policy_reminder(context, report.operation)):
        tell.note(reminder)
    if context is None and report.endings[-1].diagnosis is not None:
        tell.note("no instance is named (--instance, --target or a policy file), so this was only a diagnosis")
    write_report(report, report_path)
    return report.endings[-1].attempt.exit_code


def context_of(wanted: Wanted) -> wiring.Context | None:
    """What is known of the target; None where nothing is named and there is no policy: then a failure is only diagnosed."""
    if wanted.name is None and not wiring.load_policy(wanted.policy_path):
        return None
    return wiring.context(wanted.policy_path, wanted.name)


def session(
    wanted: Wanted, context: wiring.Context | None, tell: Stderr, argv: Sequence[str], interrupts: wiring.Interrupts
) -> Session:
    clock = context.clock if context else SystemClock()
    return Session(
        clock=clock,
        store=context.store if context else wiring.store(),
        target=context.target if context else None,
        scopes=context.scopes if context else tuple,
        is_local=context is not None and enclosure(context) is not None,
        driver=lambda provider: wiring.driver(provider, clock, tell.step, interrupts),
        approve=Approve(yes=wanted.yes, interrupts=interrupts),
        is_interrupted=lambda: interrupts.signal is not None,
        tell=tell,
        command=shlex.join(argv)[:_COMMAND_LENGTH],
        is_dry_run=wanted.is_dry_run,
    )


def enclosure(context: wiring.Context | None) -> Enclosure | None:
    """Where the deploy runs inside its instance: for sandboxes, and for rehearsals within a cloud instance's memory."""
    if context is None:
        return None
    kinds: set[str] = {what.provider for what in _instances(context)}
    has_sandbox = [kind for kind in kinds if context.providers(kind).capabilities.has_sandbox]
    if has_sandbox:
        return Enclosure(sandbox_host(context.providers(has_sandbox[0])), context.one)
    if context.target.rehearse:
        return Enclosure(sandbox_host(context.providers("local")), context.one)
    return None


def _instances(context: wiring.Context) -> Sequence[Reference | Selector]:
    return [context.only] if context.only else context.target.instances


def unrun(error: CannotRun) -> Attempt:
    return Attempt(Evidence(error.status), error.status, 0.0, SystemClock().now())
