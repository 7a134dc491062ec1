"""`scale plan`."""

import click

from scaler.cli import options


@click.command("plan")
@click.argument("name", required=False, metavar="[REF|NAME]")
@options.to
@options.memory
@click.option("--all", "show_all", is_flag=True, help="Every type, those refused with the reason.")
@options.policy
@options.output_format
@click.pass_context
def command(
    ctx: click.Context,
    name: str | None,
    to_type: str | None,
    memory: int | None,
    show_all: bool,
    policy_path: str | None,
    output_format: str,
) -> None:
    """Show what `scale up` would do; change nothing. Ends with 0 where there is a plan, with 3 where it is refused."""
    from scaler.cli import change, wiring
    from scaler.engine.plan import Request

    options.exclude_each_other(to_type, memory)
    context = wiring.context(policy_path, name)
    ctx.exit(change.show(context, Request(to_type=to_type, memory_bytes=memory), output_format, show_all=show_all))
