"""The work of `scale after`."""

from dataclasses import dataclass
from datetime import timedelta

from scaler.cli import guarding, wiring
from scaler.cli.logfile import read_log
from scaler.cli.running import Runner
from scaler.cli.talk import answer
from scaler.cli.telling import Stderr, check_report_path, report_json
from scaler.domain.errors import UsageError
from scaler.domain.evidence import Evidence
from scaler.domain.outcome import EXIT_CODES, Outcome
from scaler.engine.redeploy import Attempt, Ending, Redeploy, Report
from scaler.host.child import CannotRun
from scaler.host.clock import SystemClock
from scaler.render import json


@dataclass(frozen=True, slots=True)
class Followed(guarding.Wanted):
    """What the command line asks for."""

    exit_code: int = 0
    log_path: str = "-"
    is_retry: bool = False
    is_json: bool = False
    since: timedelta = timedelta(hours=1)
    """How long ago the deploy began: a kill before that is not its own."""


def after(wanted: Followed) -> int:
    """Do all that comes after a failed attempt; the exit code of the contract."""
    check_report_path(wanted.report_path)
    context = guarding.context_of(wanted)
    argv = wanted.deploy or (context.target.deploy if context else ())
    if wanted.is_retry and not argv:
        raise UsageError("There is no deploy to run again.", hint="Write it after --: scale after … --retry -- COMMAND.")
    first = _first_attempt(wanted)
    tell = Stderr()
    with wiring.noting_interrupts() as interrupts:
        redeploy = Redeploy(guarding.session(wanted, context, tell, argv or ("scale", "after"), interrupts))
        runner = Runner(argv, guarding.enclosure(context), context is not None, tell.note) if wanted.is_retry else None
        try:
            redeploy.follow_up(first, runner)
        except CannotRun as error:
            tell.note(str(error))
            redeploy.report.endings.append(Ending(guarding.unrun(error), None))
    last = guarding.conclude(redeploy.report, tell, wanted.report_path, context=context)
    if wanted.is_json:
        answer(json.dump(report_json(redeploy.report)))
    if len(redeploy.report.endings) > 1:
        return last
    code = _exit_code(redeploy.report)
    if code == 0 and redeploy.report.is_ready:
        tell.note("the instance is ready: run the deploy again")
    elif code == EXIT_CODES[Outcome.REFUSED]:
        tell.note("the instance was not changed")
    return code


def _first_attempt(wanted: Followed) -> Attempt:
    began_at = SystemClock().now() - wanted.since
    evidence = Evidence(wanted.exit_code, read_log(wanted.log_path), began_at=began_at)
    return Attempt(evidence, wanted.exit_code, 0.0, began_at)


def _exit_code(report: Report) -> int:
    if report.is_ready or report.endings[-1].attempt.exit_code == 0:
        return 0
    if report.error is not None:
        return report.error.exit_code
    if report.operation is not None:
        return report.operation.exit_code
    return EXIT_CODES[Outcome.REFUSED]
