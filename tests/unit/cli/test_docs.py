"""Every command and every option stands in the section of docs/commands.md that is about it."""

import re
from pathlib import Path

import click
import pytest

from scaler.cli.main import cli
from scaler.domain import errors

DOCS = Path(__file__).parents[3] / "docs"
COMMANDS = (DOCS / "commands.md").read_text(encoding="utf-8")
CONTEXT = click.Context(cli)


def section(name: str) -> str:
    """The text below the heading that names the command."""
    for part in re.split(r"^## ", COMMANDS, flags=re.MULTILINE)[1:]:
        heading = part.partition("\n")[0]
        if re.search(rf"\bscale {name}\b", heading):
            return part
    raise AssertionError(f"docs/commands.md has no section about scale {name}")


def commands() -> list[tuple[str, click.Command]]:
    found: list[tuple[str, click.Command]] = []
    for name in cli.list_commands(CONTEXT):
        command = cli.get_command(CONTEXT, name)
        assert command is not None
        found.append((name, command))
    return found


@pytest.mark.parametrize(("name", "command"), commands(), ids=lambda value: value if isinstance(value, str) else "")
def test_a_command_and_its_options_are_documented_where_one_looks_for_them(name: str, command: click.Command) -> None:
    text = section(name)
    parts = [command, *(command.commands.values() if isinstance(command, click.Group) else ())]
    for option in (option for part in parts for option in part.params if isinstance(option, click.Option)):
        assert f"`{option.opts[0]}" in text, f"{option.opts[0]} is not in the section about scale {name}"
        assert option.help, f"{option.opts[0]} of scale {name} has no help"
    for sub in parts[1:]:
        assert str(sub.name) in text


def test_a_command_without_a_section_is_found_out() -> None:
    with pytest.raises(AssertionError, match="scale fly"):
        section("fly")


def test_every_exit_code_an_error_ends_with_is_documented() -> None:
    codes = {
        value.exit_code for value in vars(errors).values() if isinstance(value, type) and issubclass(value, errors.ScalerError)
    }

    assert codes == {2, 3, 4, 5}
    assert all(f"| {code} | " in COMMANDS for code in codes)


def test_every_json_form_is_documented() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (DOCS.parent / "scaler").glob("**/*.py"))
    forms = set(re.findall(r'"(scale\.\w+/\d+)"', source))

    assert len(forms) >= 10
    assert sorted(form for form in forms if f"`{form}`" not in COMMANDS) == []
