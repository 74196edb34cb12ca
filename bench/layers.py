"""Attacks by layers of TLS and WebSocket. bench/attacks defines an attack."""

import socket
import ssl
import time

import wire
from figures import Seen
from links import ATTACKER, pour

MASKED = 0x80
NO_MASK = bytes(4)


def frames_of_websocket(opcode, payload=b"", is_last=True):
    head = bytes([opcode | (0x80 if is_last else 0), MASKED | len(payload)])
    return head + NO_MASK + payload


def upgraded(port, uid):
    """A link over WebSocket on which a user has logged in."""
    link = wire.Link(port, ATTACKER)
    link.write(wire.UPGRADE)
    while b"\r\n\r\n" not in link.unread:
        link.unread += link.socket.recv(4096)
    for part in (wire.HELLO, wire.login(uid)):
        for at in range(0, len(part), 100):
            link.write(frames_of_websocket(2, part[at : at + 100]))
    time.sleep(0.2)
    return link.socket


def web_socket_pings(server):
    """Eight users send WebSocket pings as fast as possible, and read the answers."""
    bad = [upgraded(server.ws_port, f"bad-{n}") for n in range(8)]
    until = yield len(bad)
    yield Seen(pour([(link, frames_of_websocket(9) * 10_000) for link in bad], until))


def web_socket_fragments(server):
    """Eight users send RTS pings, each byte in a WebSocket fragment of its own."""
    bad = [upgraded(server.ws_port, f"bad-{n}") for n in range(8)]
    until = yield len(bad)
    ping = wire.PING
    message = frames_of_websocket(2, ping[:1], False)
    message += b"".join(frames_of_websocket(0, bytes([byte]), False) for byte in ping[1:])
    message += frames_of_websocket(0)
    yield Seen(pour([(link, message * 3_000) for link in bad], until))


# The records that take about two seconds to encrypt.
RECORDS = 24_000


def tls_records(server):
    """Twelve users send RTS pings over TLS, each byte in a record of its own."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    bad = [Encrypted(server.tls_port, context, f"bad-{number}") for number in range(12)]
    blocks = [(link.socket, link.pings(RECORDS // 3)) for link in bad]
    until = yield len(bad)
    yield Seen(pour(blocks, until, times=1))


class Encrypted:
    """A link over TLS that writes many records at once."""

    def __init__(self, port, context, uid):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        while not self.is_set_up():
            self.incoming.write(self.socket.recv(1 << 16))
        self.tls.write(wire.HELLO + wire.login(uid))
        self.flush()
        time.sleep(0.2)

    def is_set_up(self):
        try:
            self.tls.do_handshake()
            return True
        except ssl.SSLWantReadError:
            return False
        finally:
            self.flush()

    def flush(self):
        self.socket.sendall(self.outgoing.read())

    def pings(self, count):
        """Returns encrypted pings, each byte in a record of its own."""
        for byte in wire.PING * count:
            self.tls.write(bytes([byte]))
        return self.outgoing.read()
