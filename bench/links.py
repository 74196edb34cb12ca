"""Operations on links that several attacks use."""

import math
import select
import time

import wire
from figures import Figure

# Differs from the address of honest users.
ATTACKER = "127.0.0.66"


def logged_in(port, uids, address=ATTACKER, receive_buffer=None):
    links = [wire.Link(port, address, receive_buffer) for _ in uids]
    for link, uid in zip(links, uids):
        if not link.login(uid):
            raise SystemExit(f"{uid} could not log in")
    return links


def read_all(links, until):
    """Reads and acknowledges until a moment. Returns the number of messages."""
    deliveries, poll = 0, select.epoll()
    of_number = {link.socket.fileno(): link for link in links}
    for number in of_number:
        poll.register(number, select.EPOLLIN)
    while time.monotonic() < until:
        for number, _ in poll.poll(0.05):
            link = of_number[number]
            if frames := link.read(0):
                deliveries += sum(kind == wire.DELIVERY for kind, _ in frames)
                # An unreliable delivery is not sequenced. It ends with its config.
                link.received += sum(
                    kind in wire.SEQUENCED and (kind != wire.DELIVERY or body[-2:-1] != b"\x28")
                    for kind, body in frames
                )
                link.write(wire.ack(link.received))
            if link.is_over:
                poll.unregister(number)
    return deliveries


def acknowledge(link, frames):
    link.received += sum(kind in wire.SEQUENCED for kind, _ in frames)
    for kind, body in frames:
        if kind == wire.ACK:
            link.acknowledged, _ = wire.read_varint(body, 1) if body else (0, 0)
    link.write(wire.ack(link.received))


def join_and_leave(bad, until):
    """Joins and leaves as fast as answers arrive. Returns the number of granted joins."""
    ticket = received = granted = 0
    while time.monotonic() < until and not bad.is_over:
        tickets = range(ticket + 1, ticket + 401, 2)
        bad.write(b"".join(wire.join("room", n) + wire.leave("room", n + 1) for n in tickets))
        ticket += 400
        last = wire.field(1, ticket)
        is_answered = False
        while not is_answered and (frames := bad.read(1)):
            received += sum(kind in wire.SEQUENCED for kind, _ in frames)
            granted += sum(k == wire.JOIN_ANSWER and wire.code(b) == 0 for k, b in frames)
            bad.write(wire.ack(received))
            is_answered = any(k == wire.LEAVE_ANSWER and b.startswith(last) for k, b in frames)
    return granted


def pour(links, until, reads=True, times=math.inf):
    """Writes the block of each link repeatedly, or N times, as fast as the server accepts it."""
    poll, left = select.epoll(), {}
    for link, block in links:
        link.setblocking(False)
        left[link.fileno()] = (link, block, memoryview(b""), times)
        poll.register(link, select.EPOLLOUT | (select.EPOLLIN if reads else 0))
    sent = 0
    while time.monotonic() < until and left:
        for number, event in poll.poll(0.05):
            link, block, rest, times = left[number]
            try:
                if event & select.EPOLLIN and not link.recv(1 << 18):
                    raise ConnectionError
                if not rest and not times:
                    poll.modify(number, select.EPOLLIN)
                elif event & select.EPOLLOUT:
                    if not rest:
                        rest, times = memoryview(block), times - 1
                    count = link.send(rest)
                    sent += count
                    left[number] = (link, block, rest[count:], times)
            except BlockingIOError:
                pass
            except OSError:
                poll.unregister(number)
                del left[number]
    return [Figure(sent / (1 << 20), "{} MiB accepted")]
