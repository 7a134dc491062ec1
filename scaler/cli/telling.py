"""What guard and after say on stderr: short while all goes well, complete where it does not."""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import click

from scaler.cli import wiring
from scaler.cli.talk import say
from scaler.domain.errors import UsageError
from scaler.domain.instance import Instance
from scaler.domain.operation import Decision
from scaler.domain.outcome import OperationResult
from scaler.domain.plan import Plan
from scaler.domain.policy import Approval
from scaler.engine.redeploy import Ending, Report
from scaler.render import json, text


class Stderr:
    """A `Teller` that writes to stderr, each line marked as scale's own."""

    def failed(self, ending: Ending) -> None:
        self.note(f"the deploy ended with {ending.attempt.exit_code}")
        if ending.diagnosis:
            self._lines(text.diagnosis(ending.diagnosis))

    def planned(self, plan: Plan) -> None:
        self._lines(text.plan(plan))

    def operated(self, result: OperationResult) -> None:
        self._lines(text.operation(result))

    def retrying(self, number: int, environment: Mapping[str, str]) -> None:
        kind = environment.get("SCALE_INSTANCE_TYPE")
        self.note(f"running the deploy again, attempt {number}" + (f", on {kind}" if kind else ""))

    def note(self, text: str) -> None:
        _write([text])

    def step(self, instance: Instance, decision: Decision) -> None:
        """One step of an operation."""
        self.note(text.step(instance, decision))

    def _lines(self, lines: Iterable[str]) -> None:
        _write(lines)


def _write(lines: Iterable[str]) -> None:
    for line in lines:
        say(f"scale: {line}")


class Approve:
    """Answers whether a plan may be carried out, and says why not."""

    def __init__(self, *, yes: bool, interrupts: wiring.Interrupts) -> None:
        """Who says yes: the policy, `--yes`, or a person at the terminal."""
        self._yes = yes
        self._interrupts = interrupts

    def __call__(self, plan: Plan, approval: Approval) -> bool:
        if self._yes or approval is Approval.AUTO:
            return True
        if sys.stdin.isatty() and sys.stderr.isatty():
            with self._interrupts.aborting():
                return _is_confirmed(plan)
        _write(
            [
                "nothing is changed: the policy asks a person (approval: ask), and there is no terminal",
                f"  by hand: scale up {plan.instance.id} --to {plan.chosen.type.name if plan.chosen else 'TYPE'}; or give --yes next time",
            ]
        )
        return False


def _is_confirmed(plan: Plan) -> bool:
    try:
        return click.confirm(f"scale: change {plan.instance.name}?", err=True)
    except click.Abort:
        return False


def check_report_path(path: str | None) -> None:
    """Refuse a report path that cannot be written, before the deploy runs.

    Raises:
        UsageError: it is a directory, or its folder does not exist.
    """
    if path is None:
        return
    where = Path(path)
    if where.is_dir():
        raise UsageError(f"The report cannot be written to {path}: it is a directory.")
    if not where.parent.is_dir():
        raise UsageError(f"The report cannot be written to {path}: there is no folder {where.parent}.")


def report_json(report: Report) -> json.Object:
    """The report in the contract's form."""
    attempts = [
        json.attempt(one.attempt.exit_code, one.attempt.seconds, one.attempt.peak_bytes, one.diagnosis) for one in report.endings
    ]
    return json.guard(attempts, report.plan, report.operation, report.outcome, report.error)


def write_report(report: Report, path: str | None) -> None:
    """Write the report where the user wants it; a full disk must not change the deploy's exit code."""
    if path is None:
        return
    try:
        Path(path).write_text(json.dump(report_json(report)) + "\n", encoding="utf-8")
    except OSError as error:
        _write([f"the report could not be written to {path}: {error.strerror}"])
