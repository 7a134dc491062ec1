"""The JSON forms of the contract: `scale.diagnosis/1`, `scale.need/1`, `scale.plan/1`, `scale.operation/1`, `scale.guard/1`."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from scaler.domain.choice import Considered, Refusal
from scaler.domain.diagnosis import Diagnosis
from scaler.domain.errors import ScalerError
from scaler.domain.instance import CheckLevel, Instance, Offering, TagKey
from scaler.domain.need import Need
from scaler.domain.operation import Intent
from scaler.domain.outcome import DeployRecord, OperationResult, Outcome
from scaler.domain.peaks import decode
from scaler.domain.plan import Plan

Object = Mapping[str, Any]


def dump(value: Object) -> str:
    """The text of a value, readable, ending without a line break."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def diagnosis(value: Diagnosis) -> Object:
    memory = value.memory
    return {
        "schema": "scale.diagnosis/1",
        "cause": value.cause,
        "confidence": value.confidence,
        "reasons": [{"source": one.source, "code": one.code, "text": one.text, "line": one.line} for one in value.reasons],
        "killed": [{"name": one.name, "pid": one.pid, "rss_bytes": one.rss_bytes} for one in value.killed],
        "memory": None
        if memory is None
        else {
            "total_bytes": memory.total_bytes,
            "resident": [
                {"name": one.name, "rss_bytes": one.rss_bytes, "part_of_deploy": one.part_of_deploy} for one in memory.resident
            ],
        },
        "advice": value.advice,
    }


def need(value: Need) -> Object:
    return {
        "schema": "scale.need/1",
        "lower_bytes": value.lower_bytes,
        "target_bytes": value.target_bytes,
        "upper_bytes": value.upper_bytes,
        "parts": [{"what": part.what, "bytes": part.bytes, "source": part.source} for part in value.parts],
        "confidence": value.confidence,
    }


def plan(value: Plan) -> Object:
    return {
        "schema": "scale.plan/1",
        "instance": value.instance.id,
        "current": _offering(value.current),
        "chosen": None if value.chosen is None else _offering(value.chosen),
        "need": need(value.need),
        "offerings": [_considered(one) for one in value.considered],
        "remedy": value.remedy,
        "refused": _refusals(value.refused),
        "warnings": [{"code": one.code, "text": one.text} for one in value.findings if one.level is CheckLevel.WARNING],
        "fallbacks": [one.type.name for one in value.fallbacks],
        "steps": list(value.steps),
        "usd_per_month_delta": _number(value.usd_per_month_delta),
        "downtime_seconds_expected": value.downtime_seconds_expected,
        "fingerprint": value.fingerprint,
    }


def _offering(value: Offering) -> dict[str, Any]:
    return {
        "type": value.type.name,
        "memory_mib": value.type.memory_mib,
        "vcpus": _number(value.type.vcpus),
        "architecture": value.type.architecture,
        "usd_per_hour": _number(value.usd_per_hour),
    }


def _considered(value: Considered) -> Object:
    return {
        **_offering(value.offering),
        "fits": value.fits,
        "refused": _refusals(value.refused),
        "warnings": list(value.offering.warnings),
    }


def _refusals(values: Sequence[Refusal]) -> list[Object]:
    return [{"code": one.code, "text": one.text} for one in values]


def operation(value: OperationResult) -> Object:
    return {
        "schema": "scale.operation/1",
        "instance": value.instance,
        "outcome": value.outcome,
        "from_type": value.from_type,
        "to_type": value.to_type,
        "started_at": _stamp(value.started_at),
        "ended_at": _stamp(value.ended_at),
        "downtime_seconds": value.downtime_seconds,
        "steps": [{"step": one.step, "at": _stamp(one.at), "why": one.why} for one in value.steps],
        "hint": value.hint,
    }


def operations(values: Sequence[OperationResult], *, is_list: bool) -> Object:
    """One operation by itself, or a list of them where several were meant."""
    if len(values) == 1 and not is_list:
        return operation(values[0])
    return {"schema": "scale.operation_list/1", "operations": [operation(one) for one in values]}


def unchanged(of: Plan, outcome: Outcome, hint: str, now: datetime) -> Object:
    """The operation that did not take place, in the same form."""
    instance = of.instance
    return operation(OperationResult(instance.id, outcome, instance.type_name, instance.type_name, now, now, 0.0, (), hint))


def attempt(exit_code: int, seconds: float, peak_bytes: int | None, why: Diagnosis | None) -> Object:
    return {
        "exit_code": exit_code,
        "seconds": round(seconds, 3),
        "peak_bytes": peak_bytes,
        "diagnosis": None if why is None else diagnosis(why),
    }


def guard(
    attempts: Sequence[Object], of_plan: Plan | None, result: OperationResult | None, outcome: Outcome, error: ScalerError | None
) -> Object:
    return {
        "schema": "scale.guard/1",
        "attempts": list(attempts),
        "plan": None if of_plan is None else plan(of_plan),
        "operation": None if result is None else operation(result),
        "outcome": outcome,
        "error": None if error is None else {"text": str(error), "hint": error.hint, "exit_code": error.exit_code},
    }


def status(value: Instance) -> Object:
    intent = Intent.decode(value.records.get(TagKey.INTENT, ""))
    return {
        "schema": "scale.status/1",
        "instance": value.id,
        "name": value.name,
        "state": value.state,
        "type": value.type_name,
        "zone": value.zone,
        "architecture": value.architecture,
        "health": value.health,
        "public_address": value.public_address,
        "private_address": value.private_address,
        "operation": None
        if intent is None
        else {
            "goal": intent.goal,
            "from_type": intent.from_type,
            "to_type": intent.to_type,
            "owner": intent.owner,
            "started_at": _stamp(intent.started_at),
            "lease_until": _stamp(intent.lease_until),
        },
        "peaks": [
            {"limit_bytes": one.limit_bytes, "peak_bytes": one.peak_bytes, "was_oom": one.was_oom, "at": _stamp(one.at)}
            for one in decode(value.records.get(TagKey.PEAKS, ""))
        ],
    }


def history(deploys: Sequence[DeployRecord], operations: Sequence[OperationResult]) -> Object:
    return {
        "schema": "scale.history/1",
        "deploys": [
            {
                "instance": one.instance,
                "target": one.target,
                "command": one.command,
                "began_at": _stamp(one.began_at),
                "seconds": round(one.seconds, 3),
                "exit_code": one.exit_code,
                "cause": one.cause,
                "limit_bytes": one.limit_bytes,
                "peak_bytes": one.peak_bytes,
                "type": one.type_name,
            }
            for one in deploys
        ],
        "operations": [operation(one) for one in operations],
    }


def _number(value: Decimal | None) -> float | int | None:
    if value is None:
        return None
    return int(value) if value == value.to_integral_value() else float(value)


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
