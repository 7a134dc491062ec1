"""The JSON of the contract: these keys, in this order, `schema` first."""

import json as standard
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from scaler.domain.errors import NoCapacity
from scaler.domain.instance import TagKey
from scaler.domain.outcome import Outcome
from scaler.render import json
from tests.unit.render.samples import BUSY, DEPLOY, DIAGNOSIS, LARGE, NEED, NOW, OPERATION, PASSED, PLAN, WEB

Shape = Mapping[str, Any]


def keys(value: Shape) -> list[str]:
    return list(value)


DIAGNOSIS_KEYS = ["schema", "cause", "confidence", "reasons", "killed", "memory", "advice"]
NEED_KEYS = ["schema", "lower_bytes", "target_bytes", "upper_bytes", "parts", "confidence"]
PLAN_KEYS = [
    "schema",
    "instance",
    "current",
    "chosen",
    "need",
    "offerings",
    "remedy",
    "refused",
    "warnings",
    "fallbacks",
    "steps",
    "usd_per_month_delta",
    "downtime_seconds_expected",
    "fingerprint",
]
OFFERING_KEYS = ["type", "memory_mib", "vcpus", "architecture", "usd_per_hour"]
OPERATION_KEYS = [
    "schema",
    "instance",
    "outcome",
    "from_type",
    "to_type",
    "started_at",
    "ended_at",
    "downtime_seconds",
    "steps",
    "hint",
]

EVERYTHING: dict[str, Shape] = {
    "scale.diagnosis/1": json.diagnosis(DIAGNOSIS),
    "scale.need/1": json.need(NEED),
    "scale.plan/1": json.plan(PLAN),
    "scale.operation/1": json.operation(OPERATION),
    "scale.guard/1": json.guard(
        [json.attempt(137, 61.23456, None, DIAGNOSIS)], PLAN, OPERATION, Outcome.DONE, NoCapacity("None left.")
    ),
    "scale.status/1": json.status(BUSY),
    "scale.history/1": json.history([DEPLOY, PASSED], [OPERATION]),
}


@pytest.mark.parametrize("schema", EVERYTHING)
def test_the_schema_is_the_first_key_and_the_whole_can_be_written_and_read(schema: str) -> None:
    value = EVERYTHING[schema]

    assert keys(value)[0] == "schema"
    assert value["schema"] == schema
    assert standard.loads(json.dump(value)) == standard.loads(standard.dumps(value)) == value


def test_a_diagnosis_has_the_contracts_keys() -> None:
    value = json.diagnosis(DIAGNOSIS)

    assert keys(value) == DIAGNOSIS_KEYS
    assert keys(value["reasons"][0]) == ["source", "code", "text", "line"]
    assert keys(value["killed"][0]) == ["name", "pid", "rss_bytes"]
    assert keys(value["memory"]) == ["total_bytes", "resident"]
    assert keys(value["memory"]["resident"][0]) == ["name", "rss_bytes", "part_of_deploy"]


def test_a_diagnosis_says_what_was_diagnosed() -> None:
    value = json.diagnosis(DIAGNOSIS)

    assert (value["cause"], value["confidence"]) == ("instance_memory", 0.99)
    assert [(reason["source"], reason["line"]) for reason in value["reasons"]] == [
        ("counters", None),
        ("kernel", 8),
        ("output", 7),
        ("exit_code", None),
    ]
    assert value["killed"] == [{"name": "webpack", "pid": 14956, "rss_bytes": 1_293_234_176}]
    assert value["memory"]["resident"][1] == {"name": "postgres", "rss_bytes": 86_016_000, "part_of_deploy": False}
    assert json.diagnosis(replace(DIAGNOSIS, memory=None))["memory"] is None


def test_a_need_has_the_contracts_keys_and_says_its_parts() -> None:
    value = json.need(NEED)

    assert keys(value) == NEED_KEYS
    assert value["parts"][0] == {"what": "known to be too little", "bytes": 2 * 1024**3, "source": "killed"}
    assert (value["lower_bytes"], value["target_bytes"], value["upper_bytes"]) == (2 * 1024**3, 4 * 1024**3, 8 * 1024**3)


def test_a_plan_has_the_contracts_keys() -> None:
    value = json.plan(PLAN)

    assert keys(value) == PLAN_KEYS
    assert keys(value["current"]) == keys(value["chosen"]) == OFFERING_KEYS
    assert keys(value["need"]) == NEED_KEYS
    assert [keys(one) for one in value["offerings"]] == [[*OFFERING_KEYS, "fits", "refused", "warnings"]] * 3


