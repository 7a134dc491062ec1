"""Each health probe against a real listener, a real process, or a stand-in for ssh that records how it was called."""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from scaler.domain.operation import LEASE
from scaler.domain.policy import CommandProbe, HttpProbe, Probe, SshProbe, TcpProbe
from scaler.host.probes import ProbeAnswer
from scaler.host.probes import check as begin
from scaler.ports import ProbeResult

_SHORT = timedelta(seconds=0.3)
_LONG = timedelta(seconds=20)


@contextmanager
def listening(answer: bytes | None) -> Iterator[int]:
    """A port that answers every connection with these bytes, or (None) takes it and says nothing."""
    taken: list[socket.socket] = []

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            taken.append(connection)
            if answer is not None:
                connection.recv(4096)
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            server.join(5)
            for connection in taken:
                connection.close()


class _Site(BaseHTTPRequestHandler):
    """Answers /500 with 500; /moved with 302 to /200; and so on."""

    def do_GET(self) -> None:
        name = self.path.strip("/")
        self.send_response(302 if name == "moved" else int(name))
        if name == "moved":
            self.send_header("Location", "/500")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Site) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(5)


def check(probe: Probe, address: str | None, instance: str) -> ProbeResult:
    """What one try says at its end."""
    attempt = begin(probe, address, instance)
    while (result := attempt.result()) is None:
        pass
    return result


def http(url: str, *expect: int, address: str | None = None, timeout: timedelta = _LONG) -> ProbeResult:
    return check(HttpProbe(url, expect, timeout), address, "ec2:i-1")


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_a_port_that_takes_connections_is_healthy() -> None:
    with listening(None) as port:
        answer = check(TcpProbe("{address}", port, _LONG), "127.0.0.1", "ec2:i-1")

    assert answer == ProbeAnswer(True, f"127.0.0.1:{port} takes connections")


def test_a_closed_port_is_unhealthy_and_the_answer_says_so() -> None:
    port = closed_port()

    answer = check(TcpProbe("127.0.0.1", port, _LONG), None, "ec2:i-1")

    assert not answer.ok
    assert answer.text.startswith(f"127.0.0.1:{port}: ")
    assert "refused" in answer.text


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".example", "name\nwith.break"])
def test_a_host_that_cannot_be_a_name_is_an_unhealthy_answer(host: str) -> None:
    assert not check(TcpProbe(host, 22, _SHORT), None, "ec2:i-1").ok
    assert not http(f"http://{host}/", timeout=_SHORT).ok


def test_a_port_beyond_the_last_is_an_unhealthy_answer() -> None:
    assert not check(TcpProbe("127.0.0.1", 70000, _SHORT), None, "ec2:i-1").ok
    assert not http("http://127.0.0.1:70000/").ok


@pytest.mark.parametrize(
    "probe",
    [TcpProbe("{address}", 22, _SHORT), HttpProbe("http://{address}/", (), _SHORT), SshProbe("{address}", None, None, _SHORT)],
)
def test_an_instance_without_an_address_is_unhealthy_where_its_address_is_asked_for(
    probe: TcpProbe | HttpProbe | SshProbe,
) -> None:
    assert check(probe, None, "ec2:i-1") == ProbeAnswer(False, "the instance has no address")


@pytest.mark.parametrize(
    ("path", "expect", "ok", "status"),
    [
        ("200", (), True, 200),
        ("204", (), True, 204),
        ("404", (), False, 404),
        ("500", (), False, 500),
        ("500", (500, 503), True, 500),
        ("200", (204,), False, 200),
        ("moved", (), True, 302),
        ("moved", (302,), True, 302),
        ("moved", (200,), False, 302),
    ],
)
def test_an_http_answer_is_held_against_what_is_expected(
    site: str, path: str, expect: tuple[int, ...], ok: bool, status: int
) -> None:
    assert http(f"{site}/{path}", *expect) == ProbeAnswer(ok, f"{site}/{path} answers {status}")


def test_the_address_is_filled_into_a_url(site: str) -> None:
    url = site.replace("127.0.0.1", "{address}") + "/200"

    assert http(url, address="127.0.0.1") == ProbeAnswer(True, f"{site}/200 answers 200")


def test_a_server_that_takes_the_connection_and_says_nothing_costs_no_more_than_the_time_limit() -> None:
    with listening(None) as port:
        began = time.monotonic()
        answer = http(f"http://127.0.0.1:{port}/", timeout=_SHORT)

    assert answer == ProbeAnswer(False, f"http://127.0.0.1:{port}/: timed out")
    assert time.monotonic() - began < 2


def test_a_server_that_is_not_there_is_unhealthy() -> None:
    answer = http(f"http://127.0.0.1:{closed_port()}/")

    assert not answer.ok
    assert "refused" in answer.text


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 oops\r\n\r\n"])
def test_a_server_that_does_not_speak_http_is_unhealthy(answer: bytes) -> None:
    with listening(answer) as port:
        assert not http(f"http://127.0.0.1:{port}/").ok


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/", "//127.0.0.1/"])
def test_only_http_addresses_are_opened(url: str) -> None:
    assert http(url) == ProbeAnswer(False, f"{url} is no http or https address")


@pytest.fixture
def fake_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """A stand-in for ssh that records its arguments and ends with the number in the file `code`; returns a reader of the record."""
    record = tmp_path / "argv"
    (tmp_path / "ssh").write_text(
        f'#!/bin/sh\nprintf "%s\\0" "$@" > {record}\nexit "$(cat {tmp_path}/code 2>/dev/null || echo 0)"\n'
    )
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return lambda: record.read_text().split("\0")[:-1]


