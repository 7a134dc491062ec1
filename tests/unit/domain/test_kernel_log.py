"""The kernel's reports are read in every form people have them in."""

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaler.domain.kernel_log import Constraint, Task, find_kills
from tests.unit.domain.kernel_reports import (
    KERNELS,
    NEWEST,
    TABLE,
    TOTAL_BYTES,
    WEBPACK,
    Kernel,
    Process,
    constraint,
    invoked,
    killed,
    report,
    stamped,
)

every_kernel = pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.release)

PREFIXES: dict[str, Callable[[str], str]] = {
    "none": lambda line: line,
    "dmesg": lambda line: f"[ 4455.451769] {line}",
    "dmesg -T": lambda line: f"[Mon Nov 23 21:04:15 2026] {line}",
    "dmesg -x": lambda line: f"kern  :info  : [ 4455.451769] {line}",
    "kmsg": lambda line: f"<4>[ 4455.451769] {line}",
    "kmsg with its caller": lambda line: f"<4>[ 4455.451769][T14956] {line}",
    "journalctl": lambda line: f"Nov 23 21:04:15 web-1 kernel: {line}",
    "syslog": lambda line: f"Nov 23 21:04:15 ip-10-0-0-7 kernel: [ 4455.451769] {line}",
    "rsyslog with RFC 3339": lambda line: f"2026-11-23T21:04:15.451769+00:00 web-1 kernel: [ 4455.451769] {line}",
    "serial console": lambda line: f"[ 4455.451769] {line}\r",
}


def text_of(lines: list[str]) -> str:
    return "\n".join(lines)


@every_kernel
def test_a_machines_kill_is_read_from_every_kernels_report(kernel: Kernel) -> None:
    (kill,) = find_kills(text_of(stamped(report(kernel))))

    assert (kill.pid, kill.name, kill.rss_bytes) == (14956, "webpack", WEBPACK.rss_bytes)
    assert kill.constraint is Constraint.MACHINE
    assert kill.cgroup is None
    assert kill.total_bytes == TOTAL_BYTES
    assert kill.tasks == tuple(Task(one.pid, one.name, one.rss_bytes) for one in TABLE)


@every_kernel
def test_a_control_groups_kill_is_read_from_every_kernels_report(kernel: Kernel) -> None:
    (kill,) = find_kills(text_of(stamped(report(kernel, cgroup="/docker/0123abc"))))

    assert kill.constraint is Constraint.CGROUP
    assert kill.cgroup == "/docker/0123abc"
    assert kill.total_bytes == 512 * 1024**2
    assert [task.name for task in kill.tasks] == ["postgres", "(sd-pam)", "tmux: server", "7z 24 x", "webpack"]


@every_kernel
@pytest.mark.parametrize("prefix", PREFIXES)
def test_no_prefix_hides_a_report(kernel: Kernel, prefix: str) -> None:
    (kill,) = find_kills(text_of([PREFIXES[prefix](line) for line in report(kernel)]))

    assert (kill.pid, kill.name, kill.total_bytes) == (14956, "webpack", TOTAL_BYTES)
    assert kill.tasks == tuple(Task(one.pid, one.name, one.rss_bytes) for one in TABLE)
    assert kill.seconds_since_boot == (4455.451769 if "4455" in PREFIXES[prefix]("") else None)


def test_a_real_report_of_linux_6_18_is_read() -> None:
    kills = find_kills("""\
[ 4455.451536] memory: usage 19528kB, limit 19528kB, failcnt 91
[ 4455.451544] memory+swap: usage 19528kB, limit 9007199254740988kB, failcnt 0
[ 4455.451546] kmem: usage 144kB, limit 9007199254740988kB, failcnt 0
[ 4455.451548] Memory cgroup stats for /domain-test-9871:
[ 4455.451707] hierarchical_memory_limit 19996672
[ 4455.451738] Tasks state (memory values in pages):
[ 4455.451739] [  pid  ]   uid  tgid total_vm      rss rss_anon rss_file rss_shmem pgtables_bytes swapents oom_score_adj name
[ 4455.451742] [  14956]     0 14956     7482     6463     4800     1663         0   106496        0             0 python3
[ 4455.451746] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/domain-test-9871,task_memcg=/domain-test-9871,task=python3,pid=14956,uid=0
[ 4455.451769] Memory cgroup out of memory: Killed process 14956 (python3) total-vm:29928kB, anon-rss:19200kB, file-rss:6652kB, shmem-rss:0kB, UID:0 pgtables:104kB oom_score_adj:0
""")

    (kill,) = kills
    assert (kill.pid, kill.name, kill.rss_bytes) == (14956, "python3", 25852 * 1024)
    assert (kill.constraint, kill.cgroup, kill.total_bytes) == (Constraint.CGROUP, "/domain-test-9871", 19528 * 1024)
    assert kill.tasks == (Task(14956, "python3", 6463 * 4096),)
    assert (kill.line, kill.seconds_since_boot) == (10, 4455.451769)
    assert kill.text.startswith("[ 4455.451769] Memory cgroup out of memory")


