"""Small programs for sandboxes, and ways to run them and to watch processes."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from scaler.ports import Sandbox

MIB = 1 << 20
REPOSITORY = Path(__file__).parents[3]

EAT_200_MIB = "x = bytearray(200 << 20)"
HOLD_40_MIB = "import time; x = bytearray(40 << 20); time.sleep(0.4)"
DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.environ.clear()
        print(os.getpid(), flush=True)
        os.closerange(0, 3)
        time.sleep(600)
    os._exit(0)
os.wait()
"""
"""Forks twice into a session of its own, and says its pid."""

OWNER = """
import subprocess, time
from scaler_providers.local.{module} import {maker}
with {maker}({arguments}) as sandbox:
    child = subprocess.Popen(["sleep", "600"], preexec_fn=sandbox.enter)
    print(child.pid, getattr(sandbox, "path", ""), flush=True)
    time.sleep(600)
"""
"""Makes a sandbox, puts a process inside, says its pid and the cgroup, and waits to be killed."""


def run_inside(sandbox: Sandbox, code: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", code], preexec_fn=sandbox.enter, text=True, capture_output=True, check=False)


def start_owner(module: str, maker: str, arguments: str) -> "subprocess.Popen[str]":
    code = OWNER.format(module=module, maker=maker, arguments=arguments)
    return subprocess.Popen([sys.executable, "-c", code], env=environment(), stdout=subprocess.PIPE, text=True)


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'providers'}"}


def lives(pid: int) -> bool:
    """Whether the process is there and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(is_true: Callable[[], bool], seconds: float = 10) -> bool:
    until = time.monotonic() + seconds
    while not is_true() and time.monotonic() < until:
        time.sleep(0.01)
    return is_true()
