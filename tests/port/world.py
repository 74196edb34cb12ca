"""What a case has at hand: engines with users of its own, rooms, tokens, a back end."""

from __future__ import annotations

import base64
import json
import secrets
import shlex
import time
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from port import Failure, Line, Log, Port, check
from rts_processes import APP_ID
from servers import AppServer, OpenApi, Relay, silent_listener
from tokens import token

Fields = dict[str, object]
# The server takes a user who is only silent for offline after 30 s.
SECONDS_UNTIL_OFFLINE_MAX = 14


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@dataclass(frozen=True)
class World:
    """The server, and the command of an engine with `{url}` or `{ws_url}`, and `{app_id}`."""

    url: str
    ws_url: str
    openapi: str
    engine: str

    def command(self, app_id: str, port: int | None) -> list[str]:
        """The command of an engine. The port replaces that of the server."""
        names = {
            "{url}": with_port(self.url, port),
            "{ws_url}": with_port(self.ws_url, port),
            "{app_id}": app_id,
        }
        words = shlex.split(self.engine)
        for name, value in names.items():
            words = [word.replace(name, value) for word in words]
        return words

    def address(self) -> tuple[str, int]:
        """Where engines connect to."""
        parts = urlsplit(self.ws_url if "{ws_url}" in self.engine else self.url)
        assert parts.hostname and parts.port, "the address has a host and a port"
        return parts.hostname, parts.port


def with_port(url: str, port: int | None) -> str:
    """The address on loopback with another port."""
    if port is None or not url:
        return url
    parts = urlsplit(url)
    return parts._replace(netloc=f"127.0.0.1:{port}").geturl()


class Engine(Port):
    """An engine with the user who logs in on it."""

    def __init__(self, who: str, uid: str, command: list[str], log: Log) -> None:
        super().__init__(who, command, log)
        self.uid = uid

    def login(self, with_token: str | None = None) -> int:
        """The code that the login comes to. States of the connection are not kept."""
        given = token(self.uid) if with_token is None else with_token
        self.expect(0, "login", token=given, uid=self.uid)
        return self.login_result()

    def login_result(self) -> int:
        while True:
            line = self._take("onLoginResult", lambda line: "on" in line)
            if line["on"] == "onLoginResult":
                check(line["uid"], self.uid, f"{self.who}: uid of onLoginResult")
                code: int = line["code"]
                return code
            if line["on"] not in ("onConnectionStateChanged", "onWarning"):
                raise Failure(f"{self.who}: expected onLoginResult, got {line}")

    def logout(self) -> None:
        self.expect(None, "logout")
        self.on("onLogout", reason=0)

    def wait_until_offline(self, uid: str) -> None:
        """Until the server knows that this user has logged out. The other engine may report its
        logout before the server has it. A user who is only silent is never offline this soon."""
        self.wait_for_status(uid, 0, SECONDS_UNTIL_OFFLINE_MAX)

    def wait_for_status(self, uid: str, wanted: int, seconds: float) -> None:
        end = time.monotonic() + seconds
        while True:
            self.expect(None, "getPeerOnlineStatus", uid=uid)
            status = self.on("onGetPeerOnlineStatus", uid=uid)["status"]
            if status == wanted:
                return
            if time.monotonic() > end:
                raise Failure(f"{self.who}: expected status {wanted} of {uid}, got {status}")
            # An engine may ask ten times a second.
            time.sleep(0.12)

    def join(self, room: str) -> None:
        """Makes the room, and joins it."""
        self.expect(room, "createRoom", room=room)
        self.rejoin(room)

    def rejoin(self, room: str, state: int = 0) -> None:
        """Joins a room that is made. It comes to this state."""
        self.expect(0, "joinRoom", room=room)
        self.on("onRoomStateChanged", room=room, uid=self.uid, state=state)

    def leave(self, room: str) -> None:
        self.expect(None, "leaveRoom", room=room)
        self.on("onLeaveRoom", room=room)

    def send(self, to: str, message: str, code: int = 0) -> None:
        """Sends text. It comes to this result."""
        self.result(self.call("sendMessage", uid=to, message=message, config=0), code)

    def send_bytes(self, to: str, data: bytes, code: int = 0) -> None:
        sent = self.call("sendBinaryMessage", uid=to, base64=encoded(data), config=0)
        self.result(sent, code)

    def result(self, msgid: int, code: int) -> None:
        self.on("onMessageSendResult", msgid=msgid, code=code)

    def broadcast(self, room: str, message: str, code: int = 200) -> None:
        msgid = self.call("sendRoomMessage", room=room, message=message)
        self.on("onRoomMessageSendResult", room=room, msgid=msgid, code=code)

    def broadcast_bytes(self, room: str, data: bytes, code: int = 200) -> None:
        msgid = self.call("sendRoomBinaryMessage", room=room, base64=encoded(data))
        self.on("onRoomMessageSendResult", room=room, msgid=msgid, code=code)

    def set_params(self, url: str, code: int = 200, signature: str = "signed") -> None:
        self.expect(None, "setServerParams", signature=signature, url=url)
        self.on("onServerParamsSetResult", code=code)

    def parameters(self, **params: object) -> None:
        self.expect(None, "setRuntimeParameters", params=params)


