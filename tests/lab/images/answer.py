"""A stub's whole service: every request is answered with what it was. PORT NAME"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Answer(BaseHTTPRequestHandler):
    """Says which stub this is, the path as it arrived, and who the proxy says is asking."""

    def do_GET(self) -> None:
        seen = {"stub": sys.argv[2], "path": self.path, "user": self.headers.get("X-WEBAUTH-USER")}
        body = json.dumps(seen).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("", int(sys.argv[1])), Answer).serve_forever()
