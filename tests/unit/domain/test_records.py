"""What is written on an instance, intent and peaks: reads back as written, is bounded, and uses only what every cloud takes."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaler.domain import peaks
from scaler.domain.operation import LEASE, Goal, Intent
from scaler.domain.peaks import Peak, decode, encode
from scaler.domain.units import MIB

ALPHABET = re.compile(r"[A-Za-z0-9+\-=._:/@ ]*")
NOW = datetime(2026, 11, 23, 21, 30, tzinfo=UTC)

moments = st.integers(min_value=0, max_value=4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
type_names = st.from_regex(r"[a-z][a-z0-9\-]{0,10}\.[a-z0-9\-]{1,12}", fullmatch=True)
FEW = settings(max_examples=40)

intents = st.builds(
    Intent,
    from_type=type_names,
    to_type=type_names,
    fallbacks=st.lists(type_names, max_size=20).map(tuple),
    goal=st.sampled_from(Goal),
    was_running=st.booleans(),
    owner=st.from_regex(r"[A-Za-z0-9.\-]{0,28}:[0-9]{1,7}", fullmatch=True),
    token=st.from_regex(r"[0-9a-f]{8}", fullmatch=True),
    lease_until=moments,
    started_at=moments,
    deadline=moments,
    tried=st.lists(type_names, max_size=20).map(tuple),
)
INTENT = Intent(
    "t3.small",
    "t3.large",
    ("m7i.large",),
    Goal.FORWARD,
    True,
    "web-ci:77",
    "0a1b2c3d",
    NOW + LEASE,
    NOW,
    NOW + timedelta(minutes=15),
)


@FEW
@given(intents)
def test_an_intent_is_bounded_and_only_of_characters_every_cloud_takes(intent: Intent) -> None:
    text = intent.encode()

    assert len(text) <= 256
    assert ALPHABET.fullmatch(text)


@FEW
@given(intents)
def test_an_intent_reads_back_but_for_the_names_that_did_not_fit(intent: Intent) -> None:
    read = Intent.decode(intent.encode())

    assert read is not None
    assert read.fallbacks == intent.fallbacks[: len(read.fallbacks)]
    assert read.tried == intent.tried[len(intent.tried) - len(read.tried) :]
    assert replace(read, fallbacks=intent.fallbacks, tried=intent.tried) == intent
    assert read.tried == intent.tried or not read.fallbacks


@FEW
@given(intents)
def test_an_intent_that_fits_reads_back_whole(intent: Intent) -> None:
    short = replace(intent, fallbacks=intent.fallbacks[:1], tried=())

    assert Intent.decode(short.encode()) == short


def test_an_intents_text_is_as_it_is_documented() -> None:
    stamps = [int(moment.timestamp()) for moment in (NOW + LEASE, NOW, NOW + timedelta(minutes=15))]

    assert INTENT.encode() == (
        "v1 forward from=t3.small to=t3.large next=m7i.large tried= run=1 owner=web-ci:77 token=0a1b2c3d "
        f"lease={stamps[0]} start={stamps[1]} end={stamps[2]}"
    )


def test_an_owners_name_is_cut_rather_than_the_record() -> None:
    read = Intent.decode(replace(INTENT, owner="x" * 300).encode())

    assert read == replace(INTENT, owner="x" * 40)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v1",
        "v1 forward",
        "v2" + INTENT.encode()[2:],
        INTENT.encode().replace("forward", "sideways"),
        INTENT.encode().replace("from=", "form="),
        INTENT.encode().replace("lease=", "lease=x"),
        INTENT.encode().replace("end=", "end=99999999999999999999"),
        INTENT.encode().replace("token=0a1b2c3d ", ""),
        INTENT.encode().rsplit(" ", 1)[0],
        "a person's own note about this instance",
    ],
)
def test_what_is_no_intent_of_this_version_is_none(text: str) -> None:
    assert Intent.decode(text) is None


@given(st.text(max_size=300))
def test_no_text_makes_reading_an_intent_fail(text: str) -> None:
    assert Intent.decode("v1 forward " + text) is None or "from=" in text


def test_a_lease_ends_at_its_moment_and_two_thirds_of_the_time_belong_to_the_new_type() -> None:
    assert INTENT.is_leased(NOW + LEASE - timedelta(seconds=1))
    assert not INTENT.is_leased(NOW + LEASE)
    assert INTENT.turns_back_at == NOW + timedelta(minutes=10)
    assert (INTENT.wanted_type, replace(INTENT, goal=Goal.BACK).wanted_type) == ("t3.large", "t3.small")


mebibytes = st.integers(min_value=1, max_value=2**25).map(lambda size: size * MIB)
minutes = st.integers(min_value=0, max_value=60_000_000).map(lambda number: datetime.fromtimestamp(number * 60, UTC))
records = st.lists(
    st.builds(Peak, mebibytes, st.one_of(st.none(), mebibytes), st.booleans(), minutes), max_size=30, unique_by=lambda peak: peak.at
)


@given(records)
def test_peaks_read_back_newest_first_as_many_as_fit(record: list[Peak]) -> None:
    text = encode(record)
    read = decode(text)

    assert len(text) <= peaks.MAX_LENGTH == 256
    assert ALPHABET.fullmatch(text)
    assert list(read) == sorted(record, key=lambda peak: peak.at, reverse=True)[: len(read)]
    assert len(read) >= min(len(record), 6)
    assert encode(read) == text


def test_a_peaks_text_is_as_it_is_documented() -> None:
    record = [
        Peak(2048 * MIB, 1500 * MIB + 1, was_oom=False, at=NOW),
        Peak(1024 * MIB, None, was_oom=True, at=NOW - timedelta(hours=1)),
    ]

    assert encode(record) == "2048:1501:ok:20261123T2130 1024:-:oom:20261123T2030"
    assert encode(reversed(record)) == encode(record)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "entry",
    [
        "x",
        "1:2:ok",
        "1:2:maybe:20261123T2130",
        "one:2:ok:20261123T2130",
        "1:two:ok:20261123T2130",
        "1:2:ok:yesterday",
        "1:2:ok:20261399T2130",
        "-1:2:ok:20261123T2130",
        "1:-2:ok:20261123T2130",
        "1:2:ok:20261123T2130:9",
    ],
)
def test_an_entry_that_cannot_be_read_is_passed_over_and_the_others_are_read(entry: str) -> None:
    good = "2048:1501:ok:20261123T2130"

    assert decode(f"{entry} {good}") == decode(good)
    assert len(decode(good)) == 1


@given(st.text(max_size=100))
def test_no_text_makes_reading_peaks_fail(text: str) -> None:
    for peak in decode(text):
        assert peak.limit_bytes >= 0
