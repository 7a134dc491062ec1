"""Changing an instance's type: what to do next, decided from the intent written on it and from what is true now.

Nothing is remembered between two decisions but what stands in the intent. Going back to the old type is the same path with the
two types exchanged.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from scaler.domain.instance import Health, Instance, InstanceState

LEASE = timedelta(seconds=15)
"""How long an owner is believed alive after its last renewal."""

MAX_INTENT_LENGTH = 256
_VERSION = "v1"


class Goal(StrEnum):
    """Which way the operation goes."""

    FORWARD = "forward"
    BACK = "back"


@dataclass(frozen=True, slots=True)
class Intent:
    """The record on the instance of what is being done to it."""

    from_type: str
    to_type: str
    """The type now tried."""
    fallbacks: tuple[str, ...]
    """Tried next, in this order, where `to_type` cannot be started."""
    goal: Goal
    was_running: bool
    """Whether it ran before; it does so again at the end, whatever happens."""
    owner: str
    token: str
    """Names this holder of the lease; a new holder writes a new one."""
    lease_until: datetime
    started_at: datetime
    deadline: datetime
    tried: tuple[str, ...] = ()
    """Given up before `to_type`, oldest first; the instance may still have any of them."""

    @property
    def wanted_type(self) -> str:
        return self.to_type if self.goal is Goal.FORWARD else self.from_type

    @property
    def turns_back_at(self) -> datetime:
        """From here on the new type is given up: the last third of the time belongs to the way back."""
        return self.started_at + (self.deadline - self.started_at) * 2 / 3

    def knows(self, type_name: str) -> bool:
        """Whether this operation can have given the instance that type."""
        return type_name in {self.from_type, self.to_type, *self.fallbacks, *self.tried}

    def is_leased(self, now: datetime) -> bool:
        return now < self.lease_until

    def encode(self) -> str:
        """The record's text, only of characters every cloud takes.

        What does not fit is left out: fallbacks, last first, then what was tried, oldest first.
        """
        fallbacks, tried = list(self.fallbacks), list(self.tried)
        while len(text := self._encode(fallbacks, tried)) > MAX_INTENT_LENGTH and (fallbacks or tried):
            if fallbacks:
                fallbacks.pop()
            else:
                tried.pop(0)
        return text

    def _encode(self, fallbacks: list[str], tried: list[str]) -> str:
        stamps = [int(moment.timestamp()) for moment in (self.lease_until, self.started_at, self.deadline)]
        return (
            f"{_VERSION} {self.goal} from={self.from_type} to={self.to_type} next={'/'.join(fallbacks)} tried={'/'.join(tried)} "
            f"run={int(self.was_running)} owner={self.owner[:40]} token={self.token} lease={stamps[0]} start={stamps[1]} end={stamps[2]}"
        )

    @classmethod
    def decode(cls, text: str) -> "Intent | None":
        """Read the record; None where it is not one of ours (a later version, or a stranger's edit)."""
        words = text.split()
        if len(words) < 2 or words[0] != _VERSION:
            return None
        values: Mapping[str, str] = dict(word.split("=", 1) for word in words[2:] if "=" in word)
        try:
            lease_until, started_at, deadline = (datetime.fromtimestamp(int(values[key]), UTC) for key in ("lease", "start", "end"))
            return cls(
                from_type=values["from"],
                to_type=values["to"],
                fallbacks=_names(values["next"]),
                goal=Goal(words[1]),
                was_running=values["run"] == "1",
                owner=values["owner"],
                token=values["token"],
                lease_until=lease_until,
                started_at=started_at,
                deadline=deadline,
                tried=_names(values["tried"]),
            )
        except (KeyError, ValueError, OverflowError, OSError):
            return None


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split("/") if name)


class Step(StrEnum):
    """A named state change, or why there is none."""

    WAIT = "wait"
    STOP = "stop"
    SET_TYPE = "set_type"
    START = "start"
    PROBE = "probe"
    NEXT_TYPE = "next_type"
    TURN_BACK = "turn_back"
    FINISH = "finish"
    GIVE_UP = "give_up"


class ProbeState(StrEnum):
    """What the policy's health probes last said."""

    NONE = "none"
    """There are no probes."""
    UNKNOWN = "unknown"
    FAILING = "failing"
    OK = "ok"


@dataclass(frozen=True, slots=True)
class Observation:
    """What is true now. `instance` None: the provider does not show it, which a read that is behind may do of one that is there."""

    instance: Instance | None
    probes: ProbeState = ProbeState.NONE
    is_reason_new: bool = True
    """Whether the instance's `state_reason` is of its last start. A stopped instance keeps the old one until it starts again."""
    probed_until: datetime | None = None
    """From here on the health probe now asked is given up; None while none is."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The next step and why."""

    step: Step
    why: str


