"""A server for development and its users, each a process of its own that stops when this ends.
Everything listens on loopback."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from collections.abc import Callable
from typing import IO, Any, TypeVar

APP_ID = "123456781234567812345678"
APP_KEY = "development key, known to all"
BEARER_KEY = "development-bearer-key-known-to-all"
ACCESS_KEY = "DEVELOPMENT"
SECRET = "development-secret-known-to-all"
# Nothing takes this long unless it is broken.
PATIENCE_SECONDS = 30

Self = TypeVar("Self", bound="Lines")


class Lines:
    """A child process, and the lines that it prints."""

    def __init__(self, *command: str) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lines: queue.Queue[str] = queue.Queue()
        assert self.process.stdin and self.process.stdout
        self.input: IO[str] = self.process.stdin
        threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True).start()

    def _read(self, output: IO[str]) -> None:
        for line in output:
            self.lines.put(line.rstrip("\n"))

    def until(self, wanted: Callable[[str], bool]) -> str:
        seen: list[str] = []
        while True:
            try:
                line = self.lines.get(timeout=PATIENCE_SECONDS)
            except queue.Empty:
                raise AssertionError(f"not among {seen}") from None
            seen.append(line)
            if wanted(line):
                return line

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.input.close()
        self.process.terminate()
        self.process.wait(timeout=PATIENCE_SECONDS)


class Server(Lines):
    """With its addresses."""

    def __init__(self, rts: str) -> None:
        super().__init__(rts, "serve", "--dev", "--listen", "127.0.0.1:0")
        self.rts = rts
        self.url = self.until(lambda line: line.startswith("listening on rts://")).split()[-1]
        self.ws_url = self.until(lambda line: line.startswith("listening on ws://")).split()[-1]
        line = self.until(lambda line: line.startswith("OpenAPI "))
        self.openapi = next(word for word in line.split() if word.startswith("http://")).rstrip(",")

    def token(self, uid: str) -> str:
        command = [self.rts, "token", "new", "--app-id", APP_ID, "--app-key", APP_KEY, "--uid", uid]
        return subprocess.check_output(command, text=True).strip()


class Engine(Lines):
    """One user, over the JSON port."""

    def __init__(self, server: Server, uid: str) -> None:
        super().__init__(server.rts, "engine", "--url", server.url, "--app-id", APP_ID)
        self.uid = uid
        self.token = server.token(uid)
        assert self.log_in() == 0
        self.call(call="createRoom", room="lobby")
        assert self.join() == 0

    def call(self, **call: object) -> None:
        self.input.write(json.dumps({"ref": 1, **call}) + "\n")
        self.input.flush()

    def on(self, name: str) -> Any:
        return json.loads(self.until(lambda line: json.loads(line).get("on") == name))

    def log_in(self) -> int:
        """The code that the login comes to."""
        self.call(call="login", token=self.token, uid=self.uid)
        code: int = self.on("onLoginResult")["code"]
        return code

    def join(self) -> int:
        """The state that joining the lobby comes to."""
        self.call(call="joinRoom", room="lobby")
        return self.state()

    def state(self) -> int:
        state: int = self.on("onRoomStateChanged")["state"]
        return state
