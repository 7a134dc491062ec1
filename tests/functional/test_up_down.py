"""`scale up`, `down`, `plan`, `status` and `history` on an emulated EC2 and on this machine."""

import shlex
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from scaler.domain.peaks import Peak, encode
from scaler.domain.units import GIB
from tests.functional.conftest import Cloud, Scale

PLAN = {
    "schema",
    "instance",
    "current",
    "chosen",
    "need",
    "offerings",
    "remedy",
    "steps",
    "usd_per_month_delta",
    "downtime_seconds_expected",
}
OPERATION = {"schema", "instance", "outcome", "from_type", "to_type", "started_at", "downtime_seconds", "steps", "hint"}


def test_up_takes_the_next_type_and_says_what_changed(cloudy: Scale, cloud: Cloud) -> None:
    done = cloudy("up", cloud.reference, "--yes")

    assert done.code == 0
    assert cloud.look() == ("running", "t3.small")
    assert "scale:intent" not in cloud.tags()
    assert f"{cloud.reference} is now t3.small (was t3.micro)" in done.out
    assert "scale: web-1: changing the type" in done.err

    history = cloudy("history", cloud.reference, "--format", "json").json()
    status = cloudy("status", f"ec2:{cloud.instance}", "--format", "json").json()
    assert history["schema"] == "scale.history/1"
    assert [(one["from_type"], one["to_type"]) for one in history["operations"]] == [("t3.micro", "t3.small")]
    assert (status["schema"], status["state"], status["type"], status["operation"]) == (
        "scale.status/1",
        "running",
        "t3.small",
        None,
    )


def test_down_takes_the_next_type_down(scale: Scale, local: str) -> None:
    scale("up", local, "--to", "2GiB", "--yes")

    assert scale("down", local, "--yes").code == 0
    assert scale("status", local, "--format", "json").json()["type"] == "1GiB"


def test_down_to_a_named_type_is_held_to_what_deploys_needed(scale: Scale, local: str, deploy: Callable[[int], list[str]]) -> None:
    scale("guard", "--instance", local, "--", *deploy(300))

    done = scale("down", local, "--to", "256MiB", "--yes")

    assert (done.code, scale("status", local, "--format", "json").json()["type"]) == (3, "512MiB")
    assert "refused [below_need]: past deploys needed more than the 256 MiB of 256MiB" in done.out


def test_the_operation_as_json_is_alone_on_stdout(cloudy: Scale, cloud: Cloud) -> None:
    done = cloudy("up", cloud.reference, "--to", "t3.medium", "--yes", "--format", "json")

    operation = done.json()
    assert set(operation) >= OPERATION
    assert (done.code, operation["schema"], operation["outcome"]) == (0, "scale.operation/1", "done")
    assert (operation["instance"], operation["from_type"], operation["to_type"]) == (cloud.reference, "t3.micro", "t3.medium")
    assert [set(step) for step in operation["steps"]] == [{"step", "at", "why"}] * 4


@pytest.mark.parametrize(
    ("amount", "kind"),
    [("2g", "2GiB"), ("2GB", "2GiB"), ("2048MiB", "2GiB"), ("2049MiB", "4GiB"), ("1.1 GB", "2GiB"), ("500000000", "512MiB")],
)
def test_memory_is_read_as_people_write_it(scale: Scale, amount: str, kind: str) -> None:
    assert scale("plan", "local:x", "--memory", amount, "--format", "json").json()["chosen"]["type"] == kind


def test_a_dry_run_is_the_plan_and_changes_nothing(cloudy: Scale, cloud: Cloud) -> None:
    dry, plan = (cloudy(*command, cloud.reference, "--format", "json") for command in (["up", "--dry-run"], ["plan"]))

    assert dry == plan
    assert set(plan.json()) >= PLAN
    assert (plan.code, plan.json()["schema"], plan.json()["remedy"]) == (0, "scale.plan/1", "resize")
    assert set(plan.json()["offerings"][0]) == {
        "type",
        "memory_mib",
        "vcpus",
        "architecture",
        "usd_per_hour",
        "fits",
        "refused",
        "warnings",
    }
    assert set(plan.json()["need"]) == {"schema", "lower_bytes", "target_bytes", "upper_bytes", "parts", "confidence"}
    assert cloud.look() == ("running", "t3.micro")


