"""What the next deploy needs, from what was measured, what failed, or nothing at all."""

from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from scaler.domain.diagnosis import Diagnosis
from scaler.domain.need import SYSTEM_BYTES, Need, estimate
from scaler.domain.peaks import Peak
from scaler.domain.rules import Cause
from scaler.domain.units import GIB, MIB

AT = datetime(2026, 11, 23, tzinfo=UTC)
HEADROOM = Decimal("0.15")
RAN_OUT = Diagnosis(Cause.INSTANCE_MEMORY, 0.98, ())


def passed(limit_bytes: int, peak_bytes: int | None) -> Peak:
    return Peak(limit_bytes, peak_bytes, was_oom=False, at=AT)


def killed(limit_bytes: int) -> Peak:
    return Peak(limit_bytes, None, was_oom=True, at=AT)


def whats(need: Need) -> list[str]:
    return [part.what for part in need.parts]


def test_with_nothing_known_the_need_is_the_present_memory_with_no_confidence() -> None:
    need = estimate(4 * GIB, [], HEADROOM)

    assert (need.lower_bytes, need.target_bytes, need.upper_bytes, need.confidence) == (0, 4 * GIB, 4 * GIB, 0.0)


def test_a_first_failure_asks_for_twice_the_memory() -> None:
    need = estimate(1 * GIB, [], HEADROOM, RAN_OUT)

    assert (need.lower_bytes, need.target_bytes, need.upper_bytes, need.confidence) == (1 * GIB, 2 * GIB, 4 * GIB, 0.5)
    assert whats(need) == ["known to be too little", "growth that the kill hid"]


def test_another_cause_is_no_failure_of_memory() -> None:
    for cause in set(Cause) - {Cause.INSTANCE_MEMORY}:
        assert estimate(1 * GIB, [], HEADROOM, Diagnosis(cause, 0.9, ())).confidence == 0


def test_the_largest_size_it_was_killed_at_counts() -> None:
    assert estimate(1 * GIB, [killed(2 * GIB), killed(4 * GIB)], HEADROOM, RAN_OUT).target_bytes == 8 * GIB
    assert estimate(8 * GIB, [killed(2 * GIB)], HEADROOM, RAN_OUT).target_bytes == 16 * GIB


def test_the_least_size_it_passed_with_above_the_failures_is_enough() -> None:
    need = estimate(2 * GIB, [passed(16 * GIB, None), passed(8 * GIB, None), passed(1 * GIB, None)], HEADROOM, RAN_OUT)

    assert (need.lower_bytes, need.target_bytes, need.upper_bytes, need.confidence) == (2 * GIB, 8 * GIB, 8 * GIB, 0.8)


def test_a_measured_peak_takes_the_systems_share_and_the_headroom_on_top() -> None:
    need = estimate(2 * GIB, [passed(8 * GIB, 3 * GIB), passed(8 * GIB, 1 * GIB)], HEADROOM)

    known = 3 * GIB + SYSTEM_BYTES
    assert need.lower_bytes == known
    assert need.target_bytes == known + round(known * HEADROOM)
    assert need.upper_bytes == known * 2
    assert need.confidence == 0.9
    assert need.parts[-1].source == "headroom 15%"


def test_a_sandbox_shares_its_memory_with_no_system() -> None:
    need = estimate(2 * GIB, [passed(8 * GIB, 1000 * MIB)], Decimal(0), has_system=False)

    assert need.target_bytes == need.lower_bytes == 1000 * MIB


def test_a_later_failure_at_more_than_the_measured_peak_lifts_the_need_above_it() -> None:
    need = estimate(4 * GIB, [passed(4 * GIB, 1 * GIB)], HEADROOM, RAN_OUT)

    assert need.lower_bytes == 4 * GIB
    assert need.target_bytes == round(4 * GIB * Decimal("1.15"))
    assert whats(need)[-1] == "growth since then"


def test_with_no_headroom_at_all_the_need_still_exceeds_what_it_failed_with() -> None:
    assert estimate(4 * GIB, [passed(4 * GIB, 1 * GIB)], Decimal(0), RAN_OUT).target_bytes > 4 * GIB


def test_a_measurement_of_a_deploy_that_was_killed_is_no_measurement() -> None:
    was_killed = Peak(1 * GIB, 1 * GIB - MIB, was_oom=True, at=AT)

    assert estimate(1 * GIB, [was_killed], HEADROOM).target_bytes == 2 * GIB


sizes = st.integers(min_value=64 * MIB, max_value=1024 * GIB)
records = st.lists(st.builds(Peak, sizes, st.one_of(st.none(), sizes), st.booleans(), st.just(AT)), max_size=8)
diagnoses = st.one_of(st.none(), st.builds(Diagnosis, st.sampled_from(Cause), st.just(0.9), st.just(())))
headrooms = st.decimals(min_value=0, max_value=2, places=2)


@given(sizes, records, headrooms, diagnoses, st.booleans())
def test_the_parts_add_up_and_the_bounds_are_in_order(
    memory: int, record: list[Peak], headroom: Decimal, diagnosis: Diagnosis | None, has_system: bool
) -> None:
    need = estimate(memory, record, headroom, diagnosis, has_system=has_system)

    assert sum(part.bytes for part in need.parts) == need.target_bytes
    assert 0 <= need.lower_bytes <= need.target_bytes <= need.upper_bytes
    assert all(part.bytes >= 0 for part in need.parts)
    assert 0 <= need.confidence <= 1


@given(sizes, records, headrooms)
def test_after_a_failure_the_need_is_more_than_everything_that_failed(memory: int, record: list[Peak], headroom: Decimal) -> None:
    need = estimate(memory, record, headroom, RAN_OUT)

    assert need.target_bytes > max([memory, *(peak.limit_bytes for peak in record if peak.was_oom)])
    assert need.confidence > 0
