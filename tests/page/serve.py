"""Serves the page on loopback, with a fresh token for each visit."""
import http.server
import itertools
import json
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/live"))

from server import token  # noqa: E402

HERE = Path(__file__).parent
FILES = {
    "/": (HERE / "index.html", "text/html; charset=utf-8"),
    "/page.css": (HERE / "page.css", "text/css; charset=utf-8"),
    "/page.js": (HERE / "page.js", "text/javascript; charset=utf-8"),
    "/livekit-client.js": (
        ROOT / "target/browser/node_modules/livekit-client/dist/livekit-client.umd.js",
        "text/javascript; charset=utf-8",
    ),
}


class Page:
    """The page for one box in one room.

    `door`: whether the box answers the RPC `open`. `capture`: what the browser does to the microphone, its own choice
    unless said.
    """

    def __init__(self, server_url, room, box, door, port=0, capture=None):
        visits = itertools.count(1)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path == "/config.json":
                    config = {
                        "url": server_url,
                        "token": token(room, f"panel-{next(visits)}"),
                        "box": box,
                        "door": door,
                        "capture": capture or {},
                    }
                    self.give(json.dumps(config).encode(), "application/json")
                elif self.path in FILES:
                    path, kind = FILES[self.path]
                    self.give(path.read_bytes(), kind)
                else:
                    self.send_error(404)

            def give(self, body, kind):
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def stop(self):
        self.http.shutdown()
        self.http.server_close()
