"""The work of `scale resume`: each instance by itself, so that one that cannot be resumed does not hold up the others."""

from collections.abc import Iterator, Sequence

import click

from scaler.cli import wiring
from scaler.cli.main import print_error
from scaler.cli.talk import say
from scaler.domain.errors import CredentialsMissing, ScalerError, UsageError
from scaler.domain.instance import Instance, Reference
from scaler.domain.operation import Decision
from scaler.engine.calls import call
from scaler.engine.resume import resume as resume_one
from scaler.engine.targets import Scope
from scaler.host.clock import SystemClock
from scaler.render import json, text


def resume(names: Sequence[str], policy_path: str | None, output_format: str) -> int:
    """Resume what is named, or everything that carries an intent where nothing is; the worst exit code."""
    worst, results = 0, []
    with wiring.noting_interrupts() as interrupts:
        for context, scope in _meant(names, policy_path):
            driver = wiring.driver(scope.provider, context.clock, _say, interrupts)
            try:
                result = resume_one(scope, driver, context.store)
            except ScalerError as error:
                print_error(error)
                worst = max(worst, error.exit_code)
                continue
            if result is None:
                click.echo(
                    f"scale: {scope.instance.name} carries no intent; it is {scope.instance.state}, {scope.instance.type_name}",
                    err=True,
                )
                continue
            results.append(result)
            worst = max(worst, result.exit_code)
    if not names and not results and not worst:
        say("scale: no instance carries an intent: nothing was left unfinished")
    if output_format == "json":
        values = [json.operation(one) for one in results]
        click.echo(json.dump(values[0] if len(values) == 1 else {"schema": "scale.operation_list/1", "operations": values}))
    else:
        for one in results:
            click.echo("\n".join(text.operation(one)))
    return worst


def _say(instance: Instance, decision: Decision) -> None:
    say(f"scale: {text.step(instance, decision)}")


def _meant(names: Sequence[str], policy_path: str | None) -> Iterator[tuple[wiring.Context, Scope]]:
    for name in names or _all_with_intent():
        context = wiring.context(policy_path, name)
        for scope in context.scopes():
            yield context, scope


def _all_with_intent() -> Iterator[str]:
    providers = wiring.Providers()
    clock = SystemClock()
    for name in wiring.provider_names():
        try:
            provider = providers(name)
            instances = call(provider.find_with_intent, clock)
        except (CredentialsMissing, UsageError) as error:
            click.echo(f"scale: {name} was not searched: {error}", err=True)
            continue
        yield from (str(Reference.parse(instance.id)) for instance in instances)
