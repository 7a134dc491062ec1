"""The import contracts: each is seen to fail when it is broken."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in ("scaler", "providers"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(folder: Path) -> str:
    path = f"{folder}:{folder / 'providers'}"
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", code, "--no-cache"]
    done = subprocess.run(
        command, cwd=folder, env={"PYTHONPATH": path, "PATH": "/usr/bin"}, capture_output=True, text=True, check=False
    )
    return f"{done.returncode}\n{done.stdout}{done.stderr}"


def test_the_contracts_hold(copy: Path) -> None:
    assert lint(copy).startswith("0\n")


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("scaler/domain/units.py", "import scaler.engine.calls", "the layers of scaler"),
        ("scaler/engine/calls.py", "import scaler.render.json", "the layers of scaler"),
        ("scaler/engine/calls.py", "import boto3", "the core knows no adapter and no cloud SDK"),
        ("scaler/cli/wiring.py", "import scaler_providers.local", "the core knows no adapter and no cloud SDK"),
        ("providers/scaler_providers/ec2/provider.py", "import scaler.engine.calls", "adapters know only the domain and the ports"),
        ("providers/scaler_providers/ec2/provider.py", "import scaler_providers.local", "adapters are independent of each other"),
    ],
)
def test_a_contract_fails_when_it_is_broken(copy: Path, file: str, line: str, contract: str) -> None:
    with (copy / file).open("a", encoding="utf-8") as stream:
        stream.write(f"\n{line}\n")

    report = lint(copy)

    assert report.startswith("1\n")
    assert f"{contract} BROKEN" in report


def test_a_new_room_in_scaler_must_be_given_its_layer(copy: Path) -> None:
    (copy / "scaler" / "shed").mkdir()
    (copy / "scaler" / "shed" / "__init__.py").write_text("", encoding="utf-8")

    report = lint(copy)

    assert report.startswith("1\n")
    assert "scaler.shed" in report
