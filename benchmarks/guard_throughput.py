"""How long `scale guard -- cat LOG` takes beside `cat LOG | tee /dev/null`, for a log of 1 GiB, run in turn on this machine.

Aim: no more than 1.25 times as long, scale's own start included. Prints both medians, the ratio, and the most memory scale had.
`--mib N` makes the log smaller, `--runs N` takes more runs.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_LINES = (
    b"2026-01-05T09:00:%02d.%03dZ [web-1] INFO  compile: asset app/javascript/components/user_profile_%d.tsx 12.4 kB in 31 ms\n",
    b"%02d:%02d DEBUG [%d] Running /usr/bin/env git ls-remote git@example.org:shop.git HEAD as deploy@web-1\n",
    b" %02d.%02d%% modules/%d/node_modules/@scope/package/dist/index.js 4.2 KiB [built] [code generated]\n",
    b"step %02d/%02d: removed intermediate container 4f66ad9a0b2e, layer %d cached\n",
)
_RARE = b"Warning: %d kB of memory cached in the workspace\n"
"""One line in five hundred holds words that scale stops to read."""


def write_log(path: Path, mib: int) -> None:
    """Lines as deploys print them, the same on every run."""
    block = b"".join(
        _LINES[number % len(_LINES)] % (number % 60, number % 100, number) if number % 500 else _RARE % number
        for number in range(40_000)
    )
    with path.open("wb") as log:
        size = mib << 20
        while log.tell() < size:
            log.write(block[: size - log.tell()])


def seconds(command: list[str]) -> float:
    """One run's wall time, its output thrown away."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    """Measure both in turn, so that a drifting machine drifts for both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "deploy.log"
        write_log(log, options.mib)
        os.chdir(folder)  # where no scale.yml is found
        os.environ["XDG_STATE_HOME"] = folder
        os.environ["PYTHONPYCACHEPREFIX"] = folder  # an installed scale is compiled, whatever this environment says
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        tee = ["sh", "-c", 'cat "$1" | tee /dev/null', "sh", str(log)]
        guard = [sys.executable, "-m", "scaler", "guard", "--", "cat", str(log)]
        seconds(tee), seconds(guard)
        pairs = [(seconds(tee), seconds(guard)) for _ in range(options.runs)]
    base = statistics.median(pair[0] for pair in pairs)
    ours = statistics.median(pair[1] for pair in pairs)
    print(f"cat | tee /dev/null  {base:.3f} s  ({', '.join(f'{pair[0]:.2f}' for pair in pairs)})")
    print(f"scale guard -- cat   {ours:.3f} s  ({', '.join(f'{pair[1]:.2f}' for pair in pairs)})  ratio {ours / base:.2f}")
    print(f"most memory          {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
