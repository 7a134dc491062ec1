"""Keys that are right one by one and make no sense together.

These checks read the plain values of the document, so that they speak in the same run as all other errors. What has the wrong
type is left to the models.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from scaler.domain.policy import OnOom
from scaler.policyfile.document import Document
from scaler.policyfile.problems import Location, Problem, dotted


def combinations(document: Document) -> Iterator[Problem]:
    """Every impossible combination in the file."""
    top = _mapping(document.value)
    for name, target in _mapping(top.get("targets")).items():
        if isinstance(target, dict):
            yield from _instances(document, name, target)
        yield from _on_oom(document, name)
        yield from _types(document, name)
    if not _mapping(top.get("targets")):
        yield from _on_oom(document, None)
        yield from _types(document, None)
    yield from _windows(document)
    yield from _regions(document)


def _instances(document: Document, name: str, target: Mapping[str, Any]) -> Iterator[Problem]:
    location = ("targets", name)
    if "instance" in target and "instances" in target:
        yield Problem(
            document.key_mark((*location, "instances")),
            f"{dotted(location)} has both 'instance' and 'instances'. Keep one of them.",
        )
    if "instance" not in target and "instances" not in target:
        yield Problem(
            document.key_mark(location),
            f"{dotted(location)} names no instance. Add `instance: PROVIDER:NAME`, like ec2:eu-west-1/i-0abc.",
        )


def _on_oom(document: Document, name: str | None) -> Iterator[Problem]:
    remedies, remedies_at = _resolved(document, name, ("on_oom", "remedies"))
    retries, retries_at = _resolved(document, name, ("on_oom", "retries"))
    if retries is None:
        retries, retries_at = OnOom().retries, remedies_at
    if not isinstance(remedies, list) or not isinstance(retries, int) or isinstance(retries, bool):
        return
    if retries == 0 and remedies:
        yield Problem(
            document.value_mark(retries_at),
            "retries: 0 means the deploy is never run again, so no remedy is ever tried. Remove the remedies, or allow a retry.",
        )
    elif 0 < retries < len(remedies):
        yield Problem(
            document.value_mark(remedies_at),
            f"{len(remedies)} remedies and retries: {retries}: the last would never be tried. "
            f"Allow {len(remedies)} retries, or name fewer remedies.",
        )


def _types(document: Document, name: str | None) -> Iterator[Problem]:
    allow, allow_at = _resolved(document, name, ("limits", "types", "allow"))
    deny, _ = _resolved(document, name, ("limits", "types", "deny"))
    if isinstance(allow, list) and isinstance(deny, list) and allow and all(it in deny or "*" in deny for it in allow):
        yield Problem(
            document.value_mark(allow_at), "every pattern in 'allow' is also in 'deny', so no type is left. Remove it from one."
        )


def _windows(document: Document) -> Iterator[Problem]:
    for location, limits in _everywhere(document, "limits"):
        windows = _mapping(limits).get("windows")
        for index, window in enumerate(windows if isinstance(windows, list) else []):
            start, end = _mapping(window).get("from"), _mapping(window).get("to")
            if isinstance(start, str) and isinstance(end, str) and start.zfill(5) == end.zfill(5):
                yield Problem(
                    document.value_mark((*location, "windows", index, "to")),
                    f"the window from {start} to {end} is empty. For a whole day write from 00:00 to 24:00.",
                )


def _regions(document: Document) -> Iterator[Problem]:
    for name, target in _mapping(_mapping(document.value).get("targets")).items():
        given = _mapping(target)
        several = given.get("instances")
        places: list[tuple[Location, object]] = [(("targets", name, "instance"), given.get("instance"))]
        places += [(("targets", name, "instances", i), it) for i, it in enumerate(several if isinstance(several, list) else [])]
        for location, selector in places:
            if {"region", "zone"} <= _mapping(selector).keys():
                yield Problem(
                    document.key_mark((*location, "zone")), f"{dotted(location)} has both 'region' and 'zone'. Keep one of them."
                )


def _everywhere(document: Document, key: str) -> Iterator[tuple[Location, object]]:
    """A common key at the top and in every target."""
    top = _mapping(document.value)
    yield (key,), top.get(key)
    for name, target in _mapping(top.get("targets")).items():
        yield ("targets", name, key), _mapping(target).get(key)


def _resolved(document: Document, name: str | None, keys: tuple[str, ...]) -> tuple[object, Location]:
    """What holds for a target, from its own keys or else the common ones, and where that is written."""
    if name is not None:
        own: Location = ("targets", name, *keys)
        value = _at(document.value, own)
        if value is not None:
            return value, own
    return _at(document.value, keys), keys


def _at(value: object, location: Location) -> object:
    for step in location:
        value = _mapping(value).get(str(step))
    return value


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
