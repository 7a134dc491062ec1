"""`scale guard` on this machine's own sandboxes: real deploys, a real limit, the real kernel's kill."""

import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.functional.conftest import Scale, cgroups, eventually

Deploy = Callable[[int], list[str]]

CLOSED = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
}


def read(scale: Scale) -> dict[str, Any]:
    value = json.loads((scale.folder / "report.json").read_text())
    assert isinstance(value, dict)
    return value


def type_of(scale: Scale, reference: str) -> object:
    return scale("status", reference, "--format", "json").json()["type"]


def test_a_deploy_that_dies_for_memory_passes_on_the_grown_instance(scale: Scale, deploy: Deploy, local: str) -> None:
    done = scale("guard", "--instance", local, "--report", "report.json", "--", *deploy(300))

    assert done.code == 0
    assert done.out == (
        "SCALE SCALE_ATTEMPT=1\nSCALE SCALE_ATTEMPT=2 SCALE_INSTANCE_TYPE=512MiB SCALE_MEMORY_BYTES=536870912\nbuilt\n"
    )
    assert type_of(scale, local) == "512MiB"
    assert cgroups(local) == []


def test_the_report_holds_what_the_contract_names(scale: Scale, deploy: Deploy, local: str) -> None:
    scale("guard", "--instance", local, "--report", "report.json", "--", *deploy(300))

    report = read(scale)
    first, second = report["attempts"]
    assert (report["schema"], report["outcome"]) == ("scale.guard/1", "done")
    assert set(first) == {"exit_code", "seconds", "peak_bytes", "diagnosis"}
    assert (first["exit_code"], second["exit_code"], second["diagnosis"]) == (1, 0, None)
    assert first["peak_bytes"] >= 256 << 20
    assert 200 << 20 < second["peak_bytes"] < 400 << 20
    diagnosis = first["diagnosis"]
    assert set(diagnosis) == {"schema", "cause", "confidence", "reasons", "killed", "memory", "advice"}
    assert diagnosis["cause"] == "instance_memory"
    assert diagnosis["confidence"] >= 0.95
    assert diagnosis["reasons"][0]["source"] == "counters"
    assert set(report["plan"]) >= {"instance", "current", "chosen", "need", "offerings", "remedy", "steps", "usd_per_month_delta"}
    assert (report["plan"]["current"]["type"], report["plan"]["chosen"]["type"]) == ("256MiB", "512MiB")
    assert (report["operation"]["from_type"], report["operation"]["to_type"]) == ("256MiB", "512MiB")
    assert [step["step"] for step in report["operation"]["steps"]] == ["stop", "set_type", "start", "finish"]


def test_a_second_kill_grows_it_again_where_the_policy_has_attempts_left(scale: Scale, deploy: Deploy, local: str) -> None:
    scale.policy(f"on_oom: {{approval: auto, retries: 2}}\ntargets: {{production: {{instance: '{local}'}}}}\n")

    done = scale("guard", "production", "--report", "report.json", "--", *deploy(600))

    assert done.code == 0
    assert [attempt["exit_code"] for attempt in read(scale)["attempts"]] == [1, 1, 0]
    assert type_of(scale, local) == "1GiB"


def test_attempts_are_as_many_as_the_policy_says_and_then_that_is_said(scale: Scale, deploy: Deploy, local: str) -> None:
    scale.policy(f"on_oom: {{approval: auto, retries: 1}}\ntargets: {{production: {{instance: '{local}'}}}}\n")

    done = scale("guard", "production", "--", *deploy(600))

    assert done.code == 1
    assert done.out.count("SCALE_ATTEMPT") == 2
    assert "nothing is changed: the policy lets the deploy run again no more often than that (retries: 1)" in done.err
    assert type_of(scale, local) == "512MiB"


@pytest.mark.parametrize(("limit", "code"), [("max_memory: 256MiB", "max_memory"), ("max_growth: 1.5", "max_growth")])
def test_a_limit_refuses_the_growth_and_is_named(scale: Scale, deploy: Deploy, local: str, limit: str, code: str) -> None:
    scale.policy(f"on_oom: {{approval: auto}}\nlimits: {{{limit}}}\ntargets: {{production: {{instance: '{local}'}}}}\n")

    done = scale("guard", "production", "--report", "report.json", "--", *deploy(300))

    assert done.code == 1
    assert f"refused [{code}]: limits.{code} is " in done.err
    assert (read(scale)["outcome"], read(scale)["operation"]) == ("refused", None)
    assert type_of(scale, local) == "256MiB"


