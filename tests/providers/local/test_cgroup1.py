"""Real processes, killed by the kernel of this machine."""

import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from scaler.domain.errors import NotDone
from scaler_providers.local import owner
from scaler_providers.local.cgroup1 import Cgroup1Sandbox
from scaler_providers.local.hierarchy import Hierarchy
from tests.providers.local.programs import DAEMON, EAT_200_MIB, HOLD_40_MIB, MIB, lives, run_inside, start_owner, wait_until

Place = tuple[Hierarchy, Path]

OWN_CGROUP = (
    "[l.split(':', 2)[2] for l in open('/proc/self/cgroup').read().splitlines() if 'memory' in l.split(':')[1].split(',')][0]"
)


def test_a_process_beyond_the_limit_is_killed_and_counted(place: Place) -> None:
    with Cgroup1Sandbox(*place, "web", 64 * MIB) as sandbox:
        ended = run_inside(sandbox, EAT_200_MIB)

        assert ended.returncode == -signal.SIGKILL
        assert sandbox.counters().oom_kills == 1
        assert sandbox.counters().limit_bytes == 64 * MIB


def test_after_a_kill_the_peak_is_the_limit_at_least(place: Place) -> None:
    with Cgroup1Sandbox(*place, "web", 64 * MIB) as sandbox:
        run_inside(sandbox, EAT_200_MIB)

        assert (sandbox.counters().peak_bytes or 0) >= 64 * MIB


def test_a_process_within_the_limit_lives_and_its_peak_is_known(place: Place) -> None:
    with Cgroup1Sandbox(*place, "web", 128 * MIB) as sandbox:
        ended = run_inside(sandbox, HOLD_40_MIB)
        seen = sandbox.counters()

    assert (ended.returncode, seen.oom_kills) == (0, 0)
    assert 40 * MIB <= (seen.peak_bytes or 0) <= 60 * MIB


def test_swap_cannot_hide_the_limit(place: Place) -> None:
    with Cgroup1Sandbox(*place, "web", 64 * MIB) as sandbox:
        with_swap = sandbox.path / "memory.memsw.limit_in_bytes"
        if not with_swap.exists():
            pytest.skip("this kernel does not account for swap")

        assert with_swap.read_text() == (sandbox.path / "memory.limit_in_bytes").read_text() == f"{64 * MIB}\n"


def test_page_cache_is_no_part_of_the_peak(place: Place) -> None:
    # Not in /tmp, which may be in memory itself.
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder, Cgroup1Sandbox(*place, "web", 256 * MIB) as sandbox:
        write = f"import time\nwith open({folder + '/file'!r}, 'wb') as f:\n    for i in range(60): f.write(bytes(1 << 20))\ntime.sleep(0.3)"
        ended = run_inside(sandbox, write)
        usage = int((sandbox.path / "memory.usage_in_bytes").read_text())

        assert ended.returncode == 0, ended.stderr
        assert usage >= 60 * MIB
        assert 0 < (sandbox.counters().peak_bytes or 0) < 30 * MIB


def test_shared_memory_is_part_of_the_peak(place: Place) -> None:
    with Cgroup1Sandbox(*place, "web", 256 * MIB) as sandbox:
        run_inside(
            sandbox,
            "import mmap, time\nm = mmap.mmap(-1, 40 << 20)\nfor i in range(40): m.write(b'x' * (1 << 20))\ntime.sleep(0.4)",
        )

        assert (sandbox.counters().peak_bytes or 0) >= 40 * MIB


def test_a_daemon_left_behind_is_ended_when_the_sandbox_closes(place: Place) -> None:
    with Cgroup1Sandbox(*place, "web", 64 * MIB) as sandbox:
        pid = int(run_inside(sandbox, DAEMON).stdout)
        assert lives(pid)

    assert not lives(pid)
    assert not sandbox.path.exists()


def test_a_failure_inside_the_context_is_passed_on_and_all_is_removed(place: Place) -> None:
    with pytest.raises(KeyError), Cgroup1Sandbox(*place, "web", 64 * MIB) as sandbox:
        raise KeyError

    assert not sandbox.path.exists()


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM])
def test_the_death_of_the_owner_ends_and_removes_everything(place: Place, by: signal.Signals) -> None:
    with start_owner("sandbox", "open_sandbox", "'web', 64 << 20") as process:
        assert process.stdout is not None
        pid, path = process.stdout.readline().split()
        assert lives(int(pid))
        assert Path(path).exists()

        process.send_signal(by)
        process.wait()

    assert wait_until(lambda: not lives(int(pid)) and not Path(path).exists())


