"""Everything scale refuses or fails with.

    ScalerError
    ├── UsageError            2   the command line or the policy file is wrong
    │   └── PolicyError       2
    ├── Refused               3   nothing was changed
    │   ├── NotFound          3
    │   ├── Incompatible      3
    │   ├── AccessDenied      3
    │   ├── CredentialsMissing 3
    │   ├── LockHeld          3
    │   └── PlanStale         3
    ├── NotDone               4   the instance is as it was
    │   ├── Throttled         4   retryable
    │   ├── Unavailable       4   retryable
    │   ├── WrongState        4   retryable
    │   ├── NoCapacity        4   the next offering may do
    │   ├── QuotaExceeded     4   the next offering may do
    │   └── StoreError        4
    └── NeedsAttention        5   a person has to look

A class exists because somebody branches on it. Adapters translate vendor codes to these in one table each.
"""

from typing import ClassVar


class ScalerError(Exception):
    """The root. `hint` is what to do next: a command to run, a permission to add."""

    exit_code: ClassVar[int] = 4
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str = "", code: str = "") -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code
        """The vendor's own error code, where there was one."""


class UsageError(ScalerError):
    """The command line asks for something that has no meaning."""

    exit_code = 2


class PolicyError(UsageError):
    """The policy file is wrong; the message holds every error found, one per line, as `file:line:column: text`."""


class Refused(ScalerError):
    """Not allowed or not possible; nothing was changed."""

    exit_code = 3


class NotFound(Refused):
    """The provider knows no such instance."""


class Incompatible(Refused):
    """The instance cannot become that type, now or ever."""


class AccessDenied(Refused):
    """The credentials lack a permission; the message names it."""


class CredentialsMissing(Refused):
    """There are no usable credentials or no region."""


class LockHeld(Refused):
    """Another live process is changing this instance."""


class PlanStale(Refused):
    """The world is no longer the one the plan was made for."""


class NotDone(ScalerError):
    """It was tried and did not work; the instance is as it was."""

    exit_code = 4


class Throttled(NotDone):
    """The provider asks to slow down."""

    retryable = True


class Unavailable(NotDone):
    """A passing fault: a 5xx, a lost connection, a time-out."""

    retryable = True


class WrongState(NotDone):
    """The instance is not (yet) in the state the call needs."""

    retryable = True


class NoCapacity(NotDone):
    """The provider has no machine of this type in this place now."""


class QuotaExceeded(NotDone):
    """The account may not run that much of this type."""


class StoreError(NotDone):
    """The local record could not be read or written."""


class NeedsAttention(ScalerError):
    """The instance is not as it was and scale could not put it right; the message says what is true now."""

    exit_code = 5
