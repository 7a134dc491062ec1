"""A proxy in front of the EC2 emulator that answers the next calls of an action with what the emulator cannot: errors, cut lines."""

import http.client
import socket
import struct
from collections import defaultdict
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape


@dataclass(slots=True)
class _Fault:
    status: int
    body: bytes
    times: int
    is_cut: bool = False
    after: bool = False


class FaultProxy:
    """Forwards to `target` but for the faults it was given; a context manager."""

    def __init__(self, target: str) -> None:
        self.actions: list[str] = []
        """Every action asked for, oldest first: `StopInstances`, `GetProducts`."""
        self._target = urlsplit(target).netloc
        self._faults: dict[str, list[_Fault]] = defaultdict(list)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def fail(self, action: str, code: str, text: str = "no", *, status: int = 400, times: int = 1, after: bool = False) -> None:
        """Answer with an EC2 error; `after`: the call takes effect first."""
        error = f"<Error><Code>{code}</Code><Message>{escape(text)}</Message></Error>"
        body = f"<Response><Errors>{error}</Errors><RequestID>1</RequestID></Response>"
        self.answer(action, body, status=status, times=times, after=after)

    def answer(self, action: str, body: str, *, status: int = 200, times: int = 1, after: bool = False) -> None:
        """Answer with this very text."""
        self._faults[action].append(_Fault(status, body.encode(), times, after=after))

    def cut(self, action: str, *, after: bool) -> None:
        """Reset the connection of the next such call, before or after it takes effect."""
        self._faults[action].append(_Fault(0, b"", 1, is_cut=True, after=after))

    def clear(self) -> None:
        """Forget faults that nothing met, and the calls so far."""
        self._faults.clear()
        self.actions.clear()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _next(self, action: str) -> _Fault | None:
        self.actions.append(action)
        waiting = self._faults[action]
        if not waiting:
            return None
        waiting[0].times -= 1
        return waiting.pop(0) if waiting[0].times == 0 else waiting[0]

    def _forward(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self._target, timeout=30)
        try:
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                target = self.headers.get("X-Amz-Target", "")
                action = target.rpartition(".")[2] or parse_qs(body.decode())["Action"][0]
                fault = proxy._next(action)
                if fault is None or fault.after:
                    status, answer = proxy._forward(self.path, body, dict(self.headers.items()))
                if fault is not None and fault.is_cut:
                    self._cut()
                    return
                if fault is not None:
                    status, answer = fault.status, fault.body
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def _cut(self) -> None:
                # A linger time of zero makes close() send a reset instead of an orderly end.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Say nothing."""

        return Handler
