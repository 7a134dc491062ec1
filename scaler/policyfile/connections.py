"""How the places that health probes connect to are written in a policy file."""

import re
from collections.abc import Callable
from typing import Annotated, NamedTuple
from urllib.parse import urlsplit

from pydantic import PlainValidator

from scaler.policyfile.checks import matches, refusal, string
from scaler.policyfile.problems import quoted

_HOST = r"([A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\]|\{address\})"
_PORT = r"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_TCP = rf"^{_HOST}:{_PORT}$"
_SSH = rf"^([A-Za-z0-9_][A-Za-z0-9_.-]*@)?{_HOST}(:{_PORT})?$"
_URL = rf"^https?://{_HOST}(:{_PORT})?([/?#][!-~]*)?$"
_PARTS = re.compile(r"(?:([^@]+)@)?(\[.*\]|[^:]+)(?::(\d+))?")


class Host(NamedTuple):
    """Where a probe connects. `name` may be `{address}`."""

    name: str
    port: int | None
    user: str | None


def _host(pattern: str, example: str) -> Callable[[object], Host]:
    def check(value: object) -> Host:
        parts = _PARTS.fullmatch(value) if matches(value, pattern) else None
        if parts is None:
            raise refusal(f"{quoted(value)} is not a place to connect to. Write it in quotes, like {example}.")
        user, name, port = parts.groups()
        return Host(name.strip("[]"), int(port) if port else None, user)

    return check


def _url(value: object) -> str:
    if not matches(value, _URL) or not _has_host(value):
        raise refusal(f'{quoted(value)} is not a web address. Write it like "http://{{address}}/up" or https://example.org/up.')
    return value


def _has_host(url: str) -> bool:
    try:
        return urlsplit(url).hostname is not None
    except ValueError:  # brackets around what is no IPv6 address
        return False


TcpHost = Annotated[Host, PlainValidator(_host(_TCP, '"{address}:22"')), string(_TCP, "{address}:22")]
SshHost = Annotated[Host, PlainValidator(_host(_SSH, '"deploy@{address}"')), string(_SSH, "deploy@{address}")]
Url = Annotated[str, PlainValidator(_url), string(_URL, "http://{address}/up", "https://example.org/up")]
