"""What the README shows is tried: its policy is valid, its commands and options exist, its links lead somewhere."""

import re
import shlex
from pathlib import Path

import click
import pytest

from scaler.cli.main import cli
from scaler.policyfile import load

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "docs/commands.md", "docs/policy.md", "docs/diagnosis.md")]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_policy_in_the_readme_is_valid(tmp_path: Path) -> None:
    blocks = [block for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if block.startswith("version:")]
    assert len(blocks) == 1
    path = tmp_path / "scale.yml"
    path.write_text(blocks[0], encoding="utf-8")

    assert list(load(path).targets) == ["production"]


def shown_commands() -> list[str]:
    lines = re.findall(r"^(?:    |\$ |- run: )(scale [^\n#]*)", README, re.MULTILINE)
    return sorted({line.strip() for line in lines})


@pytest.mark.parametrize("line", shown_commands())
def test_a_command_in_the_readme_can_be_typed(line: str) -> None:
    words = shlex.split(line.split("&&", maxsplit=1)[0])[1:]
    context = click.Context(cli)
    command = cli.get_command(context, words[0])
    assert command is not None, line
    options = {name for option in command.params for name in option.opts}
    used = words[1 : words.index("--")] if "--" in words else words[1:]

    assert {word for word in used if word.startswith("--")} <= options


def test_the_readme_shows_commands() -> None:
    assert len(shown_commands()) >= 8


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files_that_are_there(document: Path) -> None:
    for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text(encoding="utf-8")):
        assert (document.parent / link).exists(), link


def test_the_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^    make (\w+)$", README, re.MULTILINE)

    assert targets == ["demo", "test"]
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