def test_growth_is_measured_against_the_memory_before_the_first_change(scale: Scale, deploy: Deploy, local: str) -> None:
    scale.policy(
        f"on_oom: {{approval: auto, retries: 2}}\nlimits: {{max_growth: 2}}\ntargets: {{production: {{instance: '{local}'}}}}\n"
    )

    done = scale("guard", "production", "--", *deploy(600))

    assert done.code == 1
    assert "limits.max_growth is 2; 1GiB has 4 times the memory" in done.err
    assert type_of(scale, local) == "512MiB"


def test_a_failure_of_another_kind_is_not_retried(scale: Scale, local: str) -> None:
    done = scale(
        "guard", "--instance", local, "--report", "report.json", "--", "sh", "-c", "echo ran; echo no such file >&2; exit 7"
    )

    assert (done.code, done.out) == (7, "ran\n")
    assert done.err.startswith("no such file\nscale: the deploy ended with 7\n")
    assert [attempt["diagnosis"]["cause"] for attempt in read(scale)["attempts"]] == ["other"]
    assert (read(scale)["outcome"], type_of(scale, local)) == ("unchanged", "256MiB")


def test_a_heap_limit_is_not_answered_with_a_larger_machine(scale: Scale, local: str) -> None:
    words = "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory"

    done = scale("guard", "--instance", local, "--report", "report.json", "--", "sh", "-c", f"echo '{words}' >&2; exit 134")

    assert done.code == 134
    assert read(scale)["attempts"][0]["diagnosis"]["cause"] == "heap_limit"
    assert "--max-old-space-size" in done.err
    assert type_of(scale, local) == "256MiB"


def test_a_deploy_that_dies_of_a_signal_ends_with_128_and_its_number(scale: Scale, local: str) -> None:
    assert scale("guard", "--instance", local, "--", "sh", "-c", "kill -SEGV $$").code == 128 + signal.SIGSEGV


def test_a_dry_run_shows_the_plan_and_changes_nothing(scale: Scale, deploy: Deploy, local: str) -> None:
    done = scale("guard", "--instance", local, "--dry-run", "--", *deploy(300))

    assert done.code == 1
    assert done.out == "SCALE SCALE_ATTEMPT=1\n"
    assert "plan: resize 256MiB -> 512MiB" in done.err
    assert "nothing is changed: this is a dry run" in done.err
    assert type_of(scale, local) == "256MiB"


@pytest.mark.parametrize(
    ("approval", "why"),
    [("never", "approval: never"), ("ask", "approval: ask"), (None, "approval: ask")],
)
def test_without_a_yes_the_plan_is_only_shown(scale: Scale, deploy: Deploy, local: str, approval: str | None, why: str) -> None:
    on_oom = f"on_oom: {{approval: {approval}}}\n" if approval else ""
    scale.policy(f"{on_oom}targets: {{production: {{instance: '{local}'}}}}\n")

    done = scale("guard", "production", "--", *deploy(300))

    assert done.code == 1
    assert "plan: resize 256MiB -> 512MiB" in done.err
    assert why in done.err
    assert type_of(scale, local) == "256MiB"


def test_yes_answers_where_the_policy_asks(scale: Scale, deploy: Deploy, local: str) -> None:
    scale.policy(f"targets: {{production: {{instance: '{local}'}}}}\n")

    assert scale("guard", "production", "--yes", "--", *deploy(300)).code == 0


def test_yes_does_not_outweigh_a_never(scale: Scale, deploy: Deploy, local: str) -> None:
    scale.policy(f"on_oom: {{approval: never}}\ntargets: {{production: {{instance: '{local}'}}}}\n")

    assert scale("guard", "production", "--yes", "--", *deploy(300)).code == 1
    assert type_of(scale, local) == "256MiB"


def test_the_policys_own_command_is_run(scale: Scale, deploy: Deploy, local: str) -> None:
    command = json.dumps(shlex.join(deploy(300)))
    scale.policy(f"on_oom: {{approval: auto}}\ntargets: {{production: {{instance: '{local}', deploy: {command}}}}}\n")

    done = scale("guard", "production")

    assert (done.code, done.out.count("built\n")) == (0, 1)


