import pytest

from scaler_providers.local import catalog


@pytest.mark.parametrize(
    ("memory_mib", "names"),
    [
        (100, ["256MiB"]),
        (511, ["256MiB"]),
        (512, ["256MiB", "512MiB"]),
        (3900, ["256MiB", "512MiB", "1GiB", "2GiB"]),
        (16384, ["256MiB", "512MiB", "1GiB", "2GiB", "4GiB", "8GiB", "16GiB"]),
    ],
)
def test_the_ladder_doubles_up_to_the_machines_memory(memory_mib: int, names: list[str]) -> None:
    assert [rung.name for rung in catalog.ladder(memory_mib)] == names


@pytest.mark.parametrize(
    ("machine", "expected"), [("x86_64", "x86_64"), ("AMD64", "x86_64"), ("aarch64", "arm64"), ("i686", "i386")]
)
def test_architectures_have_the_domains_names(monkeypatch: pytest.MonkeyPatch, machine: str, expected: str) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)

    assert catalog.architecture() == expected


def test_the_machines_memory_is_the_kernels_figure() -> None:
    with open("/proc/meminfo") as file:  # noqa: PTH123
        total_kib = int(file.readline().split()[1])

    assert catalog.machine_memory_mib() == total_kib // 1024


def test_a_present_type_this_machine_no_longer_holds_is_listed_as_unavailable() -> None:
    offered = {one.type.name: one for one in catalog.offerings("1048576GiB")}

    assert not offered["1048576GiB"].is_available
    assert offered["1048576GiB"].type.memory_mib == 1048576 * 1024
    assert offered["256MiB"].is_available


def test_a_present_type_that_says_no_amount_is_not_invented() -> None:
    assert all(one.is_available for one in catalog.offerings("t3.large"))
