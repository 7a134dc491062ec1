"""`scale policy` on the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result

from scaler.cli.policy import command
from scaler.domain.errors import PolicyError, Refused, UsageError
from scaler.policyfile import example, load

TWO = "version: 1\ntargets:\n  production: {instance: local:web}\n  staging: {instance: local:db}\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SCALE_POLICY", raising=False)
    monkeypatch.delenv("SCALE_FORMAT", raising=False)
    return tmp_path


def run(*args: str) -> Result:
    return CliRunner().invoke(command, args)


def test_check_names_the_targets_of_a_valid_file(here: Path) -> None:
    (here / "my.yml").write_text(TWO)

    result = run("check", "my.yml")

    assert (result.exit_code, result.stdout) == (0, "my.yml is valid: 2 targets (production, staging).\n")


def test_check_finds_the_file_upwards(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "scale.yml").write_text("version: 1\ntargets: {web: {instance: local:web}}")
    (here / "app").mkdir()
    monkeypatch.chdir(here / "app")

    assert run("check").stdout == f"{here}/scale.yml is valid: 1 target (web).\n"


def test_check_takes_the_file_from_the_environment_unless_one_is_named(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "scale.yml").write_text(TWO)
    (here / "other.yml").write_text("version: 1")
    monkeypatch.setenv("SCALE_POLICY", "other.yml")

    assert run("check").stdout == "other.yml is valid: no targets.\n"
    assert run("check", "scale.yml").stdout.startswith("scale.yml is valid: 2 targets")


def test_check_raises_all_errors_of_a_bad_file(here: Path) -> None:
    (here / "scale.yml").write_text("version: 2\nx: 1\n")

    error = run("check", "scale.yml").exception

    assert isinstance(error, PolicyError)
    assert error.exit_code == 2
    assert len(str(error).splitlines()) == 2


@pytest.mark.parametrize("name", ["check", "show"])
def test_without_any_file_the_way_to_begin_one_is_named(here: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr("scaler.cli.policyfiles.find", lambda _: None)

    error = run(name).exception

    assert isinstance(error, UsageError)
    assert (error.exit_code, "scale policy init" in error.hint) == (2, True)


def test_show_writes_what_holds_as_text_and_as_json(here: Path) -> None:
    (here / "scale.yml").write_text(TWO)

    text, data = run("show", "scale.yml").stdout, json.loads(run("show", "scale.yml", "--format", "json").stdout)

    assert text.startswith("schema: scale.policy/1\npath: scale.yml\n")
    assert "      approval: ask\n" in text
    assert next(iter(data)) == "schema"
    assert data["targets"]["staging"]["on_oom"] == {"remedies": ["resize"], "approval": "ask", "retries": 1}


def test_schema_prints_the_json_schema(here: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(run("schema").stdout))


def test_init_writes_the_example_which_is_valid(here: Path) -> None:
    result = run("init")

    assert result.stdout == "Wrote scale.yml. Name your instance in it, then run: scale policy check scale.yml\n"
    assert (here / "scale.yml").read_text() == example()
    assert list(load(here / "scale.yml").targets) == ["production"]


def test_init_never_overwrites_a_file(here: Path) -> None:
    (here / "scale.yml").write_text("mine")

    error = run("init").exception

    assert isinstance(error, Refused)
    assert (error.exit_code, str(error)) == (3, "scale.yml exists; it was not changed.")
    assert "scale policy init FILE" in error.hint
    assert (here / "scale.yml").read_text() == "mine"


def test_init_says_why_a_file_cannot_be_written(here: Path) -> None:
    error = run("init", "no/such/folder/scale.yml").exception

    assert isinstance(error, Refused)
    assert str(error) == "no/such/folder/scale.yml cannot be written: No such file or directory."


@pytest.mark.parametrize("args", [["--help"], ["check", "--help"]])
def test_help_loads_neither_pydantic_nor_yaml(args: list[str]) -> None:
    code = (
        "import sys\nfrom scaler.cli.policy import command\n"
        f"command({args!r}, standalone_mode=False)\n"
        "print(sorted({'pydantic', 'yaml'} & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "80"}
    )

    assert done.stdout.splitlines()[-1] == "[]"
