"""`decide` over every state, and whole operations against a tiny perfect cloud."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from scaler.domain.instance import Health, Instance, InstanceId, InstanceState
from scaler.domain.operation import (
    Goal,
    Intent,
    Observation,
    ProbeState,
    Step,
    decide,
    failed_to_start,
    turned_back,
    with_next_type,
)

BEGAN = datetime(2026, 11, 23, 21, 0, tzinfo=UTC)
LATER = BEGAN + timedelta(minutes=2)
DEADLINE = BEGAN + timedelta(minutes=15)
TURN = BEGAN + timedelta(minutes=10)
TIMES = (BEGAN, TURN - timedelta(seconds=1), TURN, DEADLINE - timedelta(seconds=1), DEADLINE, DEADLINE + timedelta(days=1))
TYPES = ("old", "new", "fallback", "tried", "stranger")
BOUNCED = "Server.InsufficientInstanceCapacity: Insufficient capacity to satisfy instance request"
REASONS = ("", "Client.UserInitiatedShutdown: User initiated shutdown", BOUNCED)


def intent(goal: Goal = Goal.FORWARD, *, was_running: bool = True) -> Intent:
    return Intent(
        from_type="old",
        to_type="new",
        fallbacks=("fallback",),
        goal=goal,
        was_running=was_running,
        owner="laptop:1",
        token="ab12",  # noqa: S106 - no secret
        lease_until=BEGAN + timedelta(seconds=15),
        started_at=BEGAN,
        deadline=DEADLINE,
        tried=("tried",),
    )


def instance(state: InstanceState, type_name: str, health: Health = Health.OK, reason: str = "") -> Instance:
    return Instance(InstanceId("ec2:i-1"), "web", state, type_name, "a", "x86_64", health=health, state_reason=reason)


@dataclass(frozen=True)
class Case:
    intent: Intent
    seen: Observation
    now: datetime

    @property
    def machine(self) -> Instance:
        assert self.seen.instance is not None
        return self.seen.instance


def every_case() -> Iterator[Case]:
    intents = [intent(goal, was_running=was) for goal, was in product(Goal, (True, False))]
    machines = [instance(*facts) for facts in product(InstanceState, TYPES, Health, REASONS)]
    for one, machine, probes, is_new, now in product(intents, [None, *machines], ProbeState, (True, False), TIMES):
        until = BEGAN if is_new and probes in (ProbeState.UNKNOWN, ProbeState.FAILING) else None
        yield Case(one, Observation(machine, probes, is_new, until), now)


def is_allowed(case: Case, step: Step) -> bool:
    """Whether a step may be taken at all: what would be refused by the cloud, or do harm, may not."""
    machine, one = case.seen.instance, case.intent
    if machine is None:
        return step is (Step.WAIT if case.now < DEADLINE else Step.GIVE_UP)
    if machine.state is InstanceState.GONE:
        return step is Step.GIVE_UP
    is_at_goal, is_in_time = machine.type_name == one.wanted_type, case.now < DEADLINE
    is_forward, is_ours = one.goal is Goal.FORWARD, one.knows(machine.type_name)
    is_stopped, is_running = machine.state is InstanceState.STOPPED, machine.state is InstanceState.RUNNING
    allowed = {
        Step.WAIT: is_in_time,
        Step.STOP: is_running and not is_at_goal and is_in_time and is_ours,
        Step.SET_TYPE: is_stopped and not is_at_goal and is_in_time and is_ours,
        Step.START: is_stopped and one.was_running and is_in_time,
        Step.PROBE: is_running and is_at_goal and is_forward and is_in_time,
        Step.NEXT_TYPE: is_stopped and is_forward and is_in_time and machine.state_reason == BOUNCED,
        Step.TURN_BACK: is_forward and is_in_time,
        Step.FINISH: (is_running or not one.was_running) and (is_at_goal or (not is_in_time and machine.type_name == "old")),
        Step.GIVE_UP: not is_in_time or not is_ours,
    }
    return allowed[step]


def test_every_state_has_a_decision_with_a_reason_and_none_that_harms() -> None:
    seen = set()
    for case in every_case():
        decision = decide(case.intent, case.seen, case.now)

        assert decision.why, case
        assert is_allowed(case, decision.step), (case, decision)
        seen.add(decision.step)

    assert seen == set(Step)


def test_a_forward_operation_never_ends_well_before_the_probes_and_checks_have_passed() -> None:
    for case in every_case():
        if case.seen.instance is None or case.intent.goal is Goal.BACK or case.machine.state is not InstanceState.RUNNING:
            continue
        if case.machine.type_name == "new" and decide(case.intent, case.seen, case.now).step is Step.FINISH:
            assert case.seen.probes in (ProbeState.NONE, ProbeState.OK)
            assert case.machine.health in (Health.OK, Health.UNKNOWN)


FORWARD, BACK = intent(), intent(Goal.BACK)
STOPPED, RUNNING = InstanceState.STOPPED, InstanceState.RUNNING


@pytest.mark.parametrize(
    ("one", "seen", "now", "step"),
    [
        (FORWARD, Observation(instance(RUNNING, "old")), BEGAN, Step.STOP),
        (FORWARD, Observation(instance(InstanceState.STOPPING, "old")), BEGAN, Step.WAIT),
        (FORWARD, Observation(instance(STOPPED, "old")), BEGAN, Step.SET_TYPE),
        (FORWARD, Observation(instance(STOPPED, "tried")), BEGAN, Step.SET_TYPE),
        (FORWARD, Observation(instance(STOPPED, "new")), BEGAN, Step.START),
        (FORWARD, Observation(instance(STOPPED, "new", reason=REASONS[1])), BEGAN, Step.START),
        (FORWARD, Observation(instance(STOPPED, "new", reason=BOUNCED)), BEGAN, Step.NEXT_TYPE),
        (FORWARD, Observation(instance(STOPPED, "new", reason=BOUNCED), is_reason_new=False), BEGAN, Step.START),
        (FORWARD, Observation(instance(InstanceState.PENDING, "new")), BEGAN, Step.WAIT),
        (FORWARD, Observation(instance(RUNNING, "new", Health.INITIALIZING)), BEGAN, Step.WAIT),
        (FORWARD, Observation(instance(RUNNING, "new", Health.IMPAIRED)), BEGAN, Step.TURN_BACK),
        (FORWARD, Observation(instance(RUNNING, "new"), ProbeState.UNKNOWN), BEGAN, Step.PROBE),
        (FORWARD, Observation(instance(RUNNING, "new"), ProbeState.FAILING), BEGAN, Step.PROBE),
        (FORWARD, Observation(instance(RUNNING, "new"), ProbeState.FAILING), TURN, Step.TURN_BACK),
        (FORWARD, Observation(instance(RUNNING, "new"), ProbeState.FAILING, probed_until=LATER), BEGAN, Step.PROBE),
        (FORWARD, Observation(instance(RUNNING, "new"), ProbeState.FAILING, probed_until=LATER), LATER, Step.TURN_BACK),
        (FORWARD, Observation(instance(RUNNING, "new"), ProbeState.UNKNOWN, probed_until=LATER), LATER, Step.TURN_BACK),
        (FORWARD, Observation(instance(RUNNING, "new"), ProbeState.FAILING, probed_until=DEADLINE), TURN, Step.TURN_BACK),
        (FORWARD, Observation(instance(RUNNING, "new"), ProbeState.OK, probed_until=LATER), LATER, Step.FINISH),
        (BACK, Observation(instance(RUNNING, "old"), ProbeState.FAILING, probed_until=LATER), LATER, Step.FINISH),
        (BACK, Observation(instance(RUNNING, "new"), ProbeState.FAILING, probed_until=LATER), LATER, Step.STOP),
        (FORWARD, Observation(instance(RUNNING, "new"), ProbeState.OK), TURN, Step.FINISH),
        (FORWARD, Observation(instance(RUNNING, "new")), DEADLINE, Step.FINISH),
        (FORWARD, Observation(instance(InstanceState.PENDING, "new")), TURN, Step.TURN_BACK),
        (FORWARD, Observation(instance(STOPPED, "stranger")), BEGAN, Step.START),
        (FORWARD, Observation(instance(InstanceState.PENDING, "stranger")), BEGAN, Step.WAIT),
        (FORWARD, Observation(instance(RUNNING, "stranger")), BEGAN, Step.GIVE_UP),
        (FORWARD, Observation(instance(RUNNING, "old")), DEADLINE, Step.FINISH),
        (FORWARD, Observation(instance(STOPPED, "old")), DEADLINE, Step.GIVE_UP),
        (FORWARD, Observation(None), BEGAN, Step.WAIT),
        (FORWARD, Observation(None), TURN, Step.WAIT),
        (FORWARD, Observation(None), DEADLINE, Step.GIVE_UP),
        (FORWARD, Observation(instance(InstanceState.GONE, "new")), BEGAN, Step.GIVE_UP),
        (BACK, Observation(instance(RUNNING, "new")), BEGAN, Step.STOP),
        (BACK, Observation(instance(STOPPED, "new", reason=BOUNCED)), BEGAN, Step.SET_TYPE),
        (BACK, Observation(instance(STOPPED, "old", reason=BOUNCED)), BEGAN, Step.START),
        (BACK, Observation(instance(RUNNING, "old"), ProbeState.FAILING), BEGAN, Step.FINISH),
        (BACK, Observation(instance(RUNNING, "old", Health.IMPAIRED)), BEGAN, Step.WAIT),
        (intent(was_running=False), Observation(instance(STOPPED, "old")), BEGAN, Step.SET_TYPE),
        (intent(was_running=False), Observation(instance(STOPPED, "new")), BEGAN, Step.FINISH),
        (intent(was_running=False), Observation(instance(STOPPED, "old")), DEADLINE, Step.FINISH),
        (intent(was_running=False), Observation(instance(STOPPED, "stranger")), BEGAN, Step.GIVE_UP),
    ],
)
def test_the_next_step_is_chosen_from_what_is_true_now(one: Intent, seen: Observation, now: datetime, step: Step) -> None:
    assert decide(one, seen, now).step is step


@pytest.mark.parametrize(
    ("reason", "failed"),
    [
        ("", False),
        ("Client.UserInitiatedShutdown: User initiated shutdown", False),
        ("Client.InstanceInitiatedShutdown: Instance initiated shutdown", False),
        ("User initiated (2026-11-23 21:00:00 GMT)", False),
        (BOUNCED, True),
        ("Server.InternalError", True),
    ],
)
def test_a_start_failed_where_the_provider_and_nobody_else_stopped_it(reason: str, failed: bool) -> None:
    assert failed_to_start(instance(STOPPED, "new", reason=reason)) is failed


def test_the_next_type_is_the_next_fallback_and_then_the_way_back() -> None:
    first = with_next_type(FORWARD)
    second = with_next_type(first)

    assert (first.to_type, first.fallbacks, first.tried, first.goal) == ("fallback", (), ("tried", "new"), Goal.FORWARD)
    assert second == turned_back(first)
    assert second.wanted_type == "old"
    assert with_next_type(BACK) == BACK
    assert all(first.knows(name) for name in TYPES[:-1])
    assert not first.knows("stranger")


@dataclass
class TinyCloud:
    """One machine that does what it is asked, in `delay` looks; `bounces` are types it has no capacity for, `sick` types fail checks."""

    machine: Instance
    bounces: frozenset[str]
    sick: frozenset[str]
    delay: int = 2
    due_in: int = 0
    has_bounced: bool = False

    def look(self) -> Instance:
        if self.machine.state in (InstanceState.STOPPING, InstanceState.PENDING):
            self.due_in -= 1
            if self.due_in <= 0:
                self._arrive()
        elif self.machine.health is Health.INITIALIZING:
            health = Health.IMPAIRED if self.machine.type_name in self.sick else Health.OK
            self.machine = replace(self.machine, health=health)
        return self.machine

    def _arrive(self) -> None:
        if self.machine.state is InstanceState.STOPPING:
            self._be(InstanceState.STOPPED, REASONS[1])
        elif self.machine.type_name in self.bounces:
            self._be(InstanceState.STOPPED, BOUNCED)
            self.has_bounced = True
        else:
            self._be(InstanceState.RUNNING, "", Health.INITIALIZING)

    def stop(self) -> None:
        assert self.machine.state is InstanceState.RUNNING
        self._be(InstanceState.STOPPING, REASONS[1])

    def start(self) -> None:
        assert self.machine.state is InstanceState.STOPPED
        self.has_bounced = False
        self._be(InstanceState.PENDING, "")

    def set_type(self, name: str) -> None:
        assert self.machine.state is InstanceState.STOPPED
        self.machine, self.has_bounced = replace(self.machine, type_name=name), False

    def _be(self, state: InstanceState, reason: str, health: Health = Health.UNKNOWN) -> None:
        self.machine, self.due_in = replace(self.machine, state=state, state_reason=reason, health=health), self.delay


def run(one: Intent, cloud: TinyCloud, probes: ProbeState) -> tuple[Step, Intent, int]:
    """Drive to the end; the last step, the intent then, and how many steps it took. `probes` is what they answer when asked."""
    known = ProbeState.NONE if probes is ProbeState.NONE else ProbeState.UNKNOWN
    for number in range(10_000):
        now = BEGAN + timedelta(seconds=number)
        decision = decide(one, Observation(cloud.look(), known, cloud.has_bounced), now)
        match decision.step:
            case Step.FINISH | Step.GIVE_UP:
                return decision.step, one, number
            case Step.STOP:
                cloud.stop()
            case Step.START:
                cloud.start()
            case Step.SET_TYPE:
                cloud.set_type(one.wanted_type)
            case Step.NEXT_TYPE:
                one = with_next_type(one)
            case Step.TURN_BACK:
                one = turned_back(one)
            case Step.PROBE:
                known = probes
            case Step.WAIT:
                pass
    raise AssertionError(f"no end: {one} {cloud}")


SOME = (frozenset[str](), frozenset({"new"}), frozenset({"new", "fallback"}))
WORLDS = list(product(SOME, SOME, (ProbeState.NONE, ProbeState.OK, ProbeState.FAILING)))
BEGINNINGS = list(product([state for state in InstanceState if state is not InstanceState.GONE], TYPES))


@pytest.mark.parametrize("goal", Goal)
def test_from_every_state_an_instance_that_ran_before_runs_at_the_end(goal: Goal) -> None:
    for (state, type_name), (bounces, sick, probes) in product(BEGINNINGS, WORLDS):
        cloud = TinyCloud(instance(state, type_name), bounces, sick)

        last, after, steps = run(intent(goal), cloud, probes)

        assert cloud.machine.state is InstanceState.RUNNING, (state, type_name, bounces, sick, probes)
        assert steps <= 15 * 60
        if type_name != "stranger":
            assert last is Step.FINISH
            assert cloud.machine.type_name == after.wanted_type


@pytest.mark.parametrize("goal", Goal)
def test_from_every_state_an_instance_that_was_stopped_before_ends_with_its_type_and_is_never_started(goal: Goal) -> None:
    for state, type_name in product((InstanceState.STOPPED, InstanceState.STOPPING), TYPES[:-1]):
        cloud = TinyCloud(instance(state, type_name), SOME[0], SOME[0])

        last, after, steps = run(intent(goal, was_running=False), cloud, ProbeState.OK)

        assert (last, cloud.machine.state, cloud.machine.type_name) == (Step.FINISH, InstanceState.STOPPED, after.wanted_type)
        assert steps < 10


def test_a_healthy_world_ends_on_the_new_type_in_few_steps() -> None:
    cloud = TinyCloud(instance(RUNNING, "old"), SOME[0], SOME[0])

    last, _, steps = run(intent(), cloud, ProbeState.OK)

    assert (last, cloud.machine.type_name) == (Step.FINISH, "new")
    assert steps < 15


@pytest.mark.parametrize(
    ("bounces", "sick", "probes", "ends_as"),
    [
        (SOME[1], SOME[0], ProbeState.OK, "fallback"),
        (SOME[2], SOME[0], ProbeState.OK, "old"),
        (SOME[0], SOME[1], ProbeState.OK, "old"),
        (SOME[0], SOME[0], ProbeState.FAILING, "old"),
    ],
)
def test_where_the_new_type_does_not_do_a_fallback_or_the_old_one_does(
    bounces: frozenset[str], sick: frozenset[str], probes: ProbeState, ends_as: str
) -> None:
    cloud = TinyCloud(instance(RUNNING, "old"), bounces, sick)

    run(intent(), cloud, probes)

    assert (cloud.machine.state, cloud.machine.type_name) == (InstanceState.RUNNING, ends_as)
