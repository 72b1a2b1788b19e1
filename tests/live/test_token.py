"""`kinglet token` makes tokens that the server takes."""
import base64
import json
import re
import subprocess
from pathlib import Path

from kinglet import BINARY, ENVIRONMENT


def test_a_made_token_joins(server, room, kinglet, folder):
    command = [BINARY, "token", "--room", room, "--identity", "panel", "--ttl", "60"]
    made = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=True).stdout.strip()
    claims = made.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    assert claims["sub"] == "panel" and claims["video"] == {"roomJoin": True, "room": room}
    path = folder / "token"
    path.write_text(made + "\n")
    # The file names who we are, whatever else is said.
    box = kinglet("somebody", "--token-file", path, "--input", "none", "--output", "none")
    assert box.wait_for("connected")["identity"] == "panel"
    box.leave()


def test_a_token_needs_key_and_secret(room):
    command = [BINARY, "token", "--room", room, "--identity", "panel"]
    done = subprocess.run(command, env={"PATH": ENVIRONMENT["PATH"]}, capture_output=True, text=True)
    assert done.returncode == 2 and "LIVEKIT_API_SECRET" in done.stderr and not done.stdout


def test_no_core_file_holds_the_token(server, kinglet):
    door = kinglet("door", "--input", "none", "--output", "none")
    door.wait_for("connected")
    limits = Path(f"/proc/{door.process.pid}/limits").read_text()
    assert re.search(r"^Max core file size +0 +0 ", limits, re.M), limits
    door.leave()
