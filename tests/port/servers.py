"""Servers on loopback that cases start or call: an app server, the OpenAPI of the RTS server, and a
relay in front of it that can cut links."""

from __future__ import annotations

import json
import queue
import socket
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from port import PATIENCE_SECONDS, Failure, Log
from rts_processes import APP_ID, BEARER_KEY

# Of actions that have a version of their own.
VERSIONS = {
    "KickUser": "2020-12-01",
    "DismissRoom": "2020-12-01",
    "BanRoomUser": "2023-11-01",
    "GetRoomOnlineUsers": "2023-11-01",
}
VERSION = "2023-07-20"


class OpenApi:
    """Acts as the back end of the app."""

    def __init__(self, url: str, log: Log) -> None:
        self.url = url
        self.log = log

    def act(self, action: str, **body: object) -> Any:
        """The result of an action that must succeed."""
        self.log.add("back end", "in", f"{action} {json.dumps(body)}")
        query = {"Action": action, "Version": VERSIONS.get(action, VERSION)}
        fields = {"AppId": APP_ID, **body}
        data: bytes | None = json.dumps(fields).encode()
        if action == "GetRoomOnlineUsers":
            query.update({name: str(value) for name, value in fields.items()})
            data = None
        address = f"{self.url}/?{urllib.parse.urlencode(query)}"
        headers = {"authorization": f"Bearer {BEARER_KEY}", "content-type": "application/json"}
        request = urllib.request.Request(address, data, headers)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=PATIENCE_SECONDS) as answer:
                text = answer.read().decode()
        except urllib.error.HTTPError as refused:
            raise Failure(f"{action} failed: {refused.read().decode()}") from None
        self.log.add("back end", "out", text)
        return json.loads(text)["Result"]


class AppServer:
    """An app server whose answer depends on the path. It keeps all requests."""

    def __init__(self, log: Log) -> None:
        self.requests: queue.Queue[tuple[str, dict[str, str], bytes]] = queue.Queue()
        self.log = log
        self.may_answer = threading.Event()
        app_server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                log.add("app", "in", f"POST {self.path} {body.decode(errors='replace')}")
                headers = {name.lower(): value for name, value in self.headers.items()}
                app_server.requests.put((self.path, headers, body))
                app_server.answer(self, body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port: int = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def answer(self, to: BaseHTTPRequestHandler, body: bytes) -> None:
        what, _, number = to.path.partition("?")[0].strip("/").partition("/")
        data, status, length = b"", 200, None
        if what == "echo":
            data = json.loads(body)["message"].encode()
        elif what == "bytes":
            data = bytes(range(256))
        elif what == "size":
            data = b"x" * int(number)
        elif what == "status":
            status = int(number)
        elif what == "broken":
            data, length = b"half", 1000
        elif what == "hang":
            self.may_answer.wait(PATIENCE_SECONDS)
        to.send_response(status)
        if 300 <= status < 400:
            to.send_header("location", self.url("/echo"))
        to.send_header("content-length", str(len(data) if length is None else length))
        try:
            to.end_headers()
            to.wfile.write(data)
        except OSError:
            pass  # The RTS server waits no longer.

    def request(self) -> tuple[str, dict[str, str], bytes]:
        """The path, the headers and the body of the next request."""
        try:
            return self.requests.get(timeout=PATIENCE_SECONDS)
        except queue.Empty:
            raise Failure("the app server got no request") from None

    def body(self) -> Any:
        return json.loads(self.request()[2])

    def close(self) -> None:
        self.may_answer.set()
        self.server.shutdown()
        self.server.server_close()


class Relay:
    """Stands between engines and the RTS server. A new relay passes everything."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.is_down = False
        self.flows = threading.Event()
        self.flows.set()
        self.lock = threading.Lock()
        self.sockets: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Ends all links, and each new one at once."""
        with self.lock:
            self.is_down = True
            self._end_links()

    def drop(self) -> None:
        """Ends all links. New ones work."""
        with self.lock:
            self._end_links()

    def mend(self) -> None:
        """New links work."""
        with self.lock:
            self.is_down = False

    def hold(self) -> None:
        """Links stay, but nothing more passes from the server to the engines."""
        self.flows.clear()

    def close(self) -> None:
        self.cut()
        self.flows.set()
        self.listener.close()

    def _end_links(self) -> None:
        for each in self.sockets:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.sockets.clear()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                if self.is_down:
                    near.close()
                    continue
                far = socket.create_connection(self.target)
                for each in (near, far):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.sockets += [near, far]
            for pair, is_held in (((near, far), False), ((far, near), True)):
                threading.Thread(target=self._pass, args=(*pair, is_held), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, is_held: bool) -> None:
        try:
            while data := source.recv(65_536):
                if is_held and data.startswith(b"HTTP/1.1 101 "):
                    # With its answer a link over WebSocket begins.
                    head, end, data = data.partition(b"\r\n\r\n")
                    sink.sendall(head + end)
                if is_held:
                    self.flows.wait()
                sink.sendall(data)
        except OSError:
            pass
        for each in (source, sink):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def silent_listener() -> socket.socket:
    """A server that takes connections and never answers."""
    return socket.create_server(("127.0.0.1", 0), backlog=16)


def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def wait_for_second_after(moment: int) -> None:
    """Until the clock is past this second."""
    while int(time.time()) <= moment:
        time.sleep(0.05)
