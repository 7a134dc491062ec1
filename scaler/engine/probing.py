"""The health probes of one operation: asked one after the other, a glance at a time, so that the driver keeps its lease meanwhile."""

from collections.abc import Sequence
from dataclasses import dataclass

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
    current: ProbeTry | None = None

    @property
    def state(self) -> ProbeState:
        if not self.probes:
            return ProbeState.NONE
        if self.passed == len(self.probes):
            return ProbeState.OK
        return ProbeState.FAILING if self.is_failing else ProbeState.UNKNOWN

    def ask(self, prober: Prober, instance: Instance) -> ProbeResult | None:
        """Begin a try or look at the one under way; what it said, or None where it has not ended."""
        if self.current is None:
            self.current = prober(self.probes[self.passed], instance.address, instance.id)
        result = self.current.result()
        if result is not None:
            self.current, self.is_failing = None, not result.ok
            self.passed += result.ok
        return result

    def restart(self) -> None:
        """Forget what they said of an instance that no longer runs as it did, and end the try under way."""
        self.end()
        self.passed, self.is_failing = 0, False

    def end(self) -> None:
        """End the try under way; idempotent."""
        if self.current is not None:
            self.current.end()
            self.current = None
