"""Talk on stderr. Whoever listened may be gone (`| head`, a closed terminal): that must never cut an operation in the middle."""

import os
import sys

import click


def say(line: str) -> None:
    """Write one line, if anyone can still read it."""
    try:
        click.echo(line, err=True)
    except OSError:
        # From here on into nothing: Python tries once more to write what is left when it ends, and would end with 120.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stderr.fileno())
        os.close(null)
