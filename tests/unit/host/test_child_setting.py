"""What the deploy is given to run in, and what scale itself takes meanwhile."""

import subprocess
import sys
from pathlib import Path

import pytest

_BEGIN = """
import os, resource, sys
from scaler.domain.errors import NotDone
from scaler.host.child import run
from scaler.host.watch import Watcher

watcher = Watcher((b"illed",), lambda text: ["killed"])
"""


def ran(program: str, *arguments: str) -> tuple[str, str]:
    """What a program that calls `run` wrote to stdout and stderr."""
    command = [sys.executable, "-c", _BEGIN + program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, start_new_session=True)
    return done.stdout, done.stderr


def test_the_deploy_gets_the_environment_it_is_given_and_nothing_else() -> None:
    out, _ = ran("run(['/usr/bin/env'], env={'SCALE_ATTEMPT': '2', 'NAME': 'a b'}, watcher=watcher)")

    assert sorted(out.splitlines()) == ["NAME=a b", "SCALE_ATTEMPT=2"]


def test_a_command_is_looked_for_on_the_path_it_is_given(tmp_path: Path) -> None:
    deploy = tmp_path / "deploy-of-this-test"
    deploy.write_text("#!/bin/sh\necho found\n")
    deploy.chmod(0o755)

    out, _ = ran("run(['deploy-of-this-test'], env={'PATH': sys.argv[1]}, watcher=watcher)", str(tmp_path))

    assert out == "found\n"


def test_enter_is_called_in_the_deploys_own_process_before_its_command() -> None:
    program = """
def enter():
    os.write(1, b"entered %d\\n" % os.getpid())

run(["sh", "-c", "echo running $$"], env=os.environ, watcher=watcher, enter=enter)
os.write(1, b"scale %d\\n" % os.getpid())
"""
    out, _ = ran(program)

    entered, running, scale = (line.split() for line in out.splitlines())
    assert (entered[0], running[0], scale[0]) == ("entered", "running", "scale")
    assert entered[1] == running[1] != scale[1]


def test_a_deploy_that_cannot_enter_is_not_run(tmp_path: Path) -> None:
    program = """
def enter():
    raise PermissionError(13, "Permission denied")

try:
    run(["touch", sys.argv[1]], env=os.environ, watcher=watcher, enter=enter)
except NotDone:
    print("not done")
"""
    out, _ = ran(program, str(tmp_path / "ran"))

    assert out == "not done\n"
    assert not (tmp_path / "ran").exists()


def test_signal_handlers_descriptors_and_children_are_as_before_when_it_has_ended() -> None:
    program = """
import signal
def state():
    numbers = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
    wakeup = signal.set_wakeup_fd(-1)
    return [signal.getsignal(number) for number in numbers], wakeup, os.listdir("/proc/self/fd"), signal.getitimer(signal.ITIMER_REAL)

before = state()
run(["sh", "-c", "exit 3"], env=os.environ, watcher=watcher)
assert state() == before, (state(), before)
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("no child left")
"""
    assert ran(program)[0] == "no child left\n"


@pytest.mark.parametrize("shape", ["print('x' * 99)", "sys.stdout.write('x' * 100)", "sys.stderr.write('x' * 99 + chr(10))"])
def test_scale_takes_little_memory_however_much_the_deploy_writes(shape: str) -> None:
    program = f"""
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

run(["true"], env=os.environ, watcher=watcher)
before = peak()
out = os.open("/dev/null", os.O_WRONLY)
keep = os.dup(1)
os.dup2(out, 1), os.dup2(out, 2)
script = "import sys\\nfor _ in range(400_000): {shape}"
run([sys.executable, "-c", script], env=os.environ, watcher=watcher)
os.write(keep, b"%d" % (peak() - before))
"""
    grown_kib = int(ran(program)[0])

    assert grown_kib < 16 * 1024  # of 40 MB written
