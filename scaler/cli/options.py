"""Options that several commands share."""

from datetime import timedelta

import click

from scaler.domain.units import parse_bytes, parse_duration


def to_bytes(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """Click callback: an amount of memory such as 8g, 8GB, 8192MiB."""
    return None if value is None else parse_bytes(value)


def to_duration(ctx: click.Context, param: click.Parameter, value: str | None) -> timedelta | None:
    """Click callback: a span of time such as 90s, 15m."""
    return None if value is None else parse_duration(value)


policy = click.option(
    "--policy", "policy_path", metavar="FILE", help="The policy file (default: SCALE_POLICY, else scale.yml upwards from here)."
)
output_format = click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json"]),
    default="text",
    envvar="SCALE_FORMAT",
    show_default=True,
    help="How results are written.",
)
target = click.option("--target", "target_name", metavar="NAME", help="A target of the policy file.")
instance = click.option("--instance", "instance_ref", metavar="REF", help="An instance, like ec2:i-0abc… or local:NAME.")
to = click.option("--to", "to_type", metavar="TYPE", help="This very type.")
memory = click.option("--memory", callback=to_bytes, metavar="AMOUNT", help="At least this much: 8g, 8GB, 8192MiB.")
dry_run = click.option("--dry-run", is_flag=True, help="Show the plan and change nothing.")
yes = click.option("--yes", is_flag=True, help="Do it without asking.")


deadline = click.option(
    "--deadline",
    callback=to_duration,
    metavar="DURATION",
    help="How long an operation may wait in all (default: the policy's, else 15m).",
)


def exclude_each_other(to_type: str | None, memory: int | None) -> None:
    """Refuse --to together with --memory.

    Raises:
        click.UsageError: both are given.
    """
    if to_type and memory:
        raise click.UsageError("--to and --memory exclude each other.")


def named(target_name: str | None, instance_ref: str | None) -> str | None:
    """What --target or --instance names.

    Raises:
        click.UsageError: both are given, or --instance is no reference.
    """
    if target_name and instance_ref:
        raise click.UsageError("--target and --instance exclude each other.")
    if instance_ref and ":" not in instance_ref:
        raise click.UsageError(
            f"--instance takes a reference like ec2:i-0abc…; for the policy's target use --target {instance_ref}."
        )
    if target_name and ":" in target_name:
        raise click.UsageError(f"--target takes a name from the policy file; for an instance use --instance {target_name}.")
    return target_name or instance_ref
