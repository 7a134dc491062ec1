"""Health probes: each tried once, with its time limit. Trying again is the engine's business."""

import http.client
import os
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass

from scaler.domain.policy import CommandProbe, HttpProbe, Probe, SshProbe, TcpProbe

_TRY_SECONDS = 10.0
"""One try takes no longer, however long the probe may go on trying."""
_BAD_ADDRESS = (OSError, ValueError, OverflowError)
"""What the socket module raises: ValueError for a name that cannot be one, OverflowError for a port beyond 65535."""


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """What one try said."""

    ok: bool
    text: str


def check(probe: Probe, address: str | None, instance: str) -> ProbeAnswer:
    """Try a probe once. Nothing is raised: whatever goes wrong is an unhealthy answer, in words."""
    match probe:
        case TcpProbe():
            return _tcp(probe, address)
        case HttpProbe():
            return _http(probe, address)
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


def _ssh(probe: SshProbe, address: str | None) -> ProbeAnswer:
    host = _filled(probe.host, address)
    if host is None:
        return _NO_ADDRESS
    if host.startswith("-"):
        return ProbeAnswer(False, f"{host!r} is no host name")
    seconds = _seconds(probe)
    user = [] if probe.user is None else ["-l", probe.user]
    port = [] if probe.port is None else ["-p", str(probe.port)]
    argv = ["ssh", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={max(int(seconds), 1)}", *user, *port, "--", host, "true"]
    return _run(argv, seconds + 2, {})


def _command(probe: CommandProbe, address: str | None, instance: str) -> ProbeAnswer:
    # A command may be a whole smoke test: it has all the time its probe allows.
    return _run(probe.argv, probe.timeout.total_seconds(), {"SCALE_INSTANCE": instance, "SCALE_INSTANCE_ADDRESS": address or ""})


def _run(argv: Sequence[str], seconds: float, environment: dict[str, str]) -> ProbeAnswer:
    name = argv[0]
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
        return ProbeAnswer(False, f"{name} cannot be run: {error.strerror}")
    with process:
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return ProbeAnswer(False, f"{name} did not end within {seconds:g} s")
    if code < 0:
        return ProbeAnswer(False, f"{name} died of signal {-code}")
    return ProbeAnswer(code == 0, f"{name} ended with {code}")
