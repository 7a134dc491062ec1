"""`scale history`."""

import click

from scaler.cli import options


@click.command("history")
@click.argument("name", required=False, metavar="[REF|NAME]")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many of each.")
@options.policy
@options.output_format
def command(name: str | None, limit: int, policy_path: str | None, output_format: str) -> None:
    """Show the deploys and operations this machine has recorded, newest first; of one instance where it is named.

    Deploys are recorded with their command lines, in a file that only you can read.
    """
    from scaler.cli import wiring
    from scaler.cli.talk import answer
    from scaler.render import json, text

    if name is None:
        store = wiring.store()
        deploys, operations = list(store.deploys(limit=limit)), list(store.operations(limit=limit))
    else:
        context = wiring.context(policy_path, name)
        ids = [scope.instance.id for scope in context.scopes()]
        deploys = [one for key in ids for one in context.store.deploys(key, limit)]
        operations = [one for key in ids for one in context.store.operations(key, limit)]
    if output_format == "json":
        answer(json.dump(json.history(deploys, operations)))
    else:
        answer("\n".join(text.history(deploys, operations)))
