"""The client of a JSON port: a process that takes calls, and gives returns and callbacks, each on a
line of its own. Every line is checked against the tables of docs/engine.md."""

from __future__ import annotations

import base64
import itertools
import json
import queue
import subprocess
import threading
from collections.abc import Callable, Mapping
from typing import Any

# No line takes this long unless the port is broken.
PATIENCE_SECONDS = 20
SHOWN_CHARACTERS = 400

Line = dict[str, Any]

# The fields of each callback, and their types.
CALLBACKS: dict[str, dict[str, type]] = {
    "onConnectionStateChanged": {"state": int},
    "onLoginResult": {"uid": str, "code": int, "elapsed": int},
    "onLogout": {"reason": int},
    "onServerParamsSetResult": {"code": int},
    "onGetPeerOnlineStatus": {"uid": str, "status": int},
    "onMessageReceived": {"uid": str, "message": str},
    "onBinaryMessageReceived": {"uid": str, "base64": str},
    "onMessageSendResult": {"msgid": int, "code": int},
    "onServerMessageSendResult": {"msgid": int, "code": int, "base64": str},
    "onCreateRoomStateChanged": {"room": str, "code": int},
    "onRoomStateChanged": {"room": str, "uid": str, "state": int, "extra": str},
    "onLeaveRoom": {"room": str},
    "onRoomMessageReceived": {"room": str, "uid": str, "message": str},
    "onRoomBinaryMessageReceived": {"room": str, "uid": str, "base64": str},
    "onRoomMessageSendResult": {"room": str, "msgid": int, "code": int},
    "onUserJoined": {"room": str, "uid": str},
    "onUserLeave": {"room": str, "uid": str, "reason": int},
    "onUserMessageReceived": {"room": str, "uid": str, "message": str},
    "onUserBinaryMessageReceived": {"room": str, "uid": str, "base64": str},
    "onWarning": {"code": int, "message": str},
}


class Failure(AssertionError):
    """A port did something else than the contract says."""


def check(actual: object, expected: object, what: str) -> None:
    if actual != expected or type(actual) is not type(expected):
        raise Failure(f"{what}: expected {short(expected)}, got {short(actual)}")


def short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=repr)
    if len(text) <= SHOWN_CHARACTERS:
        return text
    return f"{text[:SHOWN_CHARACTERS]}... ({len(text)} characters)"


def is_base64(text: str) -> bool:
    """Whether it is standard base64 with its padding."""
    try:
        return base64.b64encode(base64.b64decode(text, validate=True)).decode() == text
    except ValueError:
        return False


def is_object(text: str) -> bool:
    """Whether it holds a JSON object."""
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


