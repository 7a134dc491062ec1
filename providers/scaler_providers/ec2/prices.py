"""On-demand prices from AWS's own price list, kept on disk for a week. A price that is not known stays unknown."""

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from scaler.domain.errors import ScalerError
from scaler_providers.ec2.api import Api, Record
from scaler_providers.ec2.errors import Context, translated

_SCHEMA = "scale.prices/1"
_KEPT = timedelta(days=7)
_SECONDS = 8.0
"""What asking may take in all: some ten pages at well under a second each. A price is good to have, not worth a wait."""

_ENDPOINTS: Mapping[str, str] = {"eu": "eu-central-1", "ap": "ap-south-1"}
"""The price list is served from these regions and us-east-1, each with the prices of all regions.
https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/using-price-list-query-api.html."""

_SYSTEMS: Mapping[str, str] = {
    "RunInstances": "Linux",
    "RunInstances:0002": "Windows",
    "RunInstances:0010": "RHEL",
    "RunInstances:000g": "SUSE",
}
"""UsageOperation of an instance to the price list's operatingSystem, no other software included.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/billing-info-fields.html."""

Today = Callable[[], date]


@dataclass(frozen=True, slots=True)
class Prices:
    """A region's prices for one operating system."""

    usd_per_hour: Mapping[str, Decimal]
    read_on: date

    @property
    def source(self) -> str:
        return f"AWS price list, {self.read_on.isoformat()}"


def today_utc() -> date:
    return datetime.now(UTC).date()


class PriceBook:
    """Prices by region and operating system: from memory, from disk, from AWS; asked at most once each in a process."""

    def __init__(self, api: Api, today: Today = today_utc, seconds: float = _SECONDS) -> None:
        self._api = api
        self._today = today
        self._seconds = seconds
        self._known: dict[tuple[str, str], Prices | None] = {}

    def prices_for(self, region: str, record: Record) -> Prices | None:
        """The prices that hold for this instance; None where they cannot be had, for whatever reason."""
        system = operating_system(record)
        if system is None:
            return None
        if (region, system) not in self._known:
            self._known[region, system] = self._from_disk(region, system) or self._from_aws(region, system)
        return self._known[region, system]

    def _from_disk(self, region: str, system: str) -> Prices | None:
        try:
            kept = json.loads(_path(region, system).read_text())
            if (kept["schema"], kept["endpoint"]) != (_SCHEMA, _endpoint()):
                return None
            read_on = date.fromisoformat(kept["read_on"])
            usd = {name: Decimal(price) for name, price in kept["usd_per_hour"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, InvalidOperation):
            return None
        is_fresh = timedelta(0) <= self._today() - read_on < _KEPT
        return Prices(usd, read_on) if is_fresh else None

    def _from_aws(self, region: str, system: str) -> Prices | None:
        try:
            usd = dict(self._products(region, system))
        except (ScalerError, ValueError, KeyError, TypeError, AttributeError, InvalidOperation, TimeoutError):
            return None  # no permission, no network, an emulator without prices, a shape never seen: the price is not known
        if not usd:
            return None
        prices = Prices(usd, self._today())
        _keep(prices, _path(region, system))
        return prices

    def _products(self, region: str, system: str) -> Iterable[tuple[str, Decimal]]:
        home = _ENDPOINTS.get(region.split("-", maxsplit=1)[0], "us-east-1")
        client = self._api.client("pricing", home, read_seconds=5, connect_seconds=3)
        until = time.monotonic() + self._seconds
        token: Mapping[str, object] = {}
        while True:
            with translated(Context("pricing", home, "", client.meta.endpoint_url)):
                answer = client.get_products(ServiceCode="AmazonEC2", Filters=_filters(region, system), **token)
            for text in answer["PriceList"]:
                yield from _price(json.loads(text))
            if not answer.get("NextToken"):
                return
            if time.monotonic() > until:
                raise TimeoutError
            token = {"NextToken": answer["NextToken"]}


def operating_system(record: Record) -> str | None:
    """The price list's name of what the instance runs; None where its price has parts that are not in the list of plain machines."""
    if record.get("Placement", {}).get("Tenancy", "default") != "default":
        return None
    fallback = "RunInstances:0002" if record.get("Platform") == "windows" else "RunInstances"
    return _SYSTEMS.get(record.get("UsageOperation") or fallback)


def _filters(region: str, system: str) -> list[Record]:
    wanted = {
        "regionCode": region,
        "operatingSystem": system,
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
        "licenseModel": "No License required",
    }
    return [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in wanted.items()]


def _price(product: Mapping[str, Any]) -> Iterable[tuple[str, Decimal]]:
    """The one hourly rate in USD of a product; nothing where it has none (China is listed in CNY)."""
    name = product["product"]["attributes"]["instanceType"]
    for term in product["terms"].get("OnDemand", {}).values():
        for rate in term["priceDimensions"].values():
            usd = Decimal(rate["pricePerUnit"].get("USD", "0"))
            if rate["unit"] == "Hrs" and usd > 0:
                yield name, usd


def _endpoint() -> str:
    """Whose prices these are: those of an emulator must not be taken for AWS's later."""
    return os.environ.get("AWS_ENDPOINT_URL_PRICING") or os.environ.get("AWS_ENDPOINT_URL") or ""


def _path(region: str, system: str) -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "scale" / "prices" / f"{region}-{system}.json"


def _keep(prices: Prices, path: Path) -> None:
    """Write the file whole or not at all; a cache that cannot be written is no reason to fail."""
    content = {
        "schema": _SCHEMA,
        "endpoint": _endpoint(),
        "read_on": prices.read_on.isoformat(),
        "usd_per_hour": {name: str(usd) for name, usd in sorted(prices.usd_per_hour.items())},
    }
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        with os.fdopen(descriptor, "w") as file:
            json.dump(content, file, indent=1)
        Path(temporary).replace(path)
