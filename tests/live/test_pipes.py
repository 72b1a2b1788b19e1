"""Sound through standard input and output, as a shell uses it."""
import subprocess
import time

import numpy as np
from kinglet import BINARY, ENVIRONMENT
from sound import RATE, Likeness, speech


def join(server, room, identity, *arguments, **pipes):
    command = [BINARY, "join", server.url, "--room", room, "--identity", identity, *arguments]
    return subprocess.Popen(command, env=ENVIRONMENT, **pipes)


def test_pcm_in_and_out(server, room, folder, output):
    said, _ = speech(6, output)
    raw = folder / "said.raw"
    raw.write_bytes((said * 32767).astype("<i2").tobytes())
    heard_raw, events = folder / "heard.raw", folder / "events.txt"
    ear = join(
        server, room, "ear", "--input", "none", "--output", "raw:-", "--duration", "10",
        stdout=heard_raw.open("wb"), stderr=events.open("w"),
    )
    time.sleep(1)
    # A whole file is offered at once; it is taken at the pace of sound, and its end ends the session.
    began = time.monotonic()
    mouth = subprocess.run(
        f"cat '{raw}' | '{BINARY}' join {server.url} --room {room} --identity mouth --input raw:- --output raw:- | wc -c",
        shell=True, env=ENVIRONMENT, capture_output=True, text=True, timeout=60,
    )
    lasted = time.monotonic() - began
    assert mouth.returncode == 0
    assert 6 <= lasted <= 20, "real time"
    assert abs(int(mouth.stdout) / 2 / RATE - lasted) < 3, "as much came out as time passed"
    assert "connected" in mouth.stderr, "events are on stderr while sound is on stdout"
    assert ear.wait(30) == 0
    heard = np.frombuffer(heard_raw.read_bytes(), "<i2").astype(np.float32) / 32768
    assert abs(len(heard) / RATE - 10) < 1
    likeness = Likeness(said, heard)
    print(f"through pipes: correlation {likeness.median:.3f}")
    assert likeness.median >= 0.9
    assert "connected to room" in events.read_text()


def test_a_reader_that_stops_does_not_stop_the_session(server, room):
    box = join(server, room, "box", "--input", "tone", "--output", "raw:-", "--duration", "8",
               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    box.stdout.read(1000)
    # Nothing is read for the rest of the call: memory stays bounded, the call goes on to its end.
    time.sleep(6)
    resident_kb = resident(box.pid)
    rest = box.communicate(timeout=30)[0]
    assert box.returncode == 0
    assert resident_kb < 40_000
    assert len(rest) < 2 * RATE * 5, "what was not read in time was dropped, not kept"


def test_a_reader_that_goes_away_is_survived(server, room):
    box = join(server, room, "box", "--input", "tone", "--output", "raw:-", "--duration", "3",
               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    box.stdout.read(1000)
    box.stdout.close()
    assert box.wait(20) == 0


def resident(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
