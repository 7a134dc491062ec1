"""The kernel's counts and log, held against a process that the kernel really kills."""

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scaler.host import counters

_MEMORY_CGROUPS = Path("/sys/fs/cgroup/memory")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def small_cgroup() -> Iterator[Path]:
    """A control group of 24 MiB."""
    if os.geteuid() != 0 or not (_MEMORY_CGROUPS / "memory.limit_in_bytes").exists():
        pytest.skip("needs root and version 1 of memory cgroups")
    group = _MEMORY_CGROUPS / f"scale-test-counters-{os.getpid()}"
    group.mkdir()
    (group / "memory.limit_in_bytes").write_text(str(24 << 20))
    with contextlib.suppress(OSError):  # absent where swap is not accounted for
        (group / "memory.memsw.limit_in_bytes").write_text(str(24 << 20))
    yield group
    remove(group)


def remove(group: Path) -> None:
    """The kernel takes a moment to see that a group is empty."""
    for _ in range(100):
        try:
            group.rmdir()
        except OSError:
            time.sleep(0.01)
        else:
            return
    group.rmdir()


def killed_by_the_kernel(group: Path) -> int:
    """Have a process of this group killed for want of memory; its pid."""
    grow = "import sys; open(sys.argv[1], 'w').write('0'); b = bytearray(1 << 30); b[:] = b'x' * (1 << 30)"
    with subprocess.Popen([sys.executable, "-c", grow, str(group / "cgroup.procs")]) as process:
        assert process.wait(20) == -9
        return process.pid


def test_a_kill_by_the_kernel_is_counted_and_logged_from_its_moment_on(small_cgroup: Path) -> None:
    before, since = counters.oom_kills(), datetime.now(UTC)

    pid = killed_by_the_kernel(small_cgroup)

    after = counters.oom_kills()
    assert before is not None
    assert after is not None
    assert after > before
    report = rf"^\[ *\d+\.\d{{6}}\] Memory cgroup out of memory: Killed process {pid} "
    log = counters.read_kernel_log(since)
    assert log is not None
    assert re.search(report, log, re.MULTILINE)
    later = counters.read_kernel_log(datetime.now(UTC) + timedelta(seconds=2))
    assert later is not None
    assert f"Killed process {pid} " not in later


@needs_root
def test_records_are_dated_by_the_time_the_kernel_started() -> None:
    try:
        Path("/dev/kmsg").write_text("<7>scale: a record of its tests\n")
    except OSError as error:
        pytest.skip(f"/dev/kmsg cannot be written: {error}")

    log = counters.read_kernel_log(datetime.now(UTC) - timedelta(seconds=5))

    assert log is not None
    stamp = re.findall(r"^\[ *(\d+\.\d+)\] scale: a record of its tests$", log, re.MULTILINE)[-1]
    written_at = counters.booted_at() + timedelta(seconds=float(stamp))
    assert abs((datetime.now(UTC) - written_at).total_seconds()) < 3


@needs_root
def test_a_user_who_may_not_read_the_log_gets_none_rather_than_an_empty_one() -> None:
    if Path("/proc/sys/kernel/dmesg_restrict").read_text().strip() != "1":
        pytest.skip("here every user may read the kernel's log")
    pid = os.fork()
    if not pid:
        code = 3
        with contextlib.suppress(BaseException):  # nothing of pytest may run in the child
            os.setgid(65534)
            os.setuid(65534)
            code = 0 if counters.read_kernel_log(datetime.now(UTC)) is None else 1
        os._exit(code)

    _, status = os.waitpid(pid, 0)

    assert os.waitstatus_to_exitcode(status) == 0


def test_the_memory_of_this_machine_is_what_the_system_says() -> None:
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")

    assert counters.memory_bytes() == pages
