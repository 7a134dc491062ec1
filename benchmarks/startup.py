"""How long `scale --help` takes beside `python -c pass`, run in turn on this machine.

Aim: within 60 ms of it on a quiet machine. Prints medians, their difference and their ratio.
"""

import statistics
import subprocess
import sys
import time

RUNS = 21


def seconds(command: list[str]) -> float:
    """One run's wall time."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    """Measure both in turn, so that a drifting machine drifts for both."""
    bare, helped = [sys.executable, "-c", "pass"], [sys.executable, "-m", "scaler", "--help"]
    pairs = [(seconds(bare), seconds(helped)) for _ in range(RUNS)]
    base = statistics.median(pair[0] for pair in pairs)
    ours = statistics.median(pair[1] for pair in pairs)
    print(f"python -c pass  {base * 1000:.1f} ms")
    print(f"scale --help    {ours * 1000:.1f} ms  (+{(ours - base) * 1000:.1f} ms, ratio {ours / base:.2f})")


if __name__ == "__main__":
    main()
