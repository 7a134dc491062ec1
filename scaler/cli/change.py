"""What `up`, `down` and `plan` have in common: show the plan, ask, do it, say what changed."""

import shlex
import sys
from datetime import timedelta

import click

from scaler.cli import wiring
from scaler.cli.progress import Progress
from scaler.cli.talk import answer, say
from scaler.domain.errors import Refused, ScalerError
from scaler.domain.outcome import EXIT_CODES, OperationResult, Outcome
from scaler.domain.plan import Plan
from scaler.engine import plan as planning
from scaler.engine.operate import execute
from scaler.engine.targets import Scope
from scaler.render import json, text


def show(context: wiring.Context, request: planning.Request, output_format: str, *, show_all: bool = False) -> int:
    """Write the plan to stdout and change nothing; 3 where it is refused."""
    plan = planning.make(context.one(), request, context.clock, context.store)
    answer(json.dump(json.plan(plan)) if output_format == "json" else "\n".join(text.plan(plan, show_all=show_all)))
    return 0 if plan.remedy else 3


def run(
    context: wiring.Context, request: planning.Request, *, output_format: str, dry_run: bool, yes: bool, deadline: timedelta | None
) -> int:
    """Plan, show, ask, do; the exit code of the contract."""
    if dry_run:
        return show(context, request, output_format)
    scope = context.one()
    plan = planning.make(scope, request, context.clock, context.store)
    as_json = output_format == "json"
    (say if as_json else answer)("\n".join(text.plan(plan)))
    if plan.remedy is None:
        return _refuse(context, plan, "; ".join(one.text for one in plan.refused), as_json=as_json)
    if not yes and not _is_confirmed(plan):
        return _refuse(context, plan, "not confirmed (--yes does it without asking)", as_json=as_json)
    try:
        result = _execute(context, scope, plan, deadline)
    except Refused as error:
        return _refuse(context, plan, f"{error} {error.hint}".strip(), as_json=as_json)
    answer(json.dump(json.operation(result)) if as_json else "\n".join(text.operation(result)))
    if reminder := policy_reminder(context, result):
        say(f"scale: {reminder}")
    return result.exit_code


def policy_reminder(context: wiring.Context, result: OperationResult) -> str:
    """What to add to the `scale resume` of a result that needs a person; empty where nothing is."""
    if result.outcome is not Outcome.NEEDS_ATTENTION or context.policy is None:
        return ""
    return f"to have its health checks run then, name the policy file: --policy {shlex.quote(str(context.policy.path))}"


def _is_confirmed(plan: Plan) -> bool:
    if not sys.stdin.isatty():
        return False
    try:
        return click.confirm(f"Change {plan.instance.name}?", err=True)
    except click.Abort:
        say("")
        return False


def _refuse(context: wiring.Context, plan: Plan, why: str, *, as_json: bool) -> int:
    if as_json:
        answer(json.dump(json.unchanged(plan, Outcome.REFUSED, why, context.clock.now())))
    say(f"scale: {plan.instance.name} was not changed: {why}")
    return EXIT_CODES[Outcome.REFUSED]


def _execute(context: wiring.Context, scope: Scope, plan: Plan, deadline: timedelta | None) -> OperationResult:
    with wiring.noting_interrupts() as interrupts, Progress(plan) as progress:
        driver = wiring.driver(scope.provider, context.clock, progress.step, interrupts)
        result = execute(driver, plan, scope.target.health, deadline or scope.target.deadline)
    try:
        context.store.add_operation(result)
    except ScalerError as error:
        say(f"scale: {error}")
    return result
