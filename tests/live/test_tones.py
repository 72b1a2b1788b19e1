"""What a person at the box hears from the box itself: tones, files in their place, files that are played."""
import time
import wave

import numpy as np
import pytest
from sound import RATE, Recording, tone, tone_levels

RINGING_HZ, LOW_HZ, HIGH_HZ = 425, 660, 880
MUTED_HZ, UNMUTED_HZ = 440, 880


@pytest.fixture
def box(box, folder):
    def start(**options):
        heard = folder / "heard.wav"
        door = box(output=f"wav:{heard}", **options)
        door.wait_until_in_room()
        return door, Recording(heard)

    return start


def wait_for_tone(heard, hertz, after=0, count=1):
    """Where a tenth of a second of this tone begins, for the `count`th time behind the sample `after`."""
    deadline = time.monotonic() + 30
    window = RATE // 20
    while time.monotonic() < deadline:
        samples = heard.samples()
        found, was = 0, False
        for start in range(after, len(samples) - 2 * window, window):
            pieces = [samples[start + at : start + at + window] for at in (0, window)]
            is_there = all(tone_levels(piece, [hertz])[hertz] > -30 for piece in pieces)
            found += is_there and not was
            was = is_there
            if found == count:
                return start
        time.sleep(0.1)
    raise AssertionError(f"no {hertz} Hz ({count}) behind {after / RATE:.2f} s")


def write_stereo(path, samples, rate):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.repeat(samples, 2) * 32767).astype("<i2").tobytes())


def test_ringing_and_ended_are_heard_at_the_box(box):
    door, heard = box()
    door.ask("ring")
    first = wait_for_tone(heard, RINGING_HZ)
    second = wait_for_tone(heard, RINGING_HZ, after=first, count=2)
    assert second - first == pytest.approx(5 * RATE, abs=RATE // 10), "a second in five"
    pause = heard.samples()[first + int(1.2 * RATE) : second - int(0.2 * RATE)]
    assert len(pause) > 3 * RATE and not np.any(pause), "and exact silence between"
    door.ask("hangup")
    high = wait_for_tone(heard, HIGH_HZ, after=second)
    low = wait_for_tone(heard, LOW_HZ, after=second)
    assert high < low, "downwards"
    door.stop()
    end = heard.samples()[low + RATE // 2 :]
    assert not np.any(end), "it rings no more"


def test_files_take_the_place_of_tones_and_are_played(box, folder):
    ringing, announcement = folder / "ringing.wav", folder / "play me.wav"
    write_stereo(ringing, tone(1000, 0.5)[::2], RATE // 2)
    write_stereo(announcement, tone(2000, 20), RATE)
    broken = folder / "ended.wav"
    broken.write_text("no sound")
    door, heard = box(more=f'[call.tones]\nringing = "{ringing}"\nended = "{broken}"')
    line = door.wait_for_line("call.tones.ended")
    assert f"{broken}': it is not a WAV file; the built-in tone is used" in line

    door.ask("ring")
    at = wait_for_tone(heard, 1000)
    levels = tone_levels(heard.samples()[at : at + RATE // 2], [1000, RINGING_HZ])
    assert levels[1000] == pytest.approx(-12, abs=1) and levels[RINGING_HZ] < -60, levels
    door.ask("hangup")
    wait_for_tone(heard, HIGH_HZ, after=at)

    assert door.ask("play", str(announcement))["seconds"] == pytest.approx(20, abs=0.02)
    at = wait_for_tone(heard, 2000, after=at)
    door.ask("quiet")
    length = len(heard.samples())
    assert length < at + 15 * RATE, "it was ended before its end"
    for path, why in ((broken, "not a WAV file"), (folder / "none.wav", "No such file"), (folder, "regular")):
        error = door.ctl("play", str(path))["error"]
        assert error["code"] == "refused" and why in error["message"] and str(path) in error["message"], error
    deadline = time.monotonic() + 20
    while len(heard.samples()) < length + 2 * RATE:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert not np.any(heard.samples()[length + RATE :]), "and nothing after it"
    door.stop()


def test_what_happens_in_a_call_is_remarked(box, kinglet):
    door, heard = box(more='[call.tones]\nringing = "none"\nanswered = "none"')
    kinglet("flat-1", "--input", "tone:3000", "--output", "none", "--loop")
    door.ask("ring")
    door.wait_for("call_answered")
    wait_for_tone(heard, 3000)
    at = len(heard.samples())
    assert max(tone_levels(heard.samples(), [RINGING_HZ, LOW_HZ, HIGH_HZ]).values()) < -60, "told to be silent"
    door.ask("mute")
    at = wait_for_tone(heard, MUTED_HZ, after=at)
    door.ask("unmute")
    at = wait_for_tone(heard, UNMUTED_HZ, after=at)
    guest = kinglet("guest", "--input", "none", "--output", "none")
    at = wait_for_tone(heard, LOW_HZ, after=at)
    guest.leave()
    wait_for_tone(heard, MUTED_HZ, after=at)
    door.stop()
