import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from scaler_providers.local import cgroup1, owner
from scaler_providers.local.hierarchy import Hierarchy


@pytest.fixture
def place() -> Iterator[tuple[Hierarchy, Path]]:
    """Where sandboxes of version 1 are made here; nothing of scale's may be left in it after the test."""
    found = cgroup1.find_place()
    if found is None:
        # On a machine where all is version 2, the tests marked qemu do the same there.
        pytest.skip(
            "needs root and the memory controller on cgroups version 1"
            if os.geteuid()
            else "no memory controller on version 1 here"
        )
    yield found
    names = [path.name for path in found[1].glob("scale-*")]
    assert [name for name in names if f"-{os.getpid()}-" in name or owner.is_orphaned(name)] == []


@pytest.fixture
def state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of this test's instances, not there yet."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "scale" / "local"
