"""The deploy's bytes, exit codes and signals pass through scale as if it were not there. Nothing here has a terminal."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

DRIVER = [sys.executable, str(Path(__file__).with_name("driver.py"))]


@contextmanager
def guarded(report: Path, argv: Sequence[str], **options: object) -> Iterator[subprocess.Popen[bytes]]:
    """The driver with this command in a session without a terminal; ended if the test ends first."""
    settings = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    with subprocess.Popen([*DRIVER, str(report), *argv], start_new_session=True, **settings) as process:  # type: ignore[call-overload]
        try:
            yield process
        finally:
            process.kill()


def done(argv: Sequence[str], report: Path, **options: object) -> tuple[int, bytes, bytes]:
    """Exit code, stdout and stderr."""
    with guarded(report, argv, **options) as process:
        out, err = process.communicate(timeout=20)
        return process.returncode, out, err


def eventually(claim: Callable[[], bool], seconds: float = 5) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if claim():
            return True
        time.sleep(0.01)
    return False


def is_alive(pid: int) -> bool:
    """Whether it runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def number_in(path: Path) -> int:
    assert eventually(lambda: path.exists() and path.read_text().endswith("\n"))
    return int(path.read_text())


@pytest.fixture
def report(tmp_path: Path) -> Path:
    return tmp_path / "report"


@pytest.mark.parametrize("code", [0, 1, 2, 126, 127, 137, 255])
def test_the_exit_code_is_the_deploys_own(report: Path, code: int) -> None:
    assert done(["sh", "-c", f"exit {code}"], report) == (code, b"", b"")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGTERM, signal.SIGPIPE])
def test_a_death_by_signal_is_128_and_its_number(report: Path, number: signal.Signals) -> None:
    assert done(["sh", "-c", f"kill -{number.value} $$"], report)[0] == 128 + number
    assert report.read_text().startswith(f"{128 + number} False")


@pytest.mark.parametrize(
    ("argv", "code"),
    [(["no-such-command-here"], 127), (["/no/such/file"], 127), ([""], 127), (["/etc"], 126), (["/etc/passwd"], 126)],
)
def test_what_cannot_be_run_is_said_with_the_code_a_shell_gives(report: Path, argv: list[str], code: int) -> None:
    assert done(argv, report)[0] == code
    assert report.read_text().startswith("cannot run: ")


def test_a_script_without_a_first_line_that_names_its_interpreter_is_126_with_advice(report: Path, tmp_path: Path) -> None:
    script = tmp_path / "deploy"
    script.write_text("echo hello\n")
    script.chmod(0o755)

    assert done([str(script)], report)[0] == 126
    assert "#!/bin/sh" in report.read_text()


def test_a_script_whose_interpreter_is_missing_is_not_called_missing_itself(report: Path, tmp_path: Path) -> None:
    script = tmp_path / "deploy"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)

    assert done([str(script)], report)[0] == 127
    assert "interpreter" in report.read_text()


def test_stdout_and_stderr_stay_apart_and_exact(report: Path) -> None:
    data = bytes(range(256)) * 10
    script = "import sys; sys.stdout.buffer.write(bytes(range(256)) * 10); sys.stderr.buffer.write(b'\\xff\\x00no end')"

    assert done([sys.executable, "-c", script], report) == (0, data, b"\xff\x00no end")


def test_words_of_both_streams_stay_in_order_where_both_go_to_one_place(report: Path) -> None:
    script = "for i in 1 2 3 4 5 6 7 8 9; do echo out$i; echo err$i >&2; done"

    _, out, _ = done(["sh", "-c", script], report, stderr=subprocess.STDOUT)

    assert out.split() == [word for i in range(1, 10) for word in (b"out%d" % i, b"err%d" % i)]


