"""One machine of the fake cloud: its state, and how it changes with time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from scaler.domain.errors import WrongState
from scaler.domain.instance import Health, Instance, InstanceId, InstanceState, TagKey

STOPPED_BY_REQUEST = "Client.UserInitiatedShutdown: User initiated shutdown"
BOUNCED = "Server.InsufficientInstanceCapacity: Insufficient capacity to satisfy instance request"
"""EC2's own words for the two ways to become stopped; `domain.operation.failed_to_start` tells them apart."""


@dataclass(slots=True)
class Machine:
    """A machine that takes its time: a transition is asked for, and is done when its moment has come."""

    id: InstanceId
    name: str
    type_name: str
    zone: str
    architecture: str
    state: InstanceState
    launched_at: datetime
    tags: Mapping[str, str]
    public_address: str | None
    private_address: str | None
    records: dict[TagKey, str] = field(default_factory=dict)
    console: str | None = None
    state_reason: str = ""
    is_impaired: bool = False
    healthy_at: datetime | None = None
    _due: datetime | None = None
    _bounces: bool = False

    def stop(self, now: datetime, seconds: float) -> None:
        """Begin to stop; nothing where it already does.

        Raises:
            WrongState: it is starting, or gone.
        """
        if self.state in (InstanceState.STOPPING, InstanceState.STOPPED):
            return
        self._require(InstanceState.RUNNING, "stopped")
        self._begin(InstanceState.STOPPING, STOPPED_BY_REQUEST, now, seconds)

    def start(self, now: datetime, seconds: float, *, bounces: bool) -> None:
        """Begin to start; nothing where it already does. `bounces`: the start is accepted and then fails.

        Raises:
            WrongState: it is stopping, or gone.
        """
        if self.state in (InstanceState.PENDING, InstanceState.RUNNING):
            return
        self._require(InstanceState.STOPPED, "started")
        self._bounces = bounces
        self._begin(InstanceState.PENDING, "", now, seconds)

    def set_type(self, type_name: str) -> None:
        """Change the type.

        Raises:
            WrongState: it is not stopped.
        """
        self._require(InstanceState.STOPPED, "given another type")
        self.type_name = type_name

    def catch_up(self, now: datetime, health_seconds: float) -> None:
        """Let everything happen that was due by now."""
        if self._due is None or now < self._due:
            return
        due, self._due = self._due, None
        if self.state is InstanceState.STOPPING:
            self.state = InstanceState.STOPPED
        elif self._bounces:
            self.state, self.state_reason = InstanceState.STOPPED, BOUNCED
        else:
            self.state, self.launched_at = InstanceState.RUNNING, due
            self.healthy_at = due + timedelta(seconds=health_seconds)

    def describe(self, now: datetime) -> Instance:
        return Instance(
            id=self.id,
            name=self.name,
            state=self.state,
            type_name=self.type_name,
            zone=self.zone,
            architecture=self.architecture,
            health=self._health(now),
            launched_at=self.launched_at,
            state_reason=self.state_reason,
            public_address=self.public_address if self.state is InstanceState.RUNNING else None,
            private_address=self.private_address,
            tags=dict(self.tags),
            records=dict(self.records),
        )

    def _begin(self, state: InstanceState, reason: str, now: datetime, seconds: float) -> None:
        self.state, self.state_reason = state, reason
        self._due = now + timedelta(seconds=seconds)

    def _require(self, state: InstanceState, what: str) -> None:
        if self.state is not state:
            raise WrongState(f"{self.name} is {self.state} and cannot be {what} now.", code="IncorrectInstanceState")

    def _health(self, now: datetime) -> Health:
        if self.state is not InstanceState.RUNNING:
            return Health.UNKNOWN
        if self.healthy_at is not None and now < self.healthy_at:
            return Health.INITIALIZING
        return Health.IMPAIRED if self.is_impaired else Health.OK
