"""The demo's call: one kinglet says a few sentences, another hears them, through a real server."""
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from kinglet import Kinglet
from server import Server
from sound import RATE, Likeness, first_sound, read_wav, speech

FOLDER = Path(__file__).resolve().parents[2] / "target/demo"
SECONDS = 10


def main():
    said, path = speech(SECONDS, FOLDER)
    heard_path = FOLDER / "heard.wav"
    server = Server(FOLDER)
    boxes = []
    try:
        panel = Kinglet(FOLDER, server.url, "demo", "panel", "--input", "none", "--output", f"wav:{heard_path}",
                        "--stats", "2")
        boxes.append(panel)
        panel.wait_for("connected")
        door = Kinglet(FOLDER, server.url, "demo", "door", "--input", f"wav:{path}", "--output", "none")
        boxes.append(door)
        door_ended = door.end(SECONDS + 30)
        time.sleep(0.5)
        panel.leave()
    finally:
        for box in boxes:
            box.kill()
        server.stop()

    heard = read_wav(heard_path)
    likeness = Likeness(said, heard)
    # Both ends run on one clock: the recording began at `connected`, and the speech when the track was published.
    recording_began = panel.began + panel.events("connected")[0]["t_ms"] / 1000
    speech_began = door.began + door.events("local_track_published")[0]["t_ms"] / 1000
    delay_ms = likeness.delay_ms - 1000 * (speech_began - recording_began)
    joined_ms = door.events("connected")[0]["t_ms"]
    start = first_sound(heard)
    concealed = [track["concealed_permille"] for stats in panel.events("stats") for track in stats["tracks"]]

    print(f"said     {path}  ({SECONDS} s)")
    print(f"heard    {heard_path}  ({len(heard) / RATE:.1f} s, first sound after {(start or 0) / RATE:.2f} s)")
    print(
        f"joined in {joined_ms} ms, delay {delay_ms:.0f} ms, correlation {likeness.median:.3f} "
        f"(median of {likeness.windows} half-second windows), concealed {max(concealed, default=0):g} permille"
    )
    return 0 if door_ended == 0 and likeness.median >= 0.9 and likeness.windows > SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
