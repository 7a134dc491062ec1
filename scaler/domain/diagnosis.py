"""Why a deploy died, decided from Evidence."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from scaler.domain import advice
from scaler.domain.evidence import Evidence, KernelLog
from scaler.domain.kernel_log import Constraint, OomKill, Task, find_kills
from scaler.domain.rules import Cause, Rule, matches, plain
from scaler.domain.units import format_bytes

THRESHOLD = 0.8
"""Below this confidence the cause is inconclusive and nothing is resized."""

_CLOCK_SLACK = timedelta(seconds=30)
"""How far a kernel's stamps may lie from wall time: the boot moment is known to some seconds only."""

_RESIDENTS = (
    "puma",
    "unicorn",
    "passenger",
    "Passenger",
    "nginx",
    "apache2",
    "httpd",
    "postgres",
    "mysqld",
    "mariadbd",
    "redis-server",
    "sidekiq",
    "memcached",
    "php-fpm",
    "gunicorn",
    "uwsgi",
    "mongod",
    "dockerd",
    "containerd",
    "systemd",
    "sshd",
    "rsyslogd",
    "cron",
    "dbus-daemon",
    "snapd",
    "agetty",
    "login",
    "amazon-ssm-agen",
    "init",
    "elasticsearch",
    "beam.smp",
    "haproxy",
    "caddy",
)


class Source(StrEnum):
    """Where a reason is from, best first."""

    COUNTERS = "counters"
    KERNEL = "kernel"
    CONSOLE = "console"
    EXIT_CODE = "exit_code"
    OUTPUT = "output"


_WITNESS = {
    Source.COUNTERS: "counters",
    Source.KERNEL: "report",
    Source.CONSOLE: "report",
    Source.EXIT_CODE: "deploy",
    Source.OUTPUT: "deploy",
}
"""Sources that repeat one another are one witness: a console shows the kernel's log, a shell prints “Killed” because of the 137."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing the diagnosis rests on."""

    source: Source
    code: str
    text: str
    line: int | None = None
    """Where in the source it stands, counted from 1; None where the source has no lines."""


@dataclass(frozen=True, slots=True)
class Killed:
    """A process the kernel killed."""

    name: str
    pid: int
    rss_bytes: int


@dataclass(frozen=True, slots=True)
class Resident:
    """What held memory at the moment of the last kill."""

    name: str
    rss_bytes: int
    part_of_deploy: bool
    """By name: well-known servers are taken for residents, all else for the deploy."""


