"""What real builds need of this machine: programs, packages from the registries, and files that are already in memory."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def lacks(what: str) -> None:
    """Skip the test, saying why; where the machine was set up for these tests, fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"These tests need {what}, which .ci/run is to install.")
    pytest.skip(f"needs {what}")


def need(*programs: str) -> None:
    for program in programs:
        if shutil.which(program) is None:
            lacks(program)


def node_modules(project: Path) -> Path:
    """The npm packages that the project's lock file names."""
    need("node", "npm")

    def install(folder: Path) -> None:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(project / name, folder)
        run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=folder)

    return _cached("npm", [project / "package.json", project / "package-lock.json"], install) / "node_modules"


def build_environment(requirements: Path) -> Path:
    """The python of a virtual environment with these packages, and pip."""
    need("g++")

    def install(folder: Path) -> None:
        run(sys.executable, "-m", "venv", str(folder))
        run(str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--requirement", str(requirements), cwd=folder)

    return _cached("venv", [requirements], install) / "bin" / "python"


def warm(*files: Path) -> None:
    """Read files, so that the machine holds them and not the sandbox.

    On a machine that has run its tools before they are in the page cache. In a sandbox that reads them first they count against
    its limit, and near the limit version 1 evicts and rereads them for minutes (132,755 major faults) before it kills anybody.
    """
    for file in files:
        file.read_bytes()


def run(*command: str, cwd: Path | None = None) -> str:
    """What a command says; its failure, with what it said, is an error of the set-up."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def _cached(kind: str, keys: list[Path], install: Callable[[Path], None]) -> Path:
    """A folder kept between runs for as long as the files it is made from stay the same."""
    digest = hashlib.sha256(b"".join([sys.version.encode(), *(key.read_bytes() for key in keys)])).hexdigest()[:16]
    root = Path(os.environ.get("XDG_CACHE_HOME") or tempfile.gettempdir()) / "scale-real-builds"
    folder = root / f"{kind}-{digest}"
    done = root / f"{kind}-{digest}.done"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        install(folder)
        done.touch()
    return folder
