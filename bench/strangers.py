"""Attacks by strangers, who have not logged in. bench/attacks defines an attack."""

import math
import select
import socket
import ssl
import threading
import time

import wire
from figures import Figure, Seen, per_second
from links import ATTACKER

# Places before login: few enough for the open files of one attacker.
PLACES = 2_000
# Rate limit of a network: burst, and new links a second.
NETWORK_BURST, NETWORK_RATE = 1_000, 200
# Links that an attacker keeps open.
OPEN_MAX = 200
# Bound of the login delay of an honest user.
NEWCOMER_SECONDS_MAX = 1


def tokens(server):
    """Links of one address log in as changing users, with tokens that have an invalid signature."""
    logins = [wire.HELLO + wire.login(f"user-{n}", key="not the key") for n in range(1_000)]
    yield from opened(
        server.port,
        lambda number: logins[number % 1_000],
        [ATTACKER],
        answered="{} tokens checked per second",
    )


def upgrades(server):
    """Strangers from 250 addresses send WebSocket upgrade requests, and disconnect."""
    yield from opened(server.ws_port, lambda _: wire.UPGRADE, addresses())


def connects(server):
    """Strangers from 250 addresses connect, and disconnect."""
    yield from opened(server.port, lambda _: b"", addresses())


def handshakes(server):
    """Strangers from 250 addresses start TLS handshakes, which cost a signature, and disconnect."""
    outgoing = ssl.MemoryBIO()
    context = ssl.create_default_context()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    hello = outgoing.read()
    yield from opened(server.tls_port, lambda _: hello, addresses(), newcomers=server.tls_port)


def addresses():
    return [f"127.0.1.{number}" for number in range(1, 251)]


def opened(port, first_bytes, addresses, newcomers=None, answered=None):
    """Opens one link after the other, as fast as one thread can."""
    until = yield OPEN_MAX
    waited = []
    guests = threading.Thread(target=come, args=(newcomers, until, waited))
    guests.start()
    count = answers = 0
    links, begun = [], time.monotonic()
    while time.monotonic() < until:
        link = socket.socket()
        link.bind((addresses[count % len(addresses)], 0))
        count += 1
        try:
            link.connect(("127.0.0.1", port))
            link.sendall(first_bytes(count))
        except OSError:
            link.close()
            continue
        links.append(link)
        if len(links) > OPEN_MAX:
            answers += is_answered(links[0])
            reset(links.pop(0))
    for link in links:
        reset(link)
    guests.join()
    seconds = until - begun
    figures = [Figure(count / seconds, "{} links per second")]
    if answered:
        figures.append(per_second(answers, seconds, answered, NETWORK_BURST, NETWORK_RATE))
    if waited:
        figures.append(Figure(max(waited), "login delay {} s", NEWCOMER_SECONDS_MAX))
    yield Seen(figures, waited.count(math.inf))


def is_answered(link):
    """True if the server sent more than its Hello."""
    try:
        return len(link.recv(4096, socket.MSG_DONTWAIT)) > len(wire.HELLO)
    except OSError:
        return False


def come(port, until, waited):
    """New honest users log in over TLS, five a second."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    while port and time.monotonic() < until - 1:
        begun = time.monotonic()
        try:
            link = wire.Link(port, tls=context)
            is_in = link.login(f"guest-{len(waited)}")
            link.close()
        except OSError:
            is_in = False
        waited.append(time.monotonic() - begun if is_in else math.inf)
        time.sleep(0.2)


def reset(link):
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    link.close()


def places(server):
    """One address keeps as many places before login as possible, each with a partial login."""
    until = yield PLACES // 4
    partial = wire.HELLO + b"\x80\x20" + b"\x12" * 4_000
    holding = threading.Thread(target=hold_places, args=(server.port, partial, until))
    holding.start()
    good = tried = 0
    while time.monotonic() < until - 1:
        guest = wire.Link(server.port)
        tried += 1
        good += guest.login(f"guest-{tried}")
        guest.close()
        time.sleep(0.02)
    holding.join()
    yield Seen([Figure(100 * good / tried, "{} % of honest users logged in")], tried - good)


def hold_places(port, partial, until):
    poll, links = select.epoll(), {}
    while time.monotonic() < until:
        while len(links) < PLACES + 100:
            link = socket.socket()
            link.setblocking(False)
            link.bind((ATTACKER, 0))
            link.connect_ex(("127.0.0.1", port))
            links[link.fileno()] = link
            poll.register(link, select.EPOLLOUT | select.EPOLLHUP)
        for number, event in poll.poll(0.05):
            # Replaces links that the server closed or asked to retry later.
            if event & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR):
                reset(links.pop(number))
                continue
            try:
                links[number].send(partial)
                poll.modify(number, select.EPOLLHUP)
            except OSError:
                reset(links.pop(number))
    for link in links.values():
        reset(link)