@pytest.mark.parametrize(
    "line",
    [
        "Killed process 3117 (mysqld) total-vm:1kB, anon-rss:8kB, file-rss:4kB",
        "Killed process 3117 (mysqld) total-vm:1kB, anon-rss:8kB, file-rss:4kB, shmem-rss:0kB",
        "Killed process 3117 (mysqld), UID 27, total-vm:1kB, anon-rss:8kB, file-rss:4kB, shmem-rss:0kB",
        "Killed process 3117, UID 27, (mysqld) total-vm:1kB, anon-rss:8kB, file-rss:4kB",
        "Out of memory (oom_kill_allocating_task): Killed process 3117 (mysqld) total-vm:1kB, anon-rss:8kB, file-rss:4kB, shmem-rss:0kB, UID:27",
    ],
)
def test_a_kill_is_read_however_the_release_words_it(line: str) -> None:
    (kill,) = find_kills(line)

    assert (kill.pid, kill.name, kill.rss_bytes, kill.constraint) == (3117, "mysqld", 12 * 1024, Constraint.MACHINE)
    assert (kill.tasks, kill.total_bytes, kill.seconds_since_boot) == ((), None, None)


@pytest.mark.parametrize("name", ["(sd-pam)", "a) b (c", "Web Content", "7z 24 x", ""])
def test_a_name_may_hold_anything(name: str) -> None:
    (kill,) = find_kills(text_of(killed(Process(7, name, 10))))

    assert kill.name == name


def test_shared_memory_counts_as_held() -> None:
    (kill,) = find_kills("Killed process 9 (postgres) total-vm:1kB, anon-rss:1kB, file-rss:2kB, shmem-rss:4kB")

    assert kill.rss_bytes == 7 * 1024


def test_several_kills_are_told_in_order_each_with_its_own_report() -> None:
    make = Process(300, "cc1plus", 90_000)
    text = text_of(
        [*stamped(report(victim=make, tasks=[make]), 100.0), "usb 1-1: new device", *stamped(report(cgroup="/a"), 200.0)]
    )

    first, second = find_kills(text)

    assert (first.name, first.constraint, len(first.tasks), int(first.seconds_since_boot or 0)) == (
        "cc1plus",
        Constraint.MACHINE,
        1,
        100,
    )
    assert (second.name, second.constraint, len(second.tasks), int(second.seconds_since_boot or 0)) == (
        "webpack",
        Constraint.CGROUP,
        5,
        200,
    )
    assert text.splitlines()[second.line - 1] == second.text


@every_kernel
def test_a_machines_kill_without_a_report_of_its_own_is_not_laid_on_the_cgroup_killed_before(kernel: Kernel) -> None:
    lines = [*report(kernel, cgroup="/docker/a"), *killed(WEBPACK, None, kernel)]

    rationed = find_kills(text_of(lines))[1]

    assert (rationed.constraint, rationed.cgroup, rationed.tasks, rationed.total_bytes) == (Constraint.MACHINE, None, (), None)


@every_kernel
def test_a_cgroups_kill_without_a_report_of_its_own_is_not_laid_on_the_machine(kernel: Kernel) -> None:
    lines = [*report(kernel), *killed(WEBPACK, "/docker/a", kernel)]

    rationed = find_kills(text_of(lines))[1]

    assert (rationed.constraint, rationed.cgroup, rationed.tasks) == (Constraint.CGROUP, None, ())


def test_all_kills_of_a_group_that_dies_as_one_belong_to_its_report() -> None:
    group = "Tasks in /docker/a are going to be killed due to memory.oom.group set"
    others = [Process(501, "puma", 10), Process(502, "puma", 20)]
    lines = [*report(cgroup="/docker/a"), group, *killed(others[0], "/docker/a"), *killed(others[1], "/docker/a")]

    kills = find_kills(text_of([*lines, *killed(WEBPACK)]))

    assert [kill.pid for kill in kills] == [14956, 501, 502, 14956]
    assert {kill.cgroup for kill in kills[:3]} == {"/docker/a"}
    assert all(len(kill.tasks) == 5 for kill in kills[:3])
    assert (kills[3].constraint, kills[3].tasks) == (Constraint.MACHINE, ())


@pytest.mark.parametrize(
    ("kind", "expected"), [("CONSTRAINT_CPUSET", Constraint.NODES), ("CONSTRAINT_MEMORY_POLICY", Constraint.NODES)]
)
def test_some_of_the_machines_nodes_are_not_all_of_it(kind: str, expected: Constraint) -> None:
    (kill,) = find_kills(text_of([invoked(), constraint(WEBPACK, kind=kind), *killed(WEBPACK)]))

    assert kill.constraint is expected


