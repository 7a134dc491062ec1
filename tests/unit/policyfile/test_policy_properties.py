"""Whatever stands in the file, `load` answers with a policy or a PolicyError."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scaler.domain.errors import PolicyError
from scaler.domain.policy import Policy
from scaler.policyfile import load, schema, show
from scaler.policyfile.document import read_document

WORDS = list(
    set(re.findall(r"[^\s\",\[\]]+", json.dumps(schema())))
    | {"22:30", "24:00", "Europe/Berlin", "16GiB", "15%", "local:web", "<x>", "[key]", "on"}
)
WORDS.sort()

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.text(max_size=8)
names = st.sampled_from(WORDS) | st.text(max_size=5)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=6), max_leaves=20)

amounts: st.SearchStrategy[object] = st.sampled_from(
    [0, 1, 2, 80, 0.5, "80 USD", "16GiB", "90s", "0s", "15%", "301%", "text", True, None, [], {}]
)


def section(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A mapping with some of the keys; now and then something else."""
    return st.one_of(st.fixed_dictionaries({}, optional=keys), st.fixed_dictionaries({}, optional=keys), amounts)


common = {
    "on_oom": section(
        remedies=st.lists(st.sampled_from(["retry", "resize", 5]), max_size=3),
        approval=st.sampled_from(["auto", "no"]),
        retries=amounts,
    ),
    "limits": section(
        max_memory=amounts,
        max_price=amounts,
        max_growth=amounts,
        types=section(allow=st.lists(st.sampled_from(["t3.*", "*"])), deny=st.lists(st.sampled_from(["t3.*", "*"]))),
        windows=st.lists(
            st.fixed_dictionaries({"from": st.sampled_from(["1:00", "22:30"]), "to": st.just("24:00"), "zone": st.just("UTC")}),
            max_size=2,
        ),
    ),
    "health": st.lists(
        section(tcp=st.sampled_from(["{address}:22", "x"]), timeout=amounts) | section(command=st.just(["make"]), timeout=amounts),
        max_size=3,
    ),
    "headroom": amounts,
    "deadline": amounts,
}
instances = st.sampled_from(["local:web", "web", 5, {"provider": "ec2", "tags": {"a": "b"}}, {"provider": "ec2", "tags": {}}])
target = section(instance=instances, **common) | section(instances=st.lists(instances, max_size=2), **common)
files = st.fixed_dictionaries(
    {"version": st.just(1)},
    optional={
        "targets": st.dictionaries(st.sampled_from(["web", "db", "Web"]), target, max_size=2),
        "prices": st.dictionaries(st.sampled_from(["t3.small", "a b"]), amounts, max_size=2),
        **common,
    },
)

often = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("policy") / "scale.yml"


def answer(file: Path, data: bytes) -> Policy | None:
    """The policy, or None where the file was refused as it should be; anything else is raised."""
    file.write_bytes(data)
    try:
        return load(file)
    except PolicyError as error:
        if not str(error).startswith(f"{file}:"):
            raise
        return None


@often
@given(st.binary(max_size=200))
def test_arbitrary_bytes_give_a_policy_or_its_error(file: Path, data: bytes) -> None:
    answer(file, data)


@often
@given(st.text(alphabet="abv:-? \n\t[]{}#&*!|>'\"%@`,<=.~\\0159xuU", max_size=80))
def test_arbitrary_punctuation_gives_a_policy_or_its_error(file: Path, text: str) -> None:
    answer(file, text.encode())


@often
@given(values)
def test_arbitrary_values_give_a_policy_or_its_error(file: Path, value: object) -> None:
    answer(file, yaml.safe_dump(value, allow_unicode=True).encode("utf-8", "replace"))


@often
@given(st.dictionaries(names, values, max_size=6))
def test_arbitrary_sections_give_a_policy_or_its_error(file: Path, value: dict[str, object]) -> None:
    answer(file, json.dumps({"version": 1, **value}).encode())


@often
@given(files)
def test_the_schema_accepts_all_that_load_accepts_and_show_says_it_again(file: Path, value: dict[str, object]) -> None:
    found = answer(file, json.dumps(value).encode())

    if found is not None:
        jsonschema.Draft202012Validator(schema()).validate(read_document("scale.yml", file.read_text()).value)
        json.dumps(show(found))
