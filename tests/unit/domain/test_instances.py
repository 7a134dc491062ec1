"""References, and the small facts of instances and offerings."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaler.domain.errors import UsageError
from scaler.domain.instance import Instance, InstanceId, InstanceState, InstanceType, Offering, Reference


@pytest.mark.parametrize(
    ("text", "provider", "name"),
    [
        ("ec2:i-0abc", "ec2", "i-0abc"),
        ("ec2:eu-west-1/i-0abc", "ec2", "eu-west-1/i-0abc"),
        ("gce:my-project/europe-west1-b/web", "gce", "my-project/europe-west1-b/web"),
        ("local:web_1.test", "local", "web_1.test"),
    ],
)
def test_a_reference_is_its_provider_and_the_providers_own_name(text: str, provider: str, name: str) -> None:
    reference = Reference.parse(text)

    assert (reference.provider, reference.name) == (provider, name)
    assert str(reference) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "web",
        ":web",
        "ec2:",
        "EC2:i-0abc",
        "2ec:i",
        "ec2: i-0abc",
        "ec2:i-0abc ",
        "ec2:i 0",
        "ec2:/i",
        "ec2:-i",
        "ec2:i\n",
        "ec2:i;ls",
    ],
)
def test_what_names_no_instance_is_refused_with_the_way_to_write_it(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Reference.parse(text)

    assert repr(text) in str(caught.value)
    assert "local:NAME" in caught.value.hint


@given(st.text(max_size=30))
def test_a_reference_that_is_read_is_written_as_it_was(text: str) -> None:
    try:
        reference = Reference.parse(text)
    except UsageError:
        return

    assert str(reference) == text


def offering(usd_per_hour: Decimal | None) -> Offering:
    return Offering(InstanceType("t3.small", 2048, Decimal(2), "x86_64"), "eu-west-1a", usd_per_hour)


def test_a_month_costs_730_hours_and_an_unknown_price_stays_unknown() -> None:
    assert offering(Decimal("0.10")).usd_per_month == Decimal("73.00")
    assert offering(None).usd_per_month is None
    assert offering(None).type.memory_bytes == 2 * 1024**3


@pytest.mark.parametrize(
    ("public", "private", "address"),
    [("198.51.100.7", "10.0.0.7", "198.51.100.7"), (None, "10.0.0.7", "10.0.0.7"), (None, None, None)],
)
def test_an_instance_is_reached_by_its_public_address_else_its_private_one(
    public: str | None, private: str | None, address: str | None
) -> None:
    instance = Instance(
        InstanceId("local:web"),
        "web",
        InstanceState.RUNNING,
        "small",
        "here",
        "x86_64",
        public_address=public,
        private_address=private,
    )

    assert instance.address == address
