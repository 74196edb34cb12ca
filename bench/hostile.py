"""The attacks of `bench/attacks`; here those of users, and on the OpenAPI.

Each is a generator: it sets up what it needs and yields how many links are bad; it is sent the
moment until which it attacks, and yields what it saw."""

import select
import socket
import ssl
import threading
import time

import wire
from strangers import ATTACKER, connects, handshakes, places, tokens, upgrades

MASKED = 0x80
NO_MASK = bytes(4)


def logged_in(port, uids, address=ATTACKER, receive_buffer=None):
    links = [wire.Link(port, address, receive_buffer) for _ in uids]
    for link, uid in zip(links, uids):
        if not link.login(uid):
            raise SystemExit(f"{uid} could not log in")
    return links


def members(port, uids):
    """Honest members of a room, who read all the time in a thread, until the moment that is put into
    the list that this returns, too."""
    links, until = logged_in(port, uids, "127.0.0.1"), []
    for link in links:
        link.write(wire.join("room", 1))
    read_all(links, time.monotonic() + 2)
    is_over = lambda: until and time.monotonic() >= until[0]
    reading = threading.Thread(target=read_all, args=(links, is_over))
    reading.start()
    return links, until, reading


def read_all(links, until):
    """Reads and acknowledges, until a moment or for as long as it says; returns how many messages
    there were."""
    is_over = until if callable(until) else lambda: time.monotonic() >= until
    deliveries, poll = 0, select.epoll()
    of_number = {link.socket.fileno(): link for link in links}
    for number in of_number:
        poll.register(number, select.EPOLLIN)
    while not is_over():
        for number, _ in poll.poll(0.05):
            link = of_number[number]
            if frames := link.read(0):
                deliveries += sum(kind == wire.DELIVERY for kind, _ in frames)
                # All but an unreliable delivery, which ends with its config.
                link.received += sum(
                    kind in wire.SEQUENCED and (kind != wire.DELIVERY or body[-2:-1] != b"\x28")
                    for kind, body in frames
                )
                link.write(wire.ack(link.received))
            if link.is_over:
                poll.unregister(number)
    return deliveries


def put_out(links):
    return sum(link.is_over for link in links)


def joins(server):
    """One user joins and leaves a room of 400 honest members as fast as it can."""
    honest, stop, reading = members(server.port, [f"member-{n}" for n in range(400)])
    (bad,) = logged_in(server.port, ["bad"])
    stop.append((yield 1))
    done = received = 0
    while time.monotonic() < stop[0] and not bad.is_over:
        tickets = range(2 * done + 1, 2 * done + 401, 2)
        bad.write(b"".join(wire.join("room", n) + wire.leave("room", n + 1) for n in tickets))
        done += 200
        last = wire.field(1, 2 * done)
        is_answered = False
        while not is_answered and (frames := bad.read(1)):
            received += sum(kind in wire.SEQUENCED for kind, _ in frames)
            bad.write(wire.ack(received))
            is_answered = any(k == wire.LEAVE_ANSWER and b.startswith(last) for k, b in frames)
    reading.join()
    yield {"out": put_out(honest), "saw": f"{done:,} joins and leaves"}


def rejoins(server):
    """A member of a room of 400 users with long names joins it again and again."""
    honest, stop, reading = members(server.port, [f"{n:03}-" + "m" * 124 for n in range(400)])
    (bad,) = logged_in(server.port, ["bad"])
    bad.write(wire.join("room", 1))
    bad.until(wire.JOIN_ANSWER)
    stop.append((yield 1))
    ticket, answer_bytes, received = 1, 0, 1
    while time.monotonic() < stop[0] and not bad.is_over:
        ticket += 1
        bad.write(wire.join("room", ticket) + wire.ack(received))
        answer = bad.until(wire.JOIN_ANSWER, 1)
        received += 1
        answer_bytes += len(answer or b"")
    reading.join()
    yield {"out": put_out(honest), "saw": f"{answer_bytes // (ticket - 1):,} bytes an answer"}


