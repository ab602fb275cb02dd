"""A stub's whole service: every request is answered with what it was. PORT NAME [ask]

With `ask` only who logs in is answered, as Grafana has it; its health it tells everybody.
"""

import base64
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Answer(BaseHTTPRequestHandler):
    """Says which stub this is, the path as it arrived, and who is asking."""

    def do_GET(self) -> None:
        kind, _, pair = self.headers.get("Authorization", "").partition(" ")
        user = base64.b64decode(pair).decode().partition(":")[0] if kind == "Basic" else None
        seen = {"stub": sys.argv[2], "path": self.path, "user": user}
        body = json.dumps(seen).encode()
        refused = "ask" in sys.argv and user is None and not self.path.endswith("/api/health")
        self.send_response(401 if refused else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("", int(sys.argv[1])), Answer).serve_forever()
