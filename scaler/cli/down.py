"""`scale down`."""

from datetime import timedelta

import click

from scaler.cli import options


@click.command("down")
@click.argument("name", required=False, metavar="[REF|NAME]")
@options.to
@options.memory
@click.option("--force", is_flag=True, help="Go below what past deploys needed.")
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
    force: bool,
    dry_run: bool,
    yes: bool,
    deadline: timedelta | None,
    policy_path: str | None,
    output_format: str,
) -> None:
    """Give an instance less memory, but not less than past deploys are known to need.

    With neither --to nor --memory: the best type that has what they need; where nothing is known, the next one down.
    """
    from scaler.cli import change, wiring
    from scaler.engine.plan import Request

    options.exclude_each_other(to_type, memory)
    request = Request(to_type=to_type, memory_bytes=memory, is_growth=False, is_forced=force)
    context = wiring.context(policy_path, name)
    ctx.exit(change.run(context, request, output_format=output_format, dry_run=dry_run, yes=yes, deadline=deadline))
