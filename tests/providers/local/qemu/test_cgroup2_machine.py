"""Cgroups version 2 for real, in a virtual machine whose kernel has the memory controller there."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.providers.local.qemu import machine

pytestmark = pytest.mark.qemu

MIB = 1 << 20


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    """What happened in the machine, by the names of the scenario's cases."""
    try:
        return dict(machine.run(Path(__file__).with_name("scenario.py")))
    except machine.Missing as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must run this, but {missing}")
        pytest.skip(str(missing))


def test_the_kernel_kills_at_the_limit_and_the_kill_is_counted(seen: dict[str, Any]) -> None:
    case = seen["killed_at_the_limit"]

    assert case["kind"] == "cgroup2"
    assert case["code"] == -9
    assert case["oom_kills"] >= 1
    assert f"oom_kill {case['oom_kills']}\n" in case["events"]
    assert case["peak"] == 64 * MIB


def test_the_limit_holds_for_memory_and_swap_and_kills_single_processes(seen: dict[str, Any]) -> None:
    assert seen["killed_at_the_limit"]["files"] == {"memory.max": str(64 * MIB), "memory.swap.max": "0", "memory.oom.group": "0"}


def test_the_kernels_log_names_the_sandbox_as_scale_does(seen: dict[str, Any]) -> None:
    assert seen["killed_at_the_limit"]["log_names_it"] is True


def test_the_sandbox_is_removed_and_the_controller_given_back(seen: dict[str, Any]) -> None:
    assert seen["killed_at_the_limit"]["left"] == []
    assert seen["killed_at_the_limit"]["subtree"] == ["", "memory", ""]


def test_a_process_within_the_limit_lives_and_its_peak_is_known(seen: dict[str, Any]) -> None:
    case = seen["within_the_limit"]

    assert (case["code"], case["oom_kills"]) == (0, 0)
    assert 40 * MIB <= case["peak"] <= 60 * MIB


def test_a_daemon_left_behind_is_ended(seen: dict[str, Any]) -> None:
    assert seen["daemon_left_behind"] == {"lived": True, "lives": False, "left": []}


def test_the_death_of_the_owner_ends_and_removes_everything(seen: dict[str, Any]) -> None:
    assert seen["owner_killed"] == {"made": 1, "gone": True}


def test_a_kill_in_a_cgroup_made_inside_is_counted_and_the_cgroup_removed(seen: dict[str, Any]) -> None:
    assert seen["nested_kill"] == {"oom_kills": 1, "stderr": "", "left": []}


def test_the_first_of_two_to_leave_does_not_take_the_controller_away_from_the_other(seen: dict[str, Any]) -> None:
    assert seen["two_at_once"] == {"between": "memory", "code": -9, "after": ""}


@pytest.mark.parametrize("case", ["nobody_without_delegation", "nobody_in_a_delegated_leaf"])
def test_a_user_without_a_cgroup_to_use_falls_back_to_the_address_space(seen: dict[str, Any], case: str) -> None:
    assert seen[case] == {"pick": "address-space", "kind": "address-space", "code": 1, "refused": True, "oom_kills": 0}


def test_a_user_in_a_delegated_tree_has_a_real_limit(seen: dict[str, Any]) -> None:
    case = seen["nobody_with_delegation"]

    assert (case["kind"], case["code"], case["oom_kills"]) == ("cgroup2", -9, 1)
    assert (case["subtree"], case["left"]) == ("", [])
