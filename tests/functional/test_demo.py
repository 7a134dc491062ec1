"""`scale demo`: the whole job, watched by someone who has just installed scale."""

import json
import shlex
import signal
from pathlib import Path

import pytest

from tests.functional.conftest import Scale, eventually

pytestmark = pytest.mark.slow


@pytest.fixture
def stage(scale: Scale, tmp_path: Path, local: str) -> Scale:
    """Everything the demo writes goes to a folder of the test's own."""
    (tmp_path / "tmp").mkdir()
    scale.environment["TMPDIR"] = str(tmp_path / "tmp")
    return scale


def left(stage: Scale) -> list[Path]:
    return sorted(Path(stage.environment["TMPDIR"]).iterdir())


def test_the_demo_passes_and_leaves_nothing_but_its_report(stage: Scale) -> None:
    done = stage("demo")

    assert done.code == 0
    (report,) = left(stage)
    assert f"The report: {report}" in done.out
    value = json.loads(report.read_text())
    assert (value["schema"], value["outcome"]) == ("scale.guard/1", "done")
    assert [attempt["exit_code"] for attempt in value["attempts"]] == [1, 0]
    assert (value["operation"]["from_type"], value["operation"]["to_type"]) == ("t3.micro", "t3.small")
    assert stage.processes() == []


def test_a_kept_demo_serves_until_its_input_ends(stage: Scale) -> None:
    with stage.start("demo", "--keep") as process:
        assert process.stdout is not None
        assert process.stdin is not None
        exported = {}
        for line in process.stdout:
            if line.startswith(b"  export "):
                name, _, value = line.decode().removeprefix("  export ").strip().partition("=")
                exported[name] = shlex.split(value)[0]
            if line.startswith(b"Ctrl-C"):
                break
        status = stage("status", "demo", "--format", "json", env=exported)
        process.stdin.close()
        process.wait(20)

    assert status.json()["type"] == "t3.small"
    assert process.returncode == 0
    assert [path.name.startswith("scale-demo-report-") for path in left(stage)] == [True]
    assert stage.processes() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_demo_that_is_ended_early_leaves_nothing_at_all(stage: Scale, number: signal.Signals) -> None:
    with stage.start("demo") as process:
        assert process.stdout is not None
        assert any(line.startswith(b"$ scale guard") for line in process.stdout)
        process.send_signal(number)
        process.communicate(timeout=20)

    assert process.returncode == 128 + number
    assert left(stage) == []
    assert eventually(lambda: not stage.processes())
