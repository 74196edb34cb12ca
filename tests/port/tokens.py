"""Makes tokens of version 001, as the back end of an app does. docs/tokens.md has the format."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import struct
import sys
import time
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "python"))
from rts_processes import APP_ID, APP_KEY  # noqa: E402

HOUR_SECONDS = 3600


def sized(data: bytes) -> bytes:
    """The data behind its length."""
    return struct.pack("<H", len(data)) + data


def token(
    uid: str,
    *,
    app_id: str = APP_ID,
    app_key: str = APP_KEY,
    version: str = "001",
    room: str = "",
    issued_at: int | None = None,
    expires_at: int | None = None,
    privileges: Iterable[tuple[int, int]] = (),
) -> str:
    """A token of this user. By default it was issued now and expires in an hour; 0 is never."""
    now = int(time.time())
    issued_at = now if issued_at is None else issued_at
    expires_at = now + HOUR_SECONDS if expires_at is None else expires_at
    rights = list(privileges)
    message = struct.pack("<III", secrets.randbits(32), issued_at, expires_at)
    message += sized(room.encode()) + sized(uid.encode()) + struct.pack("<H", len(rights))
    message += b"".join(struct.pack("<HI", *right) for right in rights)
    signature = hmac.new(app_key.encode(), message, hashlib.sha256).digest()
    return version + app_id + base64.b64encode(sized(message) + sized(signature)).decode()
