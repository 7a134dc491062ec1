"""A small honest cloud in memory, for tests of everything that uses a Provider."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from scaler.domain.errors import Incompatible, NoCapacity, NotFound, Refused, ScalerError, UsageError
from scaler.domain.instance import (
    CheckLevel,
    Finding,
    Instance,
    InstanceId,
    InstanceState,
    InstanceType,
    Offering,
    Reference,
    Selector,
    TagKey,
)
from scaler.ports import Capabilities, Clock, ConsoleLog
from scaler.testing.clock import FakeClock
from scaler.testing.machine import Machine

PRICE_SOURCE = "fake price list, 2026-01-05"


def _entry(name: str, gib: int, vcpus: int, usd: str, architecture: str = "x86_64") -> tuple[InstanceType, Decimal]:
    family = name.partition(".")[0]
    return InstanceType(name, gib * 1024, Decimal(vcpus), architecture, family, is_burstable=family == "b1"), Decimal(usd)


CATALOGUE: Mapping[InstanceType, Decimal] = dict(
    [
        _entry("b1.small", 2, 2, "0.02"),
        _entry("b1.medium", 4, 2, "0.04"),
        _entry("b1.large", 8, 2, "0.08"),
        _entry("b1.xlarge", 16, 4, "0.16"),
        _entry("g1.large", 8, 2, "0.10"),
        _entry("g1.xlarge", 16, 4, "0.20"),
        _entry("g1.2xlarge", 32, 8, "0.40"),
        _entry("a1.large", 8, 2, "0.06", "arm64"),
    ]
)
"""A burstable family `b1`, a general one `g1`, and one type of another architecture; with USD an hour."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call a FakeProvider received: `Call("start", ("fake:web-1",))`."""

    method: str
    arguments: tuple[object, ...] = ()


@dataclass(slots=True)
class _Fault:
    error: BaseException
    after: bool
    times: int


