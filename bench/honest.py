#!/usr/bin/env python3
"""Honest users beside an attack: `honest.py PORT SECONDS`. Four pairs send each other messages on
schedule, 300 a second together, and it prints how long each took, as a line of JSON.

It runs before everything else on its core. So what it measures is the time of the server and the
system, and not its own waiting for an attacker with which it shares the core.
"""

import json
import os
import select
import struct
import sys
import time

import wire

PAIRS = 4
MESSAGES_PER_SECOND = 300
PADDING = b"x" * 92
WARM_UP_SECONDS = 1
# For what is under way at the end.
DRAIN_SECONDS = 5


class PutOut(Exception):
    pass


class Pairs:
    def __init__(self, port):
        self.senders = [self.login(port, f"honest-sender-{n}") for n in range(PAIRS)]
        self.receivers = [self.login(port, f"honest-receiver-{n}") for n in range(PAIRS)]
        self.links = {link.socket.fileno(): link for link in self.senders + self.receivers}
        self.received = dict.fromkeys(self.links, 0)
        self.poll = select.epoll()
        for number in self.links:
            self.poll.register(number, select.EPOLLIN)

    def login(self, port, uid):
        link = wire.Link(port)
        if not link.login(uid):
            raise PutOut("an honest user could not log in")
        return link

    def send(self, number, due):
        payload = struct.pack("<d", due) + PADDING
        message = wire.send(number // PAIRS + 1, f"honest-receiver-{number % PAIRS}", payload)
        self.senders[number % PAIRS].write(message)

    def deliveries(self, seconds):
        """When the messages that arrive within this many seconds were due, each with its delay."""
        # Finer than the milliseconds of epoll itself.
        if not select.select([self.poll], [], [], seconds)[0]:
            return
        for number, _ in self.poll.poll(0):
            link, now = self.links[number], time.monotonic()
            before = self.received[number]
            for kind, body in link.read(0):
                self.received[number] += kind in wire.SEQUENCED
                if kind == wire.DELIVERY:
                    (due,) = struct.unpack_from("<d", body, body.index(PADDING) - 8)
                    yield due, now - due
            if link.is_over:
                raise PutOut("an honest user was put out")
            if self.received[number] > before:
                link.write(wire.ack(self.received[number]))


def measure(port, seconds):
    pairs = Pairs(port)
    begun = time.monotonic()
    total = (WARM_UP_SECONDS + seconds) * MESSAGES_PER_SECOND
    end = begun + WARM_UP_SECONDS + seconds + DRAIN_SECONDS
    sent, delays = 0, []
    while len(delays) < total and (now := time.monotonic()) < end:
        due = begun + sent / MESSAGES_PER_SECOND
        if sent < total and now >= due:
            pairs.send(sent, due)
            sent += 1
        else:
            delays += pairs.deliveries(due - now if sent < total else end - now)
    measured = sorted(delay for due, delay in delays if due >= begun + WARM_UP_SECONDS)
    p99 = measured[len(measured) * 99 // 100] if measured else float("nan")
    return {"p99_ms": 1000 * p99, "lost": total - len(delays)}


if __name__ == "__main__":
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        sys.stderr.write("not as root: honest users wait for attackers, too\n")
    try:
        print(json.dumps(measure(int(sys.argv[1]), int(sys.argv[2]))))
    except PutOut as error:
        print(json.dumps({"failed": str(error)}))