def test_ssh_is_asked_to_run_true_there_without_a_prompt(fake_ssh: Callable[[], list[str]]) -> None:
    answer = check(SshProbe("{address}", "deploy", 2222, _LONG), "192.0.2.7", "ec2:i-1")

    assert answer.ok
    assert fake_ssh() == ["-o", "BatchMode=yes", "-o", "ConnectTimeout=5", "-l", "deploy", "-p", "2222", "--", "192.0.2.7", "true"]


def test_ssh_that_fails_is_unhealthy(fake_ssh: Callable[[], list[str]], tmp_path: Path) -> None:
    (tmp_path / "code").write_text("255")

    assert check(SshProbe("web-1", None, None, _LONG), None, "ec2:i-1") == ProbeAnswer(False, "ssh ended with 255")
    assert fake_ssh()[-3:] == ["--", "web-1", "true"]


@pytest.mark.parametrize("host", ["-oProxyCommand=touch /tmp/owned", "--", "-"])
def test_a_host_that_ssh_would_take_for_an_option_is_never_given_to_it(host: str, fake_ssh: Callable[[], list[str]]) -> None:
    answer = check(SshProbe("{address}", None, None, _LONG), host, "ec2:i-1")

    assert answer == ProbeAnswer(False, f"{host!r} is no host name")
    with pytest.raises(FileNotFoundError):
        fake_ssh()


@pytest.mark.parametrize("hostile", ["web-1; touch owned", "$(touch owned)", "`touch owned`", "a b", "-oProxyCommand=touch owned"])
def test_hostile_names_reach_ssh_as_one_argument_and_no_shell(
    hostile: str, fake_ssh: Callable[[], list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    check(SshProbe("x" + hostile, hostile, None, _LONG), None, "ec2:i-1")

    assert fake_ssh()[-5:] == ["-l", hostile, "--", "x" + hostile, "true"]
    assert not (tmp_path / "owned").exists()


def command(*argv: str, address: str | None = None, timeout: timedelta = _LONG) -> ProbeResult:
    return check(CommandProbe(argv, timeout), address, "ec2:eu-west-1/i-0abc")


def test_a_command_that_ends_with_0_is_healthy_and_sees_the_instance(tmp_path: Path) -> None:
    seen = tmp_path / "seen"

    answer = command("sh", "-c", f'echo "$SCALE_INSTANCE $SCALE_INSTANCE_ADDRESS" > {seen}', address="192.0.2.7")

    assert answer == ProbeAnswer(True, "sh ended with 0")
    assert seen.read_text() == "ec2:eu-west-1/i-0abc 192.0.2.7\n"


def test_a_command_sees_an_empty_address_where_there_is_none() -> None:
    assert command("sh", "-c", '[ "${SCALE_INSTANCE_ADDRESS-unset}" = "" ]').ok


@pytest.mark.parametrize(("script", "text"), [("exit 3", "sh ended with 3"), ("kill -9 $$", "sh died of signal 9")])
def test_a_command_that_fails_is_unhealthy(script: str, text: str) -> None:
    assert command("sh", "-c", script) == ProbeAnswer(False, text)


def test_a_command_cannot_wait_for_a_person() -> None:
    assert command("sh", "-c", "! read line").ok


def test_a_command_that_takes_too_long_is_killed_with_everything_it_started(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    began = time.monotonic()

    answer = command("sh", "-c", f"(trap '' TERM; sleep 60) & echo $! > {pid_file}; wait", timeout=_SHORT)

    assert answer == ProbeAnswer(False, "sh did not end within 0.3 s")
    assert time.monotonic() - began < 3
    assert_ends(int(pid_file.read_text()))


def assert_ends(pid: int) -> None:
    """It is gone, or dead and only waits to be noticed."""
    until = time.monotonic() + 3
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return
        if state == "Z":
            return
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    pytest.fail(f"process {pid} goes on")


def test_a_command_that_does_not_exist_is_unhealthy(tmp_path: Path) -> None:
    name = str(tmp_path / "nothing")

    assert command(name) == ProbeAnswer(False, f"{name} cannot be run: No such file or directory")


def test_a_look_at_a_command_under_way_comes_back_at_once_and_says_nothing_yet() -> None:
    attempt = begin(CommandProbe(("sleep", "60"), _LONG), None, "ec2:i-1")
    began = time.monotonic()

    looks = [attempt.result(), attempt.result()]
    attempt.end()

    assert looks == [None, None]
    assert time.monotonic() - began < 2


def test_a_try_that_is_ended_kills_its_command_with_everything_it_started(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    script = f"(trap '' TERM; sleep 60) & echo $! > {pid_file}.new; mv {pid_file}.new {pid_file}; wait"
    attempt = begin(CommandProbe(("sh", "-c", script), _LONG), None, "ec2:i-1")
    while not pid_file.exists():
        assert attempt.result() is None

    attempt.end()
    attempt.end()

    assert_ends(int(pid_file.read_text()))


def test_a_look_at_a_server_that_says_nothing_comes_back_at_once() -> None:
    with listening(None) as port:
        attempt = begin(HttpProbe(f"http://127.0.0.1:{port}/", (), timedelta(seconds=1)), None, "ec2:i-1")
        began = time.monotonic()
        look = attempt.result()
        took = time.monotonic() - began
        while attempt.result() is None:
            pass

    assert look is None
    assert took < 0.8


def test_one_try_waits_no_longer_than_a_third_of_the_lease_however_long_the_probe_goes_on() -> None:
    began = time.monotonic()

    with listening(None) as port:
        answer = http(f"http://127.0.0.1:{port}/", timeout=timedelta(minutes=2))

    assert answer == ProbeAnswer(False, f"http://127.0.0.1:{port}/: timed out")
    assert time.monotonic() - began <= LEASE.total_seconds() / 3 + 1
