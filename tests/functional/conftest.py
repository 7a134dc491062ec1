"""The command line as a user meets it: in a process of its own, with a home of its own."""

import contextlib
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest

from scaler_providers.local import sandbox

DEPLOY = """\
import os, subprocess, sys
print("SCALE", *(f"{key}={value}" for key, value in sorted(os.environ.items()) if key.startswith("SCALE_")), flush=True)
build = "memory = bytearray(int(%r) << 20)\\nfor page in range(0, len(memory), 4096): memory[page] = 1\\nprint('built', flush=True)"
sys.exit(1 if subprocess.run([sys.executable, "-c", build % sys.argv[1]]).returncode else 0)
"""
"""A deploy whose child needs so many MiB; it hides the child's end behind a 1, as build tools do."""


@dataclass(frozen=True)
class Done:
    """A command that ended."""

    code: int
    out: str
    err: str

    def json(self) -> dict[str, Any]:
        """Stdout as JSON."""
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value


@dataclass
class Scale:
    """Runs `scale` with an environment of its own."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str, stdin: str = "", env: Mapping[str, str] = {}) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "scaler", *arguments],
            input=stdin.encode(),
            capture_output=True,
            cwd=self.folder,
            env={**self.environment, **env},
            timeout=120,
            check=False,
        )
        return Done(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Begin a command; its three streams are pipes."""
        command = [sys.executable, "-m", "scaler", *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, cwd=self.folder, env=self.environment)

    def policy(self, text: str) -> None:
        """Write the policy file."""
        (self.folder / "scale.yml").write_text(f"version: 1\n{text}")

    def elsewhere(self, folder: Path) -> "Scale":
        """The same user on another machine: nothing remembered, no policy file."""
        folder.mkdir()
        homes = {"HOME": str(folder), "XDG_STATE_HOME": str(folder / "state"), "XDG_CACHE_HOME": str(folder / "cache")}
        return Scale(folder, {**self.environment, **homes})

    def processes(self) -> list[str]:
        """What runs with this environment's home: whatever was started by commands and is not gone."""
        mark = f"HOME={self.environment['HOME']}".encode()
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            except OSError:
                continue
        return found


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


@pytest.fixture
def deploy(scale: Scale) -> Callable[[int], list[str]]:
    """The command line of a deploy that needs so many MiB."""
    (scale.folder / "deploy.py").write_text(DEPLOY)
    return lambda mib: [sys.executable, "deploy.py", str(mib)]


@pytest.fixture
def local() -> str:
    """The reference of a local instance nobody else uses; its deploys really run in a cgroup."""
    if sandbox.pick() == "address-space":
        pytest.skip("no memory cgroup can be made here: it takes root, or a delegated cgroup v2")
    return f"local:t{secrets.token_hex(4)}"


def cgroups(reference: str) -> list[Path]:
    """The sandboxes there are of a local instance."""
    return list(Path("/sys/fs/cgroup").glob(f"**/scale-{reference.partition(':')[2]}-*"))


def eventually(holds: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether it comes to hold within that time."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@dataclass(frozen=True)
class Cloud:
    """An emulated EC2 with one instance of the test's own, named web-1."""

    endpoint: str
    region: str
    instance: str
    ec2: Any
    """A boto3 client, to look from outside and to prepare."""

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

    def look(self) -> tuple[str, str]:
        """State and type, as EC2 has them."""
        value = self._describe()
        return value["State"]["Name"], value["InstanceType"]

    def tags(self) -> dict[str, str]:
        return {tag["Key"]: tag["Value"] for tag in self._describe()["Tags"]}

    def tag(self, key: str, value: str) -> None:
        self.ec2.create_tags(Resources=[self.instance], Tags=[{"Key": key, "Value": value}])

    def stop(self, type_name: str | None = None) -> None:
        """Stop it, and give it another type."""
        self.ec2.stop_instances(InstanceIds=[self.instance])
        if type_name:
            self.ec2.modify_instance_attribute(InstanceId=self.instance, InstanceType={"Value": type_name})

    def start(self) -> None:
        self.ec2.start_instances(InstanceIds=[self.instance])

    def _describe(self) -> dict[str, Any]:
        value: dict[str, Any] = self.ec2.describe_instances(InstanceIds=[self.instance])["Reservations"][0]["Instances"][0]
        return value


@pytest.fixture(scope="session")
def emulated() -> Iterator[Cloud]:
    """The emulated EC2 that all tests share, with an instance that none of them changes."""
    command: Sequence[str] = [sys.executable, "-m", "scaler_providers.ec2.emulator", "t3.micro", "first"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        value = json.loads(process.stdout.readline())
        ec2: Any = boto3.client(
            "ec2",
            region_name=value["region"],
            endpoint_url=value["endpoint"],
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - moto takes any
        )
        yield Cloud(value["endpoint"], value["region"], value["instance"], ec2)
        ec2.close()
        process.stdin.close()
        process.wait(10)


@pytest.fixture
def cloud(emulated: Cloud) -> Iterator[Cloud]:
    """An emulated EC2 with a running t3.micro of one's own."""
    with launched(emulated) as own:
        yield own


@pytest.fixture
def neighbour(emulated: Cloud) -> Iterator[Cloud]:
    """A second t3.micro beside the first."""
    with launched(emulated) as own:
        yield own


@contextlib.contextmanager
def launched(emulated: Cloud) -> Iterator[Cloud]:
    """An instance like the shared one, terminated in the end."""
    ec2 = emulated.ec2
    image = ec2.describe_instances(InstanceIds=[emulated.instance])["Reservations"][0]["Instances"][0]["ImageId"]
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web-1"}]}]
    made = ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, TagSpecifications=tags)
    own = Cloud(emulated.endpoint, emulated.region, made["Instances"][0]["InstanceId"], ec2)
    yield own
    ec2.terminate_instances(InstanceIds=[own.instance])


@pytest.fixture
def cloudy(scale: Scale, cloud: Cloud) -> Scale:
    """`scale` with credentials for the emulated EC2."""
    scale.environment.update(cloud.environment)
    return scale