def test_output_comes_as_it_is_written_without_waiting_for_a_line(report: Path) -> None:
    with guarded(report, ["sh", "-c", "printf 'Password: '; read x; echo $x"], stdin=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None

        assert os.read(process.stdout.fileno(), 100) == b"Password: "
        process.stdin.write(b"secret\n")
        process.stdin.close()
        assert process.stdout.read() == b"secret\n"


def test_a_hundred_megabytes_arrive_intact_at_a_slow_reader(report: Path) -> None:
    script = "import sys\nfor n in range(1600): sys.stdout.buffer.write(bytes([n % 251]) * 65536)"
    expected = hashlib.sha256(b"".join(bytes([n % 251]) * 65536 for n in range(1600))).hexdigest()
    seen = hashlib.sha256()

    with guarded(report, [sys.executable, "-c", script]) as process:
        assert process.stdout is not None
        time.sleep(0.3)  # all buffers are full by now
        while chunk := process.stdout.read(1 << 20):
            seen.update(chunk)

    assert seen.hexdigest() == expected


def test_a_reader_that_goes_away_ends_the_deploy_as_it_would_without_scale(report: Path) -> None:
    with guarded(report, ["yes"]) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()

        assert process.wait(5) == 128 + signal.SIGPIPE
        assert process.stderr.read() == b""


def test_a_full_disk_ends_the_deploys_output_without_a_traceback(report: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        code, _, err = done(["sh", "-c", "while echo x; do :; done 2>/dev/null; exit 3"], report, stdout=full)

    assert code in {3, 128 + signal.SIGPIPE}
    assert err == b""


def test_the_deploy_has_default_signals_and_no_descriptors_of_ours(report: Path) -> None:
    show = "grep SigIgn /proc/self/status; ls /proc/self/fd"

    _, out, _ = done(["sh", "-c", show], report)

    _, ignored, *descriptors = out.split()
    assert int(ignored, 16) & 0x7FFFFFFF == 0  # those above 31 are the C library's own
    assert descriptors == [b"0", b"1", b"2", b"3"]  # `ls` itself opens 3


def test_descriptors_our_caller_passes_on_reach_the_deploy(report: Path, tmp_path: Path) -> None:
    (tmp_path / "input").write_text("passed on")
    with (tmp_path / "input").open() as given:
        _, out, _ = done(["sh", "-c", f"cat /dev/fd/{given.fileno()}"], report, pass_fds=[given.fileno()])

    assert out == b"passed on"


def test_what_the_deploy_leaves_running_neither_holds_scale_up_nor_is_killed(report: Path, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    began = time.monotonic()

    code, out, _ = done(["sh", "-c", f"sleep 60 & echo $! > {pid_file}; echo done"], report)

    pid = number_in(pid_file)
    try:
        assert (code, out) == (0, b"done\n")
        assert time.monotonic() - began < 3
        assert is_alive(pid)
    finally:
        os.kill(pid, signal.SIGKILL)


def test_what_it_leaves_running_may_still_finish_its_sentence(report: Path) -> None:
    script = "(sleep 0.1; echo late; sleep 0.1; echo later) & echo early"

    assert done(["sh", "-c", script], report)[1] == b"early\nlate\nlater\n"


def test_what_it_leaves_chattering_does_not_hold_scale_up(report: Path, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    code, _, _ = done(["sh", "-c", f"(while sleep 0.05; do echo tick; done) & echo $! > {pid_file}; exit 4"], report)

    assert code == 4
    assert eventually(lambda: not is_alive(number_in(pid_file)))  # of SIGPIPE, at its next word


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_forwarded_and_the_deploy_may_answer_it(report: Path, number: signal.Signals) -> None:
    script = f"trap 'echo cleaning up; exit 5' {number.value}; echo ready; while :; do sleep 0.05; done"
    with guarded(report, ["sh", "-c", script]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"

        process.send_signal(number)

        assert process.stdout.read() == b"cleaning up\n"
        assert process.wait(5) == 5
    assert report.read_text().startswith("5 True")


def test_the_same_signal_again_kills_a_deploy_that_does_not_heed_it(report: Path) -> None:
    with guarded(report, ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"

        process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)

        assert process.wait(5) == 128 + signal.SIGKILL


def test_a_part_of_the_deploy_that_outlives_its_shell_may_clean_up_when_asked_to_end(report: Path, tmp_path: Path) -> None:
    part = f"trap 'sleep 0.5; echo unlocked > {tmp_path}/unlocked; exit' TERM; echo ready; while :; do sleep 0.05; done"
    with guarded(report, ["sh", "-c", 'sh -c "$1" & wait', "sh", part]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"

        process.send_signal(signal.SIGTERM)

        assert process.wait(5) == 128 + signal.SIGTERM
    assert (tmp_path / "unlocked").read_text() == "unlocked\n"


def test_a_part_of_the_deploy_that_does_not_heed_is_killed_with_the_second_signal(report: Path, tmp_path: Path) -> None:
    part = f"trap '' TERM; echo $$ > {tmp_path}/pid; echo ready; while :; do sleep 0.05; done"
    with guarded(report, ["sh", "-c", 'sh -c "$1" & wait', "sh", part]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"

        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)

        assert process.wait(5) == 128 + signal.SIGTERM
    assert eventually(lambda: not is_alive(number_in(tmp_path / "pid")))


def test_scale_can_be_ended_while_nobody_reads_its_output(report: Path) -> None:
    with guarded(report, ["yes"]) as process:
        time.sleep(0.5)  # all buffers are full by now

        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)

        assert process.wait(5) == 128 + signal.SIGTERM


def test_nohup_is_passed_on(report: Path) -> None:
    with guarded(
        report, ["sh", "-c", "echo ready; sleep 0.5; echo alive"], preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"

        os.killpg(process.pid, signal.SIGHUP)

        assert process.stdout.read() == b"alive\n"
        assert process.wait(5) == 0


def test_the_deploy_ends_when_scale_is_killed(report: Path, tmp_path: Path) -> None:
    with guarded(report, ["sh", "-c", f"echo $$ > {tmp_path}/pid; exec sleep 60"]) as process:
        pid = number_in(tmp_path / "pid")

        process.kill()

        assert eventually(lambda: not is_alive(pid))


def test_the_watcher_sees_what_passes(report: Path) -> None:
    done(["sh", "-c", "echo one; echo 'virtual memory exhausted: Cannot allocate memory' >&2; exit 1"], report)

    assert "stderr:virtual memory exhausted: Cannot allocate memory" in report.read_text()