@every_kernel
def test_a_report_that_lost_its_head_keeps_what_the_rest_says(kernel: Kernel) -> None:
    whole = stamped(report(kernel, cgroup="/docker/a"))
    table = next(number for number, line in enumerate(whole) if kernel.table in line)

    (kill,) = find_kills(text_of(whole[table + 3 :]))

    assert kill.constraint is Constraint.CGROUP
    assert (kill.tasks, kill.total_bytes) == ((), None)


@every_kernel
def test_a_report_that_lost_its_middle_keeps_what_the_rest_says(kernel: Kernel) -> None:
    whole = stamped(report(kernel))
    table = next(number for number, line in enumerate(whole) if kernel.table in line)

    (kill,) = find_kills(text_of([*whole[: table + 3], whole[table + 3][:30], *whole[-2:]]))

    assert [task.name for task in kill.tasks] == ["postgres", "(sd-pam)"]
    assert (kill.constraint, kill.total_bytes) == (Constraint.MACHINE, TOTAL_BYTES)


@every_kernel
def test_a_report_that_lost_its_end_tells_of_no_kill(kernel: Kernel) -> None:
    assert find_kills(text_of(stamped(report(kernel))[:-1])) == []


def test_another_lines_word_between_two_rows_ends_no_table() -> None:
    lines = report()
    lines.insert(-3, "eth0: link is down [17] again")

    (kill,) = find_kills(text_of(stamped(lines)))

    assert len(kill.tasks) == 5


def test_the_newest_of_very_many_tasks_is_kept() -> None:
    crowd = [Process(1000 + number, "httpd", 10) for number in range(2000)]

    (kill,) = find_kills(text_of(report(tasks=[*crowd, WEBPACK])))

    assert kill.tasks[-1] == Task(14956, "webpack", WEBPACK.rss_bytes)


def test_lines_that_end_in_carriage_returns_only_are_lines() -> None:
    (kill,) = find_kills("\r".join(stamped(report())))

    assert (kill.line, len(kill.tasks)) == (len(report()), 5)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "oom_reaper: reaped process 14956 (webpack), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB",
        "Out of memory and no killable processes...",
        "Killed process 14956 (webpack)",
        "systemd[1]: app.service: A process of this unit has been killed by the OOM killer.",
        "Killed mutants: 12",
    ],
)
def test_what_reports_no_kill_is_none(line: str) -> None:
    assert find_kills(line) == []


PIECES = [
    *report(),
    *report(KERNELS[0], cgroup="/x"),
    *killed(WEBPACK),
    "[",
    "]",
    "[ pid ]",
    "-",
    "9" * 30,
    "(",
    ")",
    "\r",
    "kB,",
    "٣",
]


@given(
    st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=20)), max_size=30), st.sampled_from(["\n", "\r\n", "\r", "", " "])
)
def test_no_text_makes_reading_fail(pieces: list[str], end: str) -> None:
    for kill in find_kills(end.join(pieces)):
        assert kill.pid >= 0
        assert kill.rss_bytes >= 0
        assert kill.line >= 1


@pytest.mark.parametrize("line", ["Killed process {} (x) total-vm:1kB, anon-rss:1kB, file-rss:1kB", "{} pages RAM", "[ {}.1] x"])
def test_a_number_longer_than_python_reads_makes_nothing_fail(line: str) -> None:
    assert len(find_kills(f"{line.format('9' * 5000)}\n{report()[-1]}")) == 1


@given(st.sampled_from(KERNELS), st.lists(st.integers(min_value=0, max_value=400), max_size=6))
def test_a_report_with_holes_anywhere_never_names_a_task_that_was_not_there(kernel: Kernel, holes: list[int]) -> None:
    text = list(text_of(report(kernel)))
    for hole in holes:
        del text[hole * 4 : hole * 4 + 3]

    for kill in find_kills("".join(text)):
        assert len(kill.tasks) <= len(TABLE)


@pytest.mark.parametrize(
    "unit", ["a", "[", "[ ", "9", " ", "Killed process 1 (", "[ pid ] uid ", "memory: usage 1", "oom_memcg=", "1 pages "]
)
def test_five_megabytes_without_a_line_break_are_read_within_a_second(unit: str) -> None:
    text = unit * (5_000_000 // len(unit))
    began = time.perf_counter()

    assert find_kills(f"{NEWEST.table}\n{text}") == []

    assert time.perf_counter() - began < 1


def test_five_megabytes_of_task_rows_are_read_in_a_few_seconds() -> None:
    crowd = [Process(number, "httpd", number) for number in range(50_000)]
    began = time.perf_counter()

    (kill,) = find_kills(text_of(stamped(report(tasks=crowd))))

    assert len(kill.tasks) == 50_000
    assert time.perf_counter() - began < 3
