"""Prices come from AWS or from a file that says when they did; everything else is no price, and never an error."""

import json
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from scaler.domain.instance import Instance
from scaler_providers.ec2.api import Api
from scaler_providers.ec2.prices import PriceBook, Prices, operating_system, today_utc
from scaler_providers.ec2.provider import Ec2Provider
from tests.providers.ec2.emulator import REGION, Launch
from tests.providers.ec2.faults import FaultProxy

LINUX: dict[str, Any] = {"Placement": {"Tenancy": "default"}, "UsageOperation": "RunInstances"}
MONDAY = date(2026, 11, 23)


def product(name: str, price: str, *, unit: str = "Hrs", currency: str = "USD") -> str:
    """One entry of the price list, in AWS's own shape."""
    rate = {"unit": unit, "pricePerUnit": {currency: price}}
    terms = {"OnDemand": {"SKU.TERM": {"priceDimensions": {"SKU.TERM.RATE": rate}}}}
    return json.dumps({"product": {"attributes": {"instanceType": name}}, "terms": terms})


def page(*products: str, more: str | None = None) -> str:
    return json.dumps({"FormatVersion": "aws_v1", "PriceList": products, **({"NextToken": more} if more else {})})


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "scale" / "prices"


@pytest.fixture(scope="session")
def api(_environment: None) -> Api:
    return Api()


def ask(api: Api, on: date = MONDAY, record: dict[str, Any] | None = None, seconds: float = 8.0) -> Prices | None:
    """As a new process would."""
    return PriceBook(api, lambda: on, seconds).prices_for(REGION, record or LINUX)


def test_all_pages_are_read_and_the_source_says_when(api: Api, proxy: FaultProxy) -> None:
    proxy.answer("GetProducts", page(product("t3.small", "0.0208000000"), more="2"))
    proxy.answer("GetProducts", page(product("t3.large", "0.0832000000")))

    prices = ask(api)

    assert prices is not None
    assert prices.usd_per_hour == {"t3.small": Decimal("0.0208"), "t3.large": Decimal("0.0832")}
    assert prices.source == "AWS price list, 2026-11-23"


def test_for_seven_days_the_file_answers_and_keeps_its_date(api: Api, proxy: FaultProxy) -> None:
    proxy.answer("GetProducts", page(product("t3.small", "0.02")))
    ask(api)

    later = ask(api, MONDAY + timedelta(days=6))

    assert later is not None
    assert later.source == "AWS price list, 2026-11-23"
    assert proxy.actions == ["GetProducts"]


def test_after_seven_days_it_is_asked_again(api: Api, proxy: FaultProxy) -> None:
    proxy.answer("GetProducts", page(product("t3.small", "0.02")))
    ask(api)
    proxy.answer("GetProducts", page(product("t3.small", "0.03")))

    later = ask(api, MONDAY + timedelta(days=7))

    assert later is not None
    assert later.usd_per_hour == {"t3.small": Decimal("0.03")}


def test_a_file_from_the_future_is_not_believed(api: Api, proxy: FaultProxy) -> None:
    proxy.answer("GetProducts", page(product("t3.small", "0.02")), times=2)
    ask(api)

    ask(api, MONDAY - timedelta(days=1))

    assert proxy.actions == ["GetProducts"] * 2


