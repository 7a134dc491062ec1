"""Runs inside the machine, as root: sandboxes on a real cgroup version 2, each case on its own; prints one JSON object on the console."""

import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scaler.ports import Sandbox
from scaler_providers.local.sandbox import open_sandbox, pick

MIB = 1 << 20
ROOT = Path("/sys/fs/cgroup")
NOBODY = 65534
EAT = "x = bytearray(200 << 20)"
HOLD = "import time; x = bytearray(40 << 20); time.sleep(3)"
DAEMON = (
    "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
    "        os.closerange(0, 3); open('/tmp/daemon', 'w').write(str(os.getpid())); time.sleep(600)\n    os._exit(0)\nos.wait()\n"
)
NESTED = "import os, subprocess, sys\nmine = '/sys/fs/cgroup' + open('/proc/self/cgroup').read().strip().split('::')[1]\nos.mkdir(mine + '/inner')\n"
NESTED += f"p = subprocess.Popen([sys.executable, '-c', 'input(); {EAT}'], stdin=-1)\nopen(mine + '/inner/cgroup.procs', 'w').write(str(p.pid))\n"
NESTED += "p.communicate(b'\\n')"


def inside(box: Sandbox, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], preexec_fn=box.enter, text=True, capture_output=True, check=False)


def read(path: Path) -> str:
    return path.read_text().strip()


def left_over() -> list[str]:
    return [str(path) for path in ROOT.rglob("scale-*")]


def wait_until(is_true: Callable[[], bool]) -> bool:
    until = time.monotonic() + 20
    while not is_true():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def killed_at_the_limit() -> dict[str, Any]:
    before = read(ROOT / "cgroup.subtree_control")
    with open_sandbox("web", 64 * MIB) as box:
        path = ROOT / str(box.cgroup).removeprefix("/")
        names = ("memory.max", "memory.swap.max", "memory.oom.group")
        files = {name: read(path / name) for name in names if (path / name).exists()}
        code = inside(box, EAT).returncode
        counters, events = box.counters(), read(path / "memory.events")
        during = read(ROOT / "cgroup.subtree_control")
    log = subprocess.run(["/bin/busybox", "dmesg"], text=True, capture_output=True, check=False).stdout
    return {
        "kind": box.kind, "files": files, "code": code, "oom_kills": counters.oom_kills, "peak": counters.peak_bytes, "events": events,
        "subtree": [before, during, read(ROOT / "cgroup.subtree_control")], "left": left_over(), "log_names_it": f"oom_memcg={box.cgroup}," in log,
    }  # fmt: skip


def within_the_limit() -> dict[str, Any]:
    with open_sandbox("web", 128 * MIB) as box:
        code = inside(box, HOLD).returncode
        counters = box.counters()
    return {"code": code, "oom_kills": counters.oom_kills, "peak": counters.peak_bytes}


def daemon_left_behind() -> dict[str, Any]:
    with open_sandbox("web", 64 * MIB) as box:
        inside(box, DAEMON)
        wait_until(lambda: bool(read(Path("/tmp/daemon"))))
        pid = read(Path("/tmp/daemon"))
        lived = Path("/proc", pid).exists()
    return {"lived": lived, "lives": Path("/proc", pid).exists(), "left": left_over()}


def owner_killed() -> dict[str, Any]:
    code = "import subprocess, time\nfrom scaler_providers.local.sandbox import open_sandbox\nwith open_sandbox('web', 64 << 20) as box:\n"
    code += "    p = subprocess.Popen(['sleep', '600'], preexec_fn=box.enter)\n    print(p.pid, flush=True)\n    time.sleep(600)"
    owner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    pid = owner.stdout.readline().strip()
    made = left_over()
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    gone = wait_until(lambda: not left_over() and not _lives(pid) and not read(ROOT / "cgroup.subtree_control"))
    return {"made": len(made), "gone": gone}


def nested_kill() -> dict[str, Any]:
    with open_sandbox("web", 64 * MIB) as box:
        ended = inside(box, NESTED)
        kills = box.counters().oom_kills
    return {"oom_kills": kills, "stderr": ended.stderr, "left": left_over()}


def two_at_once() -> dict[str, Any]:
    first = open_sandbox("a", 64 * MIB)
    first.__enter__()
    with open_sandbox("b", 64 * MIB) as second:
        first.__exit__(None, None, None)
        between = read(ROOT / "cgroup.subtree_control")
        code = inside(second, EAT).returncode
    return {"between": between, "code": code, "after": read(ROOT / "cgroup.subtree_control")}


def nobody_without_delegation() -> dict[str, Any]:
    return _as_nobody(ROOT)


def nobody_with_delegation() -> dict[str, Any]:
    (ROOT / "cgroup.subtree_control").write_text("+memory")
    home, session = _delegate(ROOT / "user")
    try:
        return {**_as_nobody(session), "subtree": read(home / "cgroup.subtree_control"), "left": left_over()}
    finally:
        _remove(session, home)


def nobody_in_a_delegated_leaf() -> dict[str, Any]:
    """The processes sit in the delegated cgroup itself, so it cannot hand the controller on, and above it nothing may be written."""
    (ROOT / "cgroup.subtree_control").write_text("+memory")
    home, session = _delegate(ROOT / "user")
    try:
        return _as_nobody(home)
    finally:
        _remove(session, home)


def _delegate(home: Path) -> tuple[Path, Path]:
    session = home / "session"
    session.mkdir(parents=True)
    for path in (home, home / "cgroup.procs", home / "cgroup.subtree_control", session, session / "cgroup.procs"):
        os.chown(path, NOBODY, NOBODY)
    return home, session


def _remove(session: Path, home: Path) -> None:
    session.rmdir()
    home.rmdir()
    (ROOT / "cgroup.subtree_control").write_text("-memory")


def _as_nobody(cgroup: Path) -> dict[str, Any]:
    def become() -> None:
        (cgroup / "cgroup.procs").write_text("0")
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)

    ended = subprocess.run([sys.executable, __file__, "nobody"], preexec_fn=become, text=True, capture_output=True, check=False)
    return dict(json.loads(ended.stdout)) if ended.returncode == 0 else {"failed": ended.stderr}


def nobody() -> dict[str, Any]:
    kind = pick()
    with open_sandbox("web", 64 * MIB) as box:
        ended = inside(box, EAT)
        counters = box.counters()
    return {
        "pick": kind,
        "kind": box.kind,
        "code": ended.returncode,
        "refused": "MemoryError" in ended.stderr,
        "oom_kills": counters.oom_kills,
    }


def _lives(pid: str) -> bool:
    try:
        return Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


CASES = (
    killed_at_the_limit, within_the_limit, daemon_left_behind, owner_killed, nested_kill, two_at_once,
    nobody_without_delegation, nobody_with_delegation, nobody_in_a_delegated_leaf,
)  # fmt: skip


def main() -> None:
    results: dict[str, Any] = {"kernel": os.uname().release}
    for case in CASES:
        try:
            results[case.__name__] = case()
        except Exception:  # noqa: BLE001 - the console is the only way out of the machine
            results[case.__name__] = {"failed": traceback.format_exc()}
    sys.stdout.write("\nSCALE-RESULT " + json.dumps(results) + "\n")


if __name__ == "__main__":
    if sys.argv[1:] == ["nobody"]:
        sys.stdout.write(json.dumps(nobody()))
    else:
        main()
