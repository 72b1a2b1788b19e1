"""A real LiveKit server on loopback, and tokens for it. Nothing of it leaves this machine."""
import base64
import hashlib
import hmac
import json
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = ROOT / "target/livekit-server"
KEY, SECRET = "devkey", "a-secret-for-tests-on-loopback-only"

CONFIG = """
port: {port}
bind_addresses: {bind_addresses}
keys: {{ {key}: {secret} }}
rtc:
  node_ip: {node_ip}
  use_external_ip: false
  # All addresses are told as node_ip: with loopback among them the socket behind it may be the wrong one.
  enable_loopback_candidate: {is_loopback}
  udp_port: {udp}
  tcp_port: {tcp}
  # Left out, the list names servers outside.
  stun_servers: ["{stun}"]
  {rtc}
room:
  auto_create: {auto_create}
  enable_remote_unmute: {remote_unmute}
logging: {{ level: debug }}
{more}
"""


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Server:
    def __init__(
        self, folder, auto_create=True, remote_unmute=False, rtc="", more="", node_ip="127.0.0.1", stun=None,
        bind_addresses=("127.0.0.1",), is_loopback=None,
    ):
        folder.mkdir(parents=True, exist_ok=True)
        self.port, udp, tcp = free_ports(3)
        self.udp_port = udp
        config = folder / "livekit.yaml"
        config.write_text(
            CONFIG.format(
                port=self.port, udp=udp, tcp=tcp, key=KEY, secret=SECRET,
                auto_create=str(auto_create).lower(), remote_unmute=str(remote_unmute).lower(),
                rtc=rtc, more=more, node_ip=node_ip, bind_addresses=json.dumps(bind_addresses),
                is_loopback=str(node_ip.startswith(("127.", "::1")) if is_loopback is None else is_loopback).lower(),
                stun=stun or f"127.0.0.1:{udp}",
            )
        )
        self.config = config
        self.log = folder / "livekit.log"
        self.log.write_text("")
        self.url = f"ws://127.0.0.1:{self.port}"
        self.start()

    def start(self):
        """Also after a stop: on the same ports, with the same keys."""
        self.process = subprocess.Popen(
            [BINARY, "--config", self.config], stdout=self.log.open("a"), stderr=subprocess.STDOUT
        )
        self.wait_until_it_answers()

    def wait_until_it_answers(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}", timeout=5) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                time.sleep(0.05)
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended at once:\n{self.log.read_text()[-2000:]}")
        raise TimeoutError("the server does not answer")

    def stop(self):
        # The first signal asks it to wait for everybody to leave, the second to end at once.
        for patience_s in (0.2, 5):
            self.process.terminate()
            try:
                self.process.wait(patience_s)
                return
            except subprocess.TimeoutExpired:
                pass
        self.process.kill()
        self.process.wait()

    def text(self):
        return self.log.read_text(errors="replace")


def token(room, identity, secret=SECRET, ttl_s=3600, kind="standard", more=None, **grants):
    now = int(time.time())
    claims = {
        "iss": KEY,
        "sub": identity,
        "name": identity,
        "kind": kind,
        "nbf": now - 3600,
        "exp": now + ttl_s,
        "video": {"room": room, "roomJoin": True, **grants},
        **(more or {}),
    }
    parts = [_encode(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
    signature = hmac.new(secret.encode(), ".".join(parts).encode(), hashlib.sha256).digest()
    return ".".join([*parts, _encode(signature)])


def _encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
