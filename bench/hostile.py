"""Attacks by users. bench/attacks defines an attack."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import wire
from figures import Figure, Seen, per_second
from links import ATTACKER, acknowledge, join_and_leave, logged_in, pour, read_all

MEMBERS = 200
# Rate limit of a user: burst, and joins a second.
JOINS_BURST, JOINS_RATE = 256, 20


def joins(server):
    """One user joins and leaves a room as fast as possible. Its 200 honest members have 256 kbit/s
    each."""
    members = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("members.py"), str(server.port), str(MEMBERS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    members.stdout.readline()
    (bad,) = logged_in(server.port, ["bad"])
    # Notices wait in the sessions of the members.
    until = yield MEMBERS + 1
    begun = time.monotonic()
    granted = join_and_leave(bad, until)
    out = int(members.communicate()[0])
    seconds = until - begun
    yield Seen([per_second(granted, seconds, "{} joins per second", JOINS_BURST, JOINS_RATE)], out)


def room_of(port, names):
    """Members of a room. They do not read during the attack."""
    links = logged_in(port, names, "127.0.0.1")
    for link in links:
        link.write(wire.join("room", 1))
    read_all(links, time.monotonic() + 1)
    return links


def rejoins(server):
    """A member of a room of 450 users with long names joins the room repeatedly."""
    room = room_of(server.port, [f"{n:03}-" + "m" * 124 for n in range(450)])
    (bad,) = logged_in(server.port, ["bad"])
    bad.write(wire.join("room", 1))
    bad.until(wire.JOIN_ANSWER)
    until = yield len(room) + 1
    ticket, asked_bytes, answer_bytes, received = 1, 0, 0, 1
    while time.monotonic() < until and not bad.is_over:
        asked = b"".join(wire.join("room", n) for n in range(ticket + 1, ticket + 11))
        bad.write(asked + wire.ack(received))
        ticket += 10
        asked_bytes += len(asked)
        answers = 0
        while answers < 10 and (frames := bad.read(1)):
            of_joins = [body for kind, body in frames if kind == wire.JOIN_ANSWER]
            answers += len(of_joins)
            received += sum(kind in wire.SEQUENCED for kind, _ in frames)
            answer_bytes += sum(map(len, of_joins))
    yield Seen([Figure(answer_bytes / asked_bytes, "amplification {}×", 10)])


def pings(server):
    """64 users ping as fast as possible, and read the answers."""
    bad = logged_in(server.port, [f"bad-{n}" for n in range(64)])
    until = yield len(bad)
    yield Seen(pour([(link.socket, wire.PING * 20_000) for link in bad], until))


def pings_unread(server):
    """Eight users ping as fast as possible, and never read."""
    bad = logged_in(server.port, [f"bad-{n}" for n in range(8)], receive_buffer=4096)
    until = yield len(bad)
    yield Seen(pour([(link.socket, wire.PING * 20_000) for link in bad], until, reads=False))


def statuses(server):
    """64 users query online status far over their rate, and read the answers."""
    yield from flood(server.port, lambda number: wire.status_query(number, "honest-sender-1"))


def sends(server):
    """64 users send to users who are not logged in, far over their rate, and read the results."""
    yield from flood(server.port, lambda number: wire.send(number, "nobody", b"x"))


# Half of the frames that a client may have unacknowledged.
BLOCK_FRAMES = 500


def flood(port, frame):
    """Sends sequenced frames as fast as the window allows."""
    bad = logged_in(port, [f"bad-{n}" for n in range(64)])
    until = yield len(bad)
    blocks, written = [], dict.fromkeys(bad, 0)
    begun = time.monotonic()
    while time.monotonic() < until and not all(link.is_over for link in bad):
        for link in bad:
            acknowledge(link, link.read(0))
            if written[link] * BLOCK_FRAMES <= link.acknowledged + BLOCK_FRAMES:
                if written[link] == len(blocks):
                    first = len(blocks) * BLOCK_FRAMES + 1
                    blocks.append(b"".join(map(frame, range(first, first + BLOCK_FRAMES))))
                written[link] += link.write(blocks[written[link]])
    rate = sum(written.values()) * BLOCK_FRAMES / (time.monotonic() - begun)
    yield Seen([Figure(rate, "{} frames per second")])


def unread(server):
    """Eight users do not read. Others send them as many unreliable messages as the rates allow."""
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
    yield Seen([Figure(number, "{} messages to each")])


# Rate limit of a user: burst, and messages a second.
MESSAGES_BURST, MESSAGES_RATE = 100, 100


def logins(server):
    """One user logs in repeatedly, and sends a full burst after each login."""
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
    rate = per_second(
        arrived[0], until - begun, "{} messages per second", MESSAGES_BURST, MESSAGES_RATE
    )
    yield Seen([rate], int(victim.is_over))


def memberships(server):
    """One user logs in repeatedly, and joins 128 rooms each time."""
    until = yield 1
    granted = 0
    while time.monotonic() < until:
        bad = wire.Link(server.port, ATTACKER)
        if bad.login("bad"):
            names = [f"{time.monotonic_ns()}-{n:03}-" + "r" * 100 for n in range(128)]
            bad.write(b"".join(wire.join(name, n) for n, name in enumerate(names, 1)))
            answers = 0
            while answers < len(names) and (frames := bad.read(1)):
                of_joins = [body for kind, body in frames if kind == wire.JOIN_ANSWER]
                answers += len(of_joins)
                granted += sum(wire.code(body) == 0 for body in of_joins)
        bad.close()
    # Each membership lasts for 30 s after the end of its link.
    yield Seen([Figure(granted, "{} memberships at once", 128)])
