"""Real builds under `scale guard`, each in a sandbox of its own that leaves nothing behind."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from scaler_providers.local import sandbox
from tests.functional.real.machine import HERE, build_environment, lacks, need, node_modules

CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Guarded:
    """A guarded deploy that ended."""

    code: int
    out: str
    err: str
    report: Mapping[str, Any]

    @property
    def attempts(self) -> list[Mapping[str, Any]]:
        return list(self.report["attempts"])

    @property
    def exit_codes(self) -> list[int]:
        return [attempt["exit_code"] for attempt in self.attempts]

    @property
    def diagnosis(self) -> Mapping[str, Any]:
        """Of the first attempt."""
        return dict(self.attempts[0]["diagnosis"])

    @property
    def killed(self) -> set[str]:
        return {one["name"] for one in self.diagnosis["killed"]}


@dataclass
class Guard:
    """Runs deploys under `scale guard`, for an instance that no other test and no other run has."""

    folder: Path
    instance: str
    environment: dict[str, str] = field(default_factory=dict)

    def __call__(self, *deploy: str, size: str = "256MiB", cwd: Path | None = None, **environment: str) -> Guarded:
        """Deploy to the instance, which first becomes this large."""
        report = self.folder / "report.json"
        if size != "256MiB":
            resized = self._scale("up", f"local:{self.instance}", "--to", size, "--yes")
            assert resized.returncode == 0, resized.stderr
        done = self._scale(
            "guard", "--instance", f"local:{self.instance}", "--report", str(report), "--", *deploy, cwd=cwd, **environment
        )
        return Guarded(done.returncode, done.stdout, done.stderr, json.loads(report.read_text()))

    def start(self, *deploy: str) -> subprocess.Popen[bytes]:
        """Deploy to the instance as it is, and do not wait."""
        return subprocess.Popen(
            [sys.executable, "-m", "scaler", "guard", "--instance", f"local:{self.instance}", "--", *deploy],
            stdin=subprocess.DEVNULL,
            cwd=self.folder,
            env=self.environment,
        )

    def _scale(self, *arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "scaler", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            cwd=cwd or self.folder,
            env={**self.environment, **environment},
            timeout=240,
            check=False,
        )

    def cgroups(self) -> list[Path]:
        """The instance's sandboxes that are still there."""
        return [path for path in CGROUPS.glob("**/scale-*") if self.instance in path.name]

    def processes(self) -> list[str]:
        """The command lines of processes that got this test's environment and still run."""
        mark = str(self.folder).encode()
        processes = [process for process in Path("/proc").glob("[0-9]*") if mark in _read(process / "environ")]
        return [_read(process / "cmdline").replace(b"\0", b" ").decode() for process in processes]


def _read(file: Path) -> bytes:
    """What it holds; nothing where its process has ended meanwhile."""
    try:
        return file.read_bytes()
    except OSError:
        return b""


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Guard]:
    """`scale guard` with a home of its own. At the end no sandbox and no process of it is left."""
    if os.geteuid() != 0 or sandbox.pick() == "address-space":
        lacks("root and a memory cgroup")
    out = tmp_path / "out"
    out.mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "BUILD_OUT": str(out),
    }
    guard = Guard(tmp_path, f"real{os.getpid()}_{tmp_path.name}"[:40], environment)

    yield guard

    assert guard.cgroups() == []
    assert guard.processes() == []


@pytest.fixture(scope="session")
def webpack() -> Path:
    """The folder of the npm packages that the webpack project needs."""
    return node_modules(HERE / "webpack")


@pytest.fixture(scope="session")
def rails() -> Path:
    """The folder of the npm packages that the Rails app needs; Rails itself is Debian's."""
    need("ruby", "rake", "puma", "curl")
    if subprocess.run(["ruby", "-e", "require 'rails'; require 'sassc-rails'"], capture_output=True, check=False).returncode:
        lacks("Debian's ruby-rails and ruby-sassc-rails")
    return node_modules(HERE / "rails")


@pytest.fixture(scope="session")
def build_python() -> Path:
    """A python with pip and what the C++ extension is built with."""
    return build_environment(HERE / "extension" / "requirements.txt")


@pytest.fixture
def extension(tmp_path: Path) -> Path:
    """The extension's sources, in a folder that the build may write to."""
    return Path(shutil.copytree(HERE / "extension", tmp_path / "extension"))
