"""Which policy file is meant. Loads nothing, so that runs without a file cost nothing."""

import contextlib
import os
from pathlib import Path

NAMES = ("scale.yml", "scale.yaml")


def locate(named: Path | None) -> Path | None:
    """The file named, else the one in SCALE_POLICY, else the nearest upwards from here; None: there is none."""
    if named is not None or os.environ.get("SCALE_POLICY"):
        return named or Path(os.environ["SCALE_POLICY"])
    return find(Path.cwd())


def find(start: Path) -> Path | None:
    """The policy file of a directory: `scale.yml` (or else `scale.yaml`) there or in the nearest directory above."""
    here = start.absolute()
    for directory in (here, *here.parents):
        for name in NAMES:
            with contextlib.suppress(OSError):  # a directory that may not be searched holds no policy for us
                if (directory / name).is_file():
                    return directory / name
    return None