def decide(intent: Intent, observation: Observation, now: datetime) -> Decision:
    """The next step; total over every state of the instance and every intent."""
    instance = observation.instance
    if instance is None:
        return _when_not_shown(intent, now)
    if instance.state is InstanceState.GONE:
        return Decision(Step.GIVE_UP, "the instance is gone: someone terminated it")
    if not intent.knows(instance.type_name):
        return _when_changed_by_others(intent, instance, now)
    if _is_reached(intent, instance, observation.probes):
        as_before = ", as it was before" if instance.state is InstanceState.STOPPED else ""
        return Decision(Step.FINISH, f"it is {instance.state} as {instance.type_name}{as_before}")
    if now >= intent.deadline:
        return _at_deadline(intent, instance)
    if intent.goal is Goal.FORWARD and now >= intent.turns_back_at:
        return Decision(Step.TURN_BACK, f"{intent.to_type} was not ready in time")
    match instance.state:
        case InstanceState.PENDING | InstanceState.STOPPING:
            return Decision(Step.WAIT, f"it is {instance.state}")
        case InstanceState.STOPPED:
            return _when_stopped(intent, instance, is_reason_new=observation.is_reason_new)
        case InstanceState.RUNNING:
            return _when_running(intent, instance, observation, now)


def _when_not_shown(intent: Intent, now: datetime) -> Decision:
    if now >= intent.deadline:
        return Decision(Step.GIVE_UP, "the deadline has passed and the provider does not show the instance")
    return Decision(Step.WAIT, "the provider does not show the instance now")


def _when_changed_by_others(intent: Intent, instance: Instance, now: datetime) -> Decision:
    """Its type is theirs to choose; that it runs again is still this operation's duty."""
    why = f"someone else changed its type to {instance.type_name}"
    if instance.state is InstanceState.RUNNING or not intent.was_running or now >= intent.deadline:
        return Decision(Step.GIVE_UP, f"{why}; it is left as it is")
    if instance.state is InstanceState.STOPPED:
        return Decision(Step.START, f"{why}; it is started as that")
    return Decision(Step.WAIT, f"{why}; it is {instance.state}")


def _is_reached(intent: Intent, instance: Instance, probes: ProbeState) -> bool:
    """Whether the goal is reached, at whatever time that is seen."""
    if instance.type_name != intent.wanted_type:
        return False
    if instance.state is InstanceState.STOPPED:
        return not intent.was_running
    is_healthy = instance.health not in (Health.INITIALIZING, Health.IMPAIRED)
    is_proven = intent.goal is Goal.BACK or probes in (ProbeState.NONE, ProbeState.OK)
    return instance.state is InstanceState.RUNNING and is_healthy and is_proven


def _at_deadline(intent: Intent, instance: Instance) -> Decision:
    before = InstanceState.RUNNING if intent.was_running else InstanceState.STOPPED
    if instance.state is before and instance.type_name == intent.from_type:
        return Decision(Step.FINISH, f"the deadline has passed; it is {instance.state} as it was")
    return Decision(Step.GIVE_UP, "the deadline has passed")


def _when_stopped(intent: Intent, instance: Instance, *, is_reason_new: bool) -> Decision:
    if instance.type_name != intent.wanted_type:
        return Decision(Step.SET_TYPE, f"it is stopped and still {instance.type_name}")
    if intent.goal is Goal.FORWARD and is_reason_new and failed_to_start(instance):
        return Decision(Step.NEXT_TYPE, f"it stopped again while starting as {instance.type_name}: {instance.state_reason}")
    return Decision(Step.START, f"it is stopped and {instance.type_name}")


def failed_to_start(instance: Instance) -> bool:
    """Whether a stopped instance was stopped by the provider rather than by a request: EC2 gives reasons such as
    `Server.InsufficientInstanceCapacity` then, and `Client.UserInitiatedShutdown` or `Client.InstanceInitiatedShutdown` otherwise.
    """
    return bool(instance.state_reason) and "initiated" not in instance.state_reason.lower()


def _when_running(intent: Intent, instance: Instance, seen: Observation, now: datetime) -> Decision:
    if instance.type_name != intent.wanted_type:
        return Decision(Step.STOP, f"it runs as {instance.type_name} and is to become {intent.wanted_type}")
    if instance.health is Health.INITIALIZING:
        return Decision(Step.WAIT, "the provider's status checks are not done")
    if instance.health is Health.IMPAIRED:
        if intent.goal is Goal.FORWARD:
            return Decision(Step.TURN_BACK, f"the provider's status checks fail on {instance.type_name}")
        return Decision(Step.WAIT, "the provider's status checks fail")
    if intent.goal is Goal.FORWARD and seen.probed_until is not None and now >= seen.probed_until:
        return Decision(Step.TURN_BACK, f"{intent.to_type} did not pass its health checks within their time")
    if seen.probes is ProbeState.FAILING:
        return Decision(Step.PROBE, "the health checks do not pass yet")
    return Decision(Step.PROBE, "it runs; the health checks have the last word")


def turned_back(intent: Intent) -> Intent:
    """The same operation on its way back."""
    return replace(intent, goal=Goal.BACK)


def with_next_type(intent: Intent) -> Intent:
    """The same operation with the next fallback, or on its way back where none is left."""
    if intent.goal is Goal.BACK or not intent.fallbacks:
        return turned_back(intent)
    tried = (*intent.tried, intent.to_type)
    return replace(intent, to_type=intent.fallbacks[0], fallbacks=intent.fallbacks[1:], tried=tried)
