"""The part of the wire protocol (docs/protocol.md) that attackers need: frames, and a link that
reads only on request."""

import base64
import hashlib
import hmac
import select
import socket
import struct

APP_ID = "123456781234567812345678"
APP_KEY = "development key, known to all"
# Kinds of frames.
LOGIN_ANSWER, ACK, DELIVERY, SEND_RESULTS, JOIN_ANSWER, LEAVE_ANSWER = 3, 4, 8, 9, 17, 19
# The sequenced frames of a server (§4.1).
SEQUENCED = {8, 9, 11, 12, 17, 19, 20, 21, 22, 23, 25, 27, 29}


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number, value):
    """A field of protobuf: bytes, or a number, which is omitted if it is 0."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value) if value else b""
    return varint(number << 3 | 2) + varint(len(value)) + value


def frame(kind, *fields):
    body = b"".join(fields)
    whole = varint(kind << 3 | 2) + varint(len(body)) + body
    return varint(len(whole)) + whole


HELLO = frame(1, field(1, 1))
PING = frame(5)
# The upgrade request of a WebSocket.
UPGRADE = (
    b"GET /rts HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Protocol: rts.v1\r\n\r\n"
)


def token(uid, key=APP_KEY):
    def counted(data):
        return struct.pack("<H", len(data)) + data

    message = struct.pack("<III", 1, 0, 0) + counted(b"") + counted(uid.encode()) + counted(b"")
    signature = hmac.new(key.encode(), message, hashlib.sha256).digest()
    return f"001{APP_ID}{base64.b64encode(counted(message) + counted(signature)).decode()}"


def login(uid, key=APP_KEY):
    shown = (APP_ID, uid, token(uid, key))
    return frame(2, *(field(number, text.encode()) for number, text in enumerate(shown, 1)))


def ack(received):
    return frame(4, field(1, received))


def send(number, to, payload, config=0):
    return frame(7, field(1, number), field(2, to.encode()), field(4, payload), field(5, config))


def join(room, ticket):
    return frame(16, field(1, room.encode()), field(2, ticket))


def leave(room, ticket):
    return frame(18, field(1, room.encode()), field(2, ticket))


def status_query(number, uid):
    return frame(24, field(1, number), field(2, uid.encode()))


def set_server_params(ticket, signature, url):
    return frame(26, field(1, ticket), field(2, signature.encode()), field(3, url.encode()))


def server_send(number, payload):
    return frame(28, field(1, number), field(3, payload))


def code(answer):
    """The code of a JoinAnswer: 0 if the join was granted."""
    # Field 2, after the ticket. Omitted if it is 0.
    _, at = read_varint(answer, 1)
    return answer[at + 1] if answer[at : at + 1] == b"\x10" else 0


def read_varint(data, at):
    number = shift = 0
    while at < len(data):
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at
    return None, at


class Link:
    """A link over TCP, or over TLS if it has a context. It reads and acknowledges only on
    request."""

    def __init__(self, port, address="127.0.0.1", receive_buffer=None, tls=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.bind((address, 0))
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.poll = select.poll()
        self.poll.register(self.socket, select.POLLIN)
        self.unread = bytearray()
        # The most that one read takes.
        self.receive_bytes = 1 << 18
        self.is_over = False
        # Sequenced frames, for callers that count them: received ones, and those that the server
        # acknowledged.
        self.received = self.acknowledged = 0

    def login(self, uid):
        """True if the login succeeded."""
        self.socket.sendall(HELLO + login(uid))
        answer = self.until(LOGIN_ANSWER)
        # The code is field 1. Omitted if it is 0.
        return answer is not None and not answer.startswith(b"\x08")

    def write(self, data):
        """Writes all bytes without reading. False if the server ended the link."""
        try:
            self.socket.sendall(data)
        except OSError:
            self.is_over = True
        return not self.is_over

    def read(self, seconds):
        """The next frames, as (kind, body); none if none arrive within N seconds."""
        while not self.is_over:
            frames = list(self._cut())
            if frames:
                return frames
            if not self.poll.poll(1000 * seconds):
                return []
            try:
                data = self.socket.recv(self.receive_bytes)
            except OSError:
                data = b""
            self.is_over = not data
            self.unread += data
        return []

    def until(self, kind, seconds=5):
        while frames := self.read(seconds):
            for found, body in frames:
                if found == kind:
                    return body
        return None

    def close(self):
        self.socket.close()

    def _cut(self):
        at = 0
        while True:
            length, body_at = read_varint(self.unread, at)
            if length is None or len(self.unread) - body_at < length:
                break
            at = body_at + length
            kind, body_at = read_varint(self.unread, body_at)
            _, body_at = read_varint(self.unread, body_at)
            yield kind >> 3, bytes(self.unread[body_at:at])
        del self.unread[:at]
