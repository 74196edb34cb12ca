"""Users whose link is gone for longer than the 30 s in which a session can be resumed."""

from __future__ import annotations

import time

from port import check
from servers import Relay
from tokens import token
from world import Case, Engine, joined

# The status of a silent user changes after 15 s, and after 30 s the user is offline.
SECONDS_UNTIL_UNREACHABLE_MAX = 25
PATIENCE_SECONDS = 60


def _absent(case: Case, with_token: str) -> tuple[Engine, Engine, Relay]:
    """alice, whose link is cut, and bob, who is in a room with alice."""
    room, relay = case.room(), case.relay()
    alice, bob = case.engine("alice", port=relay.port), case.user("bob")
    alice.patience = bob.patience = PATIENCE_SECONDS
    check(alice.login(with_token), 0, "code of the login")
    alice.join(room)
    bob.join(room)
    bob.next("onUserJoined", room=room, uid=alice.uid)
    alice.next("onUserJoined", room=room, uid=bob.uid)
    relay.cut()
    return alice, bob, relay


def silent_user_is_unreachable_after_15_s_and_offline_after_30_s(case: Case) -> None:
    alice, bob, relay = _absent(case, token(case.uid("alice")))
    bob.wait_for_status(alice.uid, 2, SECONDS_UNTIL_UNREACHABLE_MAX)
    # By the contract: 4 after 10 s, and 1 after 12 s.
    alice.on("onConnectionStateChanged", state=4)
    alice.on("onConnectionStateChanged", state=1)
    bob.next("onUserLeave", room=case.room(), uid=alice.uid, reason=1)
    bob.wait_until_offline(alice.uid)
    bob.send(alice.uid, "x", code=4)
    relay.mend()
    # The engine logs in anew by itself, and joins the room anew.
    alice.on("onConnectionStateChanged", state=6)
    alice.on("onConnectionStateChanged", state=5)
    extra = joined(alice.on("onRoomStateChanged", room=case.room(), state=0))
    check((extra["join_type"], extra["resumed"]), (1, False), "join_type and resumed")
    bob.next("onUserJoined", room=case.room(), uid=alice.uid)
    bob.send(alice.uid, "welcome back")
    alice.on("onMessageReceived", uid=bob.uid, message="welcome back")
    alice.quiet("onUserJoined", "onWarning")


def login_after_30_s_of_silence_needs_a_valid_token(case: Case) -> None:
    expires_at = int(time.time()) + 15
    alice, bob, relay = _absent(case, token(case.uid("alice"), expires_at=expires_at))
    bob.next("onUserLeave", room=case.room(), uid=alice.uid, reason=1)
    relay.mend()
    alice.on("onLoginResult", uid=alice.uid, code=-1000)
    alice.expect(None, "updateLoginToken", token=token(alice.uid))
    alice.on("onLoginResult", uid=alice.uid, code=0)
    bob.send(alice.uid, "welcome back")
    alice.on("onMessageReceived", uid=bob.uid, message="welcome back")


def token_that_is_updated_in_time_serves_the_login_after_30_s(case: Case) -> None:
    expires_at = int(time.time()) + 15
    alice, bob, relay = _absent(case, token(case.uid("alice"), expires_at=expires_at))
    alice.expect(None, "updateLoginToken", token=token(alice.uid))
    bob.next("onUserLeave", room=case.room(), uid=alice.uid, reason=1)
    relay.mend()
    alice.on("onRoomStateChanged", room=case.room(), state=0)
    bob.next("onUserJoined", room=case.room(), uid=alice.uid)
    alice.quiet("onConnectionStateChanged", "onUserJoined", "onWarning")
