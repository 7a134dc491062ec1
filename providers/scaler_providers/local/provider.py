"""Instances that are memory-limited sandboxes on this machine."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from typing import ClassVar

from scaler.domain.errors import Incompatible, NotFound, UsageError, WrongState
from scaler.domain.instance import CheckLevel, Finding, Instance, InstanceId, InstanceState, Offering, Reference, Selector, TagKey
from scaler.ports import Capabilities, ConsoleLog, Sandbox
from scaler_providers.local import catalog
from scaler_providers.local.address_space import NOTICE
from scaler_providers.local.sandbox import open_sandbox, pick
from scaler_providers.local.store import Record, Store

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_PREFIX = "local:"


class LocalProvider:
    """`local:NAME`: every valid name is an instance, running on the smallest type until something changes it.

    Changes are immediate and remembered under `$XDG_STATE_HOME/scale/local`.
    """

    name: ClassVar[str] = "local"
    capabilities: ClassVar[Capabilities] = Capabilities(has_sandbox=True)

    def __init__(self, kind: Callable[[], str] = pick) -> None:
        self._kind = kind
        smallest = catalog.ladder(catalog.SMALLEST_MIB)[0]
        self._store = Store(fresh=Record(InstanceState.RUNNING, smallest.name))

    def find(self, what: Reference | Selector) -> Sequence[Instance]:
        """The one instance of that name; a selector names it with the tag `Name`, the only one there is."""
        if isinstance(what, Reference):
            return [self._load(_name_in(InstanceId(str(what))))]
        if set(what.tags) != {"Name"} or what.location not in {None, catalog.ZONE}:
            raise NotFound(
                "Local instances have no tags and no regions.", hint="Name one by `local:NAME`, or with the single tag `Name`."
            )
        return [self._load(_valid(what.tags["Name"]))]

    def find_with_intent(self) -> Sequence[Instance]:
        instances = [self._load(name) for name in self._store.names() if _NAME.fullmatch(name)]
        return [instance for instance in instances if TagKey.INTENT in instance.records]

    def observe(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, Instance]:
        names = [one.removeprefix(_PREFIX) for one in ids if one.startswith(_PREFIX)]
        instances = [self._load(name) for name in names if _NAME.fullmatch(name)]
        return {instance.id: instance for instance in instances}

    def offerings(self, instance: Instance) -> Sequence[Offering]:
        return catalog.offerings(instance.type_name)

    def check(self, instance: Instance, type_name: str) -> Sequence[Finding]:
        findings = []
        if type_name not in _type_names():
            findings.append(Finding(CheckLevel.BLOCKER, "unknown_type", _unknown_type(instance.name, type_name)))
        if self._kind() == "address-space":
            findings.append(Finding(CheckLevel.WARNING, "address_space_sandbox", NOTICE))
        return findings

    def stop(self, id: InstanceId) -> None:  # noqa: A002 - the domain's word
        self._store.change(_name_in(id), lambda record: replace(record, state=InstanceState.STOPPED))

    def set_instance_type(self, id: InstanceId, type_name: str) -> None:  # noqa: A002
        name = _name_in(id)

        def new(record: Record) -> Record:
            if record.state is not InstanceState.STOPPED:
                raise WrongState(f"{id} is running; its type can only be changed while it is stopped.")
            _require_offered(name, type_name)
            return replace(record, type_name=type_name)

        self._store.change(name, new)

    def start(self, id: InstanceId) -> None:  # noqa: A002
        name = _name_in(id)

        def new(record: Record) -> Record:
            if record.state is InstanceState.RUNNING:
                return record
            _require_offered(name, record.type_name)
            return replace(record, state=InstanceState.RUNNING, launched_at=datetime.now(UTC))

        self._store.change(name, new)

    def write_tag(self, id: InstanceId, key: TagKey, value: str | None) -> None:  # noqa: A002
        def new(record: Record) -> Record:
            others = {k: v for k, v in record.records.items() if k is not key}
            return replace(record, records=others if value is None else {**others, key: value})

        self._store.change(_name_in(id), new)

    def console_log(self, id: InstanceId) -> ConsoleLog | None:  # noqa: A002
        """Always None: a sandbox has no console."""
        _name_in(id)
        return None

    def sandbox(self, label: str, limit_bytes: int) -> AbstractContextManager[Sandbox]:
        return open_sandbox(label, limit_bytes)

    def _load(self, name: str) -> Instance:
        record = self._store.load(name)
        return Instance(
            id=InstanceId(_PREFIX + name),
            name=name,
            state=record.state,
            type_name=record.type_name,
            zone=catalog.ZONE,
            architecture=catalog.architecture(),
            launched_at=record.launched_at,
            private_address="127.0.0.1",
            records=record.records,
        )


def _valid(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot name a local instance.",
            hint="Use letters, digits, dots, underscores and dashes, a letter or digit first, at most 100 of them.",
        )
    return name


def _name_in(id: InstanceId) -> str:  # noqa: A002
    if not id.startswith(_PREFIX):
        raise NotFound(f"{id} is no local instance.")
    return _valid(id.removeprefix(_PREFIX))


def _type_names() -> list[str]:
    return [rung.name for rung in catalog.ladder(catalog.machine_memory_mib())]


def _require_offered(name: str, type_name: str) -> None:
    if type_name not in _type_names():
        raise Incompatible(_unknown_type(name, type_name))


def _unknown_type(name: str, type_name: str) -> str:
    return f"{type_name!r} is no type local:{name} can have on this machine; {', '.join(_type_names())} are."
