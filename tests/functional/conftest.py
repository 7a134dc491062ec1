"""The command line as a user meets it: in a process of its own, with a home of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Done:
    """A command that ended."""

    code: int
    out: str
    err: str

    def json(self) -> dict[str, object]:
        """Stdout as JSON."""
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value


@dataclass
class Scale:
    """Runs `scale` with an environment of its own."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str, stdin: str = "", env: Mapping[str, str] = {}) -> Done:  # noqa: B006 - not changed
        done = subprocess.run(
            [sys.executable, "-m", "scaler", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            cwd=self.folder,
            env={**self.environment, **env},
            timeout=120,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def scale(tmp_path: Path) -> Scale:
    """`scale` in an empty folder, with no cloud and no policy."""
    work = tmp_path / "work"
    work.mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return Scale(work, environment)


@dataclass(frozen=True)
class Cloud:
    """An emulated EC2 with one instance named web-1."""

    endpoint: str
    region: str
    instance: str

    @property
    def reference(self) -> str:
        return f"ec2:{self.region}/{self.instance}"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    """A fresh emulated EC2 with a running t3.micro."""
    command: Sequence[str] = [sys.executable, "-m", "scaler_providers.ec2.emulator", "t3.micro", "web-1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        value = json.loads(process.stdout.readline())
        yield Cloud(value["endpoint"], value["region"], value["instance"])
        process.stdin.close()
        process.wait(10)


@pytest.fixture
def cloudy(scale: Scale, cloud: Cloud) -> Scale:
    """`scale` with credentials for the emulated EC2."""
    scale.environment.update(cloud.environment)
    return scale
