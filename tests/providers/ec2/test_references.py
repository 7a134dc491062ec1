"""How instances are named, and what is said when the name or the environment is wrong."""

import pytest

from scaler.domain.errors import CredentialsMissing, NotFound, Refused, Unavailable, UsageError
from scaler.domain.instance import InstanceId, Reference, Selector
from scaler_providers.ec2.provider import Ec2Provider
from tests.providers.ec2.emulator import REGION, Launch, ec2_id


@pytest.fixture
def fresh(proxy: object) -> Ec2Provider:
    """A provider that has read nothing of the environment yet."""
    return Ec2Provider()


def ids(provider: Ec2Provider, reference: str) -> list[str]:
    return [instance.id for instance in provider.find(Reference.parse(reference))]


def test_an_id_a_region_and_id_and_a_name_all_find_the_instance(provider: Ec2Provider, launch: Launch) -> None:
    web = launch(name="web-by-name")

    for reference in (f"ec2:{ec2_id(web)}", f"ec2:{REGION}/{ec2_id(web)}", "ec2:web-by-name", f"ec2:{REGION}/web-by-name"):
        assert ids(provider, reference) == [web.id]
    assert web.name == "web-by-name"


def test_an_instance_without_a_name_is_known_by_its_id(launch: Launch) -> None:
    web = launch()

    assert web.name == ec2_id(web)


def test_a_name_that_two_carry_is_refused_with_their_ids(provider: Ec2Provider, launch: Launch) -> None:
    one, other = launch(name="twin"), launch(name="twin")

    with pytest.raises(Refused) as caught:
        provider.find(Reference("ec2", "twin"))

    assert one.id in str(caught.value)
    assert other.id in str(caught.value)


def test_a_selector_finds_all_that_carry_its_tags_exactly(provider: Ec2Provider, launch: Launch) -> None:
    found = [launch(role="worker", stage="live").id, launch(role="worker", stage="live").id]
    launch(role="worker", stage="test")
    launch(role="worker-2", stage="live")

    selected = provider.find(Selector("ec2", tags={"role": "worker", "stage": "live"}))

    assert [instance.id for instance in selected] == sorted(found)
    with pytest.raises(NotFound, match=r"role=work\*"):
        provider.find(Selector("ec2", tags={"role": "work*"}))


def test_a_selector_looks_in_its_region(provider: Ec2Provider, launch: Launch) -> None:
    launch(role="only-here")

    with pytest.raises(NotFound, match="eu-west-1"):
        provider.find(Selector("ec2", "eu-west-1", {"role": "only-here"}))


def test_an_instance_of_another_region_is_not_found_and_the_region_asked_is_named(provider: Ec2Provider, launch: Launch) -> None:
    web = launch()

    with pytest.raises(NotFound, match="in eu-west-1") as caught:
        provider.find(Reference("ec2", f"eu-west-1/{ec2_id(web)}"))

    assert "ec2:eu-west-1/" in caught.value.hint


@pytest.mark.parametrize("name", ["i-zzz", "i-0", "no-such-name"])
def test_a_malformed_id_is_not_found_like_any_other(provider: Ec2Provider, name: str) -> None:
    with pytest.raises(NotFound, match=name):
        provider.find(Reference("ec2", name))


def test_instances_of_several_regions_are_observed_together(provider: Ec2Provider, launch: Launch) -> None:
    web = launch()

    assert list(provider.observe([web.id, InstanceId("ec2:eu-west-1/i-0123456789abcdef0")])) == [web.id]


def test_an_id_that_is_not_canonical_is_refused(provider: Ec2Provider) -> None:
    with pytest.raises(UsageError, match="i-0abc"):
        provider.stop(InstanceId("ec2:i-0abc"))


@pytest.mark.parametrize(("region", "close"), [("eu-wset-1", "eu-west-1"), ("us-esat-2", "us-east-2"), ("eu-west1", "eu-west-1")])
def test_a_misspelt_region_is_named_with_what_was_meant(fresh: Ec2Provider, region: str, close: str) -> None:
    with pytest.raises(UsageError, match=region) as caught:
        fresh.find(Reference("ec2", f"{region}/i-0abc"))

    assert close in caught.value.hint


def test_a_region_unlike_any_is_refused_too(fresh: Ec2Provider) -> None:
    with pytest.raises(UsageError) as caught:
        fresh.find(Reference("ec2", "web/i-0abc"))

    assert "Write it like" in caught.value.hint


def test_without_a_region_the_hint_says_how_to_give_one(fresh: Ec2Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION")

    with pytest.raises(CredentialsMissing, match="region") as caught:
        fresh.find(Reference("ec2", "i-0abc"))

    assert "AWS_REGION" in caught.value.hint


def test_the_older_name_of_the_region_variable_is_read_too(
    fresh: Ec2Provider, launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    web = launch()
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)

    assert ids(fresh, f"ec2:{ec2_id(web)}") == [web.id]


def test_without_credentials_nothing_is_asked(fresh: Ec2Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    with pytest.raises(CredentialsMissing) as caught:
        fresh.find(Reference("ec2", "i-0abc"))

    assert "AWS_PROFILE" in caught.value.hint


def test_half_of_the_credentials_are_none(fresh: Ec2Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    with pytest.raises(CredentialsMissing):
        fresh.find(Reference("ec2", "i-0abc"))


def test_a_profile_that_does_not_exist_is_said_to_be_missing(fresh: Ec2Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "staging")

    with pytest.raises(CredentialsMissing, match="staging"):
        fresh.find(Reference("ec2", "i-0abc"))


def test_an_endpoint_that_is_down_is_named(fresh: Ec2Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")

    with pytest.raises(Unavailable, match=r"http://127\.0\.0\.1:1"):
        fresh.find(Reference("ec2", "i-0abc"))


def test_an_endpoint_that_is_no_url_is_a_usage_error(fresh: Ec2Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "localhost 5000")

    with pytest.raises(UsageError, match="localhost 5000"):
        fresh.find(Reference("ec2", "i-0abc"))
