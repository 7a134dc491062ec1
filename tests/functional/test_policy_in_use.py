"""The policy file at work on the emulated EC2: what it allows is done, what it forbids is refused and named."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.functional.conftest import Cloud, Scale

Deploy = Callable[[int], list[str]]


def policy(cloudy: Scale, cloud: Cloud, deploy: list[str], *more: str) -> None:
    """One target whose deploy is rehearsed in a sandbox with the instance's memory."""
    lines = [
        *more,
        "on_oom: {approval: auto}",
        "targets:",
        "  production:",
        f"    instance: {cloud.reference}",
        "    rehearse: true",
        f"    deploy: {json.dumps(deploy)}",
    ]
    cloudy.policy("\n".join(lines))


def report(cloudy: Scale) -> Any:  # noqa: ANN401 - whatever JSON holds
    return json.loads((cloudy.folder / "report.json").read_text())


def forbidden_now() -> str:
    """A window that begins in two hours."""
    start = datetime.now(UTC) + timedelta(hours=2)
    return f"limits: {{windows: [{{from: '{start:%H:%M}', to: '{start + timedelta(hours=1):%H:%M}', zone: UTC}}]}}"


def test_a_rehearsed_deploy_makes_the_cloud_instance_grow(cloudy: Scale, cloud: Cloud, deploy: Deploy, local: str) -> None:
    policy(cloudy, cloud, deploy(1300))

    done = cloudy("guard", "production", "--report", "report.json")

    assert (done.code, done.out.splitlines()[-1]) == (0, "built")
    assert cloud.look() == ("running", "t3.small")
    assert "scale:intent" not in cloud.tags()
    newest, oldest = cloud.tags()["scale:peaks"].split()
    assert newest.startswith("2048:")
    assert ":ok:" in newest
    assert oldest.startswith("1024:")
    assert ":oom:" in oldest
    assert report(cloudy)["operation"]["outcome"] == "done"


def test_a_grown_instance_that_is_not_healthy_goes_back_and_the_deploys_end_stands(
    cloudy: Scale, cloud: Cloud, deploy: Deploy, local: str
) -> None:
    policy(cloudy, cloud, deploy(1300), "deadline: 3s", "health: [{tcp: '127.0.0.1:9', timeout: 1s}]")

    done = cloudy("guard", "production", "--report", "report.json")

    assert done.code == 1
    assert cloud.look() == ("running", "t3.micro")
    assert "scale:intent" not in cloud.tags()
    assert report(cloudy)["outcome"] == "rolled_back"
    assert len(report(cloudy)["attempts"]) == 1
    assert "is back on t3.micro, as it was" in done.err
    assert "127.0.0.1:9" in done.err


@pytest.mark.parametrize(
    ("limit", "named"),
    [
        ("limits: {max_price: 50 USD/month}", "refused [price_unknown]: limits.max_price is 50 USD/month and the price of"),
        ("limits: {types: {allow: [t3.micro]}}", "refused [type_not_allowed]: limits.types.allow does not name"),
        (forbidden_now(), "refused [outside_windows]: limits.windows allows a stop only at"),
    ],
    ids=["max_price", "types", "windows"],
)
def test_a_limit_leaves_the_instance_as_it_is(
    cloudy: Scale, cloud: Cloud, deploy: Deploy, local: str, limit: str, named: str
) -> None:
    policy(cloudy, cloud, deploy(1300), limit)

    done = cloudy("guard", "production", "--report", "report.json")

    assert done.code == 1
    assert named in done.err
    assert report(cloudy)["outcome"] == "refused"
    assert cloud.look() == ("running", "t3.micro")


def test_limits_hold_for_an_instance_named_by_reference(cloudy: Scale, cloud: Cloud) -> None:
    policy(cloudy, cloud, ["true"], "limits: {max_memory: 1GiB}")

    done = cloudy("up", f"ec2:{cloud.instance}", "--to", "t3.small", "--yes")

    assert done.code == 3
    assert "limits.max_memory is 1 GiB" in done.err
    assert cloud.look() == ("running", "t3.micro")


def test_limits_hold_for_an_instance_named_by_its_targets_name(cloudy: Scale, cloud: Cloud) -> None:
    policy(cloudy, cloud, ["true"], forbidden_now())

    done = cloudy("up", "production", "--yes")

    assert (done.code, cloud.look()) == (3, ("running", "t3.micro"))
    assert "limits.windows" in done.err


def test_the_policys_prices_are_the_plans_prices(cloudy: Scale, cloud: Cloud) -> None:
    policy(cloudy, cloud, ["true"], "prices: {t3.micro: 0.01 USD/hour, t3.small: 0.025 USD/hour}")

    plan = cloudy("plan", "production", "--to", "t3.small", "--format", "json").json()

    assert (plan["current"]["usd_per_hour"], plan["chosen"]["usd_per_hour"]) == (0.01, 0.025)
    assert plan["usd_per_month_delta"] == 10.95
    assert "+10.95 USD/month; the policy file" in cloudy("plan", "production", "--to", "t3.small").out


def test_a_price_above_the_ceiling_is_refused_with_both_numbers(cloudy: Scale, cloud: Cloud) -> None:
    policy(cloudy, cloud, ["true"], "prices: {t3.small: 0.1 USD/hour}", "limits: {max_price: 50 USD/month}")

    done = cloudy("up", "production", "--to", "t3.small", "--yes")

    assert done.code == 3
    assert "limits.max_price is 50 USD/month; t3.small costs 73.00" in done.err


def test_instances_can_be_named_by_their_tags(cloudy: Scale, cloud: Cloud) -> None:
    cloud.tag("role", cloud.instance)
    cloudy.policy(f"targets: {{web: {{instance: {{provider: ec2, tags: {{role: {cloud.instance}}}}}}}}}\n")

    assert cloudy("status", "--format", "json").json()["instance"] == cloud.reference


def test_a_target_with_several_instances_is_not_resized_on_a_guess(cloudy: Scale, cloud: Cloud, neighbour: Cloud) -> None:
    both = f"['{cloud.reference}', '{neighbour.reference}']"
    cloudy.policy(f"on_oom: {{approval: auto}}\ntargets: {{web: {{instances: {both}}}}}\n")
    killed = "echo 'Out of memory: Killed process 4242 (node) total-vm:9kB, anon-rss:9kB, file-rss:0kB'; exit 137"

    done = cloudy("guard", "--report", "report.json", "--", "sh", "-c", killed)

    assert done.code == 137
    assert "nothing shows which of them ran out of memory" in done.err
    assert (cloud.look(), neighbour.look()) == (("running", "t3.micro"), ("running", "t3.micro"))
    assert cloudy("up", "--yes").code == 2


def test_a_deploy_that_fails_for_another_reason_is_not_run_again(cloudy: Scale, cloud: Cloud, local: str) -> None:
    policy(cloudy, cloud, [sys.executable, "-c", "raise SystemExit(5)"])

    done = cloudy("guard", "--report", "report.json")

    assert (done.code, len(report(cloudy)["attempts"])) == (5, 1)
    assert cloud.look() == ("running", "t3.micro")
