"""The health probes of one operation: asked one after the other, a glance at a time, so that the driver keeps its lease meanwhile."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from scaler.domain.instance import Instance
from scaler.domain.operation import ProbeState
from scaler.domain.policy import Probe
from scaler.ports import Prober, ProbeResult, ProbeTry


@dataclass(slots=True)
class Probing:
    """How far the probes are. One that has passed is not asked again."""

    probes: Sequence[Probe]
    passed: int = 0
    is_failing: bool = False
    """Whether the last try that came to an end failed."""
    since: datetime | None = None
    """When the probe now asked was first tried; each has its own time, from then on."""
    current: ProbeTry | None = None

    @property
    def state(self) -> ProbeState:
        if not self.probes:
            return ProbeState.NONE
        if self.passed == len(self.probes):
            return ProbeState.OK
        return ProbeState.FAILING if self.is_failing else ProbeState.UNKNOWN

    @property
    def until(self) -> datetime | None:
        """When the probe now asked has had its time; None where none is."""
        return None if self.since is None else self.since + self.probes[self.passed].timeout

    def ask(self, prober: Prober, instance: Instance, now: datetime) -> ProbeResult | None:
        """Begin a try or look at the one under way; what it said, or None where it has not ended."""
        self.since = self.since or now
        if self.current is None:
            self.current = prober(self.probes[self.passed], instance.address, instance.id)
        result = self.current.result()
        if result is not None:
            self.current, self.is_failing = None, not result.ok
            if result.ok:
                self.passed, self.since = self.passed + 1, None
        return result

    def restart(self) -> None:
        """Forget what they said of an instance that no longer runs as it did, and end the try under way."""
        self.end()
        self.passed, self.is_failing, self.since = 0, False, None

    def end(self) -> None:
        """End the try under way; idempotent."""
        if self.current is not None:
            self.current.end()
            self.current = None
