"""What is wrong with a policy file, and where."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from scaler.domain.errors import PolicyError

Location = tuple[str | int, ...]
"""The way from the top of the file to a value: `("targets", "web", "health", 0)`."""


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in the file, counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One error at one place."""

    mark: Mark
    text: str


def policy_error(file: str, problems: Iterable[Problem]) -> PolicyError:
    """Every problem once, in the order of the file."""
    lines = (f"{file}:{it.mark.line}:{it.mark.column}: {it.text}" for it in sorted(set(problems)))
    return PolicyError("\n".join(lines))


def dotted(location: Location) -> str:
    """Write a location as people do: `targets.web.health[0]`."""
    text = ""
    for step in location:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text or "the file"


def quoted(value: object) -> str:
    """Show a value of the user's on one line, shortened."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case str():
            return repr(value if len(value) <= 60 else value[:57] + "…")
        case _:
            return f"{value}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A sentence that names the nearest known word, with a space in front; empty where none is near."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""
