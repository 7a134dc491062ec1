"""A valid file becomes the domain's policy."""

from datetime import datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from scaler.domain.instance import Reference, Selector
from scaler.domain.policy import (
    Approval,
    CommandProbe,
    HttpProbe,
    Limits,
    OnOom,
    Policy,
    Remedy,
    SshProbe,
    Target,
    TcpProbe,
    Weekday,
    Window,
)
from scaler.domain.units import GIB
from scaler.policyfile import load

WHOLE = """\
version: 1
on_oom: {remedies: [retry, resize], approval: auto, retries: 2}
limits:
  max_memory: 16GiB
  max_price: 80 USD/month
  max_growth: 4
  types: {allow: ["t3.*", "m7i.*"], deny: ["*.metal"]}
  architectures: [x86_64]
  windows: [{days: [mon, tuesday], from: 22:30, to: 06:00, zone: Europe/Berlin}]
health:
  - {tcp: "{address}:22", timeout: 30s}
  - {http: "https://example.org/up", expect: [200], timeout: 2m}
  - ssh: "deploy@{address}"
  - {command: [./check, --fast], timeout: 1m}
headroom: 20%
deadline: 10m
prices: {t3.small: 0.0208 USD/hour, t3.large: 0.05}
targets:
  production:
    instance: ec2:eu-west-1/i-0abc
    deploy: bundle exec cap "my stage" deploy
  staging:
    instances: [{provider: ec2, region: eu-west-1, tags: {Name: web-1}}, local:web]
    rehearse: true
    deploy: [make, deploy]
    on_oom: {approval: ask}
    limits: {max_memory: 8g, types: {allow: [t3.small]}}
    health: []
    headroom: 0.5
    deadline: 1h30m
"""


def read(folder: Path, text: str | bytes) -> Policy:
    file = folder / "scale.yml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(file)


def test_a_whole_file_becomes_the_policy_it_says(tmp_path: Path) -> None:
    policy = read(tmp_path, WHOLE)

    assert policy.path == str(tmp_path / "scale.yml")
    assert policy.usd_per_hour == {"t3.small": Decimal("0.0208"), "t3.large": Decimal("0.05")}
    assert policy.targets["production"] == Target(
        name="production",
        instances=(Reference("ec2", "eu-west-1/i-0abc"),),
        deploy=("bundle", "exec", "cap", "my stage", "deploy"),
        on_oom=OnOom((Remedy.RETRY, Remedy.RESIZE), Approval.AUTO, 2),
        limits=Limits(
            max_memory_bytes=16 * GIB,
            max_usd_per_month=Decimal(80),
            max_growth=Decimal(4),
            types_allow=("t3.*", "m7i.*"),
            types_deny=("*.metal",),
            architectures=("x86_64",),
            windows=(Window(frozenset({Weekday.MON, Weekday.TUE}), time(22, 30), time(6), ZoneInfo("Europe/Berlin")),),
        ),
        health=(
            TcpProbe("{address}", 22, timedelta(seconds=30)),
            HttpProbe("https://example.org/up", (200,), timedelta(minutes=2)),
            SshProbe("{address}", "deploy", None, timedelta(minutes=2)),
            CommandProbe(("./check", "--fast"), timedelta(minutes=1)),
        ),
        headroom=Decimal("0.2"),
        deadline=timedelta(minutes=10),
    )


def test_a_targets_own_keys_overlay_the_common_ones_key_by_key(tmp_path: Path) -> None:
    policy = read(tmp_path, WHOLE)
    common, own = policy.targets["production"], policy.targets["staging"]

    assert own.instances == (Selector("ec2", "eu-west-1", {"Name": "web-1"}), Reference("local", "web"))
    assert own.on_oom == OnOom(common.on_oom.remedies, Approval.ASK, 2)
    assert own.limits.max_memory_bytes == 8 * GIB
    assert own.limits.max_usd_per_month == Decimal(80)
    assert (own.limits.types_allow, own.limits.types_deny) == (("t3.small",), ("*.metal",))
    assert own.limits.windows == common.limits.windows
    assert (own.health, own.headroom, own.deadline, own.rehearse) == ((), Decimal("0.5"), timedelta(minutes=90), True)


def test_a_target_with_nothing_but_an_instance_has_the_domains_defaults(tmp_path: Path) -> None:
    policy = read(tmp_path, "version: 1\ntargets: {web: {instance: local:web}}")

    assert policy.targets["web"] == Target("web", (Reference("local", "web"),))


def test_the_traps_of_yaml_1_1_are_plain_text(tmp_path: Path) -> None:
    tags = "{A: no, B: on, C: 22:30, D: 0777, E: 1_000, F: 0x1F, G: 1e3, H: .inf, on: off, 7: =}"
    policy = read(tmp_path, f"version: 1\ntargets: {{on: {{instance: {{provider: ec2, tags: {tags}}}}}}}")

    (selector,) = policy.targets["on"].instances
    assert isinstance(selector, Selector)
    assert dict(selector.tags) == {
        "A": "no",
        "B": "on",
        "C": "22:30",
        "D": "0777",
        "E": "1_000",
        "F": "0x1F",
        "G": "1e3",
        "H": ".inf",
        "on": "off",
        "7": "=",
    }


@pytest.mark.parametrize("price", ["80", "80.0", "80 USD", "80USD/month", "80 USD / month"])
def test_a_monthly_price_is_written_in_several_ways(tmp_path: Path, price: str) -> None:
    policy = read(tmp_path, f"version: 1\ntargets: {{web: {{instance: local:web, limits: {{max_price: {price}}}}}}}")

    assert policy.targets["web"].limits.max_usd_per_month == Decimal(80)


def test_a_window_to_24_00_lasts_until_midnight(tmp_path: Path) -> None:
    window = '{days: [sat], from: 00:00, to: "24:00", zone: UTC}'
    policy = read(tmp_path, f"version: 1\ntargets: {{web: {{instance: local:web, limits: {{windows: [{window}]}}}}}}")

    (found,) = policy.targets["web"].limits.windows
    noon = datetime(2026, 11, 21, 12, tzinfo=ZoneInfo("UTC"))
    assert [found.contains(noon + timedelta(days=day)) for day in (-1, 0, 1)] == [False, True, False]


def test_a_window_without_days_is_open_every_day(tmp_path: Path) -> None:
    window = "{from: 1:00, to: 2:00, zone: UTC}"
    policy = read(tmp_path, f"version: 1\ntargets: {{web: {{instance: local:web, limits: {{windows: [{window}]}}}}}}")

    assert policy.targets["web"].limits.windows[0].days == frozenset(Weekday)


def test_probes_reach_ipv6_hosts_and_other_ports(tmp_path: Path) -> None:
    probes = '[{tcp: "[fe80::1]:443"}, {ssh: "me@db.example.org:2222"}, {http: "http://{address}:8080/up?a=1"}]'
    policy = read(tmp_path, f"version: 1\nhealth: {probes}\ntargets: {{web: {{instance: local:web}}}}")

    tcp, ssh, http = policy.targets["web"].health
    assert tcp == TcpProbe("fe80::1", 443, timedelta(minutes=2))
    assert ssh == SshProbe("db.example.org", "me", 2222, timedelta(minutes=2))
    assert http == HttpProbe("http://{address}:8080/up?a=1", (), timedelta(minutes=2))


def test_a_byte_order_mark_and_windows_line_ends_are_no_error(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbfversion: 1\r\ntargets: {}\r\n").targets == {}
