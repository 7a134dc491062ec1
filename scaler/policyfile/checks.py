"""What the checks of single values share. Each value has one pattern, for the check and for the JSON Schema."""

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TypeGuard, TypeVar

from pydantic import WithJsonSchema
from pydantic_core import PydanticCustomError

from scaler.policyfile.problems import did_you_mean, quoted

AMOUNT = r"[0-9]{1,15}(\.[0-9]{1,18})?"

_T = TypeVar("_T")


def refusal(text: str) -> PydanticCustomError:
    """An error in our words."""
    return PydanticCustomError("policy", "{text}", {"text": text})


def matches(value: object, pattern: str) -> TypeGuard[str]:
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None


def number(value: object) -> Decimal | None:
    """The value as a number; None where it is none (true and false are none)."""
    return Decimal(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else None


def text(pattern: str, wanted: str) -> Callable[[object], str]:
    """A check that refuses what does not match, as `… is not {wanted}.`"""

    def check(value: object) -> str:
        if not matches(value, pattern):
            raise refusal(f"{quoted(value)} is not {wanted}.")
        return value

    return check


def whole(low: int, high: int, noun: str) -> Callable[[object], int]:
    """A check for a whole number within bounds, both included."""

    def check(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise refusal(f"{quoted(value)} is not {noun}. Write a whole number from {low} to {high}.")
        return value

    return check


def one_of(known: Mapping[str, _T], noun: str, shown: Sequence[str]) -> Callable[[object], _T]:
    """A check for one of a few words, which stand for values."""

    def check(value: object) -> _T:
        if isinstance(value, str) and value in known:
            return known[value]
        near = did_you_mean(value, known) if isinstance(value, str) else ""
        raise refusal(f"{quoted(value)} is not {noun}.{near} Choose from: {', '.join(shown)}.")

    return check


def schema(**parts: object) -> WithJsonSchema:
    return WithJsonSchema(dict(parts))


def string(pattern: str, *examples: str) -> WithJsonSchema:
    return schema(type="string", pattern=pattern, examples=list(examples))


def number_or(pattern: str, *examples: str, **bounds: float) -> WithJsonSchema:
    return schema(anyOf=[{"type": "number", **bounds}, {"type": "string", "pattern": pattern, "examples": list(examples)}])


def words(known: Sequence[str]) -> WithJsonSchema:
    return schema(type="string", enum=list(known))
