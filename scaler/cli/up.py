"""`scale up`."""

from datetime import timedelta

import click

from scaler.cli import options


@click.command("up")
@click.argument("name", required=False, metavar="[REF|NAME]")
@click.option("--to", "to_type", metavar="TYPE", help="This very type.")
@click.option("--memory", type=options.Bytes(), metavar="AMOUNT", help="At least this much: 8g, 8GB, 8192MiB.")
@click.option("--dry-run", is_flag=True, help="Show the plan and change nothing (as `scale plan`).")
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

    if to_type and memory:
        raise click.UsageError("--to and --memory exclude each other.")
    context = wiring.context(policy_path, name)
    request = Request(to_type=to_type, memory_bytes=memory)
    if dry_run:
        _, plan = change.make_plan(context, request)
        change.show_plan(plan, output_format)
        ctx.exit(0 if plan.remedy else 3)
    ctx.exit(change.carry_out(context, request, output_format=output_format, yes=yes, deadline=deadline))
