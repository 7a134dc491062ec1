"""Amounts of memory and spans of time as people write them."""

import re
from datetime import timedelta

from scaler.domain.errors import UsageError

KIB = 1024
MIB = 1024**2
GIB = 1024**3

_BYTES = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?b?)\s*", re.IGNORECASE)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|sec|s|min|m|h|d)", re.IGNORECASE)
_SECONDS = {"ms": 0.001, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


def parse_bytes(text: str) -> int:
    """Read `8g`, `8GiB`, `8192MiB`, `8GB` (10^9) or a plain number of bytes.

    A bare letter (`8g`) is binary, as in Docker and the JVM; `GB` is decimal and `GiB` binary, as IEC 80000-13 has it.

    Raises:
        UsageError: the text is no amount of memory, or is zero.
    """
    match = _BYTES.fullmatch(text)
    amount = 0
    if match:
        number, prefix, suffix = match.groups()
        base = 1000 if prefix and suffix.lower() == "b" else 1024
        amount = round(float(number) * base ** " kmgt".index(prefix.lower() or " "))
    if amount <= 0:
        raise UsageError(f"{text!r} is not an amount of memory.", hint="Write it like 8GiB, 8g, 8192MiB or 8GB.")
    return amount


def format_bytes(amount: int) -> str:
    """Write an amount in the largest binary unit that keeps it readable: `512 MiB`, `1.5 GiB`."""
    for size, name in ((GIB * 1024, "TiB"), (GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if abs(amount) >= size:
            return f"{amount / size:.1f}".removesuffix(".0") + f" {name}"
    return f"{amount} B"


def parse_duration(text: str) -> timedelta:
    """Read `90s`, `15m`, `1h30m`, `7d`.

    Raises:
        UsageError: the text is no span of time.
    """
    compact = text.replace(" ", "")
    parts = _DURATION.findall(compact)
    if not parts or "".join(number + unit for number, unit in parts) != compact:
        raise UsageError(f"{text!r} is not a span of time.", hint="Write it like 90s, 15m or 1h30m.")
    return timedelta(seconds=sum(float(number) * _SECONDS[unit.lower()] for number, unit in parts))


def format_duration(seconds: float) -> str:
    """Write seconds as `7 s`, `2 min 5 s`, `1 h 3 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min" + (f" {rest} s" if rest else "")
    return f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")
