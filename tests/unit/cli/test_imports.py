"""`scale --help` stays fast because it loads nothing it does not need."""

import json
import subprocess
import sys

import pytest

HEAVY = {"boto3", "botocore", "google", "rich", "pydantic", "yaml", "tenacity", "ahocorasick_rs", "sqlite3", "moto", "ssl", "http"}
LIST_MODULES = """
import json, sys
from click.testing import CliRunner
from scaler.cli.main import cli
result = CliRunner().invoke(cli, {arguments!r})
assert result.exit_code == 0, result.output
print(json.dumps(sorted(sys.modules)))
"""


def loaded_by(*arguments: str) -> set[str]:
    code = LIST_MODULES.format(arguments=list(arguments))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def roots(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


def test_help_loads_no_sdk_and_no_rich_or_pydantic() -> None:
    loaded = loaded_by("--help")

    assert not roots(loaded) & HEAVY
    assert {name for name in loaded if name.startswith("scaler")} == {
        "scaler",
        "scaler.cli",
        "scaler.cli.main",
        "scaler.cli.talk",
        "scaler.domain",
        "scaler.domain.errors",
    }


@pytest.mark.parametrize(
    "command", ["guard", "after", "up", "down", "plan", "diagnose", "resume", "status", "history", "demo", "policy"]
)
def test_a_commands_help_loads_no_sdk_either(command: str) -> None:
    assert not roots(loaded_by(command, "--help")) & HEAVY


def test_the_heavy_modules_are_really_seen_where_they_are_loaded() -> None:
    assert "pydantic" in roots(loaded_by("policy", "schema"))
