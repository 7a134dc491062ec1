"""A policy as plain values, in the words of the file and with every default filled in."""

from datetime import time, timedelta
from decimal import Decimal
from typing import Any

from scaler.domain.instance import Reference, Selector
from scaler.domain.policy import CommandProbe, HttpProbe, Limits, Policy, Probe, SshProbe, Target, TcpProbe, Weekday, Window
from scaler.domain.units import GIB, KIB, MIB


def show(policy: Policy) -> dict[str, Any]:
    """What holds, as `scale.policy/1`. None: not limited. Without `schema` and the Nones it is a policy file again."""
    return {
        "schema": "scale.policy/1",
        "path": policy.path,
        "version": 1,
        "prices": {name: f"{_plain(price)} USD/hour" for name, price in policy.usd_per_hour.items()},
        "targets": {name: _target(target) for name, target in policy.targets.items()},
    }


def _target(target: Target) -> dict[str, Any]:
    return {
        "instances": [_instance(it) for it in target.instances],
        "deploy": list(target.deploy) or None,
        "rehearse": target.rehearse,
        "on_oom": {
            "remedies": [str(it) for it in target.on_oom.remedies],
            "approval": str(target.on_oom.approval),
            "retries": target.on_oom.retries,
        },
        "limits": _limits(target.limits),
        "health": [_probe(it) for it in target.health],
        "headroom": f"{_plain(target.headroom * 100)}%",
        "deadline": _duration(target.deadline),
    }


def _instance(instance: Reference | Selector) -> str | dict[str, Any]:
    if isinstance(instance, Reference):
        return str(instance)
    return {"provider": instance.provider, "region": instance.location, "tags": dict(instance.tags)}


def _limits(limits: Limits) -> dict[str, Any]:
    return {
        "max_memory": None if limits.max_memory_bytes is None else _bytes(limits.max_memory_bytes),
        "max_price": None if limits.max_usd_per_month is None else f"{_plain(limits.max_usd_per_month)} USD/month",
        "max_growth": None if limits.max_growth is None else float(limits.max_growth),
        "types": {"allow": list(limits.types_allow), "deny": list(limits.types_deny)},
        "architectures": list(limits.architectures),
        "windows": [_window(it) for it in limits.windows] or None,
    }


def _window(window: Window) -> dict[str, Any]:
    end = "24:00" if window.end == time(0) else f"{window.end:%H:%M}"
    days = [str(day) for day in Weekday if day in window.days]
    return {"days": days, "from": f"{window.start:%H:%M}", "to": end, "zone": window.zone.key}


def _probe(probe: Probe) -> dict[str, Any]:
    timeout = _duration(probe.timeout)
    match probe:
        case TcpProbe():
            return {"tcp": f"{_host(probe.host)}:{probe.port}", "timeout": timeout}
        case HttpProbe():
            return {"http": probe.url, "expect": list(probe.expect) or None, "timeout": timeout}
        case SshProbe():
            user = f"{probe.user}@" if probe.user else ""
            port = f":{probe.port}" if probe.port else ""
            return {"ssh": f"{user}{_host(probe.host)}{port}", "timeout": timeout}
        case CommandProbe():
            return {"command": list(probe.argv), "timeout": timeout}


def _host(name: str) -> str:
    return f"[{name}]" if ":" in name else name


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _bytes(amount: int) -> str:
    for size, name in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if amount % size == 0:
            return f"{amount // size}{name}"
    return f"{amount}B"


def _duration(span: timedelta) -> str:
    microseconds = span // timedelta(microseconds=1)
    for size, unit in ((3_600_000_000, "h"), (60_000_000, "m"), (1_000_000, "s")):
        if microseconds % size == 0:
            return f"{microseconds // size}{unit}"
    return f"{_plain(Decimal(microseconds) / 1000)}ms"
