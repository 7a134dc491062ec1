"""Finish what a dead process began."""

import contextlib

from scaler.domain.errors import Refused, StoreError
from scaler.domain.instance import TagKey
from scaler.domain.operation import Intent
from scaler.domain.outcome import OperationResult
from scaler.engine.operate import Driver, take_over
from scaler.engine.targets import Scope
from scaler.ports import Store


def resume(scope: Scope, driver: Driver, store: Store) -> OperationResult | None:
    """Take over the operation on one instance and converge; None where it carries no intent.

    Raises:
        LockHeld: a live process is at it.
        Refused: the intent is of a later version of scale and is left as it is.
    """
    text = scope.instance.records.get(TagKey.INTENT, "")
    if not text:
        return None
    intent = Intent.decode(text)
    if intent is None:
        raise Refused(
            f"The intent on {scope.instance.name} cannot be read: {text!r}.", hint="Was it written by a later version of scale?"
        )
    result = take_over(driver, scope.instance, intent, scope.target.health)
    with contextlib.suppress(StoreError):  # the instance is what counts; its history on this machine is a comfort
        store.add_operation(result)
    return result
