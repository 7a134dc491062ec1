"""The JSON Schema, the annotated example and the reference say the same as `load`."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from scaler.domain.instance import Reference
from scaler.domain.policy import Target
from scaler.policyfile import example, load, schema, show
from scaler.policyfile.document import read_document

REFERENCE = Path(__file__).parents[3] / "docs" / "policy.md"

EVERY_KEY = """\
version: 1
on_oom: {remedies: [retry, resize], approval: auto, retries: 2}
limits:
  max_memory: 16GiB
  max_price: 80 USD/month
  max_growth: 1.5
  types: {allow: ["t3.*"], deny: ["*.metal"]}
  architectures: [arm64]
  windows: [{days: [mon, sunday], from: "22:30", to: "24:00", zone: Europe/Berlin}]
health:
  - {tcp: "[::1]:22", timeout: 1.5s}
  - {http: "https://example.org/up", expect: [200, 204]}
  - {ssh: "deploy@{address}:2222"}
  - {command: "./check 'a b'", timeout: 1h30m}
headroom: 12.5%
deadline: 90s
prices: {t3.small: 0.0208 USD/hour, t3.large: 0}
targets:
  web:
    instances: [{provider: ec2, region: eu-west-1, tags: {Name: web-1}}, local:web]
    deploy: [make, deploy]
    rehearse: true
    headroom: 0.25
    deadline: 500ms
    limits: {max_price: 40.50, max_memory: 1000000001B}
    health: []
