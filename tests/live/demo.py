"""The demo's calls: one kinglet says a few sentences, another hears them, through a real server: over a good line, and over
bad ones."""
import json
import random
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "bench")]

from kinglet import Kinglet  # noqa: E402
from relay import ONLY_THROUGH_THE_RELAY, Relay  # noqa: E402
from server import Server  # noqa: E402
from sound import RATE, Likeness, first_sound, read_wav, speech  # noqa: E402
from line import Line  # noqa: E402

FOLDER = Path(__file__).resolve().parents[2] / "target/demo"
SECONDS, PACKETS = 10, 3000
# Name, what it is, how late each packet is in ms (None: lost), likeness at least.
LINES = [
    ("lost", "10 % of the packets lost", lambda: None if random.random() < 0.1 else 0, 0.8),
    ("jitter", "jitter of up to 60 ms", lambda: random.uniform(0, 60), 0.8),
]


def call(name, server, said, path):
    """One call; what was heard, as a summary and as statistics of each second."""
    heard_path = FOLDER / f"heard-{name}.wav"
    boxes = []
    try:
        panel = Kinglet(FOLDER, server.url, name, "panel", "--input", "none", "--output", f"wav:{heard_path}", "--stats", "1")
        boxes.append(panel)
        panel.wait_for("connected")
        door = Kinglet(FOLDER, server.url, name, "door", "--input", f"wav:{path}", "--output", "none")
        boxes.append(door)
        assert door.end(SECONDS + 30) == 0, door.report()
        time.sleep(0.5)
        panel.leave()
    finally:
        for box in boxes:
            box.kill()

    heard = read_wav(heard_path)
    likeness = Likeness(said, heard)
    # Both ends run on one clock: the recording began at `connected`, and the speech when the track was published.
    recording_began = panel.began + panel.events("connected")[0]["t_ms"] / 1000
    speech_began = door.began + door.events("local_track_published")[0]["t_ms"] / 1000
    delay_ms = likeness.delay_ms - 1000 * (speech_began - recording_began)
    stats = [{"t_ms": one["t_ms"], **track} for one in panel.events("stats") for track in one["tracks"]]
    (FOLDER / f"stats-{name}.json").write_text(json.dumps(stats))
    concealed = [second["concealed_permille"] for second in stats]
    mean = sum(concealed) / max(len(concealed), 1)
    start = first_sound(heard)
    print(f"heard    {heard_path}  ({len(heard) / RATE:.1f} s, first sound after {(start or 0) / RATE:.2f} s)")
    print(
        f"joined in {door.events('connected')[0]['t_ms']} ms, delay {delay_ms:.0f} ms, correlation {likeness.median:.3f} "
        f"(median of {likeness.windows} half-second windows), concealed {mean:.1f} permille"
    )
    return likeness


def main():
    said, path = speech(SECONDS, FOLDER)
    print(f"said     {path}  ({SECONDS} s)")
    server = Server(FOLDER)
    try:
        likeness = call("clean", server, said, path)
    finally:
        server.stop()
    good = likeness.median >= 0.9 and likeness.windows > SECONDS

    server = Server(FOLDER, node_ip=Relay.ADDRESS, rtc=ONLY_THROUGH_THE_RELAY)
    line = Line(server.udp_port)
    random.seed(1)
    try:
        for name, what, late_ms, least in LINES:
            line.meet([late_ms() for _ in range(PACKETS)], FOLDER / f"line-{name}.csv")
            print(f"\n{what}:")
            good &= call(name, server, said, path).median >= least
    finally:
        line.close()
        server.stop()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
