"""Health checks that take long: the driver goes on looking, keeps its lease and hears interrupts meanwhile."""

import itertools
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from scaler.domain.instance import InstanceState
from scaler.domain.operation import LEASE, Intent, Step
from scaler.domain.outcome import OperationResult, Outcome
from scaler.domain.policy import CommandProbe, Probe, TcpProbe
from scaler.testing import FakeClock
from tests.unit.engine.world import ListedProber, Said, World

SMOKE = CommandProbe(("./smoke",), timedelta(minutes=5))
PORT = TcpProbe("{address}", 443, timedelta(minutes=5))


@dataclass
class SlowTry:
    """Ends by itself at a moment of the fake clock."""

    clock: FakeClock
    seconds: float
    answer: Said
    is_ended: bool = False

    def __post_init__(self) -> None:
        self.until = self.clock.now() + timedelta(seconds=self.seconds)

    def result(self) -> Said | None:
        assert not self.is_ended, "it is not looked at after its end"
        return self.answer if self.clock.now() >= self.until else None

    def end(self) -> None:
        self.is_ended = True


@dataclass
class SlowProber:
    """Every try of a command takes `seconds`; every other is healthy at once."""

    clock: FakeClock
    seconds: float
    answer: Said = field(default_factory=lambda: Said(True))
    tries: list[SlowTry] = field(default_factory=list)
    asked: list[Probe] = field(default_factory=list)

    def __call__(self, probe: Probe, address: str | None, instance: str) -> SlowTry | Said:
        self.asked.append(probe)
        if not isinstance(probe, CommandProbe):
            return Said(True)
        self.tries.append(SlowTry(self.clock, self.seconds, self.answer))
        return self.tries[-1]


def _slow(world: World, seconds: float, answer: Said | None = None) -> SlowProber:
    prober = SlowProber(world.clock, seconds, answer or Said(True))
    world.prober = prober
    return prober


def _leases(world: World) -> list[Intent]:
    written = [Intent.decode(str(call.arguments[2])) for call in world.cloud.calls if call.method == "write_tag"]
    return [intent for intent in written if intent is not None]


def test_the_lease_is_kept_while_a_health_check_takes_minutes(world: World) -> None:
    prober = _slow(world, 120)

    result = world.grow(probes=[SMOKE])

    assert (result.outcome, result.to_type, len(prober.tries)) == (Outcome.DONE, "b1.large", 1)
    assert result.ended_at - result.started_at > timedelta(seconds=120)
    ends = [intent.lease_until for intent in _leases(world)]
    assert max(later - earlier for earlier, later in itertools.pairwise(ends)) < LEASE


def test_no_lease_is_ever_over_at_a_look_during_a_health_check(world: World) -> None:
    prober = _slow(world, 120)
    over = []

    def note(method: str) -> None:
        if method == "observe" and prober.tries and world.intent is not None:
            over.append(not world.intent.is_leased(world.clock.now()))

    world.cloud.after = lambda call: note(call.method)
    world.grow(probes=[SMOKE])

    assert len(over) > 60
    assert not any(over)


def test_an_interruption_during_a_health_check_is_heeded_within_two_seconds_and_ends_it(world: World) -> None:
    prober = _slow(world, 120)
    asked_at: list[datetime] = []

    def is_interrupted() -> bool:
        if prober.tries and not asked_at:
            asked_at.append(world.clock.now() + timedelta(seconds=10))
        return bool(asked_at) and world.clock.now() >= asked_at[0]

    result = world.grow(probes=[SMOKE], driver=world.driver(is_interrupted=is_interrupted))

    assert (result.outcome, "interrupted" in result.hint) == (Outcome.NEEDS_ATTENTION, True)
    assert result.ended_at - asked_at[0] <= timedelta(seconds=2)
    assert prober.tries[0].is_ended


def test_the_time_of_the_operation_ends_a_health_check_that_hangs(world: World) -> None:
    prober = _slow(world, 10**6)

    result = world.grow(probes=[CommandProbe(("./smoke",), timedelta(days=1))])

    assert (result.outcome, world.is_as_before()) == (Outcome.ROLLED_BACK, True)
    back = next(one for one in result.steps if one.step == Step.TURN_BACK)
    assert timedelta(seconds=600) <= back.at - result.started_at <= timedelta(seconds=605)
    assert [one.is_ended for one in prober.tries] == [True]


