"""How much memory the instance must have for the deploy to pass."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from scaler.domain.diagnosis import Diagnosis
from scaler.domain.peaks import Peak
from scaler.domain.rules import Cause
from scaler.domain.units import MIB

GROWTH_PRIOR = Decimal(2)
"""Where nothing was measured: the kill hides how far the deploy would have gone on growing. Of the real deploys measured for this
project (docs/diagnosis.md) all passed at twice the largest size at which they were killed."""

SYSTEM_BYTES = 150 * MIB
"""What a plain Linux guest and its agents hold beside the deploy: idle Debian 12 measured at 90-140 MiB."""


@dataclass(frozen=True, slots=True)
class Part:
    """One amount a Need is made of, and where it is from."""

    what: str
    bytes: int
    source: str


@dataclass(frozen=True, slots=True)
class Need:
    """Instance memory, what the operating system keeps included. The parts add up to `target_bytes`."""

    lower_bytes: int
    """Known to be too little, or the least that was seen to do."""
    target_bytes: int
    upper_bytes: int
    """More than this is not expected to be used."""
    parts: tuple[Part, ...]
    confidence: float


def estimate(
    memory_bytes: int,
    peaks: Sequence[Peak],
    headroom: Decimal,
    diagnosis: Diagnosis | None = None,
    *,
    has_system: bool = True,
) -> Need:
    """What the next deploy needs.

    `memory_bytes` is the instance's memory now; a diagnosis of `instance_memory` means that it was too little. `has_system` is
    false for a sandbox, whose memory no operating system shares. With neither a measurement nor a failure the answer is the
    present memory, with confidence 0.
    """
    measured = [peak.peak_bytes for peak in peaks if peak.peak_bytes is not None and not peak.was_oom]
    failed_at = [peak.limit_bytes for peak in peaks if peak.was_oom]
    if diagnosis is not None and diagnosis.cause is Cause.INSTANCE_MEMORY:
        failed_at.append(memory_bytes)
    passed_at = [peak.limit_bytes for peak in peaks if not peak.was_oom]
    if measured:
        return _from_measured(max(measured), max(failed_at, default=0), headroom, has_system=has_system)
    if failed_at:
        return _from_failures(max(failed_at), [size for size in passed_at if size > max(failed_at)])
    part = Part("the instance's memory now", memory_bytes, "nothing was measured and nothing failed")
    return Need(0, memory_bytes, memory_bytes, (part,), 0.0)


def _from_measured(peak: int, failed_at: int, headroom: Decimal, *, has_system: bool) -> Need:
    parts = [Part("the deploy and what ran beside it", peak, "the largest measured peak that passed")]
    if has_system:
        parts.append(Part("the operating system and its agents", SYSTEM_BYTES, "a usual Linux guest"))
    known = sum(part.bytes for part in parts)
    parts.append(Part("margin", round(known * headroom), f"headroom {headroom:.0%}"))
    target = sum(part.bytes for part in parts)
    if target <= failed_at:
        more = max(round(failed_at * (1 + headroom)), failed_at + MIB)  # a headroom of 0 must not lead back to what is too little
        parts.append(Part("growth since then", more - target, "a later deploy was killed at more"))
        target = sum(part.bytes for part in parts)
    return Need(max(known, failed_at), target, max(target, round(known * GROWTH_PRIOR)), tuple(parts), 0.9)


def _from_failures(failed_at: int, passed_at: Sequence[int]) -> Need:
    parts = [Part("known to be too little", failed_at, "the deploy was killed with this much")]
    if passed_at:
        target = min(passed_at)
        parts.append(Part("what it passed with", target - failed_at, "an earlier deploy passed with this much in all"))
        return Need(failed_at, target, target, tuple(parts), 0.8)
    target = round(failed_at * GROWTH_PRIOR)
    parts.append(Part("growth that the kill hid", target - failed_at, "prior: twice the size at which it was killed"))
    return Need(failed_at, target, target * 2, tuple(parts), 0.5)