@dataclass(frozen=True, slots=True)
class MemoryState:
    """The instance's memory at the moment of the last kill."""

    total_bytes: int
    resident: tuple[Resident, ...]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One cause, how sure it is (0..1), what it rests on, and what helps."""

    cause: Cause
    confidence: float
    reasons: tuple[Reason, ...]
    killed: tuple[Killed, ...] = ()
    memory: MemoryState | None = None
    advice: str = ""


@dataclass(frozen=True, slots=True)
class _Claim:
    cause: Cause
    confidence: float
    reason: Reason


def diagnose(evidence: Evidence, threshold: float = THRESHOLD) -> Diagnosis:
    """Weigh the evidence. The best source decides: the kernel's counters and reports before the deploy's words.

    Any cause whose confidence stays below `threshold` is answered as inconclusive, with its reasons.
    """
    if evidence.exit_code == 0:
        reason = Reason(Source.EXIT_CODE, "succeeded", "the deploy ended with 0: words about memory in its output mean nothing")
        return Diagnosis(Cause.OTHER, 1.0, (reason,), advice=advice.NOTHING_FAILED)
    kills = list(_own_kills(evidence))
    claims = [
        *_from_counters(evidence),
        *_from_kernel(evidence, kills),
        *_from_output(evidence, kills),
        *_from_exit_code(evidence),
    ]
    cause, confidence = _weigh(claims)
    if confidence < threshold:
        cause = Cause.INCONCLUSIVE
    return Diagnosis(
        cause,
        round(confidence, 2),
        tuple(claim.reason for claim in claims),
        tuple(Killed(kill.name, kill.pid, kill.rss_bytes) for _, kill in kills),
        _memory(evidence, kills),
        advice.for_cause(cause, [claim.reason.code for claim in claims]),
    )


def _weigh(claims: Sequence[_Claim]) -> tuple[Cause, float]:
    """The surest claim wins; an independent source that says the same halves what doubt is left."""
    decisive = [claim for claim in claims if claim.confidence > 0]
    if not decisive:
        return Cause.OTHER, 0.8 if claims else 0.0
    best = max(decisive, key=lambda claim: claim.confidence)
    doubt = 1 - best.confidence
    independent = {_WITNESS[claim.reason.source] for claim in decisive if claim.cause is best.cause} - {
        _WITNESS[best.reason.source]
    }
    return best.cause, 1 - doubt / 2 ** len(independent)


def _from_counters(evidence: Evidence) -> Iterator[_Claim]:
    counters = evidence.counters
    if counters and counters.oom_kills:
        kills = "one process" if counters.oom_kills == 1 else f"{counters.oom_kills} processes"
        text = f"the kernel's counter says it killed {kills} for want of memory while the deploy ran"
        yield _Claim(Cause.INSTANCE_MEMORY, 0.98, Reason(Source.COUNTERS, "oom_kill_counted", text))
    if evidence.other_machine_oom_kills:
        text = "a process on the machine this command ran on was killed for want of memory; that machine is not the instance"
        yield _Claim(Cause.OTHER, 0.85, Reason(Source.COUNTERS, "other_machine", text))


def _own_kills(evidence: Evidence) -> Iterator[tuple[KernelLog, OomKill]]:
    for log in evidence.kernel_logs:
        for kill in find_kills(log.text):
            if _is_of_this_deploy(evidence, log, kill):
                yield log, kill


def _is_of_this_deploy(evidence: Evidence, log: KernelLog, kill: OomKill) -> bool:
    """A kill before the deploy began is not its own; one on a console that cannot be dated may be from any deploy."""
    if evidence.instance_cgroup is not None and not _is_instance_cgroup(evidence, kill):
        return False
    if evidence.began_at is None:
        return True
    if log.booted_at is None or kill.seconds_since_boot is None:
        return log.source != Source.CONSOLE
    return log.booted_at + timedelta(seconds=kill.seconds_since_boot) >= evidence.began_at - _CLOCK_SLACK


def _is_instance_cgroup(evidence: Evidence, kill: OomKill) -> bool:
    own = (evidence.instance_cgroup or "").rstrip("/")
    return bool(own) and kill.cgroup is not None and (kill.cgroup == own or kill.cgroup.startswith(own + "/"))


def _from_kernel(evidence: Evidence, kills: Sequence[tuple[KernelLog, OomKill]]) -> Iterator[_Claim]:
    for log, kill in kills:
        source = Source(log.source)
        held = f"{kill.name} (pid {kill.pid}), which held {format_bytes(kill.rss_bytes)}"
        if kill.constraint is not Constraint.CGROUP or _is_instance_cgroup(evidence, kill):
            text = f"the kernel ran out of the instance's memory and killed {held}"
            yield _Claim(Cause.INSTANCE_MEMORY, 0.97, Reason(source, "kernel_oom_kill", text, kill.line))
        else:
            limit = f" of {format_bytes(kill.total_bytes)}" if kill.total_bytes else ""
            where = kill.cgroup or "a control group"
            text = f"the kernel killed {held}, because {where} reached its own limit{limit}; the machine had memory left"
            yield _Claim(Cause.CONTAINER_LIMIT, 0.96, Reason(source, "kernel_cgroup_kill", text, kill.line))


def _from_output(evidence: Evidence, kills: Sequence[tuple[KernelLog, OomKill]]) -> Iterator[_Claim]:
    seen: set[str] = set()
    for line in evidence.output:
        for rule in _one_for_each_cause(matches(line.text)):
            if rule.code in seen:
                continue
            seen.add(rule.code)
            weight = _weight(rule, evidence, kills)
            text = f"“{plain(line.text).strip()[:200]}”: {rule.why}"
            yield _Claim(rule.cause, weight, Reason(Source.OUTPUT, rule.code, text, line.number))


def _one_for_each_cause(rules: Sequence[Rule]) -> Sequence[Rule]:
    """Of several readings of one line that say the same, the surest."""
    best: dict[Cause, Rule] = {}
    for rule in sorted(rules, key=lambda rule: -rule.weight):
        best.setdefault(rule.cause, rule)
    return list(best.values())


def _weight(rule: Rule, evidence: Evidence, kills: Sequence[tuple[KernelLog, OomKill]]) -> float:
    if rule.cause is not Cause.INSTANCE_MEMORY:
        # A heap limit above the machine's memory is met by the kernel first: then the kernel's word counts (evidence 5).
        return rule.weight
    counters = evidence.counters
    if counters and counters.refuses_instead_of_killing:
        return 0.95 if rule.code in {"allocation_refused", "python_memory_error"} else rule.weight / 2
    if not kills and _kernel_was_read(evidence) and rule.code not in {"allocation_refused", "python_memory_error"}:
        return 0.0  # a kill that the kernel did not make was made by someone
    return rule.weight


def _kernel_was_read(evidence: Evidence) -> bool:
    return any(log.source == Source.KERNEL for log in evidence.kernel_logs) or evidence.counters is not None


def _from_exit_code(evidence: Evidence) -> Iterator[_Claim]:
    code = evidence.exit_code
    if code is None:
        return
    silent_kernel = _kernel_was_read(evidence) and not (evidence.counters and evidence.counters.oom_kills)
    silent_kernel = silent_kernel and not any(True for _ in _own_kills(evidence))
    if code in (130, 143, 129, 124):
        text = f"it ended with {code}: interrupted, terminated or out of time"
        yield _Claim(Cause.INTERRUPTED, 0.85, Reason(Source.EXIT_CODE, "interrupted", text))
    elif code == 137 and silent_kernel:
        text = "it ended with 137 (signal 9), and the kernel says it did not kill it: someone or a time limit did"
        yield _Claim(Cause.INTERRUPTED, 0.85, Reason(Source.EXIT_CODE, "killed_by_hand", text))
    elif code == 137:
        text = "it ended with 137 (signal 9), as after a kill for want of memory, or by hand"
        yield _Claim(Cause.INSTANCE_MEMORY, 0.6, Reason(Source.EXIT_CODE, "signal_9", text))
    elif code == 255:
        text = "it ended with 255, as ssh does when the connection or what it ran dies; it says nothing more"
        yield _Claim(Cause.INCONCLUSIVE, 0.3, Reason(Source.EXIT_CODE, "ssh_255", text))
    else:
        yield _Claim(Cause.OTHER, 0.0, Reason(Source.EXIT_CODE, "failed", f"it ended with {code}"))


def _memory(evidence: Evidence, kills: Sequence[tuple[KernelLog, OomKill]]) -> MemoryState | None:
    for _, kill in reversed(kills):
        total = kill.total_bytes or evidence.instance_memory_bytes
        if total and kill.tasks:
            return MemoryState(total, _residents(kill.tasks))
    return None


def _residents(tasks: Sequence[Task]) -> tuple[Resident, ...]:
    sizes: dict[str, int] = {}
    for task in tasks:
        sizes[task.name] = sizes.get(task.name, 0) + task.rss_bytes
    largest = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Resident(name, size, not name.startswith(_RESIDENTS)) for name, size in largest if size)
