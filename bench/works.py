"""Servers and works of bench/compare."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RTS = ROOT / "target/release/rts"
APP_ID = "123456781234567812345678"

RTS_CONFIG = f"""[[listen]]
url = "SCHEME://127.0.0.1:PORT"
[apps.{APP_ID}]
keys = ["development key, known to all"]
[limits]
exempt_networks = ["127.0.0.0/8"]
sends_per_second = 0
broadcasts_per_second = 0
status_queries_per_second = 0
room_broadcasts_per_second = 0
large_room_broadcasts_per_second = 0
"""
MOSQUITTO_CONFIG = """listener PORT 127.0.0.1
allow_anonymous true
persistence false
set_tcp_nodelay true
max_inflight_messages 0
max_queued_messages 0
log_dest none
user root
"""

# name: (command, scheme of its address, meaning of a send's result)
SERVERS = {
    "floor": (
        [str(RTS), "bench", "floor", "--listen", "127.0.0.1:PORT"],
        "floor",
        "none; nothing is checked",
    ),
    "rts": ([str(RTS), "serve", "--config", "CONFIG"], "rts", "the receiver has it"),
    "rts over WebSocket": ([str(RTS), "serve", "--config", "CONFIG"], "ws", "the receiver has it"),
    "redis": (
        "redis-server --bind 127.0.0.1 --port PORT --appendonly no --maxclients 19900".split()
        + ["--save", "", "--client-output-buffer-limit", "pubsub 0 0 0"],
        "redis",
        "count of subscribers it was queued for",
    ),
    "nats": (
        ["nats-server", "-a", "127.0.0.1", "-p", "PORT"],
        "nats",
        "the server has read it (+OK)",
    ),
    "nats request": (
        ["nats-server", "-a", "127.0.0.1", "-p", "PORT"],
        "nats-request",
        "the receiver answered",
    ),
    "mosquitto QoS 0": (["mosquitto", "-c", "CONFIG"], "mqtt0", "none"),
    "mosquitto QoS 1": (["mosquitto", "-c", "CONFIG"], "mqtt1", "the broker has it (PUBACK)"),
    "mosquitto request": (["mosquitto", "-c", "CONFIG"], "mqtt-request", "the receiver answered"),
    "uWebSockets.js": (["node", str(ROOT / "bench/relay.js"), "PORT"], "relay", "none"),
}
CONFIGS = {"rts": RTS_CONFIG, "mosquitto": MOSQUITTO_CONFIG}
END_TO_END = {"nats request", "mosquitto request"}

OURS = ("rts", "rts over WebSocket")
P2P = "floor,rts,redis,nats,nats request,mosquitto QoS 1,mosquitto request,uWebSockets.js".split(
    ","
)
ROOMS = ["floor", "rts", "redis", "nats", "mosquitto QoS 0", "uWebSockets.js"]
CROWDS = ["rts", "redis", "nats", "mosquitto QoS 0", "uWebSockets.js"]
CPU, MEMORY, LATENCY = "CPU s per million", "bytes per client", "ms"
READY = "seconds until all are ready"
# unit: paths of the figures in a report
FIGURES = {
    CPU: ["server_cpu_seconds_per_million"],
    MEMORY: ["server_bytes_per_client"],
    READY: ["all_ready_seconds"],
    LATENCY: ["delivery.p99_ms", "delivery.p999_ms"],
}
# unit: what RTS has or uses, for the sentence below a table
USES = {
    CPU: "uses {}× the CPU",
    MEMORY: "uses {}× the memory",
    READY: "takes {}× the time",
    LATENCY: "has {}× the p99.9",
}

# name: (title, arguments of `rts bench`, servers, unit)
WORKS = {
    "dense": (
        "P2P dense: 50 pairs, 64 in flight each, 100 B",
        "p2p --pairs 50 --window 64",
        P2P,
        CPU,
    ),
    "dense_ws": (
        "P2P dense over WebSocket",
        "p2p --pairs 50 --window 64",
        ["rts over WebSocket", "uWebSockets.js"],
        CPU,
    ),
    "dense_1k": (
        "P2P dense, 1 KiB",
        "p2p --pairs 50 --window 64 --payload 1024",
        P2P,
        CPU,
    ),
    "sparse": (
        "P2P sparse: 1,000 pairs, one in flight each, 100 B",
        "p2p --pairs 1000 --window 1",
        P2P,
        CPU,
    ),
    "beside_idle": (
        "P2P dense with 15,000 idle clients",
        "p2p --pairs 50 --window 64 --idle 15000",
        ["rts"],
        CPU,
    ),
    "room_100": (
        "Room of 100, 16 in flight, per million deliveries",
        "room --members 100 --window 16",
        ROOMS,
        CPU,
    ),
    "room_1000": (
        "Room of 1,000, 16 in flight, per million deliveries",
        "room --members 1000 --window 16",
        ROOMS,
        CPU,
    ),
    "room_1000_single": (
        "Room of 1,000, one at a time, per million deliveries",
        "room --members 1000 --window 1",
        ROOMS,
        CPU,
    ),
    "idle": (
        "Memory of an idle client, with 19,000 logged in",
        "idle --clients 19000 --at-once 500",
        CROWDS,
        MEMORY,
    ),
    "storm": (
        "Reconnect of 19,000 clients",
        "storm --clients 19000 --at-once 500",
        CROWDS,
        READY,
    ),
    "latency": (
        "Delivery delay at 10,000/s over 100 pairs, open loop: p99 and p99.9 of one second",
        "p2p --pairs 100 --rate 10000",
        ["floor", "rts", "redis", "nats", "mosquitto QoS 0", "uWebSockets.js"],
        LATENCY,
    ),
}
# Measurements per round, one second each, with all servers in turn: a stall of the machine can hit
# any single measurement.
TURNS = {"latency": 7}
# Works that take a duration.
TIMED = set(WORKS) - {"storm"}
