"""The types a local instance can have: a ladder of memory limits up to this machine's own memory."""

import os
import platform
import re
from decimal import Decimal

from scaler.domain.instance import InstanceType, Offering
from scaler.domain.units import GIB, MIB

SMALLEST_MIB = 256
ZONE = "local"
PRICE_SOURCE = "this machine"

_NAME = re.compile(r"([1-9]\d*)(MiB|GiB)")
_ARCHITECTURES = {"aarch64": "arm64", "amd64": "x86_64", "i486": "i386", "i586": "i386", "i686": "i386"}


def architecture() -> str:
    """This machine's, in the words of `InstanceType.architecture`."""
    machine = platform.machine().lower()
    return _ARCHITECTURES.get(machine, machine)


def machine_memory_mib() -> int:
    """This machine's memory as the kernel counts it (MemTotal)."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // MIB


def ladder(memory_mib: int) -> list[InstanceType]:
    """256 MiB and its doublings, up to the given memory; the first is there on any machine."""
    rungs = [_type(SMALLEST_MIB)]
    while rungs[-1].memory_mib * 2 <= memory_mib:
        rungs.append(_type(rungs[-1].memory_mib * 2))
    return rungs


def offerings(present_type: str) -> list[Offering]:
    """The ladder of this machine; the present type besides, marked unavailable, where it no longer fits this machine."""
    rungs = ladder(machine_memory_mib())
    offered = [_offering(rung, is_available=True) for rung in rungs]
    if present_type not in {rung.name for rung in rungs} and (present := _parse(present_type)) is not None:
        offered.append(_offering(present, is_available=False))
    return sorted(offered, key=lambda offering: (offering.type.memory_mib, offering.type.name))


def _offering(rung: InstanceType, *, is_available: bool) -> Offering:
    return Offering(rung, ZONE, usd_per_hour=Decimal(0), price_source=PRICE_SOURCE, is_available=is_available)


def _type(memory_mib: int) -> InstanceType:
    name = f"{memory_mib}MiB" if memory_mib * MIB < GIB else f"{memory_mib * MIB // GIB}GiB"
    return InstanceType(name, memory_mib, Decimal(os.cpu_count() or 1), architecture())


def _parse(name: str) -> InstanceType | None:
    match = _NAME.fullmatch(name)
    return None if match is None else _type(int(match[1]) * (GIB // MIB if match[2] == "GiB" else 1))
