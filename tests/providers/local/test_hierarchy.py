from pathlib import Path

import pytest

from scaler_providers.local.hierarchy import Hierarchy, _find, find_v1_memory, find_v2

HYBRID = """\
23 1 254:0 / / rw,relatime - ext4 /dev/vda rw
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""
HYBRID_OWN = "4:memory:/jobs/7\n2:cpu,cpuacct:/\n0::/user.slice\n"
UNIFIED = "30 23 0:26 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
BOUND = "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"


@pytest.mark.parametrize(
    ("mountinfo", "cgroup", "controller", "expected"),
    [
        (HYBRID, HYBRID_OWN, "memory", Hierarchy(Path("/sys/fs/cgroup/memory"), "/", "/jobs/7")),
        (HYBRID, HYBRID_OWN, None, Hierarchy(Path("/sys/fs/cgroup/unified"), "/", "/user.slice")),
        (UNIFIED, "0::/a/b:c\n", None, Hierarchy(Path("/sys/fs/cgroup"), "/", "/a/b:c")),
        (UNIFIED, "0::/a\n", "memory", None),
        ("", HYBRID_OWN, "memory", None),
        ("", "", None, None),
        (
            r"30 23 0:26 / /mnt/my\040cgroups rw - cgroup2 none rw" + "\n",
            "0::/\n",
            None,
            Hierarchy(Path("/mnt/my cgroups"), "/", "/"),
        ),
        (
            BOUND.replace("abc", "other").replace("/sys/fs/cgroup/memory", "/elsewhere") + BOUND,
            "4:memory:/docker/abc\n",
            "memory",
            Hierarchy(Path("/sys/fs/cgroup/memory"), "/docker/abc", "/docker/abc"),
        ),
    ],
    ids=["v1", "v2 beside v1", "v2", "no v1", "not mounted", "nothing", "a space in the path", "mounted twice"],
)
def test_a_hierarchy_is_found_by_what_the_kernel_says(
    mountinfo: str, cgroup: str, controller: str | None, expected: Hierarchy | None
) -> None:
    assert _find(mountinfo, cgroup, controller) == expected


@pytest.mark.parametrize(
    ("root", "own", "expected"),
    [
        ("/", "/", "/mount"),
        ("/", "/a/b", "/mount/a/b"),
        ("/docker/abc", "/docker/abc", "/mount"),
        ("/docker/abc", "/docker/abc/in", "/mount/in"),
        ("/docker/abc", "/docker/other", None),
        ("/", "/../other", None),
    ],
)
def test_the_own_cgroup_is_seen_below_the_mount_or_not_at_all(root: str, own: str, expected: str | None) -> None:
    assert Hierarchy(Path("/mount"), root, own).own_directory() == (expected and Path(expected))


def test_ancestors_end_at_the_mount(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)

    assert Hierarchy(tmp_path, "/", "/a/b").own_and_ancestors() == [tmp_path / "a" / "b", tmp_path / "a", tmp_path]


def test_a_cgroup_that_is_gone_has_no_ancestors(tmp_path: Path) -> None:
    assert Hierarchy(tmp_path, "/", "/gone").own_and_ancestors() == []


def test_what_is_found_here_exists() -> None:
    for hierarchy in (find_v1_memory(), find_v2()):
        assert hierarchy is None or hierarchy.mount.is_dir()
