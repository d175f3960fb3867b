#!/usr/bin/env python3
"""The least that a receiver of alerts has to do: receiver.py ADDRESS PORT FILE.

Each alert becomes a line of FILE, and is answered with 200 when it is on the disk; before that the node keeps it.
What is no JSON object is refused with 400: the node tells so, and goes on. PORT 0 takes a free one and prints it.
"""

import http.server
import json
import os
import sys
import threading


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    lines = None
    lock = threading.Lock()

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            good = isinstance(json.loads(body), dict)
        except ValueError:
            good = False
        if good:
            with self.lock:
                self.lines.write(body.replace(b"\n", b" ") + b"\n")
                self.lines.flush()
                os.fsync(self.lines.fileno())
        self.send_response(200 if good else 400)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def main() -> int:
    if len(sys.argv) != 4:
        print(__doc__, file=sys.stderr)
        return 2
    address, port, file = sys.argv[1:]
    Receiver.lines = open(file, "ab")
    server = http.server.ThreadingHTTPServer((address, int(port)), Receiver)
    print(server.server_address[1], flush=True)
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