def test_the_death_of_the_driver_by_an_error_ends_the_try_too(world: World) -> None:
    prober = _slow(world, 120)
    world.cloud.before = lambda _: _raise_if(bool(prober.tries))

    with pytest.raises(ZeroDivisionError):
        world.grow(probes=[SMOKE])

    assert prober.tries[0].is_ended


def test_an_instance_that_stops_during_a_health_check_is_asked_anew_when_it_runs_again(world: World) -> None:
    prober = _slow(world, 60)
    stops = iter([True])

    def stop_once(method: str) -> None:
        if method == "observe" and prober.tries and next(stops, False):
            world.web.state = InstanceState.STOPPED

    world.cloud.after = lambda call: stop_once(call.method)

    result = world.grow(probes=[PORT, SMOKE])

    assert result.outcome is Outcome.DONE
    assert prober.asked == [PORT, SMOKE, PORT, SMOKE]
    assert prober.tries[0].is_ended


def test_a_probe_that_has_passed_is_not_asked_again_while_the_next_one_fails(world: World) -> None:
    prober = world.prober = ListedProber([False, True, False, True])

    result = world.grow(probes=[PORT, SMOKE])

    assert result.outcome is Outcome.DONE
    assert len(prober.asked) == 4


def _timed(seconds: float) -> TcpProbe:
    return TcpProbe("{address}", 443, timedelta(seconds=seconds))


def _turned_back_at(result: OperationResult) -> datetime:
    return next(one.at for one in result.steps if one.step == Step.TURN_BACK)


def test_a_probe_that_did_not_pass_within_its_own_time_turns_it_back_with_its_last_words(world: World) -> None:
    prober = world.prober = ListedProber([False])

    result = world.grow(probes=[_timed(30)])

    probed_at = next(one.at for one in result.steps if one.step == Step.PROBE)
    assert (result.outcome, world.is_as_before()) == (Outcome.ROLLED_BACK, True)
    assert "b1.large did not pass its health checks within their time: the health check fails: connection refused" in result.hint
    assert timedelta(seconds=30) <= _turned_back_at(result) - probed_at <= timedelta(seconds=32)
    assert 28 <= len(prober.asked) <= 31


def test_the_time_of_a_probe_begins_when_it_is_first_asked_and_not_when_the_instance_is_stopped(world: World) -> None:
    world.prober = ListedProber([False, False, True])

    assert world.grow(probes=[_timed(5)]).outcome is Outcome.DONE


def test_each_probe_has_its_own_time(world: World) -> None:
    world.prober = ListedProber([*[False] * 20, True, *[False] * 20, True])

    assert world.grow(probes=[_timed(25), _timed(25)]).outcome is Outcome.DONE


def test_the_shorter_time_of_the_second_probe_decides_once_the_first_has_passed(world: World) -> None:
    world.prober = ListedProber([*[False] * 20, True, False])

    result = world.grow(probes=[_timed(120), _timed(10)])

    probed_at = next(one.at for one in result.steps if one.step == Step.PROBE)
    assert result.outcome is Outcome.ROLLED_BACK
    assert timedelta(seconds=28) <= _turned_back_at(result) - probed_at <= timedelta(seconds=36)


def test_a_command_that_hangs_is_ended_with_its_time_and_before_the_stop(world: World) -> None:
    prober = _slow(world, 10**6)
    were_ended: list[bool] = []
    world.cloud.before = lambda call: were_ended.extend(one.is_ended for one in prober.tries) if call.method == "stop" else None

    result = world.grow(probes=[CommandProbe(("./smoke",), timedelta(seconds=20))])

    assert (result.outcome, world.is_as_before()) == (Outcome.ROLLED_BACK, True)
    assert "did not pass its health checks within their time" in result.hint
    assert were_ended == [True]
    assert result.ended_at - result.started_at < timedelta(seconds=200)


def test_a_try_that_passed_within_its_time_counts_where_the_next_look_is_after_it(world: World) -> None:
    _slow(world, 0.5)

    assert world.grow(probes=[CommandProbe(("./smoke",), timedelta(seconds=0.8))]).outcome is Outcome.DONE


def test_a_probe_longer_than_the_operation_has_is_cut_by_the_operation(world: World) -> None:
    world.prober = ListedProber([False])

    result = world.grow(probes=[_timed(3600)])

    assert timedelta(seconds=600) <= _turned_back_at(result) - result.started_at <= timedelta(seconds=605)


def _raise_if(is_time: bool) -> None:
    if is_time:
        raise ZeroDivisionError
