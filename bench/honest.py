#!/usr/bin/env python3
"""Honest users beside attacks: `honest.py PORT`. Twelve pairs send each other messages on schedule,
960 a second together. It prints a line when they are all there, and at the end of its input one of
JSON: when each message was due (of `time.monotonic`), and how long it took.

It runs before everything else on its core. So what it measures is the time of the server and the
system, and not its own waiting for an attacker with which it shares the core.
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
# 80 a second of each sender, whose rate is 100.
MESSAGES_PER_SECOND = 80 * PAIRS
PADDING = b"x" * 92
# For what is under way at the end.
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
        """When the messages that arrive within this many seconds were due, each with its delay."""
        # Finer than the milliseconds of epoll itself.
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


def is_told_to_end():
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
        elif is_told_to_end():
            ending = now + DRAIN_SECONDS
        elif now >= due:
            pairs.send(len(delays), due)
            # Until it arrives.
            delays[due] = None
        else:
            delays.update(pairs.deliveries(due - now))
    print(json.dumps({"delays": list(delays.items()), "out": pairs.put_out()}))


if __name__ == "__main__":
    # Its pauses would be taken for the server's.
    gc.disable()
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        sys.stderr.write("not as root: honest users wait for attackers, too\n")
    main(int(sys.argv[1]))
