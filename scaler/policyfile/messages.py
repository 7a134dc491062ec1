"""pydantic's findings in our words, at their place in the file."""

from collections.abc import Mapping

from pydantic_core import ErrorDetails

from scaler.policyfile.document import Document
from scaler.policyfile.jsonschema import known_keys
from scaler.policyfile.models import PROBE_KEYS
from scaler.policyfile.problems import Location, Problem, did_you_mean, dotted, quoted


def problem(document: Document, error: ErrorDetails) -> Problem | None:
    """One finding; None where the value could not even be read, which has been said."""
    is_bad_name = error["type"] == "policy" and error["loc"][-1] == "[key]"
    location = _in_document(error["loc"][:-1] if is_bad_name else error["loc"])
    is_about_key = is_bad_name or error["type"] == "extra_forbidden"
    if not is_about_key and _has_been_said(document, location, error["input"]):
        return None
    mark = document.key_mark(location) if is_about_key else document.value_mark(location)
    return Problem(mark, _text(error, location))


def _has_been_said(document: Document, location: Location, value: object) -> bool:
    if location in document.broken:
        return True
    return isinstance(value, list) and any(broken[:-1] == location for broken in document.broken)


def _in_document(loc: Location) -> Location:
    """Without the marks of pydantic's own, like `<TcpSection>` for the variant it chose."""
    return tuple(step for at, step in enumerate(loc) if not (at and _is_variant(step, loc[at - 1])))


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