def test_plan_all_says_of_each_type_why_not(scale: Scale, local: str) -> None:
    scale("up", local, "--to", "1GiB", "--yes")

    assert "512 MiB is less than the 1 GiB needed" in scale("plan", local, "--all").out


def test_without_terminal_and_yes_nothing_is_changed(scale: Scale, local: str) -> None:
    done = scale("up", local, "--format", "json")

    assert (done.code, done.json()["outcome"]) == (3, "refused")
    assert "--yes" in done.err
    assert scale("status", local, "--format", "json").json()["type"] == "256MiB"


def test_down_refuses_less_than_past_deploys_needed_unless_forced(cloudy: Scale, cloud: Cloud) -> None:
    cloud.stop("t3.medium")
    cloud.start()
    cloud.tag("scale:peaks", encode([Peak(4 * GIB, 2 * GIB, was_oom=False, at=datetime.now(UTC))]))

    refused = cloudy("down", cloud.reference, "--yes")

    assert (refused.code, cloud.look()) == (3, ("running", "t3.medium"))
    assert "past deploys needed 2.5 GiB, and no smaller type has that; --force" in refused.err
    assert cloudy("down", cloud.reference, "--to", "t3.small", "--force", "--yes").code == 0
    assert cloud.look() == ("running", "t3.small")


def test_down_by_force_alone_is_one_step(scale: Scale, local: str) -> None:
    scale("up", local, "--to", "1GiB", "--yes")

    assert scale("down", local, "--force", "--yes").code == 0
    assert scale("status", local, "--format", "json").json()["type"] == "512MiB"


def test_there_is_nothing_below_the_smallest_type(scale: Scale, local: str) -> None:
    done = scale("down", local, "--yes")

    assert done.code == 3
    assert "256MiB is the smallest type there is: none has less than 256 MiB" in done.err


def test_there_is_nothing_above_the_largest_type(scale: Scale, local: str) -> None:
    largest = max(scale("plan", local, "--format", "json").json()["offerings"], key=lambda one: one["memory_mib"])["type"]
    scale("up", local, "--to", largest, "--yes")

    done = scale("up", local, "--yes")

    assert done.code == 3
    assert f"{largest} is the largest type there is" in done.err
    assert scale("up", local, "--memory", "900TiB", "--yes").code == 3


def test_more_than_any_type_has_is_answered_with_the_largest(scale: Scale, local: str) -> None:
    done = scale("up", local, "--memory", "900TiB", "--yes")

    assert done.code == 3
    assert "no type has 900 TiB; the largest is " in done.err


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        (["up", "--to", "256MiB"], "scale down"),
        (["down", "--to", "1GiB"], "scale up"),
        (["up", "--memory", "300MiB"], "scale down"),
    ],
)
def test_the_other_way_is_another_command(scale: Scale, local: str, command: list[str], hint: str) -> None:
    scale("up", local, "--to", "512MiB", "--yes")

    done = scale(*command, "--yes", local)

    assert (done.code, scale("status", local, "--format", "json").json()["type"]) == (2, "512MiB")
    assert hint in done.err


def test_a_stopped_instance_stays_stopped(cloudy: Scale, cloud: Cloud) -> None:
    cloud.stop()

    done = cloudy("up", cloud.reference, "--yes", "--format", "json")

    assert (done.code, cloud.look()) == (0, ("stopped", "t3.small"))
    assert done.json()["downtime_seconds"] == 0
    assert "scale:intent" not in cloud.tags()


def test_an_operation_goes_on_when_nobody_listens_any_more(scale: Scale, local: str) -> None:
    with scale.start("up", local, "--yes", "--format", "json") as process:
        assert process.stderr is not None
        process.stderr.close()
        process.stderr = None
        process.communicate(timeout=30)

    assert process.returncode == 0
    assert scale("status", local, "--format", "json").json()["type"] == "512MiB"


def test_a_person_at_a_terminal_is_asked(scale: Scale, local: str) -> None:
    """`script` gives the command a terminal of its own; Debian has it in bsdutils, which is essential."""
    command = shlex.join([sys.executable, "-m", "scaler", "up", local])
    for answer, kind in (("n", "256MiB"), ("y", "512MiB")):
        subprocess.run(
            ["script", "-qec", command, "/dev/null"],
            input=f"{answer}\n".encode(),
            capture_output=True,
            env=scale.environment,
            cwd=scale.folder,
            timeout=30,
            check=False,
        )
        assert scale("status", local, "--format", "json").json()["type"] == kind
