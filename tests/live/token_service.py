"""A maker's token service: LiveKit's standard token endpoint, for tokens of the test's server."""
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from server import token

SECRET_HEADER = "Bearer s3cret-of-the-device"


def wished(body):
    """Claims beside room and identity, as they are asked for."""
    names = (("participant_metadata", "metadata"), ("participant_attributes", "attributes"), ("room_config", "roomConfig"))
    return {claim: body[name] for name, claim in names if name in body}


class TokenService:
    """Answers `POST /token`; `refuses` makes it answer with that status instead. `asked` is what it was asked, `server_url`
    where it sends those who ask."""

    def __init__(self, url, tls=None):
        self.asked, self.refuses, self.server_url = [], None, url
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                service.asked.append(body)
                status, answer = service.refuses or 201, {}
                if self.headers["Authorization"] != SECRET_HEADER:
                    status = 401
                elif self.path != "/token":
                    status = 404
                if status == 201:
                    answer = {
                        "server_url": service.server_url,
                        "participant_token": token(body["room_name"], body["participant_identity"], more=wished(body)),
                    }
                answer = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/token"
        if tls:
            certificate, key = tls
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
            self.url = f"https://localhost:{self.http.server_port}/token"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def stop(self):
        self.http.shutdown()
        self.http.server_close()
