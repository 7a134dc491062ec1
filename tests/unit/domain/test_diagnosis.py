"""From evidence to a cause: what decides, what supports, and what must never be believed."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaler.domain.diagnosis import THRESHOLD, Source, diagnose
from scaler.domain.evidence import Counters, Evidence, KernelLog, OutputLine
from scaler.domain.rules import RULES, Cause
from tests.unit.domain.kernel_reports import TOTAL_BYTES, WEBPACK, Process, console, report
from tests.unit.domain.test_rules import LINES

BOOTED_AT = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
KILL_SECONDS = 4455.0
BEGAN_AT = BOOTED_AT + timedelta(seconds=KILL_SECONDS - 60)

HEAP = "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory"
MACHINE = console(report())
DOCKER = console(report(cgroup="/docker/0123"))
SANDBOX = console(report(cgroup="/scale/web"))
SILENT = KernelLog("[    1.0] Linux version 6.12.0-18-amd64", "kernel", BOOTED_AT)


def said(*lines: str) -> tuple[OutputLine, ...]:
    return tuple(OutputLine(number, line) for number, line in enumerate(lines, 1))


def logged(text: str, source: str = "kernel", booted_at: datetime | None = BOOTED_AT) -> tuple[KernelLog, ...]:
    return (KernelLog(text, source, booted_at),)


def codes(evidence: Evidence) -> list[str]:
    return [reason.code for reason in diagnose(evidence).reasons]


CASES: dict[str, tuple[Evidence, Cause]] = {
    "the kernel killed it": (Evidence(137, kernel_logs=logged(MACHINE), began_at=BEGAN_AT), Cause.INSTANCE_MEMORY),
    "the kernel killed a child and the deploy ended with 1": (Evidence(1, kernel_logs=logged(MACHINE)), Cause.INSTANCE_MEMORY),
    "the kernel killed a child and the deploy ended with 2": (Evidence(2, kernel_logs=logged(MACHINE)), Cause.INSTANCE_MEMORY),
    "the console shows the kill": (Evidence(255, kernel_logs=logged(MACHINE, "console"), began_at=BEGAN_AT), Cause.INSTANCE_MEMORY),
    "a console that nothing dates, and no beginning is known": (
        Evidence(255, kernel_logs=logged(MACHINE, "console", None)),
        Cause.INSTANCE_MEMORY,
    ),
    "the counters counted and it ended with 1": (Evidence(1, counters=Counters(1)), Cause.INSTANCE_MEMORY),
    "the counters counted and it ended with 2": (Evidence(2, counters=Counters(3)), Cause.INSTANCE_MEMORY),
    "the counters counted and nobody knows how it ended": (Evidence(None, counters=Counters(1)), Cause.INSTANCE_MEMORY),
    "the sandbox that is the instance was full": (
        Evidence(1, kernel_logs=logged(SANDBOX), instance_cgroup="/scale/web"),
        Cause.INSTANCE_MEMORY,
    ),
    "a container was full": (Evidence(137, kernel_logs=logged(DOCKER)), Cause.CONTAINER_LIMIT),
    "another sandbox was full": (Evidence(1, kernel_logs=logged(DOCKER), instance_cgroup="/scale/web"), Cause.OTHER),
    "a sandbox whose name only begins alike was full": (
        Evidence(1, kernel_logs=logged(console(report(cgroup="/scale/web-2"))), instance_cgroup="/scale/web"),
        Cause.OTHER,
    ),
    "a heap limit and no kill": (Evidence(134, output=said(HEAP), kernel_logs=(SILENT,)), Cause.HEAP_LIMIT),
    "a heap limit is spoken of, but the kernel killed": (
        Evidence(134, output=said(HEAP), kernel_logs=logged(MACHINE)),
        Cause.INSTANCE_MEMORY,
    ),
    "a heap limit is spoken of, but the counters counted": (
        Evidence(134, output=said(HEAP), counters=Counters(1)),
        Cause.INSTANCE_MEMORY,
    ),
    "137 alone": (Evidence(137), Cause.INCONCLUSIVE),
    "137 and the shell's word, which is the same witness": (Evidence(137, output=said("Killed")), Cause.INCONCLUSIVE),
    "137 and a kernel that was read and is silent": (Evidence(137, kernel_logs=(SILENT,)), Cause.INTERRUPTED),
    "137, the word, and a kernel that was read and is silent": (
        Evidence(137, output=said("Killed"), kernel_logs=(SILENT,)),
        Cause.INTERRUPTED,
    ),
    "137 and counters that counted nothing": (Evidence(137, counters=Counters(0)), Cause.INTERRUPTED),
    "137 and a console that is silent, which proves nothing": (
        Evidence(137, kernel_logs=logged("login:", "console")),
        Cause.INCONCLUSIVE,
    ),
    "a compiler was killed": (Evidence(2, output=said(LINES["compiler_killed"][0])), Cause.INSTANCE_MEMORY),
    "a compiler was killed, but not by the kernel": (
        Evidence(2, output=said(LINES["compiler_killed"][0]), kernel_logs=(SILENT,)),
        Cause.OTHER,
    ),
    "an allocation was refused, which the kernel does not log": (
        Evidence(1, output=said("fork: Cannot allocate memory"), kernel_logs=(SILENT,)),
        Cause.INSTANCE_MEMORY,
    ),
    "Python's word alone": (Evidence(1, output=said("MemoryError")), Cause.INCONCLUSIVE),
    "Python's word under a limit that refuses": (
        Evidence(1, output=said("MemoryError"), counters=Counters(0, refuses_instead_of_killing=True)),
        Cause.INSTANCE_MEMORY,
    ),
    "the word Killed under a limit that never kills": (
        Evidence(1, output=said("Killed"), counters=Counters(0, refuses_instead_of_killing=True)),
        Cause.INCONCLUSIVE,
    ),
    "an old kill in the kernel's log": (
        Evidence(1, kernel_logs=logged(MACHINE), began_at=BEGAN_AT + timedelta(hours=1)),
        Cause.OTHER,
    ),
    "an old kill on the console": (
        Evidence(1, kernel_logs=logged(MACHINE, "console"), began_at=BEGAN_AT + timedelta(hours=1)),
        Cause.OTHER,
    ),
    "an old kill and 137: the kernel was read and did not kill this one": (
        Evidence(137, kernel_logs=logged(MACHINE), began_at=BEGAN_AT + timedelta(hours=1)),
        Cause.INTERRUPTED,
    ),
    "a kill on the console that cannot be dated": (
        Evidence(1, kernel_logs=logged(MACHINE, "console", None), began_at=BEGAN_AT),
        Cause.OTHER,
    ),
    "a kill in the kernel's log that cannot be dated": (
        Evidence(1, kernel_logs=logged(MACHINE, "kernel", None), began_at=BEGAN_AT),
        Cause.INSTANCE_MEMORY,
    ),
    "the machine the command ran on was short": (Evidence(1, other_machine_oom_kills=1), Cause.OTHER),
    "the machine the command ran on was short, and the word Killed": (
        Evidence(137, output=said("Killed"), other_machine_oom_kills=2),
        Cause.OTHER,
    ),
    "the disk was full": (Evidence(1, output=said("tar: Cannot write: No space left on device")), Cause.DISK_FULL),
    "the graphics processor was full": (Evidence(1, output=said("CUDA out of memory. Tried 2 GiB")), Cause.GPU_MEMORY),
    "a container said so": (Evidence(1, output=said("Reason: OOMKilled")), Cause.CONTAINER_LIMIT),
    "interrupted at the keyboard": (Evidence(130), Cause.INTERRUPTED),
    "terminated": (Evidence(143), Cause.INTERRUPTED),
    "hung up": (Evidence(129), Cause.INTERRUPTED),
    "out of time": (Evidence(124), Cause.INTERRUPTED),
    "cancelled": (Evidence(1, output=said("The operation was canceled.")), Cause.INTERRUPTED),
    "a common failure": (Evidence(1, output=said("SyntaxError: Unexpected token")), Cause.OTHER),
    "ssh died": (Evidence(255), Cause.INCONCLUSIVE),
    "nothing is known": (Evidence(None), Cause.INCONCLUSIVE),
    "it succeeded, whatever was said": (
        Evidence(0, output=said(HEAP, "Killed"), kernel_logs=logged(MACHINE), counters=Counters(1)),
        Cause.OTHER,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_cause_follows_from_the_evidence(case: str) -> None:
    evidence, cause = CASES[case]

    diagnosis = diagnose(evidence)

    assert diagnosis.cause is cause
    assert diagnosis.advice
    assert (diagnosis.confidence >= THRESHOLD) or cause is Cause.INCONCLUSIVE


def test_a_kill_within_the_clocks_slack_of_the_beginning_is_its_own_and_one_before_is_not() -> None:
    killed_at = BOOTED_AT + timedelta(seconds=KILL_SECONDS)

    def cause(began_at: datetime) -> Cause:
        return diagnose(Evidence(1, kernel_logs=logged(MACHINE), began_at=began_at)).cause

    assert cause(killed_at + timedelta(seconds=29)) is Cause.INSTANCE_MEMORY
    assert cause(killed_at + timedelta(seconds=32)) is Cause.OTHER


def test_a_second_witness_halves_the_doubt_and_a_repetition_does_not() -> None:
    alone = diagnose(Evidence(1, counters=Counters(1)))
    both = diagnose(Evidence(1, counters=Counters(1), kernel_logs=logged(MACHINE)))
    all_three = diagnose(Evidence(137, counters=Counters(1), kernel_logs=logged(MACHINE), output=said("Killed")))
    repeated = diagnose(
        Evidence(1, counters=Counters(1), kernel_logs=(*logged(MACHINE), *logged(MACHINE, "console"))),
    )

    assert [alone.confidence, both.confidence, all_three.confidence] == [0.98, 0.99, 0.99]
    assert repeated.confidence == both.confidence
    assert diagnose(Evidence(137, output=said("Killed"))).confidence == 0.6


def test_the_threshold_decides_what_is_inconclusive() -> None:
    evidence = Evidence(1, output=said("MemoryError"))

    assert diagnose(evidence).cause is Cause.INCONCLUSIVE
    assert diagnose(evidence, threshold=0.75).cause is Cause.INSTANCE_MEMORY
    assert diagnose(Evidence(1, counters=Counters(1)), threshold=0.99).cause is Cause.INCONCLUSIVE


def test_reasons_name_their_source_and_line_best_source_first() -> None:
    evidence = Evidence(137, output=said("building", "Killed"), kernel_logs=logged(MACHINE), counters=Counters(2))

    reasons = diagnose(evidence).reasons

    assert [(reason.source, reason.code, reason.line) for reason in reasons] == [
        (Source.COUNTERS, "oom_kill_counted", None),
        (Source.KERNEL, "kernel_oom_kill", len(report())),
        (Source.OUTPUT, "killed_word", 2),
        (Source.EXIT_CODE, "signal_9", None),
    ]
    assert "2 processes" in reasons[0].text
    assert "webpack (pid 14956), which held 1.2 GiB" in reasons[1].text
    assert reasons[2].text.startswith("“Killed”: ")


def test_a_rule_is_named_once_with_the_first_line_that_it_speaks_for() -> None:
    reasons = diagnose(Evidence(1, output=said("\x1b[31mKilled\x1b[0m", "Killed", "npm: Killed"))).reasons

    assert [(reason.code, reason.line) for reason in reasons] == [("killed_word", 1), ("failed", None)]
    assert "\x1b" not in reasons[0].text


def test_a_containers_kill_names_the_container_and_its_limit() -> None:
    (reason, _) = diagnose(Evidence(1, kernel_logs=logged(DOCKER))).reasons

    assert "/docker/0123 reached its own limit of 512 MiB" in reason.text


def test_a_containers_kill_that_lost_its_report_still_reads_as_one() -> None:
    last = console(report(cgroup="/docker/0123")[-1:])

    (reason, _) = diagnose(Evidence(1, kernel_logs=logged(last))).reasons

    assert "a control group reached its own limit; the machine had memory left" in reason.text


def test_the_memory_at_the_kill_tells_residents_from_the_deploy_and_adds_up_what_shares_a_name() -> None:
    table = [Process(1, "puma", 100), Process(2, "puma", 300), Process(3, "cc1plus", 9_000), Process(4, "kworker", 0, 0), WEBPACK]
    evidence = Evidence(1, kernel_logs=logged(console(report(tasks=table))))

    diagnosis = diagnose(evidence)

    assert diagnosis.memory is not None
    assert diagnosis.memory.total_bytes == TOTAL_BYTES
    assert [(one.name, one.rss_bytes // 4096, one.part_of_deploy) for one in diagnosis.memory.resident] == [
        ("webpack", 315_731, True),
        ("cc1plus", 9_100, True),
        ("puma", 600, False),
    ]
    assert [(one.name, one.pid, one.rss_bytes) for one in diagnosis.killed] == [("webpack", 14956, WEBPACK.rss_bytes)]


def test_the_memory_is_of_the_last_kill_that_has_a_table_and_else_unknown() -> None:
    first, second = report(tasks=[Process(1, "old", 10)]), report(tasks=[Process(2, "new", 10)])

    both = diagnose(Evidence(1, kernel_logs=logged(console([*first, *second, *first[-1:]]))))
    none = diagnose(Evidence(1, kernel_logs=logged(console(first[-1:]))))

    assert both.memory is not None
    assert [one.name for one in both.memory.resident] == ["new"]
    assert len(both.killed) == 3
    assert none.memory is None


def test_the_memory_known_from_elsewhere_serves_where_the_report_lost_it() -> None:
    lines = [line for line in report() if "pages RAM" not in line]

    diagnosis = diagnose(Evidence(1, kernel_logs=logged(console(lines)), instance_memory_bytes=2**31))

    assert diagnosis.memory is not None
    assert diagnosis.memory.total_bytes == 2**31
    assert diagnose(Evidence(1, kernel_logs=logged(console(lines)))).memory is None


@pytest.mark.parametrize(
    ("evidence", "word"),
    [
        (Evidence(134, output=said(HEAP)), "--max-old-space-size"),
        (Evidence(1, output=said("java.lang.OutOfMemoryError: Java heap space")), "-Xmx"),
        (Evidence(255, output=said(LINES["php_memory_limit"][0])), "memory_limit"),
        (Evidence(1, output=said("Stack limit (1.0Gb) exceeded")), "program's own limit"),
        (Evidence(1, other_machine_oom_kills=1), "machine that runs this command"),
        (Evidence(1, counters=Counters(1)), "scale up"),
        (Evidence(137), "dmesg"),
        (Evidence(0), "Nothing to do"),
    ],
)
def test_the_advice_is_of_use_for_what_happened(evidence: Evidence, word: str) -> None:
    assert word in diagnose(evidence).advice


every_line = st.sampled_from([line for lines in LINES.values() for line in lines])
MEMORY_WORDS = [rule.code for rule in RULES if rule.cause is Cause.INSTANCE_MEMORY and rule.code != "killed_word"]
texts = st.one_of(st.sampled_from([MACHINE, DOCKER, SANDBOX, ""]), st.text(max_size=50))
moments = st.one_of(
    st.none(), st.integers(min_value=-(10**9), max_value=10**9).map(lambda seconds: BEGAN_AT + timedelta(seconds=seconds))
)
kernel_logs = st.builds(KernelLog, texts, st.sampled_from(["kernel", "console"]), moments)
all_evidence = st.builds(
    Evidence,
    st.one_of(st.none(), st.integers(min_value=0, max_value=255)),
    st.lists(st.one_of(every_line, st.text(max_size=50)), max_size=4).map(lambda lines: said(*lines)),
    st.lists(kernel_logs, max_size=2),
    st.one_of(st.none(), st.builds(Counters, st.integers(min_value=0, max_value=5), refuses_instead_of_killing=st.booleans())),
    moments,
    st.sampled_from([None, "/scale/web", "/", ""]),
    st.one_of(st.none(), st.integers(min_value=1, max_value=2**40)),
    st.integers(min_value=0, max_value=3),
)


@given(all_evidence)
def test_any_evidence_has_an_answer_with_a_confidence_between_0_and_1(evidence: Evidence) -> None:
    diagnosis = diagnose(evidence)

    assert 0 <= diagnosis.confidence <= 1
    assert diagnosis.advice
    assert all(reason.text for reason in diagnosis.reasons)


@given(all_evidence)
def test_the_instance_is_blamed_only_where_something_of_its_own_says_so(evidence: Evidence) -> None:
    if diagnose(evidence).cause is not Cause.INSTANCE_MEMORY:
        return

    telling = {reason.code for reason in diagnose(evidence).reasons if reason.source is not Source.EXIT_CODE}

    assert telling & {"oom_kill_counted", "kernel_oom_kill", *MEMORY_WORDS}
    assert evidence.exit_code != 0


@pytest.mark.parametrize(
    "line",
    [
        "web-1 exited with code 137",
        "worker SIGKILL (signal 9) sent by the supervisor after a timeout",
        "Command died: signal: killed",
    ],
)
def test_that_something_was_killed_by_signal_9_does_not_say_by_whom(line: str) -> None:
    found = diagnose(Evidence(1, (OutputLine(1, line),)))

    assert found.cause is Cause.INCONCLUSIVE


def test_one_line_is_one_reason_for_one_cause() -> None:
    found = diagnose(Evidence(None, (OutputLine(1, "worker exited with code 137"),)))

    assert [reason.line for reason in found.reasons].count(1) == 1
