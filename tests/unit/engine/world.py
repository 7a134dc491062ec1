"""What the engine's tests share: a fake cloud with one instance, a driver for it, and a store and a prober in memory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from scaler.domain.errors import ScalerError, StoreError
from scaler.domain.instance import Instance, InstanceId, InstanceState, Reference, TagKey
from scaler.domain.operation import LEASE, Decision, Goal, Intent
from scaler.domain.outcome import DeployRecord, OperationResult
from scaler.domain.plan import Plan
from scaler.domain.policy import Probe, Target
from scaler.engine.drive import Driver
from scaler.engine.operate import execute
from scaler.engine.plan import Request, make
from scaler.engine.resume import resume
from scaler.engine.targets import Scope
from scaler.ports import Prober
from scaler.testing import Call, FakeClock, FakeProvider, Machine

DEADLINE = timedelta(minutes=15)
WEB = InstanceId("fake:web-1")


@dataclass
class MemoryStore:
    """A Store in memory; `error` makes every call fail."""

    error: ScalerError | None = None
    kept_deploys: list[DeployRecord] = field(default_factory=list)
    kept_operations: list[OperationResult] = field(default_factory=list)

    def add_deploy(self, record: DeployRecord) -> None:
        self._check()
        self.kept_deploys.insert(0, record)

    def add_operation(self, result: OperationResult) -> None:
        self._check()
        self.kept_operations.insert(0, result)

    def deploys(self, instance: InstanceId | None = None, limit: int = 50) -> Sequence[DeployRecord]:
        self._check()
        return [one for one in self.kept_deploys if instance in (None, one.instance)][:limit]

    def operations(self, instance: InstanceId | None = None, limit: int = 50) -> Sequence[OperationResult]:
        self._check()
        return [one for one in self.kept_operations if instance in (None, one.instance)][:limit]

    def _check(self) -> None:
        if self.error is not None:
            raise self.error


def broken_store() -> MemoryStore:
    return MemoryStore(StoreError("the history cannot be written: the disk is full"))


@dataclass(frozen=True)
class Said:
    """A try that ended as it began, and what it said."""

    ok: bool
    text: str = "connection refused"

    def result(self) -> "Said":
        return self

    def end(self) -> None:
        pass


@dataclass
class ListedProber:
    """Says what the list holds, one entry a try; the last one for ever."""

    answers: list[bool] = field(default_factory=lambda: [True])
    asked: list[str | None] = field(default_factory=list)
    """The addresses it was asked about."""

    def __call__(self, probe: Probe, address: str | None, instance: str) -> Said:
        self.asked.append(address)
        return Said(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])


@dataclass
class World:
    """A cloud with the instance web-1, a b1.small of 2 GiB unless said otherwise."""

    clock: FakeClock = field(default_factory=FakeClock)
    prober: Prober = field(default_factory=ListedProber)
    store: MemoryStore = field(default_factory=MemoryStore)
    target: Target = field(default_factory=lambda: Target("web", (Reference("fake", "web-1"),)))
    steps: list[Decision] = field(default_factory=list)
    cloud: FakeProvider = field(init=False)

    def __post_init__(self) -> None:
        self.cloud = FakeProvider(self.clock)

    @property
    def web(self) -> Machine:
        return self.cloud.machine(WEB)

    @property
    def intent(self) -> Intent | None:
        return Intent.decode(self.web.records.get(TagKey.INTENT, ""))

    @property
    def changes(self) -> list[str]:
        """The changing calls, by name, the records left out."""
        return [call.method for call in self.cloud.calls if call.method in ("stop", "set_instance_type", "start")]

    def scope(self, instance_id: InstanceId = WEB) -> Scope:
        return Scope(self.cloud, self.cloud.observe([instance_id])[instance_id], self.target, {})

    def driver(self, owner: str = "runner:1", is_interrupted: Callable[[], bool] = lambda: False) -> Driver:
        return Driver(self.cloud, self.clock, self.prober, owner, self._note, is_interrupted)

    def plan(self, to_type: str = "b1.large", fallbacks: Sequence[str] = ()) -> Plan:
        plan = make(self.scope(), Request(to_type=to_type), self.clock, self.store)
        offerings = {one.type.name: one for one in self.cloud.offerings(plan.instance)}
        return replace(plan, fallbacks=tuple(offerings[name] for name in fallbacks))

    def grow(
        self, to_type: str = "b1.large", fallbacks: Sequence[str] = (), probes: Sequence[Probe] = (), driver: Driver | None = None
    ) -> OperationResult:
        return execute(driver or self.driver(), self.plan(to_type, fallbacks), probes, DEADLINE)

    def resume(self, driver: Driver | None = None) -> OperationResult | None:
        return resume(self.scope(), driver or self.driver("runner:2"), self.store)

    def is_as_before(self) -> bool:
        return (self.web.state, self.web.type_name, TagKey.INTENT in self.web.records) == (InstanceState.RUNNING, "b1.small", False)

    def _note(self, instance: Instance, decision: Decision) -> None:
        self.steps.append(decision)


def a_world(type_name: str = "b1.small", state: InstanceState = InstanceState.RUNNING) -> World:
    world = World()
    world.cloud.add("web-1", type_name, state)
    return world


class Behind(FakeProvider):
    """A cloud whose looks show, while told so, how everything was before."""

    behind: Mapping[InstanceId, Instance] | None = None

    def observe(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, Instance]:
        seen = super().observe(ids)
        return seen if self.behind is None else self.behind


def meddle(world: World, method: str, action: Callable[[], object], *, is_before: bool = False) -> None:
    """Let something happen around each call of one method."""

    def hook(call: Call) -> None:
        if call.method == method:
            action()

    if is_before:
        world.cloud.before = hook
    else:
        world.cloud.after = hook


def an_intent(world: World, owner: str) -> Intent:
    now = world.clock.now()
    return Intent("b1.small", "b1.large", (), Goal.FORWARD, True, owner, owner[:4] * 2, now + LEASE, now, now + DEADLINE)
