"""Attacks by app servers, on webhooks and on the OpenAPI. bench/attacks defines an attack."""

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
    """One user joins and leaves a room as fast as possible, while the back end receives webhooks
    for honest users."""
    # It serves all runs: while a back end is gone, the server waits longer before each retry.
    server.back_end = back_end = server.back_end or BackEnd(server.webhook_port)
    (bad,) = logged_in(server.port, ["bad"])
    until = yield 1
    flooding = threading.Thread(target=join_and_leave, args=(bad, until))
    flooding.start()
    guests = []
    while time.monotonic() < until:
        # A new user each time: the server posts no event for a user who is still online.
        guests.append(f"guest-{time.monotonic_ns()}")
        wire.Link(server.port).login(guests[-1])
        time.sleep(0.1)
    flooding.join()
    lost = len(back_end.missing(guests))
    yield Seen([Figure(100 * lost / len(guests), "{} % of honest users' events lost", 0)])


class BackEnd:
    """A back end that takes 20 ms for each webhook post, and records the users who came online."""

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
        """Returns the users without an event, after waiting for delayed posts."""
        until = time.monotonic() + 4
        while (missing := set(users) - self.online) and time.monotonic() < until:
            time.sleep(0.05)
        return missing

    def close(self):
        self.server.shutdown()
        self.server.server_close()


INTERIM_USERS = 16


def interim(server):
    """The app server answers posts of 16 users with endless interim responses (103)."""
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
    yield Seen([Figure(posts, "{} posts")])


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

# More connections than the OpenAPI has.
ASKERS = 1_100
# After this time an operator gives up.
OPERATOR_SECONDS_MAX = 2


def answers(server):
    """1,100 connections from 250 addresses request long pages of the OpenAPI and never read the
    answers, while an operator sends requests."""
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
        # Fails if the server refused the connection, or if the send buffer is full.
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
    yield Seen([Figure(max(waited), "{} s until the operator has an answer", OPERATOR_SECONDS_MAX)])


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
    """Eight connections pipeline requests for a long page of the OpenAPI, and read the answers."""
    links = [socket.create_connection(("127.0.0.1", server.openapi_port)) for _ in range(8)]
    until = yield len(links)
    yield Seen(pour([(link, PAGE * 100) for link in links], until))
