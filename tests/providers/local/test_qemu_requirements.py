"""What the virtual machine is built from is checked before anything is built."""

import pytest

from tests.providers.local.qemu import machine


def test_missing_programs_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")

    with pytest.raises(machine.Missing, match=r"qemu-system-x86_64, busybox.*packages-qemu\.txt"):
        machine.require()


def test_another_architecture_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")

    with pytest.raises(machine.Missing, match="aarch64"):
        machine.require()
