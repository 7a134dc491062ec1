"""What `up`, `down` and `plan` have in common: show the plan, ask, do it, say what changed."""

import sys
from datetime import timedelta

import click

from scaler.cli import wiring
from scaler.cli.progress import Progress
from scaler.domain.errors import ScalerError
from scaler.domain.outcome import OperationResult, Outcome
from scaler.domain.plan import Plan
from scaler.engine import plan as planning
from scaler.engine.operate import execute
from scaler.engine.targets import Scope
from scaler.render import json, text


def make_plan(context: wiring.Context, request: planning.Request) -> tuple[Scope, Plan]:
    """The plan for the one instance meant."""
    scope = context.one()
    return scope, planning.make(scope, request, context.clock, context.store)


def show_plan(plan: Plan, output_format: str, *, show_all: bool = False) -> None:
    """Write a plan to stdout."""
    click.echo(json.dump(json.plan(plan)) if output_format == "json" else "\n".join(text.plan(plan, show_all=show_all)))


def carry_out(
    context: wiring.Context, request: planning.Request, *, output_format: str, yes: bool, deadline: timedelta | None
) -> int:
    """Plan, show, ask, do; the exit code of the contract."""
    scope, plan = make_plan(context, request)
    as_json = output_format == "json"
    click.echo("\n".join(text.plan(plan)), err=as_json)
    if plan.remedy is None:
        return _not_done(context, plan, Outcome.REFUSED, "; ".join(one.text for one in plan.refused), as_json=as_json)
    if not yes and not _is_confirmed(plan):
        return _not_done(
            context, plan, Outcome.REFUSED, "not confirmed; nothing was changed (--yes does it without asking)", as_json=as_json
        )
    result = _execute(context, scope, plan, deadline)
    click.echo(json.dump(json.operation(result)) if as_json else "\n".join(text.operation(result)))
    return result.exit_code


def _is_confirmed(plan: Plan) -> bool:
    if not sys.stdin.isatty():
        return False
    try:
        return click.confirm(f"Change {plan.instance.name}?", err=True)
    except click.Abort:
        click.echo(err=True)
        return False


def _not_done(context: wiring.Context, plan: Plan, outcome: Outcome, why: str, *, as_json: bool) -> int:
    if as_json:
        click.echo(json.dump(json.unchanged(plan, outcome, why, context.clock.now())))
    click.echo(f"scale: {plan.instance.name} was not changed: {why}", err=True)
    return 3


def _execute(context: wiring.Context, scope: Scope, plan: Plan, deadline: timedelta | None) -> OperationResult:
    with wiring.noting_interrupts() as interrupts, Progress(plan) as progress:
        driver = wiring.driver(scope.provider, context.clock, progress.step, interrupts)
        result = execute(driver, plan, scope.target.health, deadline or scope.target.deadline)
    try:
        context.store.add_operation(result)
    except ScalerError as error:
        click.echo(f"scale: {error}", err=True)
    return result