def pings(server):
    """Eight users ping as fast as they can, and never read."""
    bad = logged_in(server.port, [f"bad-{n}" for n in range(8)], receive_buffer=4096)
    until = yield len(bad)
    yield {"saw": pour([(link.socket, wire.PING * 10_000) for link in bad], until, reads=False)}


def statuses(server):
    """Eight users ask who is online, far over their rate, and take the answers."""
    yield from flood(server.port, wire.status_query(1, "honest-sender-1"))


def sends(server):
    """Eight users write to users who are not there, far over their rate, and take the results."""
    yield from flood(server.port, wire.send(1, "nobody", b"x"))


def flood(port, frame):
    bad = logged_in(port, [f"bad-{n}" for n in range(8)])
    until = yield len(bad)
    block, blocks = frame * 300, 0
    while time.monotonic() < until and not all(link.is_over for link in bad):
        for link in bad:
            blocks += link.write(block)
            acknowledge(link, link.read(0))
    yield {"saw": f"{300 * blocks:,} frames"}


def acknowledge(link, frames):
    link.received += sum(kind in wire.SEQUENCED for kind, _ in frames)
    link.write(wire.ack(link.received))


def pour(links, until, reads=True):
    """Writes the blocks again and again, as fast as they are taken."""
    poll, left = select.epoll(), {}
    for link, block in links:
        link.setblocking(False)
        left[link.fileno()] = (link, block, memoryview(b""))
        poll.register(link, select.EPOLLOUT | (select.EPOLLIN if reads else 0))
    sent = 0
    while time.monotonic() < until and left:
        for number, event in poll.poll(0.05):
            link, block, rest = left[number]
            try:
                if event & select.EPOLLIN and not link.recv(1 << 18):
                    raise ConnectionError
                if event & select.EPOLLOUT:
                    rest = rest or memoryview(block)
                    count = link.send(rest)
                    sent += count
                    left[number] = (link, block, rest[count:])
            except BlockingIOError:
                pass
            except OSError:
                poll.unregister(number)
                del left[number]
    return f"{sent >> 20:,} MiB were taken"


def unread(server):
    """Eight users who do not read are sent what the rates allow by others, unreliably."""
    lazy = logged_in(server.port, [f"lazy-{n}" for n in range(8)], receive_buffer=4096)
    senders = logged_in(server.port, [f"sender-{n}" for n in range(8)])
    until = yield len(lazy)
    number = 0
    while time.monotonic() < until:
        number += 1
        for target, link in enumerate(senders):
            link.write(wire.send(number, f"lazy-{target}", b"x" * 65_000, 2))
            link.read(0)
        time.sleep(0.01)
    yield {"saw": f"{number:,} messages to each"}


def logins(server):
    """One user logs in again and again, and sends what a fresh login may."""
    (victim,) = logged_in(server.port, ["victim"], "127.0.0.1")
    until = yield 1
    arrived = []
    reading = threading.Thread(target=lambda: arrived.append(read_all([victim], until)))
    reading.start()
    burst = b"".join(wire.send(number, "victim", b"x" * 20, 1) for number in range(1, 101))
    begun = time.monotonic()
    while time.monotonic() < until:
        bad = wire.Link(server.port, ATTACKER)
        if bad.login("bad"):
            bad.write(burst)
            bad.until(wire.SEND_RESULTS, 1)
        bad.close()
    reading.join()
    rate = arrived[0] / (until - begun)
    yield {"out": put_out([victim]), "saw": f"{rate:,.0f} messages a second"}


def memberships(server):
    """One user logs in again and again, and joins 128 rooms each time."""
    until = yield 1
    rooms = 0
    while time.monotonic() < until:
        bad = wire.Link(server.port, ATTACKER)
        if bad.login("bad"):
            names = [f"{rooms + n:07}-" + "r" * 120 for n in range(128)]
            bad.write(b"".join(wire.join(name, n) for n, name in enumerate(names, 1)))
            while bad.until(wire.JOIN_ANSWER, 0.05) is not None:
                pass
            rooms += 128
        bad.close()
    yield {"saw": f"{rooms:,} joins"}


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
    """Eight users send a WebSocket's own pings as fast as they can, and read the answers."""
    bad = [upgraded(server.ws_port, f"bad-{n}") for n in range(8)]
    until = yield len(bad)
    yield {"saw": pour([(link, frames_of_websocket(9) * 10_000) for link in bad], until)}


