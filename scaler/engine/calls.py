"""Calling a provider: the one place where scale tries again."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from scaler.domain.errors import ScalerError, WrongState
from scaler.ports import Clock

if TYPE_CHECKING:
    from tenacity import RetryCallState

_T = TypeVar("_T")

READ_SECONDS = 15.0
"""How long a command that only reads keeps trying before it says that the provider does not answer."""


def call(action: Callable[[], _T], clock: Clock, *, seconds: float = READ_SECONDS) -> _T:
    """Run `action`, again after a passing fault, for about that long; then its last error is raised.

    `WrongState` is not retried here: whoever meets it must look again first.
    """
    # A deploy that succeeds calls no provider: it does not wait the 10 ms that this takes to load.
    from tenacity import Retrying, retry_if_exception, wait_exponential, wait_random  # noqa: PLC0415

    began = clock.now()

    def may_pass(error: BaseException) -> bool:
        return isinstance(error, ScalerError) and error.retryable and not isinstance(error, WrongState)

    def is_too_late(_state: "RetryCallState") -> bool:
        return (clock.now() - began).total_seconds() >= seconds

    retrying = Retrying(
        retry=retry_if_exception(may_pass),
        wait=wait_exponential(multiplier=0.5, max=8.0) + wait_random(0.0, 0.5),
        stop=is_too_late,
        sleep=clock.sleep,
        reraise=True,
    )
    return retrying(action)
