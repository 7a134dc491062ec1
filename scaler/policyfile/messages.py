"""pydantic's findings in our words, at their place in the file."""

from collections.abc import Mapping

from pydantic_core import ErrorDetails

from scaler.policyfile.document import Document
from scaler.policyfile.jsonschema import known_keys
from scaler.policyfile.models import PROBE_KEYS
from scaler.policyfile.problems import Location, Problem, did_you_mean, dotted, quoted


def problem(document: Document, error: ErrorDetails) -> Problem | None:
    """One finding; None where the document itself could not be read at that place, which has been said."""
    location = _in_document(error["loc"])
    if any(location[:end] in document.broken for end in range(len(location) + 1)):
        return None
    if error["type"] == "extra_forbidden" or error["loc"][-1:] == ("[key]",):
        mark = document.key_mark(location)
    else:
        mark = document.value_mark(location)
    return Problem(mark, _text(error, location))


def _in_document(loc: Location) -> Location:
    """Without the marks of pydantic's own: `<TcpSection>` for the variant it chose, `[key]` for a key."""
    return tuple(
        step
        for position, step in enumerate(loc)
        if not (position and step == "[key]") and not _is_variant(step, loc[position - 1] if position else "")
    )


def _is_variant(step: str | int, before: str | int) -> bool:
    return isinstance(step, str) and step.startswith("<") and (isinstance(before, int) or before == "instance")


def _text(error: ErrorDetails, location: Location) -> str:
    value, where = error["input"], dotted(location)
    match error["type"]:
        case "policy":
            return f"{where}: {error['msg']}"
        case "extra_forbidden":
            return _unknown_key(str(location[-1]), location[:-1], known_keys(error["loc"][:-1]))
        case "missing":
            return f"{dotted(location[:-1])} lacks the key {location[-1]!r}." + _missing_hint(str(location[-1]))
        case "probe":
            return f"{where}: {_no_probe(value)}"
        case "too_short":
            return f"{where} is empty. Give at least one entry, or remove the line."
        case "list_type":
            return f"{where}: {quoted(value)} is not a list. Write it like [a, b], or as lines that begin with '- '."
        case "model_type" | "dict_type" | "model_attributes_type":
            keys = known_keys(error["loc"])
            return f"{where}: {quoted(value)} is not a mapping. " + (_known(keys) if keys else "Write lines of 'name: value'.")
    return f"{where}: {error['msg']}"


def _unknown_key(key: str, parent: Location, known: list[str]) -> str:
    where = f"in {dotted(parent)}" if parent else "at the top of the file"
    return f"unknown key {quoted(key)} {where}.{did_you_mean(key, known)} {_known(known)}"


def _known(keys: list[str]) -> str:
    return f"Known keys: {', '.join(keys)}."


def _missing_hint(key: str) -> str:
    hints = {
        "version": " Write `version: 1`.",
        "zone": " Times need a time zone, like Europe/Berlin.",
        "tags": " Without tags it would mean every instance there.",
    }
    return hints.get(key, "")


def _no_probe(value: object) -> str:
    keys = [str(key) for key in value] if isinstance(value, Mapping) else []
    near = next((near for key in keys if (near := did_you_mean(key, PROBE_KEYS))), "")
    return f'a probe needs one of the keys {", ".join(PROBE_KEYS)}.{near} Write it like {{tcp: "{{address}}:22"}}.'