def web_socket_fragments(server):
    """Eight users send pings of ours, each byte in a fragment of a WebSocket's message."""
    bad = [upgraded(server.ws_port, f"bad-{n}") for n in range(8)]
    until = yield len(bad)
    ping = wire.PING
    message = frames_of_websocket(2, ping[:1], False)
    message += b"".join(frames_of_websocket(0, bytes([byte]), False) for byte in ping[1:])
    message += frames_of_websocket(0)
    yield {"saw": pour([(link, message * 3_000) for link in bad], until)}


def tls_records(server):
    """Four users send pings of ours over TLS, a byte in each record."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    bad = [wire.Link(server.tls_port, ATTACKER, tls=context) for _ in range(4)]
    for number, link in enumerate(bad):
        link.login(f"bad-{number}")
    until = yield len(bad)
    records = 0
    while time.monotonic() < until and not all(link.is_over for link in bad):
        for link in bad:
            records += sum(link.write(wire.PING[at % 3 : at % 3 + 1]) for at in range(300))
    yield {"saw": f"{records:,} records"}


def interim(server):
    """An app's server answers posts with interim responses (103) without end."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    threading.Thread(target=accept_endlessly, args=(listener,), daemon=True).start()
    (bad,) = logged_in(server.port, ["bad"])
    bad.write(wire.set_server_params(1, "signature", url))
    until = yield 1
    number = 0
    while time.monotonic() < until and not bad.is_over:
        number += 1
        bad.write(wire.server_send(number, b"x"))
        acknowledge(bad, bad.read(0.05))
    listener.close()
    yield {"saw": f"{number} posts"}


def accept_endlessly(listener):
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=answer_endlessly, args=(connection,), daemon=True).start()


def answer_endlessly(connection):
    response = b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000
    try:
        while True:
            connection.sendall(response)
    except OSError:
        connection.close()


PAGE = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"


def answers(server):
    """A hundred connections ask the OpenAPI for much, and never read the answers."""
    until = yield 100
    before = server.open_files()
    links = []
    for _ in range(100):
        link = socket.socket()
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
        link.connect(("127.0.0.1", server.openapi_port))
        link.sendall(PAGE * 90)
        links.append(link)
    # Over the longest time that a request with its answer may take.
    time.sleep(max(0, until - time.monotonic()))
    held = max(0, server.open_files() - before)
    for link in links:
        link.close()
    yield {"saw": f"{held} of {len(links)} are held at the end"}


def pipelines(server):
    """Eight connections ask the OpenAPI for a long page without waiting, and read the answers."""
    links = [socket.create_connection(("127.0.0.1", server.openapi_port)) for _ in range(8)]
    until = yield len(links)
    yield {"saw": pour([(link, PAGE * 100) for link in links], until)}


# name: (attack, the certificate's kind, minimum seconds)
ATTACKS = {
    "joins": (joins, "p256", 0),
    "rejoins": (rejoins, "p256", 0),
    "pings": (pings, "p256", 0),
    "statuses": (statuses, "p256", 0),
    "sends": (sends, "p256", 0),
    "unread": (unread, "p256", 0),
    "logins": (logins, "p256", 0),
    "memberships": (memberships, "p256", 0),
    "tokens": (tokens, "p256", 0),
    "handshakes-rsa": (handshakes, "rsa", 0),
    "handshakes-p256": (handshakes, "p256", 0),
    "upgrades": (upgrades, "p256", 0),
    "connects": (connects, "p256", 0),
    "places": (places, "p256", 0),
    "websocket-pings": (web_socket_pings, "p256", 0),
    "websocket-fragments": (web_socket_fragments, "p256", 0),
    "tls-records": (tls_records, "p256", 0),
    "interim": (interim, "p256", 0),
    "answers": (answers, "p256", 30),
    "pipelines": (pipelines, "p256", 0),
}