"""


def is_valid(text: str) -> bool:
    validator = jsonschema.Draft202012Validator(schema())
    return bool(validator.is_valid(read_document("scale.yml", text).value))


def keys(node: object) -> Iterator[str]:
    """Every key the schema knows."""
    if isinstance(node, dict):
        yield from node.get("properties", {})
        for value in node.values():
            yield from keys(value)
    elif isinstance(node, list):
        for value in node:
            yield from keys(value)


def saved(folder: Path, text: str) -> Path:
    file = folder / "scale.yml"
    file.write_text(text)
    return file


def without_nones(value: object) -> object:
    if isinstance(value, dict):
        return {key: without_nones(it) for key, it in value.items() if it is not None}
    return [without_nones(it) for it in value] if isinstance(value, list) else value


def test_the_schema_is_itself_valid_and_names_its_draft() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())

    assert schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema()["$id"] == "urn:scale:policy:1"
    assert schema()["title"] == "scale policy file, version 1"


def test_every_key_of_the_schema_is_described_for_editors() -> None:
    sections = {name: it for name, it in schema()["$defs"].items() if "properties" in it}
    described = [it for section in [schema(), *sections.values()] for it in section["properties"].items()]

    assert [name for name, it in described if "description" not in it and "$ref" not in it] == []
    assert [name for name, it in sections.items() if not it.get("description")] == []


def test_the_example_is_valid_and_says_only_the_defaults(tmp_path: Path) -> None:
    policy = load(saved(tmp_path, example()))

    instance = Reference("ec2", "eu-west-1/i-0123456789abcdef0")
    assert dict(policy.targets) == {"production": Target("production", (instance,))}
    assert policy.usd_per_hour == {}
    assert is_valid(example())


def test_every_key_of_the_schema_occurs_in_the_example() -> None:
    written = set(re.findall(r"([a-z_]+):|`([a-z]+)`", example()))

    assert set(keys(schema())) - {key for pair in written for key in pair} == set()


def test_the_examples_commented_keys_are_valid_once_they_are_used(tmp_path: Path) -> None:
    text = re.sub(r"^#(?! \S)", "", example(), flags=re.MULTILINE)

    policy = load(saved(tmp_path, text))

    assert is_valid(text)
    assert list(policy.targets) == ["production", "by-tags", "several"]
    assert policy.targets["production"].limits.windows
    assert len(policy.targets["production"].health) == 4
    assert policy.usd_per_hour


def test_every_key_of_the_schema_is_in_the_reference() -> None:
    written = set(re.findall(r"`([a-z_]+)`", REFERENCE.read_text()))

    assert set(keys(schema())) - written == set()


def test_the_whole_file_in_the_reference_is_valid(tmp_path: Path) -> None:
    text = re.findall(r"```yaml\n(version.*?)```", REFERENCE.read_text(), re.DOTALL)[0]

    assert list(load(saved(tmp_path, text)).targets) == ["production", "staging"]
    assert is_valid(text)


def test_a_file_with_every_key_is_valid_for_both(tmp_path: Path) -> None:
    load(saved(tmp_path, EVERY_KEY))

    assert is_valid(EVERY_KEY)


WRONG = [
    ("version: 1", "version: 2"),
    ("version: 1", "version: '1'"),
    ("version: 1", "vresion: 1"),
    ("retry, resize", "retry, reszie"),
    ("retry, resize", ""),
    ("approval: auto", "approval: yes"),
    ("retries: 2", "retries: -1"),
    ("retries: 2", "retries: 101"),
    ("retries: 2", "retries: 2.5"),
    ("16GiB", "16"),
    ("16GiB", "0GiB"),
    ("16GiB", "'16'"),
    ("80 USD/month", "80 EUR/month"),
    ("80 USD/month", "80 USD/hour"),
    ("80 USD/month", "0"),
    ("80 USD/month", "-80"),
    ("max_growth: 1.5", "max_growth: 1"),
    ('["t3.*"]', "t3.*"),
    ('["t3.*"]', "['t3 x']"),
    ("[arm64]", "arm64"),
    ("[arm64]", "[ARM64]"),
    ("[mon, sunday]", "[mon, sonntag]"),
    ("[mon, sunday]", "[]"),
    ('"22:30"', "'24:00'"),
    ('"22:30"', "'22:60'"),
    ('"24:00"', "'24:01'"),
    (", zone: Europe/Berlin", ""),
    ("[::1]:22", "[::1]"),
    ("[::1]:22", "host:0"),
    ("1.5s", "1.5"),
    ("1.5s", "0s"),
    ("https://example.org/up", "example.org/up"),
    ("[200, 204]", "200"),
    ("[200, 204]", "[600]"),
    ("[200, 204]", "[]"),
    ("deploy@{address}:2222", "deploy@{addr}"),
    ("{ssh: ", "{sssh: "),
    ("command: \"./check 'a b'\"", "command: ''"),
    ("command: \"./check 'a b'\"", "command: []"),
    ("command: \"./check 'a b'\"", "command: ['', a]"),
    ("12.5%", "301%"),
    ("12.5%", "1.0"),
    ("12.5%", "'0.15'"),
    ("0.0208 USD/hour", "0.0208 USD/month"),
    ("t3.small:", "t3 small:"),
    ("  web:", "  Web:"),
    ("  web:", "  'we:b':"),
    ("instances:", "instance:"),
    ("    instances:", "    instance: local:db\n    instances:"),
    ("provider: ec2", "provider: EC2"),
    ("region: eu-west-1", "region: eu-west-1, zone: eu-west-1a"),
    (", tags: {Name: web-1}", ""),
    ("{Name: web-1}", "{}"),
    ("{Name: web-1}", "{Name: 1}"),
    ("local:web]", "web]"),
    ("rehearse: true", "rehearse: yes"),
    ("headroom: 0.25", "headroom: -0.1"),
    ("    health: []", "    health: {}"),
]


@pytest.mark.parametrize(("right", "wrong"), WRONG)
def test_the_schema_refuses_what_load_refuses(tmp_path: Path, right: str, wrong: str) -> None:
    assert right in EVERY_KEY
    text = EVERY_KEY.replace(right, wrong, 1)

    with pytest.raises(Exception, match=r"scale\.yml:\d+:\d+: "):
        load(saved(tmp_path, text))
    assert not is_valid(text)


@pytest.mark.parametrize("text", [EVERY_KEY, example(), "version: 1"])
def test_what_is_shown_is_the_same_policy_when_it_is_read_again(tmp_path: Path, text: str) -> None:
    shown = show(load(saved(tmp_path, text)))

    assert next(iter(shown)) == "schema"
    again = without_nones({key: value for key, value in shown.items() if key not in ("schema", "path")})
    assert show(load(saved(tmp_path, json.dumps(again)))) == shown


def test_show_fills_in_the_defaults(tmp_path: Path) -> None:
    shown = show(load(saved(tmp_path, example())))

    assert shown["targets"]["production"] == {
        "instances": ["ec2:eu-west-1/i-0123456789abcdef0"],
        "deploy": None,
        "rehearse": False,
        "on_oom": {"remedies": ["resize"], "approval": "ask", "retries": 1},
        "limits": {
            "max_memory": None,
            "max_price": None,
            "max_growth": None,
            "types": {"allow": [], "deny": []},
            "architectures": [],
            "windows": None,
        },
        "health": [],
        "headroom": "15%",
        "deadline": "15m",
    }
