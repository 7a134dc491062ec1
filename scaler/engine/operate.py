"""Begin an operation, or take over a dead process's: who may change an instance now is settled here."""

import contextlib
import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from scaler.domain.errors import LockHeld, NotFound, PlanStale, Refused, ScalerError, Unavailable
from scaler.domain.instance import Instance, InstanceId, InstanceState, TagKey
from scaler.domain.operation import LEASE, Goal, Intent
from scaler.domain.outcome import OperationResult
from scaler.domain.plan import Plan, fingerprint
from scaler.domain.policy import Probe
from scaler.engine.calls import call
from scaler.engine.drive import PATIENCE_SECONDS, Driver, OnStep, Run, drive
from scaler.engine.probing import Probing

__all__ = ["Driver", "OnStep", "execute", "take_over"]

_LEAST_TIME = timedelta(minutes=5)
"""What an operation that is taken over has at least, however much of its time was lost with its first owner."""


def execute(driver: Driver, plan: Plan, probes: Sequence[Probe], deadline: timedelta) -> OperationResult:
    """Carry out a resize plan.

    Raises:
        PlanStale: the instance is no longer what the plan was made for; nothing was changed.
        LockHeld: another live process is changing it; nothing was changed.
        Refused, NotDone: the intent could not be written, or one of an unfinished operation is there; nothing was changed.
    """
    if plan.chosen is None:
        raise Refused("The plan has no type to change to.")
    instance = _fresh(driver, plan.instance.id)
    _refuse_if_unfinished(driver, instance)
    if fingerprint(instance) != plan.fingerprint:
        text = f"{instance.name} is no longer as the plan has it: it is {instance.state}, type {instance.type_name}. Nothing was changed."
        raise PlanStale(text, hint=f"Look again: scale plan {instance.id}")
    now = driver.clock.now()
    intent = Intent(
        from_type=instance.type_name,
        to_type=plan.chosen.type.name,
        fallbacks=tuple(offering.type.name for offering in plan.fallbacks),
        goal=Goal.FORWARD,
        was_running=instance.state in (InstanceState.RUNNING, InstanceState.PENDING),
        owner=driver.owner,
        token=secrets.token_hex(4),
        lease_until=now + LEASE,
        started_at=now,
        deadline=now + deadline,
    )
    try:
        seen = _claim(driver, instance, intent)
    except LockHeld:
        raise
    except ScalerError:
        _withdraw(driver, instance.id)
        raise
    return drive(driver, Run(seen, intent, Probing(probes)))


def take_over(driver: Driver, instance: Instance, intent: Intent, probes: Sequence[Probe] = ()) -> OperationResult:
    """Finish what a dead process began, in the direction it had. Its time begins anew: what was lost while nobody was at it does not
    count against the new type.

    Raises:
        LockHeld: a live process is at it.
    """
    _refuse_if_leased(driver, instance, intent)
    now = driver.clock.now()
    own = replace(
        intent,
        owner=driver.owner,
        token=secrets.token_hex(4),
        lease_until=now + LEASE,
        started_at=now,
        deadline=now + max(intent.deadline - now, _LEAST_TIME),
    )
    seen = _claim(driver, instance, own)
    is_down = intent.was_running and seen.state is not InstanceState.RUNNING
    return drive(driver, Run(seen, own, Probing(probes), is_begun_here=False, stopped_at=intent.started_at if is_down else None))


def _fresh(driver: Driver, instance_id: InstanceId) -> Instance:
    seen = call(lambda: driver.provider.observe([instance_id]), driver.clock)
    if instance_id not in seen:
        raise NotFound(f"{instance_id} is gone.", hint="Nothing was changed.")
    return seen[instance_id]


def _refuse_if_unfinished(driver: Driver, instance: Instance) -> None:
    """A dead process's intent on a running instance is replaced; on one that is down it alone says what to go back to."""
    text = instance.records.get(TagKey.INTENT, "")
    if not text:
        return
    held = Intent.decode(text)
    if held is None:
        raise Refused(
            f"The intent on {instance.name} cannot be read: {text!r}. Nothing was changed.",
            hint="Was it written by a later version of scale?",
        )
    _refuse_if_leased(driver, instance, held)
    if instance.state is not InstanceState.RUNNING:
        text = f"A change of {instance.name} from {held.from_type} to {held.to_type} was not finished; it is {instance.state}."
        raise Refused(f"{text} Nothing was changed by this command.", hint=f"Finish it first: scale resume {instance.id}")


def _refuse_if_leased(driver: Driver, instance: Instance, held: Intent) -> None:
    if held.is_leased(driver.clock.now()):
        text = f"{held.owner} is changing {instance.name} from {held.from_type} to {held.to_type} now. Nothing was changed by this command."
        raise LockHeld(text, hint=f"Watch it with: scale status {instance.id}")


def _claim(driver: Driver, instance: Instance, intent: Intent) -> Instance:
    """Take the lease: write the intent, then read it back; of two writers the one whose token stands goes on."""
    call(lambda: driver.provider.write_tag(instance.id, TagKey.INTENT, intent.encode()), driver.clock)
    seen = call(lambda: _shown(driver, instance), driver.clock)
    standing = Intent.decode(seen.records.get(TagKey.INTENT, ""))
    if standing is not None and standing.token != intent.token and standing.is_leased(driver.clock.now()):
        text = f"{standing.owner} began to change {instance.name} at the same moment. Nothing was changed by this command."
        raise LockHeld(text, hint=f"Watch it with: scale status {instance.id}")
    return seen


def _shown(driver: Driver, instance: Instance) -> Instance:
    """Look at an instance that was there a moment ago: a read that leaves it out may be behind."""
    seen = driver.provider.observe([instance.id])
    if instance.id not in seen:
        raise Unavailable(f"The provider does not show {instance.name} any more.", hint=f"Look again: scale status {instance.id}")
    return seen[instance.id]


def _withdraw(driver: Driver, instance_id: InstanceId) -> None:
    """Remove an intent that was, perhaps, written, and on which nothing followed."""
    with contextlib.suppress(ScalerError):
        call(lambda: driver.provider.write_tag(instance_id, TagKey.INTENT, None), driver.clock, seconds=PATIENCE_SECONDS)
