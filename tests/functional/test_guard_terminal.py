"""In a terminal a deploy is what it is without scale: real pseudo-terminals, real job control, a real shell's part played by the test."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

DRIVER = [sys.executable, str(Path(__file__).parent.parent / "unit" / "host" / "driver.py")]


@dataclass
class Screen:
    """A terminal with scale running in it, as a job of the session's leader."""

    keys: int
    job: int
    """Its process group."""
    seen: bytes = b""

    def type(self, text: bytes) -> None:
        os.write(self.keys, text)

    def expect(self, text: bytes, seconds: float = 10) -> bytes:
        """All that was shown up to and with this text."""
        until = time.monotonic() + seconds
        while text not in self.seen:
            ready, _, _ = select.select([self.keys], [], [], max(until - time.monotonic(), 0))
            assert ready, f"{text!r} was not shown within {seconds} s, but {self.seen!r}"
            self.seen += os.read(self.keys, 65536)
        shown, mark, self.seen = self.seen.partition(text)
        return shown + mark

    def modes(self) -> list[object]:
        return termios.tcgetattr(self.keys)

    def is_raw(self) -> bool:
        return not termios.tcgetattr(self.keys)[3] & termios.ICANON

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.keys, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def lead(argv: Sequence[str], stdin: str | None, pipeline: Sequence[str], notes: int) -> None:
    """The part of an interactive shell: one job in the foreground, told when it stops or ends, continued when it stops."""
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    job = os.fork()
    if not job:
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        if stdin is not None:
            os.dup2(os.open(stdin, os.O_RDONLY), 0)
        if pipeline:
            argv = ["bash", "-c", '"${@:2}" | eval "$1"', "bash", pipeline[0], *argv]
        os.execvp(argv[0], list(argv))  # noqa: S606
    with contextlib.suppress(OSError):
        os.setpgid(job, job)
    os.write(notes, b"job %d\n" % job)
    while True:
        _, status = os.waitpid(job, os.WUNTRACED)
        os.tcsetpgrp(0, os.getpgrp())
        raw = not termios.tcgetattr(0)[3] & termios.ICANON
        os.write(notes, b"%d raw=%d\n" % (status, raw))
        if not os.WIFSTOPPED(status):
            os._exit(0)
        wait_until_all_stopped(job)  # a person takes longer than that
        os.tcsetpgrp(0, job)
        os.killpg(job, signal.SIGCONT)


def wait_until_all_stopped(job: int) -> None:
    until = time.monotonic() + 5
    while time.monotonic() < until and not states_of(job) <= {"T", "Z"}:
        time.sleep(0.01)


def states_of(job: int) -> set[str]:
    """The states of a process group's members, as /proc/PID/stat has them."""
    states = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _parent, group = stat.read_text().rpartition(")")[2].split()[:3]
            if int(group) == job:
                states.add(state)
    return states


@contextlib.contextmanager
def screen(
    argv: Sequence[str], *, stdin: str | None = None, pipeline: Sequence[str] = ()
) -> Iterator[tuple[Screen, Callable[[], str]]]:
    """The command in a terminal of 24 by 80; and what the shell's part says next: `job PID`, then `STATUS raw=BOOL`."""
    hear, say = os.pipe()
    leader, keys = pty.fork()
    if not leader:
        os.close(hear)
        lead(argv, stdin, pipeline, say)
    os.close(say)
    with os.fdopen(hear) as notes:
        job = int(notes.readline().split()[1])
        shown = Screen(keys, job)
        shown.resize(24, 80)
        try:
            yield shown, lambda: notes.readline().strip()
        finally:
            for victim in (job, leader):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(victim, signal.SIGKILL)
            os.close(keys)
            os.waitpid(leader, 0)


@pytest.fixture
def report(tmp_path: Path) -> Path:
    return tmp_path / "report"


def guarded(report: Path, *argv: str) -> list[str]:
    return [*DRIVER, str(report), *argv]


def test_the_deploy_is_on_a_terminal_that_is_its_own(report: Path) -> None:
    script = "import os; print([os.isatty(n) for n in range(3)], os.tcgetpgrp(0) == os.getpgrp(), open('/dev/tty').isatty())"

    with screen(guarded(report, sys.executable, "-c", script)) as (shown, note):
        assert shown.expect(b"\r\n") == b"[True, True, True] True True\r\n"
        assert note() == "0 raw=0"


def test_what_it_prints_arrives_once_and_exactly(report: Path) -> None:
    script = "import os; [os.write(1, b'\\x1b[32m%d\\xff\\x00\\n' % n) for n in range(3000)]; os.write(1, b'END')"

    with screen(guarded(report, sys.executable, "-c", script)) as (shown, note):
        assert shown.expect(b"END") == b"".join(b"\x1b[32m%d\xff\x00\r\n" % n for n in range(3000)) + b"END"
        assert note() == "0 raw=0"


