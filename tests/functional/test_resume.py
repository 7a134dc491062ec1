"""`scale resume`: a dead process's operation is finished from any machine, a live one's is left alone."""

import secrets
import signal
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scaler.domain.operation import Goal, Intent
from tests.functional.conftest import Cloud, Scale

UNHEALTHY = "health: [{tcp: '127.0.0.1:9', timeout: 1s}]\n"


def intent(goal: Goal = Goal.FORWARD, *, lease: timedelta = timedelta(seconds=-60)) -> Intent:
    """What a process that died two minutes ago left on the instance."""
    now = datetime.now(UTC)
    began = now - timedelta(minutes=2)
    return Intent(
        from_type="t3.micro",
        to_type="t3.small",
        fallbacks=(),
        goal=goal,
        was_running=True,
        owner="ci-7:4242",
        token=secrets.token_hex(4),
        lease_until=now + lease,
        started_at=began,
        deadline=began + timedelta(minutes=15),
    )


@pytest.mark.parametrize("type_name", ["t3.micro", "t3.small"])
def test_what_was_left_down_is_finished_and_runs(cloudy: Scale, cloud: Cloud, type_name: str) -> None:
    cloud.tag("scale:intent", intent().encode())
    cloud.stop(type_name)

    done = cloudy("resume", cloud.reference, "--format", "json")

    assert (done.code, done.json()["outcome"], done.json()["to_type"]) == (0, "done", "t3.small")
    assert cloud.look() == ("running", "t3.small")
    assert "scale:intent" not in cloud.tags()


def test_what_was_on_its_way_back_goes_back_and_runs(cloudy: Scale, cloud: Cloud) -> None:
    cloud.tag("scale:intent", intent(Goal.BACK).encode())
    cloud.stop("t3.small")

    done = cloudy("resume", f"ec2:{cloud.instance}", "--format", "json")

    assert (done.code, done.json()["outcome"]) == (4, "rolled_back")
    assert cloud.look() == ("running", "t3.micro")
    assert "scale:intent" not in cloud.tags()


def test_all_finds_every_instance_with_an_intent(cloudy: Scale, cloud: Cloud, neighbour: Cloud) -> None:
    for one in (cloud, neighbour):
        one.tag("scale:intent", intent().encode())
        one.stop()

    done = cloudy("resume", "--all")

    assert done.code == 0
    assert (cloud.look(), neighbour.look()) == (("running", "t3.small"), ("running", "t3.small"))
    assert all(one.reference in done.out for one in (cloud, neighbour))


def test_a_live_owner_is_left_alone(cloudy: Scale, cloud: Cloud) -> None:
    held = intent(lease=timedelta(seconds=60)).encode()
    cloud.tag("scale:intent", held)
    cloud.stop()

    resumed, raised = cloudy("resume", cloud.reference), cloudy("up", cloud.reference, "--yes")

    assert (resumed.code, raised.code) == (3, 3)
    assert "ci-7:4242 is changing web-1" in resumed.err
    assert (cloud.look(), cloud.tags()["scale:intent"]) == (("stopped", "t3.micro"), held)


def test_without_an_intent_there_is_nothing_to_do(cloudy: Scale, cloud: Cloud) -> None:
    done = cloudy("resume", cloud.reference)

    assert (done.code, done.out) == (0, "")
    assert "web-1 carries no intent; it is running, t3.micro" in done.err


def test_all_says_so_where_nothing_was_left_unfinished(scale: Scale) -> None:
    done = scale("resume", "--all")

    assert (done.code, done.out) == (0, "")
    assert "no instance carries an intent" in done.err


def test_an_intent_of_a_later_version_is_left_as_it_is(cloudy: Scale, cloud: Cloud) -> None:
    cloud.tag("scale:intent", "v9 sideways")

    done = cloudy("resume", cloud.reference)

    assert (done.code, cloud.tags()["scale:intent"]) == (3, "v9 sideways")
    assert "later version" in done.err


def begin(cloudy: Scale, cloud: Cloud) -> "subprocess.Popen[bytes]":
    """An operation that waits for a health check which never passes."""
    cloudy.policy(f"{UNHEALTHY}targets: {{web: {{instance: '{cloud.reference}'}}}}\n")
    process = cloudy.start("up", "web", "--to", "t3.small", "--yes")
    assert process.stderr is not None
    assert any(b"health check" in line for line in process.stderr)
    return process


def test_an_operation_whose_process_is_killed_is_finished_from_another_machine(cloudy: Scale, cloud: Cloud, tmp_path: Path) -> None:
    with begin(cloudy, cloud) as process:
        process.kill()
        process.communicate(timeout=20)
    elsewhere = cloudy.elsewhere(tmp_path / "elsewhere")
    left = Intent.decode(cloud.tags()["scale:intent"])
    assert left is not None

    at_once = elsewhere("resume", cloud.reference)
    cloud.tag("scale:intent", replace(left, lease_until=datetime.now(UTC) - timedelta(seconds=1)).encode())  # as 15 s later
    later = elsewhere("resume", cloud.reference)

    assert at_once.code == 3
    assert later.code == 0
    assert cloud.look() == ("running", "t3.small")
    assert "scale:intent" not in cloud.tags()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_operation_says_how_to_go_on_and_that_works_at_once(
    cloudy: Scale, cloud: Cloud, tmp_path: Path, number: signal.Signals
) -> None:
    with begin(cloudy, cloud) as process:
        process.send_signal(number)
        out, _ = process.communicate(timeout=20)

    assert process.returncode == 5
    assert f"scale resume {cloud.reference}" in out.decode()
    assert cloudy.elsewhere(tmp_path / "elsewhere")("resume", cloud.reference).code == 0
    assert cloud.look() == ("running", "t3.small")


def test_status_shows_an_operation_under_way(cloudy: Scale, cloud: Cloud) -> None:
    cloud.tag("scale:intent", intent(lease=timedelta(seconds=60)).encode())

    status = cloudy("status", cloud.reference, "--format", "json").json()

    assert (status["operation"]["owner"], status["operation"]["to_type"]) == ("ci-7:4242", "t3.small")
    assert "being changed from t3.micro to t3.small (forward) by ci-7:4242" in cloudy("status", cloud.reference).out


def test_a_local_instance_is_resumed_too(scale: Scale, local: str) -> None:
    scale.policy(f"{UNHEALTHY}targets: {{here: {{instance: '{local}'}}}}\n")
    with scale.start("up", "here", "--yes") as process:
        assert process.stderr is not None
        assert any(b"health check" in line for line in process.stderr)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    (scale.folder / "scale.yml").unlink()

    assert process.returncode == 5
    assert scale("resume", "--all").code == 0
    assert scale("status", local, "--format", "json").json()["type"] == "512MiB"
