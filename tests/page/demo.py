"""`tests/demo --browser`: a real server, a box, and the page to talk to it, until Ctrl-C.

The box has this machine's sound cards where there are any; else it says a text again and again, and what it hears is
left as a WAV file. All on loopback: browsers give a page their microphone there, and elsewhere only over HTTPS.
"""
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/live"))

from kinglet import BINARY, Kinglet  # noqa: E402
from serve import Page  # noqa: E402
from server import Server  # noqa: E402
from sound import speech  # noqa: E402

FOLDER = ROOT / "target/demo"
ROOM, BOX = "demo", "front door"
PORT = 8090


def audio():
    """Options of the box, and what is to be said of them."""
    devices = subprocess.run([BINARY, "devices"], check=True, capture_output=True, text=True).stdout
    if "no sound card" not in devices:
        return [], "it has the sound cards of this machine"
    _, path = speech(30, FOLDER)
    heard = FOLDER / "heard-by-the-box.wav"
    return ["--input", f"wav:{path}", "--loop", "--output", f"wav:{heard}"], f"it says a text; what it hears goes to {heard}"


def door():
    """Options with which the box answers the RPC `open`, where it can."""
    usage = subprocess.run([BINARY, "join", "--help"], check=True, capture_output=True, text=True).stdout
    return ["--rpc", "open=echo The door is open."] if "--rpc" in usage else []


def main():
    server = Server(FOLDER)
    box = None
    try:
        options, words = audio()
        box = Kinglet(FOLDER, server.url, ROOM, BOX, *options, *door())
        box.wait_for("connected")
        page = Page(server.url, ROOM, BOX, bool(door()), PORT)
        print(f"the box is in the room: {words}\ntalk to it at {page.url}    (Ctrl-C ends)", flush=True)
        return box.process.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        if box:
            box.kill()
        server.stop()


if __name__ == "__main__":
    sys.exit(main())
