"""Results on stdout, talk on stderr. Whoever listened may be gone (`| head`, a closed terminal): that must never cut an operation in
the middle, nor change the exit code."""

import os
import sys
from typing import TextIO

import click


def fill_closed_streams() -> None:
    """Open what our caller closed (`>&-`) on nothing, so that no file of ours takes its number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, and inherited by the deploy as any stream
            os.set_inheritable(number, True)
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def answer(text: str) -> None:
    """Write a result to stdout, if anyone can still read it."""
    _write(text, sys.stdout)


def say(line: str) -> None:
    """Write one line to stderr, if anyone can still read it."""
    _write(line, sys.stderr)


def _write(text: str, stream: TextIO) -> None:
    try:
        click.echo(text, file=stream)
        stream.flush()
    except OSError:
        # From here on into nothing: Python tries once more to write what is left when it ends, and would end with 120.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
