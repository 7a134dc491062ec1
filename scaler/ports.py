"""What the engine needs from the outside world. Each docstring is a contract; `scaler.testing.ProviderConformance` executes it."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Protocol

from scaler.domain.instance import Finding, Instance, InstanceId, Offering, Reference, Selector, TagKey
from scaler.domain.outcome import DeployRecord, OperationResult
from scaler.domain.policy import Probe


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What only some providers can do."""

    has_console_log: bool = False
    has_status_checks: bool = False
    has_sandbox: bool = False
    """Its instances are sandboxes on this machine: deploys for them run here, inside `SandboxHost.sandbox`."""


@dataclass(frozen=True, slots=True)
class ConsoleLog:
    """What an instance printed on its console."""

    text: str
    read_at: datetime
    is_live: bool
    """False: a copy the provider took at some moment, usually shortly after the last start."""


class Provider(Protocol):
    """One cloud.

    - Calls return when the cloud has *accepted* the request. Adapters never sleep and never retry; the engine polls, waits and retries.
    - Changing calls are idempotent: stopping a stopped instance succeeds.
    - Only domain types and `scaler.domain.errors` cross this line.
    - Every call may raise `AccessDenied` (naming the permission), `CredentialsMissing`, `Throttled` or `Unavailable`.
    """

    name: ClassVar[str]
    """The first part of a reference: `ec2`."""
    capabilities: ClassVar[Capabilities]

    def find(self, what: Reference | Selector) -> Sequence[Instance]:
        """The instances named, those that are gone excluded, ordered by id.

        A Reference yields exactly one instance; a name that several carry is `Refused` with their ids.

        Raises:
            NotFound: nothing matches.
        """
        ...

    def find_with_intent(self) -> Sequence[Instance]:
        """All instances within reach of the credentials (and region) that carry an intent."""
        ...

    def observe(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, Instance]:
        """What is true now, in as few remote calls as possible. Unknown ids are left out of the answer."""
        ...

    def offerings(self, instance: Instance) -> Sequence[Offering]:
        """What this instance could be, its present type included: same architecture, its own zone, ordered by memory then name.

        Types not offered in the zone are listed with `is_available` False. Prices are filled in where they are known.
        """
        ...

    def check(self, instance: Instance, type_name: str) -> Sequence[Finding]:
        """Everything that can be known, without changing anything, about giving `instance` the type `type_name`."""
        ...

    def stop(self, id: InstanceId) -> None:  # noqa: A002 - the domain's word
        """Ask for a stop that lets the guest shut down cleanly."""
        ...

    def set_instance_type(self, id: InstanceId, type_name: str) -> None:  # noqa: A002
        """Give a stopped instance another type.

        Raises:
            WrongState: it is not stopped.
            Incompatible: the provider refuses this type for this instance.
        """
        ...

    def start(self, id: InstanceId) -> None:  # noqa: A002
        """Ask for a start.

        Raises:
            NoCapacity, QuotaExceeded, Incompatible: it cannot start with its present type.
        """
        ...

    def write_tag(self, id: InstanceId, key: TagKey, value: str | None) -> None:  # noqa: A002
        """Write, replace or (None) remove one of scale's records on the instance.

        Values use only letters, digits and `+-=._:/@ `, at most 256 characters: what every cloud takes.
        """
        ...

    def console_log(self, id: InstanceId) -> ConsoleLog | None:  # noqa: A002
        """What the instance printed on its console, or None where there is nothing to read."""
        ...


@dataclass(frozen=True, slots=True)
class MemoryCounters:
    """What the kernel has counted for one memory domain (a sandbox, or this whole machine) up to now."""

    oom_kills: int
    limit_bytes: int | None = None
    peak_bytes: int | None = None
    """The most that was in use and could not be reclaimed, as far as it was measured."""


class Sandbox(Protocol):
    """A memory limit on this machine that a deploy runs inside."""

    kind: str
    """`cgroup2`, `cgroup1`, or `address-space` (a limit on each process's address space: refused allocations instead of kills)."""
    limit_bytes: int
    cgroup: str | None
    """The path the kernel's own reports name it by, or None."""
    notice: str
    """A plain warning of how it differs from a machine of this size; empty where it does not."""

    def enter(self) -> None:
        """Move the calling process inside. Called in the child, between fork and exec: touches nothing but plain system calls."""
        ...

    def counters(self) -> MemoryCounters:
        """Read the counters now. Works until the sandbox is closed."""
        ...


class SandboxHost(Protocol):
    """The optional power of providers whose `capabilities.has_sandbox` is true."""

    def sandbox(self, label: str, limit_bytes: int) -> AbstractContextManager[Sandbox]:
        """Make a sandbox with this limit; leaving the context ends every process in it and removes it. So does the death of this process."""
        ...


class Clock(Protocol):
    """Time. Tests use `scaler.testing.FakeClock`."""

    def now(self) -> datetime:
        """The present, aware, UTC."""
        ...

    def sleep(self, seconds: float) -> None: ...


class ProbeResult(Protocol):
    """What one health probe said."""

    @property
    def ok(self) -> bool: ...

    @property
    def text(self) -> str:
        """What was seen, in words."""
        ...


class ProbeTry(Protocol):
    """One try of a health probe, under way. It takes as long as it takes; whoever began it looks at it and ends it."""

    def result(self) -> ProbeResult | None:
        """What it said; None while it goes on. Blocks for less than a second."""
        ...

    def end(self) -> None:
        """Stop it where it goes on, with every process it began; idempotent."""
        ...


class Prober(Protocol):
    """Begins to try a health probe once. Nothing is raised: whatever goes wrong is an unhealthy result."""

    def __call__(self, probe: Probe, address: str | None, instance: str) -> ProbeTry: ...


class Store(Protocol):
    """The record of past deploys and operations kept on this machine.

    Losing it loses no promise: what an operation needs stands on the instance. Every call may raise `StoreError`.
    """

    def add_deploy(self, record: DeployRecord) -> None: ...

    def add_operation(self, result: OperationResult) -> None: ...

    def deploys(self, instance: InstanceId | None = None, limit: int = 50) -> Sequence[DeployRecord]:
        """Newest first; of all instances where none is named."""
        ...

    def operations(self, instance: InstanceId | None = None, limit: int = 50) -> Sequence[OperationResult]:
        """Newest first; of all instances where none is named."""
        ...
