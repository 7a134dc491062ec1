"""Taking over what a dead process left."""

import pytest

from scaler.domain.errors import LockHeld, Refused
from scaler.domain.instance import InstanceState, TagKey
from scaler.domain.operation import LEASE, Goal, Intent
from scaler.domain.outcome import Outcome
from tests.unit.engine.world import DEADLINE, World, a_world, broken_store


def _leave_intent(world: World, *, was_running: bool = True, owner: str = "dead:1") -> Intent:
    now = world.clock.now()
    intent = Intent("b1.small", "b1.large", (), Goal.FORWARD, was_running, owner, "0badcafe", now + LEASE, now, now + DEADLINE)
    world.web.records[TagKey.INTENT] = intent.encode()
    return intent


def test_without_an_intent_there_is_nothing_to_resume(world: World) -> None:
    assert world.resume() is None
    assert world.changes == []


def test_an_intent_that_cannot_be_read_is_left_as_it_is(world: World) -> None:
    world.web.records[TagKey.INTENT] = "v2 of a later version"

    with pytest.raises(Refused, match="v2 of a later version") as caught:
        world.resume()

    assert "later version" in caught.value.hint
    assert (world.changes, world.web.records) == ([], {TagKey.INTENT: "v2 of a later version"})


def test_a_live_owner_is_left_alone(world: World) -> None:
    held = _leave_intent(world, owner="alive:1")

    with pytest.raises(LockHeld, match="alive:1"):
        world.resume()

    assert world.web.records == {TagKey.INTENT: held.encode()}


def test_what_was_resumed_is_kept_in_the_history(world: World) -> None:
    _leave_intent(world)
    world.clock.sleep(16)

    result = world.resume()

    assert result is not None
    assert result.outcome is Outcome.DONE
    assert world.store.kept_operations == [result]


def test_a_history_that_fails_does_not_hurt(world: World) -> None:
    _leave_intent(world)
    world.clock.sleep(16)
    world.store = broken_store()

    result = world.resume()

    assert result is not None
    assert (result.outcome, world.intent) == (Outcome.DONE, None)


def test_an_instance_that_was_stopped_before_is_not_started() -> None:
    world = a_world(state=InstanceState.STOPPED)
    _leave_intent(world, was_running=False)
    world.clock.sleep(16)

    result = world.resume()

    assert result is not None
    assert (world.web.state, world.web.type_name, world.intent) == (InstanceState.STOPPED, "b1.large", None)
    assert result.downtime_seconds == 0


def test_of_two_that_resume_at_the_same_moment_one_goes_on(world: World) -> None:
    _leave_intent(world)
    world.clock.sleep(16)
    world.cloud.after = lambda call: _write_rival(world) if call.method == "write_tag" else None

    with pytest.raises(LockHeld, match="rival:1"):
        world.resume()

    assert world.changes == []


def _write_rival(world: World) -> None:
    now = world.clock.now()
    rival = Intent("b1.small", "b1.large", (), Goal.FORWARD, True, "rival:1", "feedbeef", now + LEASE, now, now + DEADLINE)
    world.web.records[TagKey.INTENT] = rival.encode()


def test_a_read_that_still_shows_the_dead_owner_is_no_rival(world: World) -> None:
    dead = _leave_intent(world)
    world.clock.sleep(16)
    reads = iter(range(10**6))

    def show_the_dead_one_once(method: str) -> None:
        if method == "write_tag" and next(reads) == 0:
            world.web.records[TagKey.INTENT] = dead.encode()

    world.cloud.after = lambda call: show_the_dead_one_once(call.method)

    result = world.resume()

    assert result is not None
    assert (result.outcome, world.intent) == (Outcome.DONE, None)
