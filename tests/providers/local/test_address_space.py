"""The limit for users who may not make cgroups. It is the same for root, who can try it everywhere."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scaler_providers.local.address_space import AddressSpaceSandbox
from tests.providers.local.programs import DAEMON, EAT_200_MIB, MIB, environment, lives, run_inside, start_owner, wait_until

NOBODY = 65534
AS_NOBODY = """
import json, resource, subprocess, sys
from scaler.domain.errors import Refused
from scaler_providers.local.sandbox import open_sandbox, pick
with open_sandbox("web", 128 << 20) as box:
    ended = subprocess.run([sys.executable, "-c", "x = bytearray(200 << 20)"], preexec_fn=box.enter, capture_output=True, text=True)
resource.setrlimit(resource.RLIMIT_AS, (100 << 20, 100 << 20))
try:
    with open_sandbox("web", 128 << 20):
        refused = ""
except Refused as error:
    refused = str(error)
print(json.dumps({"pick": pick(), "kind": box.kind, "refused": "MemoryError" in ended.stderr, "low": refused}))
"""


def test_an_allocation_beyond_the_limit_is_refused_and_nobody_is_killed() -> None:
    with AddressSpaceSandbox(128 * MIB) as sandbox:
        ended = run_inside(sandbox, EAT_200_MIB)

        assert ended.returncode == 1
        assert "MemoryError" in ended.stderr
        assert sandbox.counters().oom_kills == 0


def test_an_allocation_within_the_limit_succeeds() -> None:
    with AddressSpaceSandbox(512 * MIB) as sandbox:
        assert run_inside(sandbox, EAT_200_MIB).returncode == 0


def test_it_says_how_it_differs() -> None:
    sandbox = AddressSpaceSandbox(128 * MIB)

    assert (sandbox.kind, sandbox.cgroup) == ("address-space", None)
    assert "refused" in sandbox.notice
    assert "each process" in sandbox.notice


def test_the_peak_is_that_of_all_processes_together() -> None:
    hold = "x = bytearray(40 << 20); print(1, flush=True); input()"
    with AddressSpaceSandbox(512 * MIB) as sandbox:
        children = [_piped(hold, sandbox) for _ in range(2)]
        for child in children:
            assert child.stdout is not None
            child.stdout.readline()
        peak = sandbox.counters().peak_bytes or 0
        for child in children:
            child.communicate("\n")

    assert 80 * MIB <= peak <= 120 * MIB


def test_a_daemon_left_behind_is_ended_and_others_are_not() -> None:
    with subprocess.Popen(["sleep", "600"]) as outside:
        with AddressSpaceSandbox(512 * MIB) as sandbox:
            pid = int(run_inside(sandbox, DAEMON).stdout)
            assert lives(pid)

        assert not lives(pid)
        assert lives(outside.pid)
        outside.kill()


def test_two_of_the_same_size_do_not_end_each_others_processes() -> None:
    with AddressSpaceSandbox(512 * MIB) as first:
        pid = int(run_inside(first, DAEMON).stdout)
        with AddressSpaceSandbox(512 * MIB) as second:
            run_inside(second, "pass")

        assert lives(pid)


def test_the_death_of_the_owner_ends_everything() -> None:
    with start_owner("address_space", "AddressSpaceSandbox", "512 << 20") as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        assert lives(pid)

        owner.send_signal(signal.SIGKILL)
        owner.wait()

    assert wait_until(lambda: not lives(pid))


def test_a_user_without_rights_gets_it_and_a_session_limited_further_is_refused() -> None:
    python = _python_for_nobody()

    ended = subprocess.run(
        [python, "-c", AS_NOBODY],
        env=environment(),
        cwd="/",
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    seen = json.loads(ended.stdout)
    assert (seen["pick"], seen["kind"], seen["refused"]) == ("address-space", "address-space", True)
    assert "already limited to 100 MiB" in seen["low"]


def _python_for_nobody() -> str:
    if os.geteuid() != 0:
        pytest.skip("needs root, to become a user without rights")
    for python in (sys.executable, shutil.which("python3", path="/usr/bin")):
        probe = "import sys; sys.path[:0] = sys.argv[1:]; import scaler.ports; assert sys.version_info >= (3, 11)"
        command = [str(python), "-c", probe, str(Path(__file__).parents[3])]
        try:
            subprocess.run(command, cwd="/", user=NOBODY, group=NOBODY, extra_groups=[], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return str(python)
    pytest.skip("no Python 3.11 here that every user may run")


def _piped(code: str, sandbox: AddressSpaceSandbox) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", code]
    return subprocess.Popen(command, preexec_fn=sandbox.enter, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: PLW1509 - as deploys are started
