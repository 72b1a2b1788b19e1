"""More talkers than places: who has something to say is heard; and each talker's own volume."""
import time

import numpy as np
from sound import RATE, read_wav, tone_levels, write_wav

PLACES = 8
HEARD_DB = -40


def test_a_ninth_talker_takes_the_place_of_a_silent_one(kinglet, folder):
    silence, wav = folder / "silence.wav", folder / "heard.wav"
    write_wav(silence, np.zeros(RATE))
    hertz = [300 + 170 * number for number in range(PLACES)]
    boxes = [kinglet(f"talker-{pitch}", "--input", f"tone:{pitch}", "--output", "none") for pitch in hertz[1:]]
    # Its silence is sent: it keeps its place until somebody else wants it.
    boxes.append(kinglet("silent", "--input", f"wav:{silence}", "--loop", "--dtx", "off", "--output", "none"))
    for box in boxes:
        box.wait_for("local_track_published")
    hall = kinglet("hall", "--input", "none", "--output", f"wav:{wav}")
    hall.wait_until(lambda: len(hall.events("track_subscribed")) == PLACES)
    hall.wait_until(lambda: len(hall.ask("stats")["tracks"]) == PLACES)
    ninth = kinglet("ninth", "--input", f"tone:{hertz[0]}", "--output", "none")
    hall.wait_for("track_subscribed", identity="ninth")
    hall.wait_until(lambda: "ninth" in {track["identity"] for track in hall.ask("stats")["tracks"]})

    assert "silent" not in {track["identity"] for track in hall.ask("stats")["tracks"]}
    time.sleep(2)
    hall.leave()
    levels = tone_levels(read_wav(wav)[-RATE:], hertz)
    assert all(level > HEARD_DB for level in levels.values()), levels
    for box in [*boxes, ninth]:
        box.leave()


def test_each_talker_has_its_own_volume(kinglet, folder):
    wav = folder / "heard.wav"
    hall = kinglet("hall", "--input", "none", "--output", f"wav:{wav}")
    hall.wait_for("connected")
    # Said before anybody is there.
    hall.ask("talker-volume gate 25")
    boxes = [kinglet(identity, "--input", f"tone:{pitch}", "--output", "none") for identity, pitch in (("door", 400), ("gate", 700))]
    hall.wait_until(lambda: len(hall.ask("stats")["tracks"]) == 2)
    time.sleep(2)
    hall.leave()
    levels = tone_levels(read_wav(wav)[-RATE:], [400, 700])
    assert 10 < levels[400] - levels[700] < 14, levels
    for box in boxes:
        box.leave()
