"""What past deploys took: the record kept on the instance, newest first, bounded.

Its form on the instance, one entry a deploy, separated by spaces: `LIMIT:PEAK:RESULT:TIME`, with LIMIT and PEAK in MiB (PEAK `-`
where it was not measured), RESULT `ok` or `oom`, TIME in UTC as `20261123T2130`. An OOM is a bound (the need was more than
LIMIT), not a measurement.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from scaler.domain.units import MIB

_TIME = "%Y%m%dT%H%M"
_ENTRY = re.compile(r"([1-9]\d{0,8}):(-|\d{1,9}):(ok|oom):(\d{8}T\d{4})", re.ASCII)
MAX_LENGTH = 256
"""The shortest limit of the clouds (EC2 tag values)."""


@dataclass(frozen=True, slots=True)
class Peak:
    """One past deploy."""

    limit_bytes: int
    """The instance's memory then."""
    peak_bytes: int | None
    """The most it used that could not be reclaimed; None where it was not measured."""
    was_oom: bool
    at: datetime


def encode(peaks: Sequence[Peak]) -> str:
    """The record's text: as many of the peaks, newest first, as fit."""
    entries: list[str] = []
    for peak in sorted(peaks, key=lambda one: one.at, reverse=True):
        size = "-" if peak.peak_bytes is None else str(-(-peak.peak_bytes // MIB))
        entry = f"{peak.limit_bytes // MIB}:{size}:{'oom' if peak.was_oom else 'ok'}:{peak.at.astimezone(UTC):{_TIME}}"
        if len(" ".join([*entries, entry])) > MAX_LENGTH:
            break
        entries.append(entry)
    return " ".join(entries)


def decode(text: str) -> tuple[Peak, ...]:
    """Read the record; entries that cannot be read (another version, a stranger's edit) are passed over."""
    return tuple(peak for entry in text.split() if (peak := _decode_entry(entry)) is not None)


def _decode_entry(entry: str) -> Peak | None:
    match = _ENTRY.fullmatch(entry)
    if match is None:
        return None
    limit, size, result, time = match.groups()
    try:
        at = datetime.strptime(time, _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None
    return Peak(int(limit) * MIB, None if size == "-" else int(size) * MIB, result == "oom", at)