def test_exit_codes_and_deaths_by_signal_pass(report: Path) -> None:
    for script, code in (("exit 7", 7), ("kill -9 $$", 137), ("kill -11 $$", 139)):
        with screen(guarded(report, "sh", "-c", script)) as (_, note):
            assert note() == f"{code << 8} raw=0"


def test_what_is_typed_reaches_the_deploy_key_by_key(report: Path) -> None:
    script = "stty raw -echo; printf ready; dd bs=1 count=3 2>/dev/null | od -An -tx1; stty sane; printf again; read line; echo got $line"

    with screen(guarded(report, "sh", "-c", script)) as (shown, note):
        shown.expect(b"ready")
        shown.type(b"a\x03\x1b")
        shown.expect(b"61 03 1b")
        shown.expect(b"again")
        shown.type(b"yes\r")
        shown.expect(b"got yes\r\n")
        assert note() == "0 raw=0"


def test_a_hidden_prompt_stays_hidden(report: Path) -> None:
    with screen(guarded(report, "bash", "-c", "read -rsp 'Password: ' x </dev/tty; echo; echo ${#x}")) as (shown, _):
        shown.expect(b"Password: ")
        shown.type(b"secret\r")

        assert shown.expect(b"6\r\n") == b"\r\n6\r\n"


def test_its_window_has_the_size_of_ours_and_follows_it(report: Path) -> None:
    script = "trap 'stty size; exit' WINCH; stty size; while :; do sleep 0.05; done"

    with screen(guarded(report, "sh", "-c", f"sleep 0.2; {script}")) as (shown, note):
        shown.expect(b"24 80\r\n")
        shown.resize(50, 132)
        shown.expect(b"50 132\r\n")
        assert note() == "0 raw=0"


def test_ctrl_c_reaches_the_deploy_and_nobody_tries_again(report: Path) -> None:
    with screen(guarded(report, "sh", "-c", "echo ready; exec sleep 60")) as (shown, note):
        shown.expect(b"ready\r\n")
        shown.type(b"\x03")

        assert note() == f"{130 << 8} raw=0"
    assert report.read_text().startswith("130 True")


def test_ctrl_c_may_be_answered(report: Path) -> None:
    script = "trap 'echo unlocking; exit 3' INT; echo ready; while :; do sleep 0.05; done"

    with screen(guarded(report, "sh", "-c", script)) as (shown, note):
        shown.expect(b"ready\r\n")
        shown.type(b"\x03")
        shown.expect(b"unlocking\r\n")
        assert note() == f"{3 << 8} raw=0"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_the_terminal_is_as_it_was_when_scale_is_asked_to_end(report: Path, number: signal.Signals) -> None:
    with screen(guarded(report, "sh", "-c", "echo ready; exec sleep 60")) as (shown, note):
        before = shown.modes()
        shown.expect(b"ready\r\n")
        assert shown.is_raw()

        os.kill(shown.job, number)

        assert note() == f"{(128 + number) << 8} raw=0"
        assert shown.modes() == before


def test_ctrl_z_stops_both_gives_the_terminal_back_and_both_go_on(report: Path) -> None:
    script = "echo ready; read line; echo got $line"

    with screen(guarded(report, "sh", "-c", script)) as (shown, note):
        shown.expect(b"ready\r\n")
        shown.type(b"\x1a")

        status, raw = note().split()
        assert os.WIFSTOPPED(int(status))
        assert raw == "raw=0"
        shown.type(b"on\r")
        shown.expect(b"got on\r\n")
        assert note() == "0 raw=0"


def test_a_stop_from_elsewhere_gives_the_terminal_back_too(report: Path) -> None:
    with screen(guarded(report, "sh", "-c", "echo ready; read line; echo got $line")) as (shown, note):
        shown.expect(b"ready\r\n")
        os.kill(shown.job, signal.SIGTSTP)

        status, raw = note().split()
        assert os.WIFSTOPPED(int(status))
        assert raw == "raw=0"
        shown.type(b"on\r")
        shown.expect(b"got on\r\n")


def test_a_paste_larger_than_the_terminals_buffer_arrives_whole(report: Path) -> None:
    text = b"x" * 60 + b"\n"
    script = f"stty -echo; echo ready; sleep 0.3; head -c {len(text) * 500} | cksum"

    with screen(guarded(report, "sh", "-c", script)) as (shown, _):
        shown.expect(b"ready\r\n")
        for _ in range(500):
            shown.type(text.replace(b"\n", b"\r"))
        import subprocess

        expected = subprocess.run(["cksum"], input=text * 500, capture_output=True, check=True).stdout.strip()
        shown.expect(expected)