class FakeProvider:
    """A cloud that holds state, takes its time by a clock, refuses illegal moves, and fails when told to.

    Stopping, starting and the status checks after a start take as many seconds of `clock` as the constructor says.
    """

    name: ClassVar[str] = "fake"
    capabilities: ClassVar[Capabilities] = Capabilities(has_console_log=True, has_status_checks=True)

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        catalogue: Mapping[InstanceType, Decimal] = CATALOGUE,
        zone: str = "zone-a",
        stop_seconds: float = 20,
        start_seconds: float = 10,
        health_seconds: float = 30,
    ) -> None:
        self.clock: Clock = clock or FakeClock()
        self.prices: dict[str, Decimal] = {entry.name: usd for entry, usd in catalogue.items()}
        """USD an hour by type; take one out to make it unknown."""
        self.no_capacity: set[str] = set()
        """Types that no start gets a machine for."""
        self.bouncing: set[str] = set()
        """Types whose start is accepted and ends stopped again, for want of capacity."""
        self.impaired: set[str] = set()
        """Types on which the status checks fail after a start."""
        self.not_offered: set[str] = set()
        """Types this zone does not have."""
        self.findings: dict[str, list[Finding]] = {}
        """What `check` says about a type, besides what follows from the catalogue."""
        self.calls: list[Call] = []
        """Every call received, oldest first, the failed ones included."""
        self.before: Callable[[Call], None] = lambda _: None
        self.after: Callable[[Call], None] = lambda _: None
        """Run before and after each call takes effect: what others do to the machines meanwhile, or an error to raise."""
        self._types = {entry.name: entry for entry in catalogue}
        self._zone = zone
        self._seconds = (stop_seconds, start_seconds, health_seconds)
        self._machines: dict[InstanceId, Machine] = {}
        self._faults: dict[str, list[_Fault]] = {}
        self._faults_at: dict[int, _Fault] = {}

    def add(
        self,
        key: str = "web-1",
        type_name: str = "b1.small",
        state: InstanceState = InstanceState.RUNNING,
        *,
        name: str | None = None,
        tags: Mapping[str, str] | None = None,
        public_address: str | None = "203.0.113.10",
        private_address: str | None = "10.0.0.10",
    ) -> Instance:
        """Put a machine into the cloud; its id is `fake:KEY`, its name the key unless another is given."""
        machine = Machine(
            id=InstanceId(f"{self.name}:{key}"),
            name=name or key,
            type_name=type_name,
            zone=self._zone,
            architecture=self._types[type_name].architecture,
            state=state,
            launched_at=self.clock.now(),
            tags={"Name": name or key, **(tags or {})},
            public_address=public_address,
            private_address=private_address,
        )
        self._machines[machine.id] = machine
        return machine.describe(self.clock.now())

    def machine(self, id: InstanceId) -> Machine:  # noqa: A002
        """The machine itself, to look at or to change behind scale's back. Is not recorded as a call."""
        self._catch_up()
        return self._machines[id]

    def remove(self, id: InstanceId) -> None:  # noqa: A002
        """Forget the machine entirely, as clouds do some time after its end."""
        del self._machines[id]

    def set_console(self, id: InstanceId, text: str | None) -> None:  # noqa: A002
        """What the machine has printed on its console."""
        self._machines[id].console = text

    def fail(self, method: str, error: BaseException, *, times: int = 1, after: bool = False) -> None:
        """Let the next `times` calls of `method` fail; `after`: they take effect, and the error comes in place of their answer."""
        self._faults.setdefault(method, []).append(_Fault(error, after, times))

    def fail_at(self, number: int, error: BaseException, *, after: bool = True) -> None:
        """Let one call fail, counted from 1 over all calls ever received: for trying a crash at every point."""
        self._faults_at[number] = _Fault(error, after, 1)

    def find(self, what: Reference | Selector) -> Sequence[Instance]:
        with self._called("find", what):
            machines = [machine for machine in self._machines.values() if machine.state is not InstanceState.GONE]
            found = self._named(machines, what) if isinstance(what, Reference) else self._selected(machines, what)
            if not found:
                raise NotFound(f"There is no instance {what} in the fake cloud.", hint="Look at what the test has added.")
            return self._describe(found)

    def find_with_intent(self) -> Sequence[Instance]:
        with self._called("find_with_intent"):
            return self._describe([machine for machine in self._machines.values() if TagKey.INTENT in machine.records])

    def observe(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, Instance]:
        with self._called("observe", *ids):
            known = [self._machines[each] for each in ids if each in self._machines]
            return {instance.id: instance for instance in self._describe(known)}

    def offerings(self, instance: Instance) -> Sequence[Offering]:
        with self._called("offerings", instance.id):
            types = [entry for entry in self._types.values() if entry.architecture == instance.architecture]
            return [
                self._offering(entry, instance.zone) for entry in sorted(types, key=lambda entry: (entry.memory_mib, entry.name))
            ]

    def check(self, instance: Instance, type_name: str) -> Sequence[Finding]:
        with self._called("check", instance.id, type_name):
            wanted = self._types.get(type_name)
            found = list(self.findings.get(type_name, ()))
            if wanted is None:
                found.append(Finding(CheckLevel.BLOCKER, "unknown_type", f"There is no type {type_name}."))
            elif wanted.architecture != instance.architecture:
                found.append(Finding(CheckLevel.BLOCKER, "wrong_architecture", f"{type_name} is {wanted.architecture}."))
            if type_name in self.not_offered:
                found.append(Finding(CheckLevel.BLOCKER, "not_offered_in_zone", f"{instance.zone} has no {type_name}."))
            return found

    def stop(self, id: InstanceId) -> None:  # noqa: A002
        with self._called("stop", id):
            self._known(id).stop(self.clock.now(), self._seconds[0])

    def set_instance_type(self, id: InstanceId, type_name: str) -> None:  # noqa: A002
        with self._called("set_instance_type", id, type_name):
            machine, wanted = self._known(id), self._types.get(type_name)
            if wanted is None or wanted.architecture != machine.architecture:
                raise Incompatible(f"{machine.name} cannot become {type_name}.", code="InvalidInstanceAttributeValue")
            machine.set_type(type_name)

    def start(self, id: InstanceId) -> None:  # noqa: A002
        with self._called("start", id):
            machine = self._known(id)
            is_down = machine.state is InstanceState.STOPPED
            if is_down and machine.type_name in self.no_capacity | self.not_offered:
                raise NoCapacity(f"{machine.zone} has no {machine.type_name} now.", code="InsufficientInstanceCapacity")
            machine.start(self.clock.now(), self._seconds[1], bounces=machine.type_name in self.bouncing)
            if is_down:
                machine.is_impaired = machine.type_name in self.impaired

    def write_tag(self, id: InstanceId, key: TagKey, value: str | None) -> None:  # noqa: A002
        with self._called("write_tag", id, key, value):
            machine = self._known(id)
            if value is None:
                machine.records.pop(key, None)
            elif len(value) > 256:
                raise UsageError(f"A tag value has {len(value)} characters; 256 are the most.")
            else:
                machine.records[key] = value

    def console_log(self, id: InstanceId) -> ConsoleLog | None:  # noqa: A002
        with self._called("console_log", id):
            text = self._known(id).console
            return None if text is None else ConsoleLog(text, self.clock.now(), is_live=True)

    @contextmanager
    def _called(self, method: str, *arguments: object) -> Iterator[None]:
        call = Call(method, arguments)
        self.calls.append(call)
        self._catch_up()
        fault = self._next_fault(method)
        if fault is not None and not fault.after:
            raise fault.error
        self.before(call)
        try:
            yield
        except ScalerError:
            if fault is None:
                raise
        else:
            self.after(call)
        if fault is not None:
            raise fault.error

    def _next_fault(self, method: str) -> _Fault | None:
        if at := self._faults_at.pop(len(self.calls), None):
            return at
        waiting = self._faults.get(method, [])
        if not waiting:
            return None
        waiting[0].times -= 1
        return waiting.pop(0) if waiting[0].times == 0 else waiting[0]

    def _catch_up(self) -> None:
        for machine in self._machines.values():
            machine.catch_up(self.clock.now(), self._seconds[2])

    def _known(self, id: InstanceId) -> Machine:  # noqa: A002
        if id not in self._machines:
            raise NotFound(f"There is no instance {id} in the fake cloud.", code="InvalidInstanceID.NotFound")
        return self._machines[id]

    def _named(self, machines: Sequence[Machine], what: Reference) -> list[Machine]:
        found = [machine for machine in machines if machine.id == str(what)]
        found = found or [machine for machine in machines if machine.name == what.name]
        if len(found) > 1:
            raise Refused(f"{len(found)} instances are named {what.name}: {', '.join(sorted(machine.id for machine in found))}.")
        return found

    def _selected(self, machines: Sequence[Machine], what: Selector) -> list[Machine]:
        here = [machine for machine in machines if what.location in (None, machine.zone)]
        return [machine for machine in here if what.tags.items() <= machine.tags.items()]

    def _describe(self, machines: Sequence[Machine]) -> list[Instance]:
        return sorted((machine.describe(self.clock.now()) for machine in machines), key=lambda instance: instance.id)

    def _offering(self, entry: InstanceType, zone: str) -> Offering:
        usd = self.prices.get(entry.name)
        return Offering(entry, zone, usd, PRICE_SOURCE if usd is not None else "", is_available=entry.name not in self.not_offered)
