"""`scale after`."""

from datetime import timedelta

import click

from scaler.cli import options
from scaler.cli.guard import CommandAfterDashes


@click.command("after", cls=CommandAfterDashes)
@click.option("--exit-code", type=click.IntRange(0, 255), required=True, metavar="N", help="What the deploy ended with.")
@click.option("--log", "log_path", required=True, metavar="FILE|-", help="What the deploy printed; - is standard input.")
@click.option(
    "--since",
    callback=options.to_duration,
    default="1h",
    show_default=True,
    metavar="DURATION",
    help="How long ago the deploy began.",
)
@click.option("--retry", is_flag=True, help="Run the deploy again: the command after --, or the target's own.")
@options.target
@options.instance
@options.policy
@click.option("--report", "report_path", metavar="FILE", help="Write what happened there, as JSON.")
@click.option("--dry-run", is_flag=True, help="Diagnose and show the plan; change nothing.")
@click.option("--yes", is_flag=True, help="Say yes to the plan where the policy asks a person.")
@options.output_format
@click.pass_context
def command(
    ctx: click.Context,
    exit_code: int,
    log_path: str,
    since: timedelta,
    retry: bool,
    target_name: str | None,
    instance_ref: str | None,
    policy_path: str | None,
    report_path: str | None,
    dry_run: bool,
    yes: bool,
    output_format: str,
) -> None:
    """What guard does, after the fact: for systems that run the deploy themselves and call this from their failure hook.

    Ends with 0 when the instance is ready and the deploy can run again, with 3 when nothing was changed, with 4 or 5 when growing it
    failed. With --retry the deploy is run again and the exit code is its own.
    """
    deploy = ctx.meta["deploy"]
    if deploy and not retry:
        raise click.UsageError("A command after -- goes with --retry.")
    if deploy is not None and not any(deploy):
        raise click.UsageError("There is no command after --.")
    from scaler.cli import following

    wanted = following.Followed(
        options.named(target_name, instance_ref),
        deploy,
        policy_path,
        report_path,
        is_dry_run=dry_run,
        yes=yes,
        exit_code=exit_code,
        log_path=log_path,
        is_retry=retry,
        is_json=output_format == "json",
        since=since,
    )
    ctx.exit(following.after(wanted))
