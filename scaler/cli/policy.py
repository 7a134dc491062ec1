"""`scale policy`: check, show and begin the policy file."""

from pathlib import Path

import click

from scaler.cli import options
from scaler.cli.talk import answer

_FILE = click.argument("file", required=False, type=click.Path(path_type=Path))


@click.group("policy")
def group() -> None:
    """Check, show and begin the policy file (scale.yml).

    Without FILE, the file is the one named by SCALE_POLICY, or else scale.yml in this directory or the nearest one above it.
    """


def _path(file: Path | None) -> Path:
    from scaler.cli.policyfiles import locate
    from scaler.domain.errors import UsageError

    found = locate(file)
    if found is None:
        raise UsageError("There is no scale.yml in this directory or above it.", hint="Write an example with: scale policy init")
    return found


@group.command()
@_FILE
def check(file: Path | None) -> None:
    """Say whether FILE is valid, or everything that is wrong with it."""
    from scaler import policyfile

    path = _path(file)
    targets = list(policyfile.load(path).targets)
    count = f"{len(targets)} target" + ("" if len(targets) == 1 else "s")
    answer(f"{path} is valid: {count} ({', '.join(targets)})." if targets else f"{path} is valid: no targets.")


@group.command()
@_FILE
@options.output_format
def show(file: Path | None, output_format: str) -> None:
    """Show what FILE means for every target, defaults filled in."""
    import json

    import yaml

    from scaler import policyfile

    shown = policyfile.show(policyfile.load(_path(file)))
    if output_format == "json":
        answer(json.dumps(shown, indent=2))
    else:
        answer(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True, width=120).rstrip())


@group.command()
def schema() -> None:
    """Print the JSON Schema of the file, for editors."""
    import json

    from scaler import policyfile

    answer(json.dumps(policyfile.schema(), indent=2))


@group.command()
@click.argument("file", default="scale.yml", type=click.Path(path_type=Path))
def init(file: Path) -> None:
    """Write an annotated example to FILE (scale.yml), which must not exist yet."""
    from scaler import policyfile
    from scaler.domain.errors import Refused

    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(policyfile.example())
    except FileExistsError:
        raise Refused(
            f"{file} exists; it was not changed.", hint="Move it away first, or name another file: scale policy init FILE"
        ) from None
    except OSError as error:
        raise Refused(f"{file} cannot be written: {error.strerror}.", hint="Name another file: scale policy init FILE") from error
    answer(f"Wrote {file}. Name your instance in it, then run: scale policy check {file}")


command = group
