"""The demo: every command in it is run as a user would run it, in a process of its own."""

import contextlib
import importlib.util
import json
import os
import select
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scaler.cli import wiring
from scaler.cli.talk import answer
from scaler.domain.errors import ScalerError, UsageError

_POLL_SECONDS = 0.2
_TYPE, _NAME = "t3.micro", "web-1"
_POLICY = """\
version: 1
targets:
  demo:
    instance: {reference}
    deploy: {deploy}
    rehearse: true          # run the deploy here, within the instance's memory
    on_oom: {{approval: auto, retries: 1}}
    limits: {{max_memory: 8GiB}}
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """The emulated cloud and a folder for everything the demo writes."""

    folder: Path
    reference: str
    environment: Mapping[str, str]
    interrupts: wiring.Interrupts


def run(*, keep: bool) -> int:
    """Play the demo; 0 where the deploy passed in the end."""
    _require("boto3", "moto")
    with wiring.noting_interrupts() as interrupts, _staged(interrupts) as stage:
        report = stage.folder / "report.json"
        _show(stage, ["status", "demo"])
        code = _show(stage, ["guard", "demo", "--report", str(report)])
        _show(stage, ["status", "demo"])
        _show(stage, ["history"])
        answer(f"\nThe deploy ended with {code}. The report: {_kept(report)}")
        if keep:
            _stay(stage)
    return code


def _require(*packages: str) -> None:
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        hint = "Install it with: uv tool install 'scale-up[demo]'  (or pipx install 'scale-up[demo]')"
        raise UsageError(f"The demo needs {' and '.join(missing)}, not installed here.", hint=hint)


@contextlib.contextmanager
def _staged(interrupts: wiring.Interrupts) -> Iterator[Stage]:
    with tempfile.TemporaryDirectory(prefix="scale-demo-") as name, _emulator() as cloud:
        folder = Path(name)
        reference = f"ec2:{cloud['region']}/{cloud['instance']}"
        build = _examples() / "asset-build" / "build.py"
        deploy = shlex.join([sys.executable, str(build), "--out", str(folder / "public")])
        policy = folder / "scale.yml"
        policy.write_text(_POLICY.format(reference=reference, deploy=json.dumps(deploy)), encoding="utf-8")
        yield Stage(folder, reference, _environment(cloud, folder, policy), interrupts)


def _environment(cloud: Mapping[str, str], folder: Path, policy: Path) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": cloud["endpoint"],
        "AWS_DEFAULT_REGION": cloud["region"],
        "AWS_ACCESS_KEY_ID": "demo",
        "AWS_SECRET_ACCESS_KEY": "demo",
        "SCALE_POLICY": str(policy),
        "XDG_STATE_HOME": str(folder / "state"),
        "XDG_CACHE_HOME": str(folder / "cache"),
    }


@contextlib.contextmanager
def _emulator() -> Iterator[Mapping[str, str]]:
    answer(f"Starting an emulated EC2 on this machine, with one {_TYPE} named {_NAME} ...")
    command = [sys.executable, "-m", "scaler_providers.ec2.emulator", _TYPE, _NAME]
    pipe = subprocess.PIPE
    # A session of its own: Ctrl-C at the terminal must not take the cloud away from under a command that is being ended.
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as process:
        assert process.stdin is not None  # noqa: S101 - for the type checker
        assert process.stdout is not None  # noqa: S101
        assert process.stderr is not None  # noqa: S101
        line = process.stdout.readline()
        if not line:
            raise ScalerError(f"The emulated EC2 did not start: {process.stderr.read().strip()[-500:]}")
        try:
            yield json.loads(line)
        finally:
            process.stdin.close()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()


def _examples() -> Path:
    """The examples: inside the package where it was installed, beside it in a checkout."""
    package = Path(__file__).parent.parent
    for folder in (package / "examples", package.parent / "examples"):
        if (folder / "asset-build" / "build.py").exists():
            return folder
    raise ScalerError("The demo's example was not installed with scale.")


def _show(stage: Stage, arguments: Sequence[str]) -> int:
    """Run one command to its end, which comes early where someone ends the demo."""
    answer(f"\n$ scale {shlex.join(arguments)}")
    process = subprocess.Popen([sys.executable, "-m", "scaler", *arguments], env={**os.environ, **stage.environment})
    is_told = False
    while process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_POLL_SECONDS)
        if stage.interrupts.signal is not None and not is_told:
            process.terminate()
            is_told = True
    if stage.interrupts.signal is not None:
        raise SystemExit(128 + stage.interrupts.signal)
    return process.returncode


def _kept(report: Path) -> str:
    """The report, moved out of the folder that goes away."""
    handle, name = tempfile.mkstemp(prefix="scale-demo-report-", suffix=".json")
    os.close(handle)
    shutil.copyfile(report, name)
    return name


def _stay(stage: Stage) -> None:
    answer("\nThe emulated cloud stays. In another terminal:\n")
    for name, value in stage.environment.items():
        answer(f"  export {name}={shlex.quote(value)}")
    answer("  scale up demo        # or: scale status, scale plan --all, scale down demo\n\nCtrl-C ends it.")
    while stage.interrupts.signal is None:
        is_ready, _, _ = select.select([] if sys.stdin.isatty() else [sys.stdin], [], [], _POLL_SECONDS)
        if is_ready and not os.read(sys.stdin.fileno(), 4096):
            return
