"""How things ended: the records kept of operations and deploys."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from scaler.domain.instance import InstanceId
from scaler.domain.rules import Cause


class Outcome(StrEnum):
    """How an operation ended."""

    DONE = "done"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    ROLLED_BACK = "rolled_back"
    NEEDS_ATTENTION = "needs_attention"


EXIT_CODES = {Outcome.DONE: 0, Outcome.UNCHANGED: 0, Outcome.REFUSED: 3, Outcome.ROLLED_BACK: 4, Outcome.NEEDS_ATTENTION: 5}


@dataclass(frozen=True, slots=True)
class StepTaken:
    """One step of an operation."""

    step: str
    at: datetime
    why: str


@dataclass(frozen=True, slots=True)
class OperationResult:
    """One durable run of a plan, ended."""

    instance: InstanceId
    outcome: Outcome
    from_type: str
    to_type: str
    """The type it has at the end."""
    started_at: datetime
    ended_at: datetime
    downtime_seconds: float
    """From the request to stop until it was seen running again; 0 where it was not stopped."""
    steps: tuple[StepTaken, ...]
    hint: str = ""

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.outcome]


@dataclass(frozen=True, slots=True)
class DeployRecord:
    """One attempt at a deploy."""

    instance: InstanceId | None
    target: str | None
    command: str
    began_at: datetime
    seconds: float
    exit_code: int
    cause: Cause | None
    """None where it succeeded."""
    limit_bytes: int | None
    peak_bytes: int | None
    type_name: str | None
