"""`scale resume`."""

import click

from scaler.cli import options


@click.command("resume")
@click.argument("names", nargs=-1, metavar="[REF|NAME]...")
@click.option(
    "--all", "take_all", is_flag=True, help="Every instance that carries an intent, of every provider (EC2: of the default region)."
)
@options.policy
@options.output_format
@click.pass_context
def command(ctx: click.Context, names: tuple[str, ...], take_all: bool, policy_path: str | None, output_format: str) -> None:
    """Finish what an interrupted scale began: the intent is read from the instance, so this works from any machine.

    A live owner is left alone. Ends with the worst outcome's exit code.
    """
    from scaler.cli import resuming

    if bool(names) == take_all:
        raise click.UsageError("Name instances, or give --all.")
    ctx.exit(resuming.resume(names, policy_path, output_format))
