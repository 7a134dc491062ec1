"""Finish what a dead process began."""


from scaler.domain.errors import ScalerError
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
        ScalerError: the intent is of a later version of scale and is left as it is.
    """
    text = scope.instance.records.get(TagKey.INTENT, "")
    if not text:
        return None
    if Intent.decode(text) is None:
        raise ScalerError(
            f"The intent on {scope.instance.name} cannot be read: {text!r}.", hint="Was it written by a later version of scale?"
        )
    result = take_over(driver, [scope.instance], scope.target.health)[0]
    store.add_operation(result)
    return result
