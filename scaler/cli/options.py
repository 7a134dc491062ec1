"""Options that several commands share."""

import click

from scaler.domain.units import parse_bytes, parse_duration

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
yes = click.option("--yes", is_flag=True, help="Do it without asking.")


class Bytes(click.ParamType[int]):
    """An amount of memory: 8g, 8GB, 8192MiB."""

    name = "amount"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        return value if isinstance(value, int) else parse_bytes(str(value))


class Duration(click.ParamType[object]):
    """A span of time: 90s, 15m."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        return parse_duration(value) if isinstance(value, str) else value


deadline = click.option(
    "--deadline",
    type=Duration(),
    metavar="DURATION",
    help="How long an operation may wait in all (default: the policy's, else 15m).",
)


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