class Closes(Protocol):
    def close(self) -> None: ...


class Case:
    """One run of a case. Its ids are used by no other case."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.log = Log()
        self.suffix = secrets.token_hex(4)
        self.back_end = OpenApi(world.openapi, self.log)
        self._engines: list[Engine] = []
        self._servers: list[Closes] = []

    def uid(self, who: str) -> str:
        return f"{who}-{self.suffix}"

    def room(self, name: str = "room") -> str:
        return f"{name}-{self.suffix}"

    def engine(
        self,
        who: str = "alice",
        *,
        uid: str | None = None,
        app_id: str = APP_ID,
        port: int | None = None,
    ) -> Engine:
        """An engine without a login."""
        command = self.world.command(app_id, port)
        engine = Engine(who, self.uid(who) if uid is None else uid, command, self.log)
        self._engines.append(engine)
        return engine

    def user(self, who: str, *, uid: str | None = None, port: int | None = None) -> Engine:
        """An engine with a login."""
        engine = self.engine(who, uid=uid, port=port)
        check(engine.login(), 0, f"{who}: code of the login")
        return engine

    def users(self, *names: str) -> list[Engine]:
        return [self.user(name) for name in names]

    def members(self, room: str, *names: str) -> list[Engine]:
        """Users who are in the room, and know of each other."""
        users = self.users(*names)
        for number, user in enumerate(users):
            user.join(room)
            earlier = users[:number]
            for other in earlier:
                other.on("onUserJoined", room=room, uid=user.uid)
            present = {user.on("onUserJoined", room=room)["uid"] for _ in earlier}
            check(present, {other.uid for other in earlier}, f"the members that {user.who} sees")
        return users

    def app_server(self) -> AppServer:
        server = AppServer(self.log)
        self._servers.append(server)
        return server

    def relay(self) -> Relay:
        relay = Relay(self.world.address())
        self._servers.append(relay)
        return relay

    def silent_port(self) -> int:
        """The port of a server that takes connections and never answers."""
        listener = silent_listener()
        self._servers.append(listener)
        port: int = listener.getsockname()[1]
        return port

    def close(self) -> None:
        for engine in self._engines:
            if engine.process.stdin and not engine.process.stdin.closed:
                engine.close_input()
        for engine in self._engines:
            engine.stop()
        for server in self._servers:
            server.close()


def joined(line: Line) -> Line:
    """The extra of a room's state, which is a text that holds a JSON object."""
    extra = json.loads(line["extra"])
    if not isinstance(extra, dict):
        raise Failure(f"expected a JSON object in extra, got {line}")
    return extra


def sends(to: str, count: int, **fields: object) -> list[tuple[str, Fields]]:
    """Calls that send the texts 0, 1, 2 and so on."""
    return [("sendMessage", {"uid": to, "message": str(n), **fields}) for n in range(count)]


def broadcasts(room: str, count: int, before: str = "") -> list[tuple[str, Fields]]:
    return [("sendRoomMessage", {"room": room, "message": f"{before}{n}"}) for n in range(count)]