def test_prices_of_one_endpoint_are_not_those_of_another(api: Api, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy.answer("GetProducts", page(product("t3.small", "0.02")), times=2)
    ask(api)
    monkeypatch.setenv("AWS_ENDPOINT_URL_PRICING", "http://127.0.0.1:1")

    ask(api)

    assert proxy.actions == ["GetProducts"] * 2


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": "scale.prices/1"}', '{"schema": "scale.prices/9", "endpoint": ""}'])
def test_a_file_that_cannot_be_read_is_replaced(api: Api, proxy: FaultProxy, cache: Path, content: str) -> None:
    cache.mkdir(parents=True)
    file = cache / f"{REGION}-Linux.json"
    file.write_text(content)
    proxy.answer("GetProducts", page(product("t3.small", "0.02")))

    assert ask(api) is not None

    assert json.loads(file.read_text())["usd_per_hour"] == {"t3.small": "0.02"}
    assert [entry.name for entry in cache.iterdir()] == [file.name]


def test_a_cache_that_cannot_be_written_is_no_error(
    api: Api, proxy: FaultProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    proxy.answer("GetProducts", page(product("t3.small", "0.02")))

    assert ask(api) is not None


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ('{"__type": "AccessDeniedException", "message": "not authorized to perform: pricing:GetProducts"}', 400),
        ('{"__type": "ThrottlingException", "message": "Rate exceeded"}', 400),
        ("<html>not a price list</html>", 200),
        ("{}", 200),
        (page(), 200),
        (page("{}"), 200),
        (page("not json"), 200),
        (page(product("t3.small", "free")), 200),
        (page(product("t3.small", "0.00")), 200),
        (page(product("t3.small", "0.15", currency="CNY")), 200),
        (page(product("t3.small", "0.02", unit="Quantity")), 200),
    ],
)
def test_an_answer_without_prices_leaves_them_unknown_and_is_not_asked_for_again(
    api: Api, proxy: FaultProxy, cache: Path, body: str, status: int
) -> None:
    proxy.answer("GetProducts", body, status=status)
    book = PriceBook(api, lambda: MONDAY)

    assert book.prices_for(REGION, LINUX) is None
    assert book.prices_for(REGION, LINUX) is None

    assert proxy.actions == ["GetProducts"]
    assert not cache.exists()


def test_a_list_that_takes_too_long_is_given_up(api: Api, proxy: FaultProxy) -> None:
    proxy.answer("GetProducts", page(product("t3.small", "0.02"), more="2"))

    assert ask(api, seconds=-1) is None

    assert proxy.actions == ["GetProducts"]


def test_a_cut_connection_leaves_prices_unknown(api: Api, proxy: FaultProxy) -> None:
    proxy.cut("GetProducts", after=False)

    assert ask(api) is None


@pytest.mark.parametrize(
    ("record", "system"),
    [
        ({"UsageOperation": "RunInstances"}, "Linux"),
        ({"UsageOperation": "RunInstances:0002", "Platform": "windows"}, "Windows"),
        ({"UsageOperation": "RunInstances:0010"}, "RHEL"),
        ({"UsageOperation": "RunInstances:000g"}, "SUSE"),
        ({"UsageOperation": "RunInstances:0006", "Platform": "windows"}, None),
        ({"Platform": "windows"}, "Windows"),
        ({}, "Linux"),
        ({"Placement": {"Tenancy": "dedicated"}}, None),
        ({"Placement": {"Tenancy": "host"}}, None),
    ],
)
def test_only_plain_machines_have_a_price(record: dict[str, Any], system: str | None) -> None:
    assert operating_system(record) == system


def test_what_has_no_plain_price_is_not_asked_for(api: Api, proxy: FaultProxy) -> None:
    assert ask(api, record={"Placement": {"Tenancy": "dedicated"}}) is None
    assert proxy.actions == []


def test_offerings_carry_the_prices_and_their_source(proxy: FaultProxy, launch: Launch) -> None:
    web: Instance = launch()
    proxy.answer("GetProducts", page(product("t3.small", "0.0208")))

    offered = {offering.type.name: offering for offering in Ec2Provider().offerings(web)}

    assert offered["t3.small"].usd_per_hour == Decimal("0.0208")
    assert offered["t3.small"].price_source == f"AWS price list, {today_utc().isoformat()}"
    assert offered["t3.large"].usd_per_hour is None
    assert offered["t3.large"].price_source == ""


def test_an_emulator_without_a_price_list_leaves_prices_unknown(proxy: FaultProxy, launch: Launch) -> None:
    offered = Ec2Provider().offerings(launch(platform="windows"))

    assert {offering.usd_per_hour for offering in offered} == {None}
    assert proxy.actions.count("GetProducts") == 1
