"""The only place where adapters, stores and clocks are built."""

import contextlib
import os
import re
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from scaler.cli.policyfiles import locate
from scaler.domain.errors import UsageError
from scaler.domain.instance import Instance, Reference
from scaler.domain.operation import Decision
from scaler.domain.policy import Policy, Target
from scaler.engine.operate import Driver
from scaler.engine.targets import Scope, choose_target, find
from scaler.history.sqlite import SqliteStore
from scaler.host.clock import SystemClock
from scaler.ports import Clock, Provider, Store

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


def state_dir() -> Path:
    """Where scale keeps what it remembers on this machine (XDG base directory specification)."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "scale"


def store() -> Store:
    """The local record of deploys and operations."""
    return SqliteStore(state_dir() / "history.db")


def provider_names() -> Sequence[str]:
    """The adapters that are installed."""
    return sorted(_adapters())


def _adapters() -> "dict[str, EntryPoint]":
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group="scaler.providers")}


@dataclass(slots=True)
class Providers:
    """Builds each adapter once, when it is first needed."""

    _built: dict[str, Provider] = field(default_factory=dict)

    def __call__(self, name: str) -> Provider:
        if name not in self._built:
            self._built[name] = self._build(name)
        return self._built[name]

    def _build(self, name: str) -> Provider:
        found = _adapters()
        if name not in found:
            raise UsageError(f"There is no provider {name!r}.", hint=f"Known: {', '.join(sorted(found))}.")
        try:
            provider: Provider = found[name].load()()
        except ModuleNotFoundError as error:
            hint = f"Install it with: uv tool install 'scale-up[{name}]'  (or pipx install 'scale-up[{name}]')"
            raise UsageError(f"The {name} provider needs the package {error.name}, which is not installed.", hint=hint) from error
        return provider


def load_policy(path: str | None) -> Policy | None:
    """The policy named, else the one in SCALE_POLICY, else the nearest scale.yml upwards from here; None where there is none.

    Raises:
        PolicyError: it is wrong; the message holds every error.
        UsageError: the file named does not exist.
    """
    where = locate(Path(path) if path else None)
    if where is None:
        return None
    from scaler.policyfile import load

    return load(where)


@dataclass(frozen=True, slots=True)
class Context:
    """What every command works with."""

    policy: Policy | None
    target: Target
    only: Reference | None
    """The one instance the user named by reference; None: all of the target's."""
    providers: Providers
    clock: Clock
    store: Store

    def scopes(self) -> Sequence[Scope]:
        """The instances meant, as they are now."""
        return find(self.providers, self.clock, self.target, self.policy, self.only)

    def one(self) -> Scope:
        """The only instance meant.

        Raises:
            UsageError: the target has several.
        """
        scopes = self.scopes()
        if len(scopes) > 1:
            names = ", ".join(scope.instance.id for scope in scopes)
            raise UsageError(f"{self.target.name} has several instances: {names}.", hint="Name one of them.")
        return scopes[0]


def context(policy_path: str | None, name: str | None) -> Context:
    """Resolve what the user named, with the policy that holds for it."""
    policy = load_policy(policy_path)
    only = Reference.parse(name) if name and ":" in name else None
    return Context(policy, choose_target(policy, name), only, Providers(), SystemClock(), store())


def driver(provider: Provider, clock: Clock, on_step: Callable[[Instance, Decision], None], interrupts: "Interrupts") -> Driver:
    """What an operation is driven with."""
    import socket

    from scaler.host.probes import check

    host = re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname())[:28]
    return Driver(provider, clock, check, f"{host}:{os.getpid()}", on_step, lambda: interrupts.signal is not None)


INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(slots=True)
class Interrupts:
    """Remembers that someone asked to end while an operation must not be cut in the middle of a step."""

    signal: int | None = None

    def _note(self, number: int, _frame: object) -> None:
        self.signal = number

    @contextlib.contextmanager
    def aborting(self) -> Iterator[None]:
        """Within, they end what waits for an answer at the terminal, and are noted all the same."""

        def abort(number: int, _frame: object) -> None:
            self.signal = number
            raise KeyboardInterrupt

        before = {number: signal.signal(number, abort) for number in INTERRUPTS if signal.getsignal(number) == self._note}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextlib.contextmanager
def noting_interrupts() -> Iterator[Interrupts]:
    """Within, SIGINT, SIGTERM and SIGHUP are noted instead of ending the process."""
    interrupts = Interrupts()
    noted = [number for number in INTERRUPTS if signal.getsignal(number) is not signal.SIG_IGN]  # as nohup asks
    before = {number: signal.signal(number, interrupts._note) for number in noted}
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
