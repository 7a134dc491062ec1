"""Read a deploy's log from a file or standard input."""

import sys
from collections.abc import Sequence
from pathlib import Path

from scaler.domain.errors import UsageError
from scaler.domain.evidence import OutputLine
from scaler.domain.rules import STEMS, codes
from scaler.host.watch import Watcher


def read_log(path: str) -> Sequence[OutputLine]:
    """The lines worth keeping, in one pass and bounded memory; `-` is standard input.

    Raises:
        UsageError: it cannot be read.
    """
    watcher = Watcher(STEMS, codes)
    try:
        if path == "-":
            watcher.scan(sys.stdin.buffer)
        else:
            with Path(path).open("rb", buffering=0) as stream:
                watcher.scan(stream)
    except OSError as error:
        raise UsageError(
            f"The log {path} cannot be read: {error.strerror}.", hint="Give a file, or - for standard input."
        ) from error
    return watcher.lines()


def read_text(path: str) -> str:
    """A whole small file as text, whatever its bytes.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        return Path(path).read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
