"""A device without a battery: its clock is at 1970 when it starts, the server's is right, and NTP comes late or never."""
import subprocess
import time
from pathlib import Path

import pytest
from kinglet import BINARY, ENVIRONMENT
from proxy import Proxy, make_certificates
from server import token

[LIBRARY] = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
NEW_YEAR_1970, DAY_S = 3600 - int(time.time()), 86_400


def clock(folder, off_by_s):
    """An environment in which the wall clock is wrong by so much, and the file by which it is put right."""
    file = folder / "clock"
    file.write_text(f"{off_by_s:+d}\n")
    return file, {
        "LD_PRELOAD": str(LIBRARY), "FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def join(environment, *arguments):
    command = [BINARY, "join", *map(str, arguments), "--input", "none", "--output", "none", "--duration", "1"]
    return subprocess.run(command, env={**ENVIRONMENT, **environment}, capture_output=True, text=True, timeout=60)


def test_a_token_of_somebody_else_is_tried_whatever_the_clock_shows(server, room, folder):
    _, environment = clock(folder, NEW_YEAR_1970)
    done = join(environment, server.url, "--token", token(room, "box"))
    assert done.returncode == 0 and "clock" not in done.stderr, done


def test_a_token_that_this_clock_has_made_is_refused_and_the_clock_named(server, room, folder):
    _, environment = clock(folder, NEW_YEAR_1970)
    done = join(environment, server.url, "--room", room, "--identity", "box")
    assert done.returncode == 4 and done.stderr.count("\n") == 1, done
    assert "this machine's clock, which is wrong" in done.stderr and "behind the server's clock" in done.stderr


@pytest.mark.parametrize("off_by_s, words", [
    (NEW_YEAR_1970, "this device's clock shows 1970-01-01"),
    (-3 * DAY_S, "is this device's clock right?"),
    (3 * DAY_S, "is this device's clock right?"),
])
def test_a_certificate_that_is_not_valid_yet_or_any_more(server, room, folder, off_by_s, words):
    ca, certificate, key = make_certificates(folder, "localhost")
    _, environment = clock(folder, off_by_s)
    proxy = Proxy.with_tls(server.port, certificate, key)
    try:
        done = join(environment, f"wss://localhost:{proxy.port}", "--ca", ca, "--token", token(room, "box", ttl_s=9 * DAY_S))
    finally:
        proxy.stop()
    assert done.returncode == 5 and words in done.stderr and done.stderr.count("\n") == 1, done


def test_a_box_is_in_the_room_when_it_is_told_the_time(box, folder):
    """It makes its tokens itself, and nobody can use them before."""
    file, environment = clock(folder, NEW_YEAR_1970)
    door = box(call='join = "always"', environment=environment)
    line = door.wait_for_line("clock")
    assert "behind the server's clock" in line, line
    time.sleep(3)
    file.write_text("+0\n")
    door.wait_until_in_room()
    refused = [line for line in door.journal.read_text().splitlines() if "behind the server's clock" in line]
    assert len(refused) == 1, "told once"
    door.stop()
