"""What can be wrong before a call: one line that says what and what to do, the right status, no hang."""
import base64
import json
import socket
import subprocess
import time

import pytest
from kinglet import BINARY, ENVIRONMENT
from middle import refusing, without_upgrade
from proxy import Proxy, make_certificates
from server import Server, free_ports, token


def fails(*arguments, environment=ENVIRONMENT):
    """Status, the line on stderr, and the time that it took."""
    began = time.monotonic()
    command = [BINARY, "join", *map(str, arguments), "--input", "none", "--output", "none"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, f"one line, not {lines}"
    print(f"{done.returncode}: {lines[0]}")
    assert time.monotonic() - began < 18, "nothing hangs"
    return done.returncode, lines[0]


@pytest.fixture(scope="module")
def certificates(output):
    return make_certificates(output / "tls", "kinglet.test")


def test_wrong_token(server, room):
    wrong = token(room, "box", secret="another-secret-of-another-server-entirely")
    status, line = fails(server.url, "--token", wrong)
    assert status == 4 and "signature" in line
    # The server repeats the token that it refuses.
    assert wrong not in line and wrong.split(".")[2] not in line


def test_expired_token(server, room):
    status, line = fails(server.url, "--token", token(room, "box", ttl_s=-600))
    assert status == 4 and "expired" in line


def test_token_that_is_none(server):
    status, line = fails(server.url, "--token", "nonsense")
    assert status == 4 and "token" in line


def test_token_without_the_right_to_join(server, room):
    status, line = fails(server.url, "--token", token(room, "box", roomJoin=False))
    assert status == 4 and "token" in line


@pytest.mark.parametrize(
    "identity, named, words",
    [
        ("", "hall", "identity cannot be empty"),
        ("x" * 300, "hall", "identity length exceeds limits"),
        ("box", "", "no room name"),
        ("box", "r" * 300, "room name length exceeds limits"),
    ],
)
def test_token_that_the_server_cannot_use(server, identity, named, words):
    status, line = fails(server.url, "--token", token(named, identity))
    assert status == 4 and words in line


def test_token_of_a_key_that_the_server_does_not_know(server, room):
    claims = json.loads(base64.urlsafe_b64decode(token(room, "box").split(".")[1] + "=="))
    payload = base64.urlsafe_b64encode(json.dumps({**claims, "iss": "APIother"}).encode()).rstrip(b"=").decode()
    status, line = fails(server.url, "--token", ".".join(["eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", payload, "c2ln"]))
    assert status == 4 and "invalid API key" in line


def test_no_such_room(output, room):
    closed = Server(output / "closed", auto_create=False)
    try:
        status, line = fails(closed.url, "--token", token(room, "box"))
    finally:
        closed.stop()
    assert status == 5 and "room" in line and "does not exist" in line


def test_server_down(room):
    [port] = free_ports(1)
    status, line = fails(f"ws://127.0.0.1:{port}", "--token", token(room, "box"))
    assert status == 5 and f"127.0.0.1:{port}" in line and "refused" in line


def test_a_server_that_says_nothing(room):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        status, line = fails(f"ws://127.0.0.1:{silent.getsockname()[1]}", "--token", token(room, "box"))
    assert status == 5 and "timed out" in line


def test_not_a_livekit_server(server, room):
    status, line = fails(server.url + "/elsewhere", "--token", token(room, "box"))
    assert status == 5 and "404" in line


def test_a_proxy_that_lets_no_websocket_through(server, room):
    proxy = without_upgrade(server.port)
    try:
        status, line = fails(proxy.url, "--token", token(room, "box"))
    finally:
        proxy.stop()
    assert status == 5 and "WebSocket" in line and "proxy" in line
    # The same question, without the upgrade.
    upgrade, validate = proxy.asked
    assert validate == upgrade.replace("/rtc?", "/rtc/validate?")


def test_a_token_refused_because_of_this_clock(room):
    server = refusing("401 Unauthorized", "Tue, 01 Jan 2097 00:00:00 GMT", "invalid token: token is expired")
    try:
        status, line = fails(server.url, "--token", token(room, "box"))
    finally:
        server.stop()
    assert status == 4 and "clock" in line and "behind the server's clock" in line


def test_name_that_does_not_exist(room):
    status, line = fails("wss://no-such-host.invalid", "--token", token(room, "box"))
    assert status == 5 and "no-such-host.invalid" in line


def test_tls_name_mismatch_and_unknown_issuer(server, room, certificates):
    ca, cert, key = certificates
    proxy = Proxy.with_tls(server.port, cert, key)
    try:
        url = f"wss://localhost:{proxy.port}"
        status, line = fails(url, "--ca", ca, "--token", token(room, "box"))
        assert status == 5 and "use the name" in line
        status, line = fails(url, "--token", token(room, "box"))
        assert status == 5 and "--ca" in line
        status, line = fails(f"wss://127.0.0.1:{server.port}", "--token", token(room, "box"))
        assert status == 5 and "ws://" in line
    finally:
        proxy.stop()


@pytest.mark.parametrize("url", ["nonsense", "ftp://host", "wss://", "wss://user:pass@host", "ws://host:99999"])
def test_url_nonsense(room, url):
    status, line = fails(url, "--token", token(room, "box"))
    assert status == 2 and "URL" in line


@pytest.mark.parametrize(
    "arguments, status, words",
    [
        (["--ca", "/nowhere/ca.pem"], 3, "/nowhere/ca.pem"),
        (["--token-file", "/nowhere/token"], 3, "/nowhere/token"),
        (["--token-command", "exit 3"], 4, "--token-command"),
    ],
)
def test_files_that_cannot_be_used(server, room, arguments, status, words):
    arguments = [server.url, *arguments, *([] if "--ca" not in arguments else ["--token", token(room, "box")])]
    got, line = fails(*arguments)
    assert got == status and words in line


@pytest.mark.parametrize(
    "source, sink, status, words",
    [
        ("wav:/nowhere/a.wav", "none", 3, "/nowhere/a.wav"),
        ("none", "wav:/nowhere/b.wav", 3, "/nowhere/b.wav"),
        ("alsa:hw:CARD=NoSuchCard", "none", 6, "NoSuchCard"),
        ("none", "alsa:hw:CARD=NoSuchCard", 6, "NoSuchCard"),
    ],
)
def test_sound_that_cannot_be_opened(server, room, source, sink, status, words):
    command = [BINARY, "join", server.url, "--token", token(room, "box"), "--input", source, "--output", sink]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=30)
    assert done.returncode == status and words in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_a_call_over_tls(server, output, kinglet):
    ca, cert, key = make_certificates(output / "tls-localhost", "localhost")
    proxy = Proxy.with_tls(server.port, cert, key)
    try:
        url = f"https://localhost:{proxy.port}"
        box = kinglet("box", "--ca", ca, "--input", "tone", "--output", "none", url=url)
        box.wait_for("local_track_published")
        box.wait_for("connected")
        box.leave()
    finally:
        proxy.stop()


def test_secrets_are_not_printed(server, room, kinglet):
    secret = token(room, "box")
    command = [BINARY, "join", server.url, "--token", secret, "--input", "tone", "--output", "none", "-vv",
               "--duration", "1", "--events", "json"]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0
    assert secret not in done.stdout + done.stderr and secret.split(".")[2] not in done.stdout + done.stderr
