"""The best memory limit this user can have on this machine."""

from contextlib import AbstractContextManager

from scaler.domain.errors import UsageError
from scaler.ports import Sandbox
from scaler_providers.local import cgroup1, cgroup2
from scaler_providers.local.address_space import AddressSpaceSandbox


def pick() -> str:
    """Which kind `open_sandbox` would make: `cgroup2`, `cgroup1` or `address-space`. Changes nothing."""
    if cgroup2.find_place() is not None:
        return "cgroup2"
    return "address-space" if cgroup1.find_place() is None else "cgroup1"


def open_sandbox(label: str, limit_bytes: int) -> AbstractContextManager[Sandbox]:
    """A sandbox of the best kind there is; see `SandboxHost.sandbox`.

    Raises:
        UsageError: the limit is no amount of memory.
        NotDone: the kernel refused it, on entering.
    """
    if limit_bytes <= 0:
        raise UsageError(f"A sandbox cannot have {limit_bytes} bytes of memory.")
    if (place := cgroup2.find_place()) is not None:
        return cgroup2.Cgroup2Sandbox(*place, label, limit_bytes)
    if (place := cgroup1.find_place()) is not None:
        return cgroup1.Cgroup1Sandbox(*place, label, limit_bytes)
    return AddressSpaceSandbox(limit_bytes)
