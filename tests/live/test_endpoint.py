"""Tokens from LiveKit's standard token endpoint, for `join` and for a box; and a box behind an HTTP proxy."""
import subprocess

import pytest
from kinglet import BINARY
from proxy import make_certificates
from test_http_proxy import ConnectProxy
from token_service import SECRET_HEADER, TokenService


@pytest.fixture
def service(server):
    started = []

    def start(**options):
        started.append(TokenService(server.url, **options))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def header_file(folder):
    path = folder / "auth"
    path.write_text(f"# ours\nAuthorization: {SECRET_HEADER}\n")
    return path


def test_a_call_with_a_token_that_was_asked_for_by_tls(server, room, kinglet, service, header_file, folder):
    ca, certificate, key = make_certificates(folder, "localhost")
    tokens = service(tls=(certificate, key))
    arguments = ["--token-endpoint", tokens.url, "--token-header-file", header_file, "--ca", ca]
    one = kinglet("panel", *arguments, "--input", "none", "--output", "none")
    assert one.wait_for("connected")["identity"] == "panel"
    assert tokens.asked == [{"room_name": room, "participant_identity": "panel"}]
    one.leave()
    assert SECRET_HEADER not in one.report()


def test_what_goes_wrong_is_one_line_without_the_secret(server, room, service, header_file, folder):
    tokens = service()
    wrong = folder / "wrong"
    wrong.write_text("Authorization: Bearer wr0ng\n")
    for endpoint, headers, status, words in (
        (tokens.url, wrong, 4, "HTTP 401"),
        (tokens.url + "s", header_file, 4, "nothing at this path (HTTP 404)"),
        ("http://127.0.0.1:9/token", header_file, 5, "connection refused"),
        ("https://nowhere.invalid/token", header_file, 5, "cannot look up"),
        (tokens.url.replace("http:", "https:"), header_file, 5, "does not speak TLS"),
        (tokens.url, folder / "none", 3, "No such file"),
    ):
        who = ["--room", room, "--identity", "x", "--token-endpoint", endpoint, "--token-header-file", headers]
        command = [BINARY, "join", server.url, *who, "--input", "none", "--output", "none"]
        done = subprocess.run(command, env={"PATH": "/usr/bin"}, capture_output=True, text=True, timeout=40)
        assert done.returncode == status and words in done.stderr and done.stderr.count("\n") == 1, done
        assert "wr0ng" not in done.stderr and SECRET_HEADER not in done.stderr, done


def test_a_box_asks_again_until_it_is_given_one(box, service, header_file, room):
    tokens = service()
    tokens.refuses = 503
    door = box(token=f'{{ endpoint = "{tokens.url}", header_file = "{header_file}" }}')
    line = door.wait_for_line("HTTP 503")
    assert f"no new token: the token endpoint {tokens.url}: it answers with an error (HTTP 503)" in line
    tokens.refuses = None
    door.wait_until_in_room()
    assert len(tokens.asked) >= 2
    assert tokens.asked[-1] == {"room_name": room, "participant_identity": "door"}
    assert door.journal.read_text().count("HTTP 503") == 1, "said once"
    assert SECRET_HEADER not in door.journal.read_text()
    door.stop()


def test_the_endpoint_says_where_the_server_is(server, room, service, header_file, kinglet, folder):
    """No URL on the command line, nor in the environment; one that would show the token to everybody is not taken."""
    tokens = service()
    who = ["--room", room, "--identity", "panel", "--token-endpoint", tokens.url, "--token-header-file", header_file]
    command = [BINARY, "join", *who, "--input", "none", "--output", "none", "--duration", "1", "--events", "json"]

    def join(*more):
        return subprocess.run([*command, *more], env={"PATH": "/usr/bin"}, capture_output=True, text=True, timeout=40)

    done = join()
    assert done.returncode == 0 and '"event":"connected"' in done.stdout, done
    tokens.server_url = "nowhere"
    done = join()
    assert done.returncode == 4 and "its server_url is not a wss:// URL" in done.stderr, done
    ca, certificate, key = make_certificates(folder, "localhost")
    secure = service(tls=(certificate, key))
    done = join("--token-endpoint", secure.url, "--ca", ca)
    assert done.returncode == 4 and "without TLS" in done.stderr and done.stderr.count("\n") == 1, done


def test_a_box_goes_where_the_endpoint_sends_it(server, box, service, header_file):
    tokens = service()
    tokens.refuses = 503
    door = box(token=f'{{ endpoint = "{tokens.url}", header_file = "{header_file}" }}', url=None)
    door.wait_for_line("HTTP 503")
    tokens.refuses = None
    door.wait_until_in_room()
    door.stop()


def test_a_box_behind_a_proxy(box, service, header_file):
    tokens, proxy = service(), ConnectProxy("box:s3cret")
    environment = {"http_proxy": f"http://box:s3cret@127.0.0.1:{proxy.port}"}
    door = box(token=f'{{ endpoint = "{tokens.url}", header_file = "{header_file}" }}', environment=environment)
    door.wait_until_in_room()
    port = tokens.http.server_port
    assert proxy.asked[0].startswith(f"CONNECT 127.0.0.1:{port} ") and len(proxy.asked) >= 2, proxy.asked
    door.stop()


def test_a_proxy_is_for_the_server_that_the_endpoint_names(server, box, service, header_file):
    """The endpoint is reached without one, and the server, by another name, is not; and the other way round."""
    for left_out, asked_for in (("127.0.0.1", "localhost"), ("localhost", "127.0.0.1")):
        tokens, proxy = service(), ConnectProxy("box:s3cret")
        tokens.server_url = server.url.replace("127.0.0.1", "localhost")
        environment = {"http_proxy": f"http://box:s3cret@127.0.0.1:{proxy.port}", "NO_PROXY": left_out}
        token = f'{{ endpoint = "{tokens.url}", header_file = "{header_file}" }}'
        door = box(token=token, url=None, environment=environment)
        door.wait_until_in_room()
        hosts = {line.split()[1].split(":")[0] for line in proxy.asked}
        assert hosts == {asked_for}, (left_out, proxy.asked)
        door.stop()
