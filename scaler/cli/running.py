"""Run the deploy once on this machine, watched, in the instance's sandbox where it has one; what was seen becomes an Attempt."""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, cast

from scaler.domain.errors import NotFound
from scaler.domain.evidence import Counters, Evidence, KernelLog
from scaler.domain.rules import STEMS, codes
from scaler.engine.redeploy import Attempt
from scaler.engine.targets import Scope
from scaler.host import child, counters
from scaler.host.watch import Watcher
from scaler.ports import Provider, Sandbox, SandboxHost


class Say(Protocol):
    """Where a plain remark to the user goes."""

    def __call__(self, text: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Enclosure:
    """How to put a deploy into a sandbox with its instance's memory, as large as it is at that moment."""

    host: SandboxHost
    scope: "ScopeSource"


class ScopeSource(Protocol):
    """The one instance, as it is now."""

    def __call__(self) -> Scope: ...


def memory_bytes(scope: Scope) -> int:
    """The memory of the instance's present type.

    Raises:
        NotFound: the provider does not describe that type.
    """
    for offering in scope.provider.offerings(scope.instance):
        if offering.type.name == scope.instance.type_name:
            return offering.type.memory_bytes
    raise NotFound(f"The memory of {scope.instance.type_name} is not known, so the deploy cannot be rehearsed within it.")


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs the deploy. `enclosure` None: it runs as it is, and what runs out of memory is elsewhere."""

    argv: Sequence[str]
    enclosure: Enclosure | None
    has_target: bool
    say: Say

    def __call__(self, environment: Mapping[str, str]) -> Attempt:
        """Run it once with these additions to its environment.

        Raises:
            CannotRun: there is no such command, or it is not executable.
        """
        began_at, killed_before = datetime.now(UTC), counters.oom_kills() or 0
        watcher = Watcher(STEMS, codes)
        with self._sandbox() as sandbox:
            if sandbox is not None and sandbox.notice:
                self.say(sandbox.notice)
            enter = sandbox.enter if sandbox is not None else None
            result = child.run(self.argv, env={**os.environ, **environment}, watcher=watcher, enter=enter)
            evidence = self._evidence(result.exit_code, watcher, began_at, killed_before, sandbox)
        peak = evidence.counters.peak_bytes if evidence.counters else None
        return Attempt(evidence, result.exit_code, result.seconds, began_at, peak, result.is_interrupted)

    @contextlib.contextmanager
    def _sandbox(self) -> Iterator[Sandbox | None]:
        if self.enclosure is None:
            yield None
            return
        scope = self.enclosure.scope()
        label = "".join(letter if letter.isalnum() else "-" for letter in scope.instance.name)
        with self.enclosure.host.sandbox(label, memory_bytes(scope)) as sandbox:
            yield sandbox

    def _evidence(
        self, exit_code: int, watcher: Watcher, began_at: datetime, killed_before: int, sandbox: Sandbox | None
    ) -> Evidence:
        killed_here = max((counters.oom_kills() or 0) - killed_before, 0)
        seen = _sandbox_counters(sandbox) if sandbox is not None else None
        if seen is None and not self.has_target and killed_here:
            seen = Counters(killed_here, limit_bytes=counters.memory_bytes())
        is_here = sandbox is not None or (not self.has_target and killed_here)
        failed = exit_code != 0
        return Evidence(
            exit_code=exit_code,
            output=watcher.lines() if failed else (),
            kernel_logs=_kernel_logs(began_at) if failed and is_here and not (seen and seen.refuses_instead_of_killing) else (),
            counters=seen,
            began_at=began_at,
            instance_cgroup=sandbox.cgroup if sandbox is not None else None,
            instance_memory_bytes=sandbox.limit_bytes if sandbox is not None else None,
            other_machine_oom_kills=killed_here if self.has_target and sandbox is None else 0,
        )


def _sandbox_counters(sandbox: Sandbox) -> Counters:
    seen = sandbox.counters()
    return Counters(seen.oom_kills, sandbox.limit_bytes, seen.peak_bytes, sandbox.kind == "address-space")


def _kernel_logs(began_at: datetime) -> Sequence[KernelLog]:
    text = counters.read_kernel_log(began_at)
    return () if text is None else (KernelLog(text, "kernel", counters.booted_at()),)


def sandbox_host(provider: Provider) -> SandboxHost:
    """The provider as what its capabilities say it is."""
    return cast("SandboxHost", provider)
