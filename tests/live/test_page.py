"""The page of `tests/demo --browser`, on a phone: a person and a box talk, see each other's mutes, and open a door."""
import base64
import sys
import time
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "page"))

from browser import Browser  # noqa: E402
from serve import Page  # noqa: E402
from sound import RATE, correlate, read_wav, speech, tone, write_wav  # noqa: E402

BOX = "front door"
SETTLED_S = 4
TURN_S = 14
# What the page hears, as samples at 48 kHz, taken where it is played.
RECORD = """
    const track = [...box().trackPublications.values()][0].track;
    const source = sound.createMediaStreamSource(new MediaStream([track.mediaStreamTrack]));
    const taken = [];
    const tap = sound.createScriptProcessor(4096, 1, 1);
    tap.onaudioprocess = (event) => taken.push(event.inputBuffer.getChannelData(0).slice());
    source.connect(tap);
    tap.connect(sound.destination);
    window.recording = { taken, stop: () => { source.disconnect(); tap.disconnect(); } };
"""
TAKE = """
    recording.stop();
    const samples = new Int16Array(recording.taken.length * 4096);
    recording.taken.flatMap((part) => [...part]).forEach((sample, at) => { samples[at] = sample * 32767; });
    let text = "";
    new Uint8Array(samples.buffer).forEach((byte) => { text += String.fromCharCode(byte); });
    return btoa(text);
"""


@pytest.fixture
def phone(server, room, folder):
    """phone(WAV): the page on a phone whose microphone hears the WAV again and again."""
    opened = []

    def open_page(microphone, door=False, **capture):
        page = Page(server.url, room, BOX, door, capture=capture)
        browser = Browser(folder, page.url, f"--use-file-for-fake-audio-capture={microphone}")
        opened.extend([browser, page])
        return browser

    yield open_page
    for one in opened:
        one.stop()


def shows(phone, words, where="state", timeout_s=15):
    """Waits until the page says these words in this place."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        seen = phone.run("return document.getElementById(argument).textContent", where)
        if words in seen:
            return
        time.sleep(0.05)
    raise AssertionError(f"the page says {seen!r}, not {words!r}; {phone.report()}")


def likeness(heard, said):
    """How like `said`, again and again, is what was heard from the fourth second on: the median of half-second windows.

    Each window is looked for near the place of the one before: in order, but a busy machine may stretch the pauses.
    Before the fourth second the browser's jitter buffer finds its feet.
    """
    loop = np.tile(said, 3)
    window, reach = RATE // 2, RATE // 2
    heard = heard[SETTLED_S * RATE :]
    _, place = correlate(heard[: 4 * window], loop[: 2 * len(said)], 2 * len(said))
    scores = []
    for start in range(0, len(heard) - window + 1, window):
        piece = heard[start : start + window]
        if np.sqrt(np.mean(piece**2)) < 0.01:
            continue
        first = max(place % len(said) + start % len(said) - reach, 0) % len(said)
        score, shift = correlate(piece, loop[first : first + window + 2 * reach], 2 * reach)
        place = first + shift - start
        scores.append(score)
    return float(np.median(scores)) if len(scores) > TURN_S - SETTLED_S else 0.0


def test_heard_both_ways_from_four_seconds_on(phone, kinglet, folder):
    said, path = speech(TURN_S, folder)
    ours = np.roll(said, len(said) // 3)
    write_wav(folder / "ours.wav", ours)
    # Noise suppression and gain control change the wave, and it is the wave that is compared.
    page = phone(folder / "ours.wav", echoCancellation=False, noiseSuppression=False, autoGainControl=False)
    shows(page, "Waiting for the box")
    box = kinglet(BOX, "--input", f"wav:{path}", "--loop", "--output", f"wav:{folder}/heard-by-box.wav")
    shows(page, "Speaking")

    page.run(RECORD)
    time.sleep(TURN_S)
    heard_by_page = np.frombuffer(base64.b64decode(page.run(TAKE, timeout_s=60)), "<i2").astype(np.float32) / 32768
    write_wav(folder / "heard-by-page.wav", heard_by_page)

    box.tell("mute")
    shows(page, "Here, its microphone is off")
    page.tap("#talk")
    box.wait_for("track_subscribed")
    time.sleep(TURN_S)
    box.leave()
    heard_by_box = read_wav(folder / "heard-by-box.wav")[-TURN_S * RATE :]
    to_page, to_box = likeness(heard_by_page, said), likeness(heard_by_box, ours)
    print(f"correlation to the page {to_page:.3f}, to the box {to_box:.3f}")
    assert to_page >= 0.9 and to_box >= 0.9


def test_mutes_are_seen_both_ways(phone, kinglet, folder):
    write_wav(folder / "hum.wav", tone(300, 2))
    page = phone(folder / "hum.wav")
    box = kinglet(BOX, "--input", "tone:500", "--output", "none")
    shows(page, "Speaking")
    box.tell("mute")
    shows(page, "Here, its microphone is off")
    box.tell("unmute")
    shows(page, "Speaking")

    page.tap("#talk")
    box.wait_for("track_published")
    page.tap("#talk")
    muted = box.wait_for("track_muted")
    page.tap("#talk")
    unmuted = box.wait_for("track_unmuted", after=muted)
    # Held, it ends with the finger.
    page.tap("#talk")
    muted = box.wait_for("track_muted", after=unmuted)
    page.tap("#talk", hold_ms=1000)
    unmuted = box.wait_for("track_unmuted", after=muted)
    box.wait_for("track_muted", after=unmuted)
    page.screenshot(folder / "page.png")
    page.tap("#mute")
    assert page.run("return document.querySelector('audio').muted"), "the box is not silenced"
    box.leave()
    shows(page, "Waiting for the box")


def test_the_door_opens_or_says_why_not(phone, kinglet, folder):
    write_wav(folder / "hum.wav", tone(300, 2))
    page = phone(folder / "hum.wav", door=True)
    box = kinglet(BOX, "--input", "tone:500", "--output", "none", "--rpc", "open=echo The door is open.")
    shows(page, "Speaking")
    page.tap("#open")
    box.wait_for("rpc_invoked", method="open", identity="panel-1")
    shows(page, "The door is open.", "news")
    page.screenshot(folder / "page.png")
    box.leave()

    shows(page, "Waiting for the box")
    box = kinglet(BOX, "--input", "tone:500", "--output", "none", "--rpc", "open=false")
    shows(page, "Speaking")
    page.tap("#open")
    shows(page, "The door stays shut", "news")
