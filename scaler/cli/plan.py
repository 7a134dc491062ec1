"""`scale plan`."""

import click

from scaler.cli import options


@click.command("plan")
@click.argument("name", required=False, metavar="[REF|NAME]")
@click.option("--to", "to_type", metavar="TYPE", help="For this very type.")
@click.option("--memory", type=options.Bytes(), metavar="AMOUNT", help="For at least this much: 8g, 8GB, 8192MiB.")
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

    if to_type and memory:
        raise click.UsageError("--to and --memory exclude each other.")
    context = wiring.context(policy_path, name)
    _, plan = change.make_plan(context, Request(to_type=to_type, memory_bytes=memory))
    change.show_plan(plan, output_format, show_all=show_all)
    ctx.exit(0 if plan.remedy else 3)
