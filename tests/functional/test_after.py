"""`scale after`: the same job from a failure hook, with nothing but an exit code and a log."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.functional.conftest import Cloud, Scale

REPORT = (
    "[ 1234.567890] Out of memory: Killed process 4242 (node) total-vm:1500000kB, anon-rss:900000kB, file-rss:0kB, shmem-rss:0kB, "
    "UID:0 pgtables:100kB oom_score_adj:0\n"
)
"""The kernel's line of its 5.x and 6.x versions, as ssh shows it in a deploy's output."""

PRINT = "import os; print(*(f'{k}={v}' for k, v in sorted(os.environ.items()) if k.startswith('SCALE_')))"


@pytest.fixture
def oom_log(cloudy: Scale) -> str:
    (cloudy.folder / "deploy.log").write_text(f"building\n{REPORT}make: *** [all] Error 1\n")
    return "deploy.log"


def after(cloudy: Scale, cloud: Cloud, code: int, log: str, *more: str, stdin: str = "") -> tuple[int, dict[str, object], str]:
    options = ("--instance", cloud.reference, "--format", "json")
    done = cloudy("after", "--exit-code", str(code), "--log", log, *options, *more, stdin=stdin)
    return done.code, done.json(), done.err


def test_a_kill_for_memory_in_the_log_makes_the_instance_grow(cloudy: Scale, cloud: Cloud, oom_log: str) -> None:
    code, report, said = after(cloudy, cloud, 1, oom_log)

    assert (code, report["schema"], report["outcome"]) == (0, "scale.guard/1", "done")
    assert set(report) >= {"schema", "attempts", "plan", "operation", "outcome"}
    assert cloud.look() == ("running", "t3.small")
    assert "scale:intent" not in cloud.tags()
    assert "the instance is ready: run the deploy again" in said


def test_another_cause_changes_nothing(cloudy: Scale, cloud: Cloud) -> None:
    code, report, said = after(cloudy, cloud, 1, "-", stdin="npm ERR! missing script: build\n")

    assert (code, report["outcome"], report["operation"]) == (3, "unchanged", None)
    assert cloud.look() == ("running", "t3.micro")
    assert "the instance was not changed" in said


def test_a_deploy_that_passed_needs_nothing_whatever_its_log_says(cloudy: Scale, cloud: Cloud, oom_log: str) -> None:
    code, report, said = after(cloudy, cloud, 0, oom_log)

    assert (code, report["plan"], said) == (0, None, "")
    assert cloud.look() == ("running", "t3.micro")


def test_the_log_can_come_through_standard_input(cloudy: Scale, cloud: Cloud) -> None:
    code, _, _ = after(cloudy, cloud, 137, "-", stdin=REPORT)

    assert (code, cloud.look()) == (0, ("running", "t3.small"))


def test_a_retry_ends_with_the_deploys_own_code(cloudy: Scale, cloud: Cloud, oom_log: str) -> None:
    options = ("--exit-code", "1", "--log", oom_log, "--instance", cloud.reference, "--retry")

    done = cloudy("after", *options, "--", sys.executable, "-c", f"{PRINT}; raise SystemExit(4)")

    assert done.code == 4
    assert done.out == "SCALE_ATTEMPT=2 SCALE_INSTANCE_TYPE=t3.small SCALE_MEMORY_BYTES=2147483648\n"


def test_a_dry_run_only_shows_the_plan(cloudy: Scale, cloud: Cloud, oom_log: str) -> None:
    code, report, said = after(cloudy, cloud, 1, oom_log, "--dry-run", "--report", "report.json")

    assert json.loads((cloudy.folder / "report.json").read_text()) == report
    assert (code, report["operation"], cloud.look()) == (3, None, ("running", "t3.micro"))
    assert "plan: resize t3.micro -> t3.small" in said


def test_a_command_without_retry_is_a_usage_error(cloudy: Scale, cloud: Cloud, oom_log: str) -> None:
    done = cloudy("after", "--exit-code", "1", "--log", oom_log, "--instance", cloud.reference, "--", "make")

    assert (done.code, cloud.look()) == (2, ("running", "t3.micro"))
    assert "--retry" in done.err


MEASURED = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
"""In a small process of its own: what is started from a large one counts as large as that from its first moment (exec_mmap of Linux)."""


def test_a_log_of_200_mb_is_read_in_little_memory(scale: Scale, tmp_path: Path) -> None:
    line = b"[12:00:00] compiling module after module, with nothing to say about it at all\n" * 1000
    with (tmp_path / "large.log").open("wb") as log:
        for _ in range(200_000_000 // len(line) // 2):
            log.write(line)
        log.write(REPORT.encode())
        for _ in range(200_000_000 // len(line) // 2):
            log.write(line)

    command = ["after", "--exit-code", "1", "--log", str(tmp_path / "large.log"), "--format", "json", "--report", "report.json"]
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, sys.executable, "-m", "scaler", *command],
        capture_output=True,
        text=True,
        cwd=scale.folder,
        env=scale.environment,
        check=True,
    )

    (attempt,) = json.loads((scale.folder / "report.json").read_text())["attempts"]
    assert attempt["diagnosis"]["cause"] == "instance_memory"
    assert int(done.stdout) < 150 * 1024
