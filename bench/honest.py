#!/usr/bin/env python3
"""Honest users during attacks: `honest.py PORT`. Twelve pairs send messages on schedule, together
960 a second. Prints a line when all users are logged in. At the end of the input it prints a line
of JSON: the due time (`time.monotonic`) and the delay of each message.

It has the highest priority on its core. So it measures the time of the server and the system, and
does not wait for an attacker on the same core.
"""

import gc
import json
import os
import select
import struct
import sys
import time

import wire

PAIRS = 12
# 80 a second for each sender. The server allows 100.
MESSAGES_PER_SECOND = 80 * PAIRS
PADDING = b"x" * 92
# Time for messages in flight at the end.
DRAIN_SECONDS = 3


class Pairs:
    def __init__(self, port):
        self.senders = [self.login(port, f"honest-sender-{n}") for n in range(PAIRS)]
        self.receivers = [self.login(port, f"honest-receiver-{n}") for n in range(PAIRS)]
        self.links = {link.socket.fileno(): link for link in self.senders + self.receivers}
        self.poll = select.epoll()
        for number in self.links:
            self.poll.register(number, select.EPOLLIN)

    def login(self, port, uid):
        link = wire.Link(port)
        if not link.login(uid):
            raise SystemExit(f"{uid} could not log in")
        return link

    def send(self, number, due):
        payload = struct.pack("<d", due) + PADDING
        message = wire.send(number // PAIRS + 1, f"honest-receiver-{number % PAIRS}", payload)
        self.senders[number % PAIRS].write(message)

    def deliveries(self, seconds):
        """Yields the due time and the delay of each message that arrives within N seconds."""
        # The timeout of epoll itself has a resolution of 1 ms only.
        if not select.select([self.poll, sys.stdin], [], [], seconds)[0]:
            return
        for number, _ in self.poll.poll(0):
            link, now = self.links[number], time.monotonic()
            before = link.received
            for kind, body in link.read(0):
                link.received += kind in wire.SEQUENCED
                if kind == wire.DELIVERY:
                    (due,) = struct.unpack_from("<d", body, body.index(PADDING) - 8)
                    yield due, now - due
            if link.is_over:
                self.poll.unregister(number)
            elif link.received > before:
                link.write(wire.ack(link.received))

    def put_out(self):
        return sum(link.is_over for link in self.links.values())


def must_end():
    return bool(select.select([sys.stdin], [], [], 0)[0])


def main(port):
    pairs = Pairs(port)
    print("ready", flush=True)
    begun = time.monotonic()
    delays, ending = {}, None
    while not ending or (time.monotonic() < ending and None in delays.values()):
        now, due = time.monotonic(), begun + len(delays) / MESSAGES_PER_SECOND
        if ending:
            delays.update(pairs.deliveries(0.1))
        elif must_end():
            ending = now + DRAIN_SECONDS
        elif now >= due:
            pairs.send(len(delays), due)
            # Replaced when the message arrives.
            delays[due] = None
        else:
            delays.update(pairs.deliveries(due - now))
    print(json.dumps({"delays": list(delays.items()), "out": pairs.put_out()}))


if __name__ == "__main__":
    # Pauses of the garbage collector would count as delays of the server.
    gc.disable()
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        sys.stderr.write("not root: no priority, so delays include waiting for attackers\n")
    main(int(sys.argv[1]))
