"""What this machine's kernel counts and logs."""

import contextlib
import os
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

_RECORD_BYTES = 8192
"""The longest record /dev/kmsg gives (CONSOLE_EXT_LOG_MAX)."""
_RECORD = re.compile(rb"\d+,\d+,(\d+),[^;]*;([^\n]*)")


def oom_kills() -> int | None:
    """How many processes the kernel has killed for want of memory since boot, in every control group; None before Linux 4.13."""
    return _field(Path("/proc/vmstat"), "oom_kill ")


def memory_bytes() -> int | None:
    """This machine's memory, less what the kernel keeps for itself."""
    kib = _field(Path("/proc/meminfo"), "MemTotal:")
    return None if kib is None else kib * 1024


def booted_at() -> datetime:
    """When this kernel started, on the clock that its log is stamped by."""
    return datetime.now(UTC) - timedelta(seconds=time.monotonic())


def read_kernel_log(since: datetime) -> str | None:
    """The kernel's log from that moment on, a line a record as dmesg writes it; None where this user may not read it.

    The form of the records: Documentation/ABI/testing/dev-kmsg of Linux.
    """
    first = (since - booted_at()).total_seconds() - 1
    try:
        handle = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    lines = []
    try:
        while (record := _read_record(handle)) is not None:
            match = _RECORD.match(record)
            if match and int(match[1]) / 1e6 >= first:
                lines.append(f"[{int(match[1]) / 1e6:13.6f}] {match[2].decode('utf-8', 'replace')}")
    except PermissionError:
        return None
    finally:
        os.close(handle)
    return "\n".join(lines)


def _read_record(handle: int) -> bytes | None:
    """The next record, or None at the end of the log."""
    while True:
        try:
            return os.read(handle, _RECORD_BYTES)
        except BlockingIOError:
            return None
        except BrokenPipeError:
            continue  # records were overwritten before they were read; the next read goes on behind the gap


def _field(path: Path, name: str) -> int | None:
    with contextlib.suppress(OSError, ValueError):
        for line in path.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith(name):
                return int(line.removeprefix(name).split()[0])
    return None
