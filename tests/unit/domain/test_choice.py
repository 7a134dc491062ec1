"""Which offering is taken, and why the others are not."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaler.domain.choice import Wish, consider, with_prices
from scaler.domain.instance import InstanceType, Offering
from scaler.domain.policy import Limits
from scaler.domain.units import GIB, MIB


def offering(name: str, gib: float, vcpus: int, price: str | None, architecture: str = "x86_64") -> Offering:
    kind = InstanceType(
        name, int(gib * 1024), Decimal(vcpus), architecture, name.partition(".")[0], is_burstable=name.startswith("t")
    )
    return Offering(kind, "eu-west-1a", None if price is None else Decimal(price))


M_LARGE = offering("m7i.large", 8, 2, "0.10")
M_XLARGE = offering("m7i.xlarge", 16, 4, "0.20")
R_LARGE = offering("r7i.large", 16, 2, "0.13")
T_LARGE = offering("t3.large", 8, 2, "0.08")
C_SMALL = offering("c7i.medium", 16, 1, "0.09")
SMALL = offering("m7i.medium", 4, 1, "0.05")


NO_LIMITS = Limits()


def wish(gib: float = 12, limits: Limits = NO_LIMITS, *, is_growth: bool = True) -> Wish:
    return Wish(int(gib * GIB), 8 * GIB, limits, is_growth=is_growth)


def refusals(one: Offering, of: Wish, current: Offering = M_LARGE) -> dict[str, str]:
    (considered,) = consider([one], current, of)
    return {refusal.code: refusal.text for refusal in considered.refused}


OLD = replace(R_LARGE, type=replace(R_LARGE.type, is_current_generation=False))
ELSEWHERE = replace(R_LARGE, is_available=False)
BURSTABLE = replace(T_LARGE, type=replace(T_LARGE.type, memory_mib=16384))

REFUSED: dict[str, tuple[Offering, Wish, str]] = {
    "too_little_memory": (R_LARGE, wish(17), "16 GiB is less than the 17 GiB needed"),
    "not_offered_in_zone": (ELSEWHERE, wish(), "r7i.large is not offered in eu-west-1a"),
    "previous_generation": (OLD, wish(), "r7i.large is of a previous generation"),
    "wrong_architecture": (offering("r7g.large", 16, 2, "0.1", "arm64"), wish(), "r7g.large is arm64, the instance x86_64"),
    "fewer_vcpus": (C_SMALL, wish(), "c7i.medium has 1 vCPUs, the instance 2"),
    "burstable": (BURSTABLE, wish(), "t3.large is burstable, m7i.large is not"),
    "no_growth": (offering("m7i.other", 8, 2, "0.1"), wish(8), "m7i.other has no more memory than m7i.large"),
    "no_shrinking": (R_LARGE, wish(is_growth=False), "r7i.large has no less memory than m7i.large"),
    "type_not_allowed": (
        R_LARGE,
        wish(limits=Limits(types_allow=("m7i.*", "c7i.*"))),
        "limits.types.allow does not name r7i.large (it has m7i.*, c7i.*)",
    ),
    "type_denied": (R_LARGE, wish(limits=Limits(types_allow=("*",), types_deny=("x*", "r7*"))), "limits.types.deny has r7*"),
    "architecture_not_allowed": (
        R_LARGE,
        wish(limits=Limits(architectures=("arm64",))),
        "limits.architectures is arm64; r7i.large is x86_64",
    ),
    "max_memory": (R_LARGE, wish(limits=Limits(max_memory_bytes=12 * GIB)), "limits.max_memory is 12 GiB; r7i.large has 16 GiB"),
    "max_growth": (
        R_LARGE,
        wish(limits=Limits(max_growth=Decimal("1.5"))),
        "limits.max_growth is 1.5; r7i.large has 2 times the memory",
    ),
    "max_price": (
        R_LARGE,
        wish(limits=Limits(max_usd_per_month=Decimal(90))),
        "limits.max_price is 90 USD/month; r7i.large costs 94.90",
    ),
    "price_unknown": (
        replace(R_LARGE, usd_per_hour=None),
        wish(limits=Limits(max_usd_per_month=Decimal(90))),
        "limits.max_price is 90 USD/month and the price of r7i.large is not known",
    ),
}


@pytest.mark.parametrize("code", REFUSED)
def test_each_refusal_is_reached_alone_and_says_what_stands_against_the_type(code: str) -> None:
    one, of, text = REFUSED[code]

    assert refusals(one, of) == {code: text}


@pytest.mark.parametrize(
    ("limits", "one"),
    [
        (Limits(max_memory_bytes=16 * GIB), R_LARGE),
        (Limits(max_growth=Decimal(2)), R_LARGE),
        (Limits(max_usd_per_month=Decimal("94.90")), R_LARGE),
        (Limits(types_allow=("r7i.*",), types_deny=("r7i.metal*",), architectures=("x86_64", "arm64")), R_LARGE),
    ],
)
def test_what_lies_exactly_on_a_limit_is_within_it(limits: Limits, one: Offering) -> None:
    assert refusals(one, wish(limits=limits)) == {}


def test_everything_that_stands_against_a_type_is_said_at_once() -> None:
    one = replace(C_SMALL, is_available=False, usd_per_hour=None)
    limits = Limits(max_memory_bytes=GIB, max_usd_per_month=Decimal(1), types_deny=("c*",))

    assert list(refusals(one, wish(20, limits))) == [
        "too_little_memory",
        "not_offered_in_zone",
        "fewer_vcpus",
        "type_denied",
        "max_memory",
        "price_unknown",
    ]


def names(offerings: Sequence[Offering], of: Wish, current: Offering = M_LARGE) -> list[str]:
    return [one.offering.type.name for one in consider(offerings, current, of)]


def test_the_cheapest_that_will_do_comes_first_then_what_fits_then_the_rest_and_the_present_type_never() -> None:
    assert names([SMALL, M_LARGE, C_SMALL, M_XLARGE, R_LARGE], wish()) == ["r7i.large", "m7i.xlarge", "c7i.medium", "m7i.medium"]


def test_where_one_price_is_unknown_the_least_memory_comes_first() -> None:
    unknown = offering("r7a.large", 15, 2, None)

    assert names([M_XLARGE, R_LARGE, unknown], wish()) == ["r7a.large", "m7i.xlarge", "r7i.large"]


def test_an_unknown_price_of_a_type_that_will_not_do_changes_nothing() -> None:
    assert names([M_XLARGE, R_LARGE, replace(C_SMALL, usd_per_hour=None)], wish())[0] == "r7i.large"


def test_of_two_at_one_price_the_same_family_comes_first() -> None:
    assert names([replace(R_LARGE, usd_per_hour=Decimal("0.20")), M_XLARGE], wish())[0] == "m7i.xlarge"


def test_a_burstable_instance_may_become_another_burstable_one() -> None:
    xlarge = replace(BURSTABLE, type=replace(BURSTABLE.type, name="t3.xlarge"))

    assert refusals(xlarge, wish(), current=T_LARGE) == {}
    assert list(refusals(xlarge, wish(), current=M_LARGE)) == ["burstable"]


def test_the_way_down_takes_fewer_vcpus_but_not_too_little_memory() -> None:
    assert refusals(SMALL, wish(3, is_growth=False)) == {}
    assert list(refusals(SMALL, wish(6, is_growth=False))) == ["too_little_memory"]


def test_growth_is_measured_from_the_memory_before_the_first_change_of_the_run() -> None:
    limits = Limits(max_growth=Decimal(2))

    assert refusals(R_LARGE, Wish(12 * GIB, 8 * GIB, limits)) == {}
    assert list(refusals(R_LARGE, Wish(12 * GIB, 4 * GIB, limits))) == ["max_growth"]


def test_the_policys_prices_replace_the_providers_and_say_so() -> None:
    mine, other = with_prices([R_LARGE, M_XLARGE], {"r7i.large": Decimal("0.01")})

    assert (mine.usd_per_hour, mine.price_source) == (Decimal("0.01"), "the policy file")
    assert other == M_XLARGE


FAMILIES = ("m7i", "r7i", "t3")
types = st.builds(
    InstanceType,
    name=st.builds("{}.{}".format, st.sampled_from(FAMILIES), st.integers(min_value=0, max_value=20)),
    memory_mib=st.sampled_from([2048, 4096, 8192, 12288, 16384, 32768]),
    vcpus=st.integers(min_value=1, max_value=4).map(Decimal),
    architecture=st.sampled_from(["x86_64", "x86_64", "x86_64", "arm64"]),
    family=st.sampled_from(FAMILIES),
    is_current_generation=st.sampled_from([True, True, False]),
    is_burstable=st.booleans(),
)
hourly = st.decimals(min_value="0.01", max_value="0.09", places=2)
catalogues = st.one_of(hourly, st.none()).flatmap(
    lambda first: st.lists(
        st.builds(
            Offering, types, st.just("a"), hourly if first is not None else st.one_of(hourly, st.none()), is_available=st.booleans()
        ),
        min_size=1,
        max_size=12,
        unique_by=lambda one: one.type.name,
    )
)
all_limits = st.builds(
    Limits,
    max_memory_bytes=st.sampled_from([None, None, 16 * GIB]),
    max_usd_per_month=st.sampled_from([None, None, Decimal(40)]),
    max_growth=st.sampled_from([None, None, Decimal(2)]),
    types_allow=st.sampled_from([(), (), ("m7i.*", "t3.*")]),
    types_deny=st.sampled_from([(), (), ("*.1*",)]),
    architectures=st.sampled_from([(), ("arm64",), ("x86_64", "arm64")]),
)
wishes = st.builds(
    Wish, st.integers(min_value=1, max_value=32).map(lambda gib: gib * GIB), st.just(4 * GIB), all_limits, st.booleans()
)


def will_do(one: Offering, now: InstanceType, of: Wish) -> bool:
    """The same verdict said another way."""
    kind, limits = one.type, of.limits
    grows = kind.memory_mib > now.memory_mib and kind.vcpus >= now.vcpus
    return all(
        (
            kind.name != now.name,
            kind.memory_mib * MIB >= of.at_least_bytes,
            one.is_available and kind.is_current_generation and kind.architecture == now.architecture,
            now.is_burstable or not kind.is_burstable,
            grows if of.is_growth else kind.memory_mib < now.memory_mib,
            kind.memory_mib * MIB <= (limits.max_memory_bytes or 2**60),
            kind.memory_mib * MIB <= of.original_bytes * (limits.max_growth or 10**9),
            limits.max_usd_per_month is None
            or (one.usd_per_hour is not None and one.usd_per_hour * 730 <= limits.max_usd_per_month),
            not limits.types_allow or any(fnmatchcase(kind.name, glob) for glob in limits.types_allow),
            not any(fnmatchcase(kind.name, glob) for glob in limits.types_deny),
            not limits.architectures or kind.architecture in limits.architectures,
        )
    )


@given(catalogues, st.data(), wishes)
def test_the_first_is_what_trying_every_type_finds(catalogue: list[Offering], data: st.DataObject, of: Wish) -> None:
    current = data.draw(st.sampled_from(catalogue))
    good = [one for one in catalogue if will_do(one, current.type, of)]

    considered = consider(catalogue, current, of)

    accepted = [one.offering for one in considered if one.is_acceptable]
    assert {one.type.name for one in accepted} == {one.type.name for one in good}
    assert len(considered) == len(catalogue) - 1
    if not good:
        return
    prices = [one.usd_per_hour for one in good if one.usd_per_hour is not None]
    if len(prices) == len(good):
        assert accepted[0].usd_per_hour == min(prices)
    else:
        assert accepted[0].type.memory_mib == min(one.type.memory_mib for one in good)


@given(catalogues, st.data(), wishes)
def test_verdicts_are_ordered_whole_and_never_without_a_reason(catalogue: list[Offering], data: st.DataObject, of: Wish) -> None:
    current = data.draw(st.sampled_from(catalogue))

    considered = consider(catalogue, current, of)

    ranks = [(not one.is_acceptable, not one.fits) for one in considered]
    assert ranks == sorted(ranks)
    assert all(one.refused for one in considered if not one.is_acceptable)
    assert considered == consider(list(reversed(catalogue)), current, of)
    for one in considered:
        if of.is_growth and one.is_acceptable:
            assert one.offering.type.vcpus >= current.type.vcpus
            assert one.offering.type.memory_bytes >= of.at_least_bytes
