"""What people get wrong, and what devices do to a box: one line each, and it comes back by itself where it can."""
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from appliance import CONFIG
from kinglet import BINARY
from server import KEY, SECRET, token


@pytest.fixture
def config(server, room, folder):
    """Writes a configuration with one thing changed."""
    key = folder / "key"
    key.write_text(f"LIVEKIT_API_KEY={KEY}\nLIVEKIT_API_SECRET={SECRET}\n")
    text = CONFIG.format(
        url=server.url, room=room, identity="door", socket=folder / "control", call="", more="", input="tone:440",
        output="none", token=f'{{ key_file = "{key}" }}',
    )

    def write(before, after):
        assert before in text
        path = folder / "kinglet.toml"
        path.write_text(text.replace(before, after))
        return path

    return write


def is_idle(door):
    """Whether it uses less than a third of a core over a second and a half."""
    def cpu_s():
        return float(re.search(r"^process_cpu_seconds_total (\S+)$", door.ask("metrics"), re.M)[1])

    before = cpu_s()
    time.sleep(1.5)
    return cpu_s() - before < 0.5


def test_what_cannot_be_is_a_line_and_status_3(config, folder):
    locked, empty_key, headers = folder / "in-the-way", folder / "empty", folder / "headers"
    locked.write_text("")
    empty_key.write_text("nothing\n")
    headers.write_text("Bearer s3cret\n")
    endpoint = f'token = {{ endpoint = "https://a.example", header_file = "{headers}" }}'
    cases = [
        ("[server]", 'board = "pi9"\n[server]', "pi9"),
        ("[server]", 'board = "./nowhere.toml"\n[server]', "nowhere.toml"),
        ("[audio]", '[gpio]\nbell = { line = "GPIO99", press = "ring" }\n[audio]', "there is no GPIO line GPIO99"),
        ("[audio]", '[keys]\ntalk = { key = "KEY_NONSENSE", press = "talk" }\n[audio]', "KEY_NONSENSE is not a key"),
        ('input = "tone:440"', 'input = "tone:1000000"', "audio"),
        ("[server]", '[server]\nca = "/nowhere/ca.pem"', "/nowhere/ca.pem"),
        ('identity = "door"', 'identity = "door-{serial}"', "{serial}"),
        ('key_file = "' + str(folder / "key"), 'key_file = "' + str(empty_key), "LIVEKIT_API_KEY= is missing"),
        ('key_file = "' + str(folder / "key"), 'key_file = "/nowhere/key', "/nowhere/key"),
        ('{ key_file = "' + str(folder / "key") + '" }', '{ credential = "token" }', "LoadCredential=token"),
        (str(folder / "control"), "/nowhere/control", "/nowhere/control"),
        (str(folder / "control"), str(locked / "control"), "control"),
    ]
    for before, after, words in cases:
        done = subprocess.run(
            [BINARY, "run", "--config", config(before, after)], env={"PATH": "/usr/bin"}, capture_output=True,
            text=True, timeout=20,
        )
        expected = 4 if "is missing" in words else 3
        assert done.returncode == expected and words in done.stderr, (after, done)
        assert done.stderr.count("\n") == 1 and "panicked" not in done.stderr, done
    # What is read only when a token is asked for is looked at by --check, too.
    path = config('token = { key_file = "' + str(folder / "key") + '" }', endpoint)
    done = subprocess.run([BINARY, "run", "--config", path, "--check"], capture_output=True, text=True, timeout=20)
    assert done.returncode == 3 and f"{headers}: line 1: is not a header" in done.stderr, done
    assert "s3cret" not in done.stderr


def test_two_boxes_with_one_socket(box, config, folder):
    door = box()
    path = config(str(folder / "control"), str(door.socket))
    done = subprocess.run([BINARY, "run", "--config", path], capture_output=True, text=True, timeout=20)
    assert done.returncode == 3 and f"{door.socket}" in done.stderr and "in use" in done.stderr, done
    assert door.ask("status")["call"]["state"] == "idle", "the first one goes on"
    door.stop()


def test_a_token_file_that_comes_later(box, room, folder):
    path = folder / "late-token"
    path.unlink(missing_ok=True)
    path.mkdir()
    door = box(token=f'{{ file = "{path}" }}')
    assert f"token file {path}: Is a directory" in door.wait_for_line("no new token")
    assert is_idle(door)
    path.rmdir()
    path.write_text("no token\n")
    door.wait_for_line("not an access token")
    path.write_text(token(room, "door"))
    door.wait_until_in_room()
    assert door.journal.read_text().count("Is a directory") == 1, "said once"
    door.stop()


def test_a_key_whose_keyboard_is_not_there_keeps_nobody_from_the_room(box):
    door = box(more='[keys]\ntalk = { key = "KEY_BRL_DOT8", press = "talk" }', call='join = "always"')
    line = door.wait_for_line("KEY_BRL_DOT8")
    assert "warning: no input device has the key" in line and "searching for it" in line, line
    door.wait_until_in_room()
    door.stop()


def test_a_token_from_the_unit(box, room, folder):
    """As systemd gives it by LoadCredential=."""
    given = folder / "credentials"
    given.mkdir()
    (given / "token.door").write_text(token(room, "door") + "\n")
    door = box(token='{ credential = "token.door" }', environment={"CREDENTIALS_DIRECTORY": str(given)})
    door.wait_until_in_room()
    assert door.ask("status")["identity"] == "door"
    door.stop()


def test_who_may_not_use_the_socket_is_told_why(box):
    door = box()
    with tempfile.TemporaryDirectory() as public:
        Path(public).chmod(0o755)
        program = Path(public) / "kinglet"
        shutil.copy(BINARY, program)
        ctl = [program, "ctl", "--socket", door.socket, "status"]
        stranger = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
        if not stranger:
            door.socket.chmod(0)
        done = subprocess.run([*stranger, *ctl], capture_output=True, text=True, timeout=20)
        assert done.returncode == 1 and "are you in its group" in done.stderr, done
        assert done.stderr.count("\n") == 1
        done = subprocess.run([program, "ctl", "--socket", "/nowhere/control", "status"], capture_output=True, text=True)
        assert done.returncode == 1 and "is the service running" in done.stderr, done
    door.stop()


def test_a_full_disk_costs_the_memory_of_privacy_and_nothing_else(box, folder):
    state = folder / "full"
    state.mkdir(exist_ok=True)
    small = f'mount -t tmpfs -o size=512k tmpfs {state} && exec "$@"'
    door = box(
        output=f"wav:{state / 'heard.wav'}", environment={"STATE_DIRECTORY": str(state)},
        prefix=["unshare", "--map-root-user", "--mount", "sh", "-c", small, "sh"],
    )
    door.wait_until_in_room()
    # Its disk, as it sees it.
    with pytest.raises(OSError, match="No space left"), Path(f"/proc/{door.process.pid}/root{state}/filled").open("wb") as file:
        while True:
            file.write(bytes(4096))
            file.flush()
    door.ask("mute")
    line = door.wait_for_line("cannot save the mute state")
    assert "No space left on device" in line, line
    assert door.ask("status")["privacy"] is True, "it holds, until the power is cut"
    deadline = time.monotonic() + 20
    while 'kinglet_blocks_dropped_total{side="playback"} 0\n' in door.ask("metrics"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert is_idle(door) and door.ask("status")["state"] == "connected"
    assert door.journal.read_text().count("No space left") <= 3, "not a line for each block"
    door.stop()
