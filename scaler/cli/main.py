"""The command `scale`: finds the command's module, runs it, prints its errors, exits."""

import importlib
import sys

import click

from scaler import __version__
from scaler.cli.talk import fill_closed_streams, say
from scaler.domain.errors import PolicyError, ScalerError

_COMMANDS = {
    "guard": "Run a deploy; if it runs out of memory, grow its instance and run it again.",
    "after": "The same after the fact, for systems that run the deploy themselves.",
    "up": "Give an instance more memory.",
    "down": "Give an instance less memory.",
    "plan": "Show what `up` would do; change nothing.",
    "diagnose": "Say why a deploy died.",
    "resume": "Finish what an interrupted scale began.",
    "status": "Show what an instance is now.",
    "history": "Show past deploys and operations.",
    "policy": "Check, show or begin the policy file.",
    "demo": "Watch the whole job on this machine, without a cloud.",
}
"""Name and help of each command, so that `scale --help` loads none of them."""


class LazyGroup(click.Group):
    """Loads `scaler.cli.NAME` when NAME is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command = importlib.import_module(f"scaler.cli.{cmd_name}").command
        assert isinstance(command, click.Command)  # noqa: S101 - for the type checker
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="scale")
def cli() -> None:
    """When a deploy dies because its machine ran out of memory, scale proves that, gives the machine the memory it needs, and runs
    the deploy again.

    An instance is named ec2:i-0abc…, ec2:REGION/i-0abc…, local:NAME, or by a target's name in the policy file scale.yml.
    """


def main() -> None:
    """Run the command line; every user's problem ends in one message and the documented exit code, a bug in a traceback and 1."""
    fill_closed_streams()
    try:
        cli(prog_name="scale")
    except ScalerError as error:
        print_error(error)
        sys.exit(error.exit_code)


def print_error(error: ScalerError) -> None:
    """Write an error and its hint to stderr."""
    # A policy file's errors are lines of their own, so that editors can jump to file:line:column.
    say(str(error) if isinstance(error, PolicyError) else f"scale: {error}")
    if error.hint:
        say(f"       {error.hint}")
