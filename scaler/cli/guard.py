"""`scale guard`."""

from collections.abc import Sequence

import click

from scaler.cli import options


class CommandAfterDashes(click.Command):
    """Takes everything after the first `--` as the deploy's own command line, untouched."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta["deploy"] = None
        if "--" in args:
            cut = args.index("--")
            ctx.meta["deploy"] = args[cut + 1 :]
            args = args[:cut]
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "[-- COMMAND...]"]


@click.command("guard", cls=CommandAfterDashes)
@click.argument("name", required=False, metavar="[TARGET]")
@options.target
@options.instance
@options.policy
@click.option("--report", "report_path", metavar="FILE", help="Write what happened there, as JSON.")
@click.option("--dry-run", is_flag=True, help="Run the deploy, diagnose, show the plan; change nothing, retry nothing.")
@click.option("--yes", is_flag=True, help="Say yes to the plan where the policy asks a person.")
@click.pass_context
def command(
    ctx: click.Context,
    name: str | None,
    target_name: str | None,
    instance_ref: str | None,
    policy_path: str | None,
    report_path: str | None,
    dry_run: bool,
    yes: bool,
) -> None:
    """Run a deploy; if it dies for want of its instance's memory, grow the instance and run it again.

    Its output and its exit code stay its own. With no instance named and no policy file a failure is only diagnosed. Without
    `-- COMMAND` the target's own `deploy` command is run.
    """
    deploy: Sequence[str] | None = ctx.meta["deploy"]
    if deploy is not None and not any(deploy):
        raise click.UsageError("There is no command after --.")
    if name and (target_name or instance_ref):
        raise click.UsageError(f"{name!r}: the target is named twice. The deploy's command goes after --.")
    from scaler.cli import guarding

    meant = name or options.named(target_name, instance_ref)
    wanted = guarding.Wanted(meant, deploy, policy_path, report_path, is_dry_run=dry_run, yes=yes)
    ctx.exit(guarding.guard(wanted))