def test_a_plan_says_what_was_chosen_what_was_refused_and_what_it_costs() -> None:
    value = json.plan(PLAN)

    assert (value["instance"], value["remedy"], value["fallbacks"]) == ("ec2:eu-west-1/i-0abc", "resize", ["t3.large"])
    assert value["chosen"] == {
        "type": "t3.medium",
        "memory_mib": 4096,
        "vcpus": 2,
        "architecture": "x86_64",
        "usd_per_hour": 0.0416,
    }
    assert value["usd_per_month_delta"] == pytest.approx(15.184)
    assert value["offerings"][1]["warnings"] == ["its credits run out under steady load"]
    assert value["offerings"][2]["fits"] is True
    assert [refusal["code"] for refusal in value["offerings"][2]["refused"]] == ["max_memory"]
    assert value["warnings"] == [{"code": "no_elastic_ip", "text": "its public address will change"}]
    assert value["fingerprint"] == PLAN.fingerprint


def test_what_a_plan_does_not_know_is_null() -> None:
    unpriced = replace(LARGE, usd_per_hour=None, type=replace(LARGE.type, vcpus=Decimal("0.25")))
    value = json.plan(replace(PLAN, chosen=unpriced))
    nothing = json.plan(replace(PLAN, chosen=None, remedy=None))

    assert (value["chosen"]["usd_per_hour"], value["chosen"]["vcpus"], value["usd_per_month_delta"]) == (None, 0.25, None)
    assert (nothing["chosen"], nothing["remedy"], nothing["usd_per_month_delta"]) == (None, None, None)


def test_an_operation_has_the_contracts_keys_and_moments_in_utc() -> None:
    value = json.operation(OPERATION)

    assert keys(value) == OPERATION_KEYS
    assert value["steps"][0] == {"step": "stop", "at": "2026-11-23T21:30:00Z", "why": "it runs as t3.small"}
    assert (value["outcome"], value["started_at"], value["downtime_seconds"]) == ("done", "2026-11-23T21:30:00Z", 71.5)


def test_an_operation_that_did_not_take_place_has_the_same_form() -> None:
    value = json.unchanged(PLAN, Outcome.REFUSED, "The policy says never.", NOW)

    assert keys(value) == OPERATION_KEYS
    assert (value["from_type"], value["to_type"], value["outcome"]) == ("t3.small", "t3.small", "refused")
    assert (value["downtime_seconds"], value["steps"], value["hint"]) == (0.0, [], "The policy says never.")


def test_a_guards_report_has_the_contracts_keys() -> None:
    value = EVERYTHING["scale.guard/1"]

    assert keys(value) == ["schema", "attempts", "plan", "operation", "outcome", "error"]
    assert keys(value["attempts"][0]) == ["exit_code", "seconds", "peak_bytes", "diagnosis"]
    assert value["attempts"][0]["seconds"] == 61.235
    assert value["error"] == {"text": "None left.", "hint": "", "exit_code": 4}


def test_a_guards_report_of_a_deploy_that_passed_holds_nulls() -> None:
    value = json.guard([json.attempt(0, 1.0, 2**30, None)], None, None, Outcome.UNCHANGED, None)

    assert value["attempts"] == [{"exit_code": 0, "seconds": 1.0, "peak_bytes": 2**30, "diagnosis": None}]
    assert (value["plan"], value["operation"], value["error"]) == (None, None, None)


def test_a_status_tells_the_operation_and_the_peaks_that_stand_on_the_instance() -> None:
    value = json.status(BUSY)

    assert value["operation"] == {
        "goal": "forward",
        "from_type": "t3.small",
        "to_type": "t3.medium",
        "owner": "ci-7:4711",
        "started_at": "2026-11-23T21:30:00Z",
        "lease_until": "2026-11-23T21:30:15Z",
    }
    assert [(one["was_oom"], one["peak_bytes"]) for one in value["peaks"]] == [(False, 1536 * 1024**2), (True, None)]


@pytest.mark.parametrize("records", [{}, {TagKey.INTENT: "v9 of another time", TagKey.PEAKS: "nonsense"}])
def test_a_status_without_readable_records_says_so_with_nulls(records: Mapping[TagKey, str]) -> None:
    value = json.status(replace(WEB, records=records))

    assert (value["operation"], value["peaks"]) == (None, [])
    assert (value["state"], value["health"], value["type"]) == ("running", "ok", "t3.small")


def test_history_tells_deploys_and_operations() -> None:
    value = EVERYTHING["scale.history/1"]

    assert keys(value) == ["schema", "deploys", "operations"]
    assert value["deploys"][0]["cause"] == "instance_memory"
    assert (value["deploys"][1]["instance"], value["deploys"][1]["cause"]) == (None, None)
    assert keys(value["operations"][0]) == OPERATION_KEYS


def test_words_are_written_as_they_are_and_readably() -> None:
    assert json.dump({"schema": "x", "text": "“Killed”"}) == '{\n  "schema": "x",\n  "text": "“Killed”"\n}'
