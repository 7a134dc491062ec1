"""Reading the policy file."""

from importlib import resources
from pathlib import Path

from pydantic import ValidationError

from scaler.domain.errors import PolicyError
from scaler.domain.policy import Policy
from scaler.policyfile.build import build_policy
from scaler.policyfile.combinations import combinations
from scaler.policyfile.document import Document, place, read_document
from scaler.policyfile.messages import problem
from scaler.policyfile.models import PolicyFile
from scaler.policyfile.problems import Mark, Problem, policy_error

_MAX_BYTES = 256 * 1024
"""A hundred times a long policy; PyYAML reads about 100 KB a second."""


def load(path: Path) -> Policy:
    """Read a policy file.

    Raises:
        PolicyError: with every error in the file, one per line.
    """
    file = str(path)
    document = read_document(file, _read(file, path))
    shape, found = _validate(document)
    problems = [*document.problems, *found, *combinations(document)]
    if problems or shape is None:
        raise policy_error(file, problems)
    return build_policy(file, shape)


def example() -> str:
    """An annotated policy file with every key; what `scale policy init` writes."""
    return resources.files("scaler.policyfile").joinpath("example.yml").read_text(encoding="utf-8")


def _validate(document: Document) -> tuple[PolicyFile | None, list[Problem]]:
    try:
        return PolicyFile.model_validate(document.value), []
    except ValidationError as error:
        found = (problem(document, it) for it in error.errors(include_url=False, include_context=False))
        return None, [it for it in found if it is not None]


def _read(file: str, path: Path) -> str:
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    except IsADirectoryError:
        raise PolicyError(f"{file}:1:1: this is a directory. Name the file in it, like {path / 'scale.yml'}.") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise PolicyError(
            f"{file}:1:1: the file cannot be read: {reason}.", hint="`scale policy init` writes an example."
        ) from error
    if len(data) > _MAX_BYTES:
        raise PolicyError(f"{file}:1:1: the file is larger than {_MAX_BYTES // 1024} KiB. Is it a policy file?")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode("utf-8", errors="replace")
        mark = place(before, len(before)) if error.start else Mark(1, 1)
        raise policy_error(file, [Problem(mark, "the file is not UTF-8 text from here on. Save it as UTF-8.")]) from None