def test_stderr_sent_elsewhere_stays_apart(report: Path, tmp_path: Path) -> None:
    script = "echo out; echo err >&2; test -t 1 && test ! -t 2 && echo apart"

    with screen(["sh", "-c", f'"$@" 2>{tmp_path}/err', "sh", *guarded(report, "sh", "-c", script)]) as (shown, _):
        assert shown.expect(b"apart\r\n") == b"out\r\napart\r\n"
    assert (tmp_path / "err").read_bytes() == b"err\n"


def test_stdin_from_a_file_is_the_deploys_own(report: Path, tmp_path: Path) -> None:
    (tmp_path / "input").write_bytes(b"from a file\n")

    with screen(guarded(report, "sh", "-c", "test -t 1 && cat"), stdin=str(tmp_path / "input")) as (shown, note):
        assert shown.expect(b"file\r\n") == b"from a file\r\n"
        assert note() == "0 raw=0"


def test_what_it_leaves_running_is_not_hung_up_on(report: Path, tmp_path: Path) -> None:
    script = f"sleep 60 & echo $! > {tmp_path}/pid; echo left"

    with screen(guarded(report, "sh", "-c", script)) as (shown, note):
        shown.expect(b"left\r\n")
        assert note() == "0 raw=0"
        time.sleep(0.1)
        pid = int((tmp_path / "pid").read_text())
        assert Path(f"/proc/{pid}/comm").read_text() == "sleep\n"
        os.kill(pid, signal.SIGKILL)


def test_the_deploy_ends_when_scale_is_killed_in_a_terminal(report: Path, tmp_path: Path) -> None:
    with screen(guarded(report, "sh", "-c", f"echo $$ > {tmp_path}/pid; echo ready; exec sleep 60")) as (shown, note):
        shown.expect(b"ready\r\n")
        os.kill(shown.job, signal.SIGKILL)
        note()
        pid = int((tmp_path / "pid").read_text())
        until = time.monotonic() + 5
        while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
            time.sleep(0.01)
        assert not Path(f"/proc/{pid}").exists()


def test_with_its_output_in_a_file_the_deploy_has_the_terminal_for_its_prompts(report: Path, tmp_path: Path) -> None:
    script = "test ! -t 1 && read -rp 'Password: ' x </dev/tty 2>/dev/tty; echo got $x"

    with screen(["sh", "-c", f'exec "$@" >{tmp_path}/out', "sh", *guarded(report, "bash", "-c", script)]) as (shown, note):
        shown.expect(b"Password: ")
        shown.type(b"secret\r")
        assert note() == "0 raw=0"
    assert (tmp_path / "out").read_bytes() == b"got secret\n"


def test_in_a_pipeline_the_reader_keeps_the_keyboard(report: Path) -> None:
    reader = "cat; read -rp 'more? ' key </dev/tty 2>/dev/tty; echo key $key"

    with screen(guarded(report, "sh", "-c", "echo one; sleep 0.3; echo two"), pipeline=[f"{{ {reader}; }}"]) as (shown, note):
        shown.expect(b"more? ")
        shown.type(b"q\r")
        shown.expect(b"key q\r\n")
        assert note() == "0 raw=0"


def test_in_a_pipeline_a_deploy_that_asks_for_a_password_gets_the_keyboard(report: Path) -> None:
    script = "read -rsp 'Password: ' x </dev/tty 2>/dev/tty; echo got $x"

    with screen(guarded(report, "bash", "-c", script), pipeline=["cat"]) as (shown, note):
        shown.expect(b"Password: ")
        shown.type(b"secret\r")
        shown.expect(b"got secret\r\n")
        assert note() == "0 raw=0"


def test_ctrl_z_in_a_pipeline_stops_and_continues_all_of_it(report: Path) -> None:
    # No child of its own: what is stopped between vfork and exec cannot be stopped whole, with or without scale.
    script = "import time; print('ready', flush=True); time.sleep(1); print('on')"
    with screen(guarded(report, sys.executable, "-c", script), pipeline=["cat"]) as (shown, note):
        shown.expect(b"ready\r\n")
        shown.type(b"\x1a")

        assert os.WIFSTOPPED(int(note().split()[0]))
        shown.expect(b"on\r\n")
        assert note() == "0 raw=0"


def test_in_the_background_it_runs_without_touching_the_terminal(report: Path) -> None:
    script = "trap '' TTOU; set -m; \"$@\" & wait $!; echo code $?"

    with screen(["bash", "-c", script, "bash", *guarded(report, "sh", "-c", "echo hello")]) as (shown, _):
        shown.expect(b"hello")
        shown.expect(b"code 0\r\n")
        assert not shown.is_raw()
