"""Attacks by apps' servers, on webhooks and on the OpenAPI; see bench/attacks for what one is."""

import json
import math
import select
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import wire
from figures import Figure, Seen
from links import acknowledge, join_and_leave, logged_in, pour
from strangers import addresses


def webhooks(server):
    """One user joins and leaves a room as fast as it can, while honest users come, of whom the
    app's back end is told."""
    # It stays for the next attack: for one that is gone the server would wait longer and longer.
    server.back_end = told = server.back_end or Told(server.webhook_port)
    (bad,) = logged_in(server.port, ["bad"])
    until = yield 1
    flooding = threading.Thread(target=join_and_leave, args=(bad, until))
    flooding.start()
    guests = []
    while time.monotonic() < until:
        # Others each time: of who is still online there is nothing to tell.
        guests.append(f"guest-{time.monotonic_ns()}")
        wire.Link(server.port).login(guests[-1])
        time.sleep(0.1)
    flooding.join()
    lost = len(told.missing(guests))
    yield Seen([Figure(100 * lost / len(guests), "% of honest users' events lost", 0)])


class Told:
    """An app's back end, which takes a post of webhooks in 20 ms, and knows who came online."""

    def __init__(self, port):
        self.online = online = set()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                online.update(
                    event["user_id"] for event in body["events"] if event["type"] == "user.online"
                )
                time.sleep(0.02)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def missing(self, users):
        """Who is not told of, also when what waits has had time to come."""
        until = time.monotonic() + 4
        while (missing := set(users) - self.online) and time.monotonic() < until:
            time.sleep(0.05)
        return missing

    def close(self):
        self.server.shutdown()
        self.server.server_close()


INTERIM_USERS = 16


def interim(server):
    """Posts of 16 users are answered by their app's server with interim responses (103) without
    end."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    bad = logged_in(server.port, [f"bad-{n}" for n in range(INTERIM_USERS)])
    for link in bad:
        link.write(wire.set_server_params(1, "signature", url))
    until = yield len(bad)
    answering = threading.Thread(target=answer_endlessly, args=(listener, until))
    answering.start()
    posts = 0
    while time.monotonic() < until:
        for link in bad:
            posts += 1
            link.write(wire.server_send(posts, b"x"))
            acknowledge(link, link.read(0))
        time.sleep(0.02)
    answering.join()
    yield Seen([Figure(posts, "posts")])


def answer_endlessly(listener, until):
    response = b"HTTP/1.1 103 Early Hints\r\n\r\n" * 5_000
    poll, connections = select.epoll(), {}
    poll.register(listener, select.EPOLLIN)
    while time.monotonic() < until:
        for number, _ in poll.poll(0.05):
            if number == listener.fileno():
                connection, _ = listener.accept()
                connection.setblocking(False)
                connections[connection.fileno()] = connection
                poll.register(connection, select.EPOLLOUT)
                continue
            try:
                connections[number].send(response)
            except BlockingIOError:
                pass
            except OSError:
                connections.pop(number).close()
    for connection in connections.values():
        connection.close()
    listener.close()


PAGE = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"


# All that the OpenAPI has, and more.
ASKERS = 1_100
# An operator gives up.
OPERATOR_SECONDS_MAX = 2


def answers(server):
    """1,100 connections from 250 addresses ask the OpenAPI for much, and never read the answers;
    meanwhile an operator asks."""
    until = yield ASKERS
    links, of = [], addresses()
    for number in range(ASKERS):
        link = socket.socket()
        link.bind((of[number % len(of)], 0))
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2304)
        link.setblocking(False)
        link.connect_ex(("127.0.0.1", server.openapi_port))
        links.append(link)
    for link in links:
        # What was not let in, or has no room.
        try:
            link.send(PAGE * 90)
        except OSError:
            pass
    waited = []
    while not waited or time.monotonic() < until:
        waited.append(operator_waits(server.openapi_port))
        time.sleep(0.1)
    for link in links:
        link.close()
    yield Seen([Figure(max(waited), "s until an operator is answered", OPERATOR_SECONDS_MAX)])


def operator_waits(port):
    begun = time.monotonic()
    try:
        with socket.create_connection(("127.0.0.1", port), OPERATOR_SECONDS_MAX) as link:
            link.settimeout(OPERATOR_SECONDS_MAX)
            link.sendall(PAGE)
            is_answered = link.recv(1) != b""
    except OSError:
        is_answered = False
    return time.monotonic() - begun if is_answered else math.inf


def pipelines(server):
    """Eight connections ask the OpenAPI for a long page without waiting, and read the answers."""
    links = [socket.create_connection(("127.0.0.1", server.openapi_port)) for _ in range(8)]
    until = yield len(links)
    yield Seen(pour([(link, PAGE * 100) for link in links], until))