def test_the_janitor_holds_nothing_of_its_owner_and_survives_its_terminal(place: Place) -> None:
    with Cgroup1Sandbox(*place, "web", 64 * MIB) as sandbox:
        janitor = Path(f"/proc/{sandbox._janitor.pid}")
        ignored = (1 << signal.SIGINT - 1) | (1 << signal.SIGTERM - 1) | (1 << signal.SIGHUP - 1)
        assert wait_until(lambda: _ignored(janitor) & ignored == ignored)
        targets = {int(link.name): str(link.readlink()) for link in (janitor / "fd").iterdir()}
        os.kill(sandbox._janitor.pid, signal.SIGTERM)

        assert targets.pop(0).startswith("pipe:")
        assert targets == {1: "/dev/null", 2: "/dev/null"}
        assert os.getsid(sandbox._janitor.pid) != os.getsid(0)
        assert lives(sandbox._janitor.pid)

    assert not janitor.exists()


def test_no_program_inherits_the_pipe_the_janitor_waits_on(place: Place) -> None:
    with Cgroup1Sandbox(*place, "web", 64 * MIB) as sandbox:
        held = str(Path(f"/proc/self/fd/{sandbox._janitor._held}").readlink())
        listing = "import os; print([os.readlink(f'/proc/self/fd/{n}') for n in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{n}')])"
        code = [sys.executable, "-c", listing]
        ended = subprocess.run(code, preexec_fn=sandbox.enter, close_fds=False, capture_output=True, text=True, check=True)

        assert held.startswith("pipe:")
        assert held not in ended.stdout


def test_what_a_dead_owner_left_is_removed_by_the_next_sandbox(place: Place) -> None:
    name = owner.directory_name("old", borrowed=False).replace(f"-{os.getpid()}-", f"-{_dead_pid()}-")
    stale = place[1] / name
    stale.mkdir()
    sleeper = subprocess.Popen(["sleep", "600"])
    (stale / "cgroup.procs").write_text(str(sleeper.pid))

    with Cgroup1Sandbox(*place, "web", 64 * MIB):
        assert not stale.exists()

    assert sleeper.wait() == -signal.SIGKILL


def test_a_sandbox_of_a_living_owner_is_left_alone(place: Place) -> None:
    with Cgroup1Sandbox(*place, "web", 64 * MIB) as first, Cgroup1Sandbox(*place, "web", 64 * MIB) as second:
        assert first.path != second.path
        assert first.path.exists()

        assert run_inside(first, EAT_200_MIB).returncode == -signal.SIGKILL
        assert (first.counters().oom_kills, second.counters().oom_kills) == (1, 0)


def test_a_kill_in_a_cgroup_made_inside_is_counted_and_the_cgroup_removed(place: Place) -> None:
    with Cgroup1Sandbox(*place, "web", 64 * MIB) as sandbox:
        code = f"import os; inner = {str(sandbox.path)!r} + '/inner'; os.mkdir(inner); open(inner + '/cgroup.procs', 'w').write('0'); {EAT_200_MIB}"

        assert run_inside(sandbox, code).returncode == -signal.SIGKILL
        assert sandbox.counters().oom_kills == 1


def test_the_kernel_names_the_sandbox_as_it_says(place: Place) -> None:
    with Cgroup1Sandbox(*place, "web", 64 * MIB) as sandbox:
        assert run_inside(sandbox, f"print({OWN_CGROUP})").stdout.strip() == sandbox.cgroup


def test_watching_costs_less_than_one_percent_of_a_processor(place: Place) -> None:
    with Cgroup1Sandbox(*place, "web", 64 * MIB):
        before = time.process_time()
        time.sleep(1.0)

        assert time.process_time() - before < 0.01


def test_a_place_that_is_not_there_is_not_done(place: Place) -> None:
    with pytest.raises(NotDone, match="No sandbox could be made"):
        Cgroup1Sandbox(place[0], place[1] / f"none-{secrets.token_hex(3)}", "web", 64 * MIB).__enter__()


def test_counters_of_a_cgroup_somebody_removed_are_not_done(place: Place) -> None:
    with Cgroup1Sandbox(*place, "web", 64 * MIB) as sandbox:
        sandbox.path.rmdir()

        with pytest.raises(NotDone, match="cannot be read"):
            sandbox.counters()


def _ignored(process: Path) -> int:
    lines = (process / "status").read_text().splitlines()
    return next(int(line.split()[1], 16) for line in lines if line.startswith("SigIgn:"))


def _dead_pid() -> int:
    with subprocess.Popen(["true"]) as process:
        return process.pid
