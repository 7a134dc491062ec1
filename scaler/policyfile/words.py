"""How names, commands and choices are written in a policy file."""

import shlex
from typing import Annotated

from pydantic import AfterValidator, PlainValidator

from scaler.domain.instance import Reference
from scaler.domain.policy import Approval, Remedy
from scaler.policyfile import checks
from scaler.policyfile.checks import matches, one_of, refusal, schema, string, text, whole
from scaler.policyfile.problems import quoted

TARGET_NAME = r"^[a-z0-9][a-z0-9._-]*$"
TYPE_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
_REFERENCE = r"^[a-z][a-z0-9]*:[A-Za-z0-9][A-Za-z0-9._/-]*$"
_PROVIDER = r"^[a-z][a-z0-9]*$"
_PLACE = r"^[a-z0-9][a-z0-9-]*$"
_GLOB = r"^[A-Za-z0-9_*?\[\]!.-]+$"
_ARCHITECTURE = r"^[a-z0-9_]+$"

_SHELL = {"&&", "||", "|", ";", "&", ">", ">>", "<", "2>&1"}


def _version(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value == 1:
        return 1
    raise refusal(f"{quoted(value)} is no version of this file that this scale reads. Write `version: 1`.")


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise refusal(f"{quoted(value)} is neither true nor false. Write one of them.")
    return value


def _reference(value: object) -> Reference:
    if not matches(value, _REFERENCE):
        raise refusal(f"{quoted(value)} does not name an instance. Write PROVIDER:NAME, like ec2:eu-west-1/i-0abc or local:web.")
    return Reference.parse(value)


def _command(value: object) -> tuple[str, ...]:
    parts = _split(value) if isinstance(value, str) else value
    if not isinstance(parts, list) or not parts or not all(isinstance(part, str) for part in parts):
        raise refusal(f"{quoted(value)} is not a command. Write it as text, or as a list of words (numbers in quotes).")
    if not parts[0]:
        raise refusal("the first word of a command is the program to run; it is empty.")
    return tuple(parts)


def _split(command: str) -> list[str]:
    try:
        parts = shlex.split(command)
    except ValueError:
        raise refusal(f"{quoted(command)} has a quote or a backslash that nothing closes.") from None
    operator = next((part for part in parts if part in _SHELL), None)
    if operator:
        raise refusal(
            f"no shell is run, so {operator!r} would be a plain word. Write [sh, -c, '…'] for a shell, or a list of words."
        )
    return parts


_COMMAND = {
    "anyOf": [
        {"type": "string", "pattern": r"\S"},
        {"type": "array", "prefixItems": [{"type": "string", "minLength": 1}], "items": {"type": "string"}, "minItems": 1},
    ]
}

Version = Annotated[int, PlainValidator(_version), schema(type="integer", const=1)]
Flag = Annotated[bool, PlainValidator(_flag), schema(type="boolean")]
RemedyName = Annotated[
    Remedy, PlainValidator(one_of({it.value: it for it in Remedy}, "a remedy", list(Remedy))), checks.words(list(Remedy))
]
ApprovalName = Annotated[
    Approval, PlainValidator(one_of({it.value: it for it in Approval}, "an approval", list(Approval))), checks.words(list(Approval))
]
Retries = Annotated[int, PlainValidator(whole(0, 100, "a number of retries")), schema(type="integer", minimum=0, maximum=100)]
Status = Annotated[int, PlainValidator(whole(100, 599, "an HTTP status")), schema(type="integer", minimum=100, maximum=599)]
Command = Annotated[tuple[str, ...], PlainValidator(_command), schema(**_COMMAND)]
InstanceReference = Annotated[Reference, PlainValidator(_reference), string(_REFERENCE, "ec2:eu-west-1/i-0abc", "local:web")]
ProviderName = Annotated[
    str, PlainValidator(text(_PROVIDER, "a provider's name: lower-case letters and digits, like ec2")), string(_PROVIDER, "ec2")
]
Place = Annotated[str, PlainValidator(text(_PLACE, "a region or zone, like eu-west-1")), string(_PLACE, "eu-west-1")]
Glob = Annotated[str, PlainValidator(text(_GLOB, "a pattern of type names, like t3.* or *.metal")), string(_GLOB, "t3.*")]
Architecture = Annotated[
    str, PlainValidator(text(_ARCHITECTURE, "an architecture, like x86_64 or arm64")), string(_ARCHITECTURE, "x86_64", "arm64")
]
TagValue = Annotated[str, PlainValidator(text(r"(?s).*", "text; put it in quotes")), schema(type="string")]
TargetName = Annotated[
    str, AfterValidator(text(TARGET_NAME, "a target's name: lower-case letters, digits and . _ -, a letter or digit first"))
]
TypeName = Annotated[str, AfterValidator(text(TYPE_NAME, "the name of an instance type, like t3.small"))]
