"""Runs a command as `scale guard` does, in a process of its own; what came of it is written to the file named first."""

import os
import sys
from pathlib import Path

from scaler.domain.rules import STEMS, codes
from scaler.host.child import CannotRun, run
from scaler.host.watch import Watcher


def main() -> int:
    report, argv = Path(sys.argv[1]), sys.argv[2:]
    watcher = Watcher(STEMS, codes)
    try:
        result = run(argv, env=os.environ, watcher=watcher)
    except CannotRun as error:
        report.write_text(f"cannot run: {error} {error.hint}")
        return error.status
    lines = ";".join(f"{line.number}:{line.stream}:{line.text}" for line in watcher.lines())
    report.write_text(f"{result.exit_code} {result.is_interrupted} {lines}")
    return result.exit_code


if __name__ == "__main__":
    sys.exit(main())
