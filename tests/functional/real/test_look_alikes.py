"""Deploys that end like those that lacked memory but did not lack it: nothing is resized and nothing is run again."""

from pathlib import Path

import pytest

from tests.functional.real.conftest import Guard, Guarded
from tests.functional.real.machine import HERE

pytestmark = pytest.mark.real


def check_left_alone(guarded: Guarded, exit_code: int) -> None:
    assert guarded.exit_codes == [exit_code]
    assert guarded.code == exit_code
    assert guarded.killed == set()
    assert guarded.report["operation"] is None
    assert guarded.report["outcome"] == "unchanged"


def test_a_heap_limit_of_node_is_told_from_the_machines_memory(guard: Guard, webpack: Path) -> None:
    guarded = guard(
        "sh", "deploy.sh", cwd=HERE / "webpack", size="2GiB", NODE_PATH=str(webpack), NODE_OPTIONS="--max-old-space-size=128"
    )

    check_left_alone(guarded, 134)
    assert guarded.diagnosis["cause"] == "heap_limit"


def test_a_build_killed_by_its_time_limit_is_no_lack_of_memory(guard: Guard, webpack: Path) -> None:
    guarded = guard("timeout", "-s", "KILL", "2", "sh", "deploy.sh", cwd=HERE / "webpack", size="2GiB", NODE_PATH=str(webpack))

    check_left_alone(guarded, 137)
    assert guarded.diagnosis["cause"] != "instance_memory"
