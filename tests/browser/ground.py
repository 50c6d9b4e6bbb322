"""What the parts share: where scimgate is, who its clients are, and where they are called back."""

import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import urlsplit

ORIGIN = os.environ["ORIGIN"]
CALLBACK = os.environ["CALLBACK"]
PASSWORD = "correct horse"
ADMINISTRATOR, OTHER = "erin.byrne@example.com", "tom.okafor@example.com"


def secret(client):
    return (Path(os.environ["SECRETS"]) / f"{client}.secret").read_text()


class Callback(BaseHTTPRequestHandler):
    """A client's page, to which a person comes back; where `state` asks for it, by way of another host, as some clients do."""

    def do_GET(self):
        if "state=onward" in self.path:
            self.send_response(302)
            self.send_header("location", f"http://localhost:{urlsplit(CALLBACK).port}/at-last")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!DOCTYPE html><html lang=en><title>Back</title><h1>Back at the client</h1>")

    def log_message(self, *_):
        pass


def serve_callback():
    server = HTTPServer(("127.0.0.1", urlsplit(CALLBACK).port), Callback)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
