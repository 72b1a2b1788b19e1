"""`kinglet doctor` says whether a device can be in a call, and what is wrong where it cannot."""
import json
import subprocess
import sys
from pathlib import Path

from appliance import Appliance
from kinglet import BINARY, ENVIRONMENT
from server import KEY, SECRET, free_ports, token
from test_cuts import OWN_NETWORK
from wall import TURN_TLS, Wall

HERE = Path(__file__).parent
CONFIG = """
[server]
url = "{url}"
token = {{ key_file = "{folder}/key" }}
room = "{room}"
identity = "door"
[audio]
input = "none"
output = "none"
[control]
socket = "{folder}/nobody"
"""


def configuration(folder, url, room, secret=SECRET):
    (folder / "key").write_text(f"LIVEKIT_API_KEY={KEY}\nLIVEKIT_API_SECRET={secret}\n")
    path = folder / "doctor.toml"
    path.write_text(CONFIG.format(url=url, folder=folder, room=room))
    return path


def doctor(*words, prefix=()):
    done = subprocess.run([*prefix, BINARY, "doctor", *words], env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout


def findings(path, prefix=()):
    """Exit status, and what was found by check; the state of none is in contradiction to it."""
    status, text = doctor("--config", path, "--json", prefix=prefix)
    found = json.loads(text)
    assert status == any(finding["state"] == "failed" for finding in found), found
    return status, {finding["check"]: (finding["state"], finding["text"]) for finding in found}


def test_without_a_file_the_environment_is_taken_as_by_join(server, room):
    def found(**variables):
        done = subprocess.run([BINARY, "doctor", "--json"], env={**ENVIRONMENT, **variables}, capture_output=True, text=True, timeout=60)
        return {finding["check"]: (finding["state"], finding["text"]) for finding in json.loads(done.stdout)}

    made = found(LIVEKIT_URL=server.url)
    assert made["config"][0] == made["token"][0] == made["access"][0] == "ok", made
    assert "room 'kinglet-doctor'" in made["token"][1] and made["path"][0] == "ok", made
    refused = found(LIVEKIT_URL=server.url, LIVEKIT_TOKEN=token(room, "box", secret="of-another-server-entirely"))
    assert refused["access"][0] == "failed" and "signature" in refused["access"][1], refused
    assert found()["config"][0] == "warning"


def test_a_healthy_server_is_healthy(server, room, folder, kinglet):
    witness = kinglet("witness", "--input", "none", "--output", "none")
    witness.wait_for("connected")
    path = configuration(folder, server.url.replace("127.0.0.1", "localhost"), room)
    _, found = findings(path)
    for check, part in {
        "config": str(path),
        "name": "localhost is",
        "token": f"room '{room}' as 'door'",
        "server": f":{server.port} takes connections",
        "access": "takes the token",
        "addresses": f"127.0.0.1:{server.udp_port} (UDP)",
        "path": "sound flows by UDP",
        "tcp": "answers",
    }.items():
        state, text = found[check]
        assert state == "ok" and part in text, (check, state, text)
    # It was in the room, too short for the others to be told, or just so long.
    assert not witness.events("track_published")
    witness.leave()


def test_one_screen_for_a_person(server, room, folder):
    status, text = doctor("--config", configuration(folder, server.url, room))
    lines = text.splitlines()
    checks = [line[8:].split()[0] for line in lines]
    assert len(lines) <= 24 and checks[0] == "config" and {"scheduling", "time", "access", "path"} <= set(checks), text
    assert status == any(line.startswith("FAILED") for line in lines), text


def test_a_wrong_key_is_the_servers_word(server, room, folder):
    status, found = findings(configuration(folder, server.url, room, secret="not the secret of this server"))
    state, text = found["access"]
    assert (status, state) == (1, "failed") and "401" in text and "token" in text, text
    assert found["server"][0] == "ok" and "path" not in found, found


def test_no_server_no_name_no_livekit(room, folder):
    [port] = free_ports(1)
    status, found = findings(configuration(folder, f"ws://127.0.0.1:{port}", room))
    state, text = found["server"]
    assert (status, state) == (1, "failed") and "connection refused" in text, text
    _, found = findings(configuration(folder, "ws://nobody.invalid", room))
    assert found["name"][0] == "failed" and "nobody.invalid" in found["name"][1], found
    assert "server" not in found


def test_a_wrong_configuration_fails_by_line_and_key(folder):
    path = folder / "kinglet.toml"
    path.write_text('[server]\nurl = "ftp://x"\n')
    status, text = doctor("--config", path, "--json")
    wrong = [finding["text"] for finding in json.loads(text) if finding["check"] == "config"]
    assert status == 1 and any("line 2" in text and "server.url" in text for text in wrong), text
    assert doctor("--config", folder / "nowhere")[0] == 1


def test_a_box_that_runs_is_asked_and_stays(server, room, folder):
    box = Appliance(folder, server.url, room)
    try:
        box.wait_until_in_room()
        _, found = findings(box.config)
        assert found["service"] == ("ok", "runs; connected"), found
        # `access` is the box's and then the server's: the last word counts.
        assert found["access"][0] == found["path"][0] == "ok", found
        assert not box.events("disconnected")
        box.ask("mute")
        _, found = findings(box.config)
        assert found["privacy"][0] == "warning", found
        paths = box.ask("paths")
        assert paths["subscriber"]["path"]["by"] == "udp" and paths["publisher"]["path"]["by"] == "udp", paths
        box.stop()
    finally:
        box.kill()


def test_a_server_that_believes_to_be_elsewhere(folder):
    """It tells of 127.0.0.1, where the device finds nobody; with UDP open both ways it finds the device by itself."""
    command = [*OWN_NETWORK, sys.executable, HERE / "doctor_elsewhere.py", folder]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    for line, state, path in zip(done.stdout.splitlines(), ("warning", "failed"), ("ok", "failed"), strict=True):
        found = {finding["check"]: (finding["state"], finding["text"]) for finding in json.loads(line)}
        told, text = found["addresses"]
        assert told == state and "offers only 127.0.0.1" in text and "reached at 10.9.0.1: set rtc.node_ip" in text, found
        assert found["access"][0] == "ok" and found["path"][0] == path and found["tcp"][0] == "warning", found


def test_behind_a_wall_the_way_round_is_told(folder, room):
    wall = Wall(folder / "wall")
    try:
        wall.let_out(f"tcp {TURN_TLS}")
        path = configuration(folder, wall.url, room)
        path.write_text(path.read_text().replace("[audio]", f'ca = "{wall.ca}"\n[audio]'))
        status, found = findings(path, prefix=wall.inner)
        state, text = found["path"]
        assert state == "warning" and "TURN" in text and "firewall" in text, found
        assert found["addresses"][0] == "ok" and found["tcp"][0] == "warning", found
    finally:
        wall.stop()
