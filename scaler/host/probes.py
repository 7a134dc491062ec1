"""Health probes: each tried once, with its time limit, while the caller goes on. Trying again is the engine's business."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from scaler.domain.policy import CommandProbe, HttpProbe, Probe, SshProbe, TcpProbe
from scaler.ports import ProbeTry

_TRY_SECONDS = 5.0
"""One try waits no longer for an answer from the network, however long the probe may go on trying."""
_GLANCE_SECONDS = 0.2
"""How long a look at a try waits for it: most end within that time."""
_BAD_ADDRESS = (OSError, ValueError, OverflowError)
"""What the socket module raises: ValueError for a name that cannot be one, OverflowError for a port beyond 65535."""


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """What one try said."""

    ok: bool
    text: str


def check(probe: Probe, address: str | None, instance: str) -> ProbeTry:
    """Begin to try a probe once. Nothing is raised: whatever goes wrong is an unhealthy answer, in words."""
    match probe:
        case TcpProbe():
            return _Asking(lambda: _tcp(probe, address))
        case HttpProbe():
            return _Asking(lambda: _http(probe, address))
        case SshProbe():
            return _ssh(probe, address)
        case CommandProbe():
            return _command(probe, address, instance)


def _seconds(probe: Probe) -> float:
    return min(probe.timeout.total_seconds(), _TRY_SECONDS)


def _filled(text: str, address: str | None) -> str | None:
    """The text with `{address}` filled in; None where the instance has none."""
    if "{address}" not in text:
        return text
    if address is None:
        return None
    return text.replace("{address}", address)


_NO_ADDRESS = ProbeAnswer(False, "the instance has no address")


def _tcp(probe: TcpProbe, address: str | None) -> ProbeAnswer:
    host = _filled(probe.host, address)
    if host is None:
        return _NO_ADDRESS
    try:
        with socket.create_connection((host, probe.port), timeout=_seconds(probe)):
            return ProbeAnswer(True, f"{host}:{probe.port} takes connections")
    except _BAD_ADDRESS as error:
        return ProbeAnswer(False, f"{host}:{probe.port}: {error}")


class _Unfollowed(urllib.request.HTTPRedirectHandler):
    """The answer of the address itself is what `expect` speaks of, so a redirect is an answer."""

    def redirect_request(self, *_: object) -> None:
        return None


_OPENER = urllib.request.build_opener(_Unfollowed)


def _http(probe: HttpProbe, address: str | None) -> ProbeAnswer:
    url = _filled(probe.url, address)
    if url is None:
        return _NO_ADDRESS
    if not url.startswith(("http://", "https://")):
        return ProbeAnswer(False, f"{url} is no http or https address")
    try:
        with _OPENER.open(url, timeout=_seconds(probe)) as answer:
            status = answer.status
    except urllib.error.HTTPError as error:
        status = error.code
        error.close()
    except http.client.HTTPException as error:
        return ProbeAnswer(False, f"{url} does not answer in HTTP: {type(error).__name__}")
    except _BAD_ADDRESS as error:
        return ProbeAnswer(False, f"{url}: {getattr(error, 'reason', error)}")
    is_expected = status in probe.expect if probe.expect else 200 <= status < 400
    return ProbeAnswer(is_expected, f"{url} answers {status}")


def _ssh(probe: SshProbe, address: str | None) -> ProbeTry:
    host = _filled(probe.host, address)
    if host is None:
        return _Known(_NO_ADDRESS)
    if host.startswith("-"):
        return _Known(ProbeAnswer(False, f"{host!r} is no host name"))
    seconds = _seconds(probe)
    user = [] if probe.user is None else ["-l", probe.user]
    port = [] if probe.port is None else ["-p", str(probe.port)]
    argv = ["ssh", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={max(int(seconds), 1)}", *user, *port, "--", host, "true"]
    return _process(argv, seconds + 2, {})


def _command(probe: CommandProbe, address: str | None, instance: str) -> ProbeTry:
    # A command may be a whole smoke test: it has all the time its probe allows.
    return _process(
        probe.argv, probe.timeout.total_seconds(), {"SCALE_INSTANCE": instance, "SCALE_INSTANCE_ADDRESS": address or ""}
    )


@dataclass(frozen=True, slots=True)
class _Known:
    """A try that ended as it began."""

    answer: ProbeAnswer

    def result(self) -> ProbeAnswer:
        return self.answer

    def end(self) -> None:
        """Nothing goes on."""


class _Asking:
    """A try in a thread, because looking up a name blocks for as long as the system's resolver likes."""

    def __init__(self, ask: Callable[[], ProbeAnswer]) -> None:
        self._answers: list[ProbeAnswer] = []
        self._thread = threading.Thread(target=lambda: self._answers.append(ask()), daemon=True)
        self._thread.start()

    def result(self) -> ProbeAnswer | None:
        self._thread.join(_GLANCE_SECONDS)
        return self._answers[0] if self._answers else None

    def end(self) -> None:
        """It is left to its own time limit."""


@dataclass(slots=True)
class _Process:
    """A try by a command, the leader of its own process group."""

    name: str
    process: subprocess.Popen[bytes]
    seconds: float
    began: float = field(default_factory=time.monotonic)
    is_late: bool = False

    def result(self) -> ProbeAnswer | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_GLANCE_SECONDS)
        if self.process.returncode is None and time.monotonic() - self.began >= self.seconds:
            self.is_late = True
            self.end()
        code = self.process.returncode
        if code is None:
            return None
        if self.is_late:
            return ProbeAnswer(False, f"{self.name} did not end within {self.seconds:g} s")
        if code < 0:
            return ProbeAnswer(False, f"{self.name} died of signal {-code}")
        return ProbeAnswer(code == 0, f"{self.name} ended with {code}")

    def end(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def _process(argv: Sequence[str], seconds: float, environment: dict[str, str]) -> ProbeTry:
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **environment},
            start_new_session=True,
        )
    except OSError as error:
        return _Known(ProbeAnswer(False, f"{argv[0]} cannot be run: {error.strerror}"))
    return _Process(argv[0], process, seconds)
