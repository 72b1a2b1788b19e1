"""The measure itself: it finds what is there, misses what is not, and gives two SDKs the marks that kinglet must reach."""
import asyncio
import time

import numpy as np
from peer import Peer
from sound import RATE, Likeness, speech, tone, tone_levels

SECONDS = 8


def test_a_delay_is_found(output):
    said, _ = speech(SECONDS, output)
    heard = np.concatenate([np.zeros(int(0.123 * RATE)), said, np.zeros(RATE)]).astype(np.float32)
    likeness = Likeness(said, heard)
    assert likeness.median > 0.999 and abs(likeness.delay_ms - 123) < 0.1


def test_other_words_are_not_like(output):
    said, _ = speech(2 * SECONDS, output)
    half = len(said) // 2
    assert Likeness(said[:half], said[half:]).median < 0.6


def test_silence_and_half_a_record_are_not_like(output):
    said, _ = speech(SECONDS, output)
    assert Likeness(said, np.zeros_like(said)).median < 0.1
    missing = said.copy()
    missing[int(0.4 * len(said)) :] = 0
    assert Likeness(said, missing).median < 0.1
    assert Likeness(said, missing[: int(0.4 * len(said))]).median < 0.1


def test_tones_are_told_apart():
    levels = tone_levels(tone(523, 2) + tone(784, 2, level=0.025), [523, 659, 784])
    assert -13 < levels[523] < -11 and -33 < levels[784] < -31 and levels[659] < -80


def test_two_sdks_hear_each_other(server, room, output, run):
    said, _ = speech(SECONDS, output)

    async def call():
        listener = await Peer.join(server.url, room, "listener")
        talker = await Peer.join(server.url, room, "talker")
        await talker.publish()
        await listener.wait_for("track_subscribed", "talker")
        await asyncio.sleep(1)
        said_at = time.monotonic()
        await talker.say(said)
        await asyncio.sleep(1)
        await talker.leave()
        await listener.leave()
        return listener, said_at

    listener, said_at = run(call())
    likeness = Likeness(said, listener.sound_of("talker"))
    delay_ms = likeness.delay_ms + 1000 * (listener.heard_since["talker"] - said_at)
    print(f"SDK -> SDK: correlation {likeness.median:.3f} (median of {likeness.windows} windows), delay about {delay_ms:.0f} ms")
    assert likeness.windows > SECONDS and likeness.median >= 0.9
