"""Every command and every option stands in docs/commands.md."""

from pathlib import Path

import click
import pytest

from scaler.cli.main import cli
from scaler.domain import errors

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8") + (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
CONTEXT = click.Context(cli)


def commands() -> list[tuple[str, click.Command]]:
    found: list[tuple[str, click.Command]] = []
    for name in cli.list_commands(CONTEXT):
        command = cli.get_command(CONTEXT, name)
        assert command is not None
        found.append((name, command))
        if isinstance(command, click.Group):
            found += [(f"{name} {sub}", each) for sub, each in command.commands.items()]
    return found


@pytest.mark.parametrize(("name", "command"), commands(), ids=lambda value: value if isinstance(value, str) else "")
def test_a_command_and_its_options_are_documented(name: str, command: click.Command) -> None:
    assert name.rsplit(maxsplit=1)[-1] in DOCUMENT
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.opts[0] in DOCUMENT, f"{option.opts[0]} of scale {name} is not in docs/commands.md"
        assert not isinstance(option, click.Option) or option.help, f"{option.name} of scale {name} has no help"


def test_every_exit_code_an_error_ends_with_is_documented() -> None:
    codes = {
        value.exit_code for value in vars(errors).values() if isinstance(value, type) and issubclass(value, errors.ScalerError)
    }

    assert codes == {2, 3, 4, 5}
    assert all(f"| {code} | " in DOCUMENT for code in codes)
