"""Signs requests with the Python package of Volcengine RTS (`pip install volcengine`) at fixed
times, and prints them as JSON. signature.rs checks that this crate accepts these signatures, and
creates the same ones.
"""

import json
from collections import OrderedDict

from volcengine.auth.SignerV4 import SignerV4
from volcengine.base.Request import Request
from volcengine.Credentials import Credentials

REQUESTS = [
    # name, time, access key, secret, region, method, host, query, content type, body
    ("SendUnicast", "20231114T221320Z", "AKLTexample", "c2VjcmV0", "cn-north-1", "POST", "rtc.example.com",
     [("Action", "SendUnicast"), ("Version", "2023-07-20")], "application/json",
     '{"AppId":"123456781234567812345678","From":"system","To":"bob","Binary":false,"Message":"hi bob"}'),
    ("a query that needs escapes", "20231114T221320Z", "AKLTexample", "c2VjcmV0", "ap-singapore-1", "GET",
     "rtc.example.com",
     [("Version", "2023-11-01"), ("RoomId", "a@b c/d+e~é"), ("AppId", "123456781234567812345678"),
      ("Action", "GetRoomOnlineUsers")], None, ""),
    ("a port that is signed", "20000229T000000Z", "AKLTexample", "c2VjcmV0", "cn-north-1", "POST", "127.0.0.1:7601",
     [("Action", "SendBroadcast"), ("Version", "2020-12-01")], "application/json; charset=utf-8", '{"Message":"é"}'),
    ("a port that goes without saying", "20231114T221320Z", "AKLTexample", "c2VjcmV0", "cn-north-1", "POST",
     "rtc.example.com:443", [("Action", "KickUser"), ("Version", "2020-12-01")], "application/json", "{}"),
    ("no body", "20231231T235959Z", "AK.of-another_form", "", "x", "POST", "localhost:80",
     [("Version", ""), ("Action", "")], None, ""),
]


def sign(name, date, access_key, secret, region, method, host, query, content_type, body):
    request = Request()
    request.set_method(method)
    request.set_path("/")
    request.set_query(OrderedDict(query))
    headers = OrderedDict([("Host", host), ("User-Agent", "not signed")])
    if content_type:
        headers["Content-Type"] = content_type
    request.set_headers(headers)
    request.set_body(body)
    SignerV4.get_current_format_date = staticmethod(lambda: date)
    SignerV4.sign(request, Credentials(access_key, secret, "rtc", region))
    return {
        "name": name,
        "method": method,
        "query": request.build().split("?", 1)[1],
        "body": body,
        "secret": secret,
        "access_key": access_key,
        "region": region,
        "headers": dict(request.headers),
    }


print(json.dumps([sign(*request) for request in REQUESTS], indent=1, ensure_ascii=False))
