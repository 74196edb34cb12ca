"""Writes the OpenAPI document that a server gives out.

    python document.py path/to/rts path/to/openapi.json
"""

import pathlib
import sys
import urllib.request

from rts_processes import Server


def main() -> None:
    rts, path = sys.argv[1:]
    with Server(rts) as server:
        with urllib.request.urlopen(f"{server.openapi}/openapi.json") as answer:
            pathlib.Path(path).write_bytes(answer.read())


if __name__ == "__main__":
    main()