class Log:
    """The lines of all engines of one case, in order."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, who: str, way: str, line: bytes | str) -> None:
        text = line.decode(errors="replace") if isinstance(line, bytes) else line
        self.lines.append(f"{who:>8} {way:<3} {short(text)}")


class Port:
    """One engine. Lines that arrived and were not yet taken are kept in their order."""

    def __init__(self, who: str, command: list[str], log: Log) -> None:
        self.who = who
        self.log = log
        self.patience: float = PATIENCE_SECONDS
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)
        self._output: queue.Queue[bytes | None] = queue.Queue()
        self._pending: list[Line] = []
        self._refs = itertools.count(1)
        self._questions = itertools.count(1)
        self._threads = [threading.Thread(target=read) for read in (self._read, self._read_errors)]
        for thread in self._threads:
            thread.daemon = True
            thread.start()

    # Lines in

    def write(self, *lines: str | bytes) -> None:
        """These lines, in one write."""
        encoded = [line.encode() if isinstance(line, str) else line for line in lines]
        for line in encoded:
            self.log.add(self.who, "in", line)
        assert self.process.stdin
        try:
            self.process.stdin.write(b"".join(line + b"\n" for line in encoded))
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Failure(f"{self.who}: the process has ended") from None

    def burst(self, *calls: tuple[str, Mapping[str, object]]) -> list[int]:
        """These calls in one write, so that hardly any time passes between them. Their refs."""
        refs = [next(self._refs) for _ in calls]
        named = zip(refs, calls, strict=True)
        self.write(*(json.dumps({"ref": ref, "call": c, **fields}) for ref, (c, fields) in named))
        return refs

    def call(self, name: str, **fields: object) -> Any:
        """What the call returns. Callbacks that come before are kept."""
        [ref] = self.burst((name, fields))
        return self.returned(ref)

    def expect(self, returns: object, name: str, **fields: object) -> None:
        """Calls, and compares what the call returns."""
        given = ", ".join(f"{key}={short(value)}" for key, value in fields.items())
        check(self.call(name, **fields), returns, f"{self.who}: return of {name}({given})")

    def error(self, name: str, **fields: object) -> str:
        """The error of this line, which is not a call."""
        [ref] = self.burst((name, fields))
        return self.refused(ref)

    # Lines out

    def line(self) -> Line:
        """The next line, whatever it is."""
        return self._pending.pop(0) if self._pending else self._receive()

    def returned(self, ref: object) -> Any:
        answer = self._take(f"the return of ref {ref}", lambda line: line.get("ref", self) == ref)
        if "error" in answer:
            raise Failure(f"{self.who}: ref {ref}: expected a return, got {short(answer)}")
        return answer["return"]

    def refused(self, ref: object) -> str:
        answer = self._take(f"the error of ref {ref}", lambda line: line.get("ref", self) == ref)
        if "error" not in answer:
            raise Failure(f"{self.who}: ref {ref}: expected an error, got {short(answer)}")
        text: str = answer["error"]
        return text

    def on(self, name: str, **fields: object) -> Line:
        """The first callback of this name. It must have these fields. Others are kept."""
        assert name in CALLBACKS, name
        line = self._take(f"{name} with {short(fields)}", lambda line: line.get("on") == name)
        return self._compare(line, name, fields)

    def next(self, name: str, **fields: object) -> Line:
        """The next callback. It must be this one."""
        assert name in CALLBACKS, name
        line = self._take(f"{name} with {short(fields)}", lambda line: "on" in line)
        return self._compare(line, name, fields)

    def seen(self) -> list[Line]:
        """The callbacks that were not yet taken, up to the answer to a question. The server answers
        it behind all that it has sent before. Without a login, the engine answers it."""
        uid = f"question-{next(self._questions)}"
        self.call("getPeerOnlineStatus", uid=uid)
        taken: list[Line] = []
        while True:
            line = self._take("the answer to the question", lambda line: "on" in line)
            if line["on"] == "onGetPeerOnlineStatus" and line["uid"] == uid:
                return taken
            taken.append(line)

    def forget(self) -> None:
        """Drops the lines that arrived and were not taken: they may be anything."""
        self._pending.clear()

    def quiet(self, *besides: str) -> None:
        """Nothing was called back, besides callbacks with these names."""
        self._check_none(self.seen(), besides)

    def quiet_itself(self, *besides: str) -> None:
        """The same for an engine that is destroyed: up to the answer to one more call."""
        self.call("getSdkVersion")
        taken, self._pending = self._pending, []
        self._check_none(taken, besides)

    def end(self, *besides: str) -> list[Line]:
        """Ends the input. The callbacks that follow, up to the end of the process."""
        self.close_input()
        taken = self.lines_until_end()
        try:
            check(self.process.wait(self.patience), 0, f"{self.who}: exit code")
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.who}: the process did not end with its input") from None
        return [line for line in taken if line.get("on") not in besides]

    def lines_until_end(self) -> list[Line]:
        """All lines up to the end of the process."""
        taken, self._pending = self._pending, []
        while (line := self._receive_or_end()) is not None:
            taken.append(line)
        return taken

    def close_input(self) -> None:
        assert self.process.stdin
        self.log.add(self.who, "in", "(end of input)")
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass

    def stop(self) -> None:
        """Ends the process, if the case has not done so."""
        if self.process.poll() is None:
            try:
                self.process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        for thread in self._threads:
            thread.join(1)

    def _check_none(self, lines: list[Line], besides: tuple[str, ...]) -> None:
        if left := [line for line in lines if line.get("on") not in besides]:
            raise Failure(f"{self.who}: expected no callback, got {short(left)}")

    def _compare(self, line: Line, name: str, fields: dict[str, object]) -> Line:
        if line["on"] != name or any(line.get(key) != value for key, value in fields.items()):
            wanted = {"on": name, **fields}
            raise Failure(f"{self.who}: expected {short(wanted)}, got {short(line)}")
        return line

    def _take(self, what: str, wanted: Callable[[Line], bool]) -> Line:
        at = 0
        while True:
            while at == len(self._pending):
                try:
                    self._pending.append(self._receive())
                except Failure as failure:
                    raise Failure(f"{failure}; expected {what}") from None
            if wanted(self._pending[at]):
                return self._pending.pop(at)
            at += 1

    def _receive(self) -> Line:
        line = self._receive_or_end()
        if line is None:
            raise Failure(f"{self.who}: the process has ended")
        return line

    def _receive_or_end(self) -> Line | None:
        try:
            raw = self._output.get(timeout=self.patience)
        except queue.Empty:
            raise Failure(f"{self.who}: no line for {self.patience} s") from None
        return None if raw is None else self._parse(raw)

    def _parse(self, raw: bytes) -> Line:
        try:
            line = json.loads(raw.decode())
        except ValueError as error:
            raise Failure(f"{self.who}: not a line of JSON in UTF-8: {error}") from None
        if not isinstance(line, dict):
            raise Failure(f"{self.who}: not a JSON object: {short(line)}")
        if "on" not in line:
            if set(line) not in ({"ref", "return"}, {"ref", "error"}):
                raise Failure(f"{self.who}: not an answer: {short(line)}")
            return line
        fields = CALLBACKS.get(line["on"])
        if fields is None:
            raise Failure(f"{self.who}: unknown callback: {short(line)}")
        types = {name: type(value) for name, value in line.items() if name != "on"}
        if types != fields:
            wanted = {name: kind.__name__ for name, kind in fields.items()}
            raise Failure(f"{self.who}: expected the fields {wanted}, got {short(line)}")
        if not is_base64(line.get("base64", "")) or not is_object(line.get("extra", "{}")):
            raise Failure(f"{self.who}: expected base64, or JSON in extra, got {short(line)}")
        return line

    def _read(self) -> None:
        assert self.process.stdout
        for raw in self.process.stdout:
            raw = raw.rstrip(b"\n")
            self.log.add(self.who, "out", raw)
            self._output.put(raw)
        self._output.put(None)

    def _read_errors(self) -> None:
        assert self.process.stderr
        for raw in self.process.stderr:
            self.log.add(self.who, "err", raw.rstrip(b"\n"))
