"""How memory, spans of time, prices and factors are written in a policy file."""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Annotated

from pydantic import PlainValidator

from scaler.domain.units import parse_bytes, parse_duration
from scaler.policyfile.checks import AMOUNT, matches, number, number_or, refusal, schema, string
from scaler.policyfile.problems import quoted

_MEMORY = rf"^(?=.*[1-9]){AMOUNT} ?([kKmMgGtT][iI]?[bB]?|[bB])$"
_DURATION = r"^(?=.*[1-9])([0-9]{1,6}(\.[0-9]{1,6})? ?(ms|s|m|h|d) ?){1,5}$"
_PERCENT = r"^(300|[12]?[0-9]{1,2}(\.[0-9]{1,18})?) ?%$"
_ANY_PRICE = rf"^{AMOUNT} ?USD ?/ ?[a-z]+$"
_MONTHLY = rf"^(?=.*[1-9]){AMOUNT} ?USD( ?/ ?month)?$"
_HOURLY = rf"^{AMOUNT} ?USD( ?/ ?hour)?$"
_OTHER_CURRENCY = r"[$€£¥]|[0-9.,]+ *((?!USD)[A-Z]{3}\b|[$€£¥])"

_LONGEST = timedelta(days=30)
"""Far beyond any operation, and far below what would overflow a date."""


def _memory(value: object) -> int:
    if number(value) is not None or (isinstance(value, str) and value.isdecimal()):
        raise refusal(f"{quoted(value)} has no unit. Write it like {value}GiB or {value}MiB.")
    if not matches(value, _MEMORY) or not (amount := parse_bytes(value)):
        raise refusal(f"{quoted(value)} is not an amount of memory. Write it like 16GiB or 512MiB.")
    return amount


def _duration(value: object) -> timedelta:
    if number(value) is not None:
        raise refusal(f"{quoted(value)} has no unit. Write it like {value}s or {value}m.")
    if not matches(value, _DURATION) or not (duration := parse_duration(value)):
        raise refusal(f"{quoted(value)} is not a span of time. Write it like 90s, 15m or 1h30m; it is more than nothing.")
    if duration > _LONGEST:
        raise refusal(f"{quoted(value)} is longer than {_LONGEST.days} days, the longest allowed.")
    return duration


def _headroom(value: object) -> Decimal:
    share = number(value)
    if share is not None and 0 <= share < 1:
        return share
    if share is not None and 1 <= share <= 300:
        raise refusal(f"{value} could be a factor or a percentage. Write {value}% for a percentage; a plain number is below 1.")
    if not matches(value, _PERCENT):
        raise refusal(f"{quoted(value)} is not a headroom. Write a percentage from 0% to 300%, or a number from 0 to below 1.")
    return Decimal(value.rstrip("% ")) / 100


def _growth(value: object) -> Decimal:
    factor = number(value)
    if factor is None or factor <= 1:
        raise refusal(f"{quoted(value)} is not a growth. Write a number above 1: 4 allows four times the memory.")
    return factor


def _price(pattern: str, unit: str, example: str) -> Callable[[object], Decimal]:
    def check(value: object) -> Decimal:
        price = number(value)
        if price is not None and (price > 0 or (price == 0 and unit == "hour")):
            return price
        if not matches(value, pattern):
            raise refusal(
                f"{quoted(value)} is not a price here.{_why(value)} Write it like {example}, {example} USD or {example} USD/{unit}."
            )
        return Decimal(value.split("USD")[0].strip())

    def _why(value: object) -> str:
        if isinstance(value, str) and re.match(_OTHER_CURRENCY, value):
            return " Only USD is supported, the currency of the providers' price lists."
        return f" It is counted by the {unit}." if matches(value, _ANY_PRICE) and not value.endswith(unit) else ""

    return check


Memory = Annotated[int, PlainValidator(_memory), string(_MEMORY, "16GiB")]
Duration = Annotated[timedelta, PlainValidator(_duration), string(_DURATION, "90s", "15m", "1h30m")]
Headroom = Annotated[Decimal, PlainValidator(_headroom), number_or(_PERCENT, "15%", minimum=0, exclusiveMaximum=1)]
Growth = Annotated[Decimal, PlainValidator(_growth), schema(type="number", exclusiveMinimum=1)]
MonthlyPrice = Annotated[
    Decimal, PlainValidator(_price(_MONTHLY, "month", "80")), number_or(_MONTHLY, "80 USD/month", exclusiveMinimum=0)
]
HourlyPrice = Annotated[
    Decimal, PlainValidator(_price(_HOURLY, "hour", "0.0208")), number_or(_HOURLY, "0.0208 USD/hour", minimum=0)
]
