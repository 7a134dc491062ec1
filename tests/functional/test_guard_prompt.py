"""Guard's own question at the terminal: an answer is obeyed, and whoever ends scale there ends it with nothing changed."""

import os
import pty
import select
import subprocess
import sys
import time

import pytest

from tests.functional.conftest import Scale

DEPLOY = "b = [bytearray(b'x') * (1 << 20) for _ in range(400)]"
QUESTION = b"[y/N]"


def asked(scale: Scale, answer: bytes) -> tuple[int, bytes]:
    """Guard a deploy that dies, on a terminal, and type an answer to the question; the exit code and all that was on the screen."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "scaler", "guard", "production", "--", sys.executable, "-c", DEPLOY]
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=scale.folder, env=scale.environment, start_new_session=True
    ) as process:
        os.close(theirs)
        screen, until, is_typed = b"", time.monotonic() + 30, False
        while select.select([ours], [], [], max(until - time.monotonic(), 0))[0]:
            try:
                shown = os.read(ours, 65536)
            except OSError:
                break
            screen += shown
            if QUESTION in screen and not is_typed:
                if answer == b"\x03":
                    process.send_signal(2)
                else:
                    os.write(ours, answer)
                is_typed = True
        if process.poll() is None and time.monotonic() >= until:
            process.kill()
        os.close(ours)
        return process.wait(20), screen


@pytest.fixture
def guarded(scale: Scale, local: str) -> Scale:
    scale.policy(f"on_oom: {{approval: ask}}\ntargets: {{production: {{instance: '{local}'}}}}\n")
    return scale


def kind(scale: Scale, local: str) -> object:
    return scale("status", local, "--format", "json").json()["type"]


def test_a_yes_grows_the_instance_and_the_deploy_runs_again(guarded: Scale, local: str) -> None:
    code, screen = asked(guarded, b"y\n")

    assert (code, kind(guarded, local)) == (0, "512MiB"), screen.decode(errors="replace")


def test_a_no_changes_nothing(guarded: Scale, local: str) -> None:
    code, screen = asked(guarded, b"n\n")

    assert (code, kind(guarded, local)) == (137, "256MiB"), screen.decode(errors="replace")


def test_ending_scale_at_the_question_changes_nothing_and_ends_it(guarded: Scale, local: str) -> None:
    code, screen = asked(guarded, b"\x03")

    assert (code, kind(guarded, local)) == (137, "256MiB"), screen.decode(errors="replace")
    assert guarded("status", local, "--format", "json").json()["operation"] is None
