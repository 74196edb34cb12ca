#!/usr/bin/env python3
"""Honest members of a room: `members.py PORT COUNT`. Prints a line when all have joined. They read
and acknowledge until the end of the input, each over a link of 256 kbit/s, like a phone on a busy
network. Then it prints the number of members whose link the server ended.
"""

import select
import sys
import time

import wire

ROOM = "room"
TURN_SECONDS = 0.05
TURN_BYTES = 1_600


def must_end(seconds):
    return bool(select.select([sys.stdin], [], [], seconds)[0])


def turn(links):
    for link in links:
        if frames := link.read(0):
            link.received += sum(kind in wire.SEQUENCED for kind, _ in frames)
            link.write(wire.ack(link.received))


def main(port, count):
    links = [wire.Link(port) for _ in range(count)]
    for number, link in enumerate(links):
        if not link.login(f"member-{number}"):
            raise SystemExit("a member could not log in")
    for link in links:
        link.write(wire.join(ROOM, 1))
    # Reads the notices of the joins.
    settled = time.monotonic() + 1
    while time.monotonic() < settled:
        turn(links)
    for link in links:
        link.receive_bytes = TURN_BYTES
    print("ready", flush=True)
    due = time.monotonic()
    while not must_end(max(0, due - time.monotonic())):
        due = max(due, time.monotonic()) + TURN_SECONDS
        turn(links)
    print(sum(link.is_over for link in links))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
