"""Calling a provider: the one place where scale tries again."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_delay, wait_exponential_jitter

from scaler.domain.errors import AccessDenied, ScalerError, WrongState
from scaler.ports import Clock

_T = TypeVar("_T")

READ_SECONDS = 30.0
"""How long a command that only reads keeps trying before it says that the provider does not answer."""


def call(action: Callable[[], _T], clock: Clock, *, until: datetime | None = None, instance_is_down: bool = False) -> _T:
    """Run `action`, again after a passing fault, until `until` (default: 30 s from now); then its last error is raised.

    `WrongState` is not retried here: whoever meets it must look again first. `AccessDenied` is retried only while the instance is
    down, because then starting it is what matters.
    """
    began = clock.now()
    seconds = READ_SECONDS if until is None else max((until - began).total_seconds(), 1.0)

    def may_pass(error: BaseException) -> bool:
        if isinstance(error, AccessDenied):
            return instance_is_down
        return isinstance(error, ScalerError) and error.retryable and not isinstance(error, WrongState)

    def is_too_late(_state: RetryCallState) -> bool:
        return (clock.now() - began).total_seconds() >= seconds

    retrying = Retrying(
        retry=retry_if_exception(may_pass),
        wait=wait_exponential_jitter(initial=0.5, max=8.0, jitter=0.5),
        stop=stop_after_delay(seconds) | is_too_late,  # type: ignore[operator]
        sleep=clock.sleep,
        reraise=True,
    )
    return retrying(action)