def test_output_passes_byte_for_byte_and_nothing_is_added_to_it(scale: Scale, local: str) -> None:
    out, err = bytes(range(256)) + b"\r\n\x1b[31mred\x1b[0m\r50%", b"\xff\xfe warning without an end"
    code = f"import os; os.write(1, {out!r}); os.write(2, {err!r})"

    with scale.start("guard", "--instance", local, "--", sys.executable, "-c", code) as process:
        seen = process.communicate(timeout=30)

    assert (process.returncode, seen) == (0, (out, err))


def test_standard_input_reaches_the_deploy(scale: Scale, local: str) -> None:
    assert scale("guard", "--instance", local, "--", "cat", stdin="yes\n").out == "yes\n"


def test_a_deploy_that_succeeds_makes_no_call_to_a_cloud(scale: Scale) -> None:
    scale.policy("on_oom: {approval: auto}\ntargets: {production: {instance: 'ec2:i-0123456789abcdef0'}}\n")

    done = scale("guard", "production", "--", "echo", "deployed", env=CLOSED)

    assert (done.code, done.out, done.err) == (0, "deployed\n", "")


def test_missing_credentials_leave_the_deploys_own_end(scale: Scale) -> None:
    scale.policy("on_oom: {approval: auto}\ntargets: {production: {instance: 'ec2:eu-west-1/i-0123456789abcdef0'}}\n")

    done = scale("guard", "production", "--report", "report.json", "--", "sh", "-c", "exit 9")

    assert done.code == 9
    assert "credentials" in done.err
    assert read(scale)["error"]["exit_code"] == 3


def test_without_an_instance_a_failure_is_only_diagnosed(scale: Scale) -> None:
    done = scale("guard", "--", "sh", "-c", "exit 3")

    assert done.code == 3
    assert "no instance is named" in done.err


SLEEPER = """
import subprocess, sys, time
subprocess.Popen(["sleep", "300"], start_new_session=True)
print("ready", flush=True)
time.sleep(300)
"""


def begin(scale: Scale, local: str) -> "subprocess.Popen[bytes]":
    process = scale.start("guard", "--instance", local, "--", sys.executable, "-c", SLEEPER)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    assert len(cgroups(local)) == 1
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_deploy_and_all_it_started(scale: Scale, local: str, number: signal.Signals) -> None:
    with begin(scale, local) as process:
        process.send_signal(number)
        process.communicate(timeout=20)

    assert process.returncode == 128 + number
    assert cgroups(local) == []
    assert scale.processes() == []


def test_killing_guard_itself_leaves_nothing_behind(scale: Scale, local: str) -> None:
    with begin(scale, local) as process:
        process.kill()
        process.communicate(timeout=20)

    assert eventually(lambda: not cgroups(local))
    assert eventually(lambda: not scale.processes())


def test_what_a_deploy_leaves_running_in_its_sandbox_is_ended_with_it(scale: Scale, local: str) -> None:
    done = scale("guard", "--instance", local, "--", "sh", "-c", "setsid sleep 300 >/dev/null 2>&1 </dev/null & exit 0")

    assert done.code == 0
    assert cgroups(local) == []
    assert scale.processes() == []


def test_past_deploys_are_in_the_history_and_on_the_instance(scale: Scale, deploy: Deploy, local: str) -> None:
    scale("guard", "--instance", local, "--", *deploy(300))

    history = scale("history", local, "--format", "json").json()
    status = scale("status", local, "--format", "json").json()
    assert [(one["exit_code"], one["cause"], one["type"]) for one in history["deploys"]] == [
        (0, None, "512MiB"),
        (1, "instance_memory", "256MiB"),
    ]
    assert [one["outcome"] for one in history["operations"]] == ["done"]
    assert [one["was_oom"] for one in status["peaks"]] == [False, True]
    assert "exit 1, instance_memory" in scale("history").out


def test_guard_goes_on_when_nobody_listens_to_it_any_more(scale: Scale, deploy: Deploy, local: str) -> None:
    with scale.start("guard", "--instance", local, "--report", "report.json", "--", *deploy(300)) as process:
        assert process.stderr is not None
        process.stderr.close()
        process.stderr = None
        process.communicate(timeout=30)

    assert process.returncode == 0
    assert read(scale)["outcome"] == "done"
