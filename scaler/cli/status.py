"""`scale status`."""

import click

from scaler.cli import options


@click.command("status")
@click.argument("name", required=False, metavar="[REF|NAME]")
@options.policy
@options.output_format
def command(name: str | None, policy_path: str | None, output_format: str) -> None:
    """Show what an instance is now, whether it is being changed, and what past deploys on it took."""
    from scaler.cli import wiring
    from scaler.cli.talk import answer
    from scaler.render import json, text

    scopes = wiring.context(policy_path, name).scopes()
    if output_format == "json":
        values = [json.status(scope.instance) for scope in scopes]
        answer(json.dump(values[0] if len(values) == 1 else {"schema": "scale.status_list/1", "instances": values}))
    else:
        answer("\n".join(line for scope in scopes for line in text.status(scope.instance)))
