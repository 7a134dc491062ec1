"""Where a version 2 sandbox could be made, decided from files laid out as the kernel does. test_cgroup2_machine tries it on a kernel."""

import os
from pathlib import Path

import pytest

from scaler_providers.local import cgroup2
from scaler_providers.local.hierarchy import Hierarchy


def lay_out(
    directory: Path, *, controllers: str = "cpu memory", subtree: str = "", procs: str = "", kind: str | None = "domain"
) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    files = {"cgroup.controllers": controllers, "cgroup.subtree_control": subtree, "cgroup.procs": procs, "cgroup.type": kind}
    for name, content in files.items():
        if content is not None:
            (directory / name).write_text(content + "\n")
    return directory


@pytest.fixture
def place_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The mount, with the own cgroup at /user/session."""
    monkeypatch.setattr(cgroup2, "find_v2", lambda: Hierarchy(tmp_path, "/", "/user/session"))
    lay_out(tmp_path, kind=None, procs="1")
    lay_out(tmp_path / "user")
    lay_out(tmp_path / "user" / "session", procs="7")
    return tmp_path


def found() -> Path | None:
    place = cgroup2.find_place()
    return place and place[1]


def test_a_cgroup_with_processes_is_passed_over_for_the_one_above_it(place_below: Path) -> None:
    assert found() == place_below / "user"


def test_a_cgroup_with_processes_that_already_hands_memory_on_is_used(place_below: Path) -> None:
    lay_out(place_below / "user" / "session", procs="7", subtree="memory")

    assert found() == place_below / "user" / "session"


def test_a_cgroup_without_the_memory_controller_is_passed_over(place_below: Path) -> None:
    lay_out(place_below / "user", controllers="cpu pids")

    assert found() == place_below


def test_a_threaded_cgroup_is_passed_over(place_below: Path) -> None:
    lay_out(place_below / "user", kind="threaded")

    assert found() == place_below


def test_the_root_may_have_processes(place_below: Path) -> None:
    lay_out(place_below / "user", procs="9")

    assert found() == place_below


def test_a_container_whose_top_cgroup_has_processes_has_no_place(place_below: Path) -> None:
    lay_out(place_below / "user", procs="9")
    lay_out(place_below, procs="1", kind="domain")

    assert found() is None


@pytest.mark.parametrize("closed", [".", "cgroup.procs", "cgroup.subtree_control"])
def test_a_cgroup_this_user_may_not_write_is_passed_over(place_below: Path, monkeypatch: pytest.MonkeyPatch, closed: str) -> None:
    # Root may write anything, so the refusal is the operating system's only in name here.
    refused = place_below / "user" / closed
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path) != refused)

    assert found() == place_below


def test_without_version_2_there_is_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup2, "find_v2", lambda: None)

    assert found() is None


def test_the_controllers_own_share_counts_without_what_can_be_reclaimed() -> None:
    sandbox = cgroup2.Cgroup2Sandbox(Hierarchy(Path("/"), "/", "/"), Path("/"), "web", 1)
    lists = {"inactive_anon": 10, "active_anon": 20, "unevictable": 5, "file": 1000}

    assert sandbox._unreclaimable({**lists, "kernel": 100, "slab_reclaimable": 60}) == 75
    assert sandbox._unreclaimable({**lists, "kernel_stack": 1, "pagetables": 2, "slab_unreclaimable": 3, "percpu": 4}) == 45
