"""What will be done to one instance, and what it rests on. Making one changes nothing."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from scaler.domain.choice import Considered, Refusal
from scaler.domain.instance import Finding, Instance, Offering
from scaler.domain.need import Need
from scaler.domain.policy import Remedy


@dataclass(frozen=True, slots=True)
class Plan:
    """The remedy chosen for one instance. `remedy` None: there is none, and `refused` says why."""

    instance: Instance
    current: Offering
    need: Need
    remedy: Remedy | None
    chosen: Offering | None = None
    fallbacks: tuple[Offering, ...] = ()
    """Taken in this order where the chosen one cannot be started."""
    considered: tuple[Considered, ...] = ()
    findings: tuple[Finding, ...] = ()
    """What was found about changing to the chosen type."""
    refused: tuple[Refusal, ...] = ()
    steps: tuple[str, ...] = ()
    downtime_seconds_expected: float = 0.0

    @property
    def usd_per_month_delta(self) -> Decimal | None:
        """None where either price is not known."""
        if self.chosen is None or self.chosen.usd_per_month is None or self.current.usd_per_month is None:
            return None
        return self.chosen.usd_per_month - self.current.usd_per_month

    @property
    def fingerprint(self) -> str:
        """What the plan takes to be true of the instance; another value later means the plan is stale."""
        return fingerprint(self.instance)


def fingerprint(instance: Instance) -> str:
    """A short digest of what a plan assumes of an instance: its identity, state, type and zone."""
    facts = f"{instance.id}\n{instance.state}\n{instance.type_name}\n{instance.zone}"
    return hashlib.sha256(facts.encode()).hexdigest()[:16]


def resize_steps(instance: Instance, chosen: str, probes: int, *, has_status_checks: bool) -> Sequence[str]:
    """The steps of a resize in place, in words."""
    was_running = instance.state not in ("stopped", "stopping")
    steps = [f"write the intent on {instance.name}"]
    if was_running:
        steps.append(f"stop {instance.name}")
    steps.append(f"change its type from {instance.type_name} to {chosen}")
    if was_running:
        steps.append(f"start {instance.name}")
        if has_status_checks:
            steps.append("wait for the provider's status checks")
        if probes:
            steps.append("wait for the health check" if probes == 1 else f"wait for {probes} health checks")
    return [*steps, "remove the intent"]
