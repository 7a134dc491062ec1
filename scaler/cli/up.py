"""`scale up`."""

from datetime import timedelta

import click

from scaler.cli import options


@click.command("up")
@click.argument("name", required=False, metavar="[REF|NAME]")
@options.to
@options.memory
@options.dry_run
@options.yes
@options.deadline
@options.policy
@options.output_format
@click.pass_context
def command(
    ctx: click.Context,
    name: str | None,
    to_type: str | None,
    memory: int | None,
    dry_run: bool,
    yes: bool,
    deadline: timedelta | None,
    policy_path: str | None,
    output_format: str,
) -> None:
    """Give an instance more memory: show what it is, what it needs, the types that fit and the plan; ask; do it.

    With neither --to nor --memory: the best type with what past deploys are known to need, else the next one up.
    """
    from scaler.cli import change, wiring
    from scaler.engine.plan import Request

    options.exclude_each_other(to_type, memory)
    request = Request(to_type=to_type, memory_bytes=memory)
    context = wiring.context(policy_path, name)
    ctx.exit(change.run(context, request, output_format=output_format, dry_run=dry_run, yes=yes, deadline=deadline))
