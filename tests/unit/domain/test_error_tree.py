"""The tree drawn in the docstring of `errors.py` is the tree."""

import inspect
import re

import pytest

from scaler.domain import errors
from scaler.domain.errors import ScalerError

DRAWN = re.compile(r"^    (?P<indent>[│├└─ ]*)(?P<name>[A-Z]\w+)(?: +(?P<code>\d))?(?: +(?P<remark>\S.*))?$")


def drawn_tree() -> dict[str, tuple[str | None, int | None, bool]]:
    """Name -> (parent, exit code, retryable), read from the drawing."""
    tree: dict[str, tuple[str | None, int | None, bool]] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if match := DRAWN.match(line):
            depth = len(match["indent"]) // 4
            above[depth:] = [match["name"]]
            code = int(match["code"]) if match["code"] else None
            tree[match["name"]] = (above[depth - 1] if depth else None, code, match["remark"] == "retryable")
    return tree


def classes() -> dict[str, type[ScalerError]]:
    return {name: kind for name, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, ScalerError)}


def test_every_class_is_drawn_and_every_drawn_class_exists() -> None:
    assert set(drawn_tree()) == set(classes())


@pytest.mark.parametrize("name", sorted(classes()))
def test_parent_exit_code_and_retryable_are_as_drawn(name: str) -> None:
    parent, code, retryable = drawn_tree()[name]
    kind = classes()[name]

    assert (kind.__base__.__name__ if kind is not ScalerError else None) == parent  # type: ignore[union-attr]
    assert kind.retryable is retryable
    if code is not None:
        assert kind.exit_code == code


def test_an_error_carries_its_words_its_hint_and_the_vendors_code() -> None:
    error = errors.Throttled("Slow down.", hint="Wait.", code="RequestLimitExceeded")

    assert (str(error), error.hint, error.code) == ("Slow down.", "Wait.", "RequestLimitExceeded")
    assert (errors.Refused("No.").hint, errors.Refused("No.").code) == ("", "")
