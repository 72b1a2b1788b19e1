"""A recording that is played into the room: a second track of ours, as the SDKs see and hear it."""
import asyncio
import time

import numpy as np
from peer import FRAME, Peer
from sound import RATE, Likeness, speech, tone, write_wav

SECONDS = 6


def names(peer):
    return sorted(track.name for track in peer.remote("door").track_publications.values())


def test_the_sdk_hears_each_announcement_from_its_first_word(server, room, kinglet, folder, run):
    said, path = speech(SECONDS, folder)

    async def call():
        # No microphone: what is heard is the announcement.
        box = kinglet("door", "--input", "none", "--output", "none")
        await asyncio.to_thread(box.wait_for, "connected")
        peer = await Peer.join(server.url, room, "panel")
        await asyncio.to_thread(box.wait_for, "participant_joined", identity="panel")
        for _ in range(2):
            peer.heard.clear()
            answer = await asyncio.to_thread(box.ask, f"announce {path}")
            assert answer == {"seconds": SECONDS}
            likeness = Likeness(said, peer.sound_of("door"))
            print(f"correlation {likeness.median:.3f} (median of {likeness.windows} windows)")
            assert likeness.median >= 0.9 and likeness.windows >= SECONDS
        await peer.leave()
        box.leave()

    run(call())


def pitches(peer, since):
    """Which of both are in what was heard of `door` since that frame, whichever track they came by."""
    turns = np.exp(-2j * np.pi * np.outer([900, 1500], np.arange(FRAME)) / RATE)
    frames = peer.heard["door"][since:]
    levels = np.abs(turns @ np.array(frames, np.float32).T / 32768).max(axis=1) * 2 / FRAME if frames else (0, 0)
    return [hz for hz, level in zip((900, 1500), levels) if level > 0.1]


async def hears(peer, *wanted):
    """Waits until exactly these pitches are heard for half a second."""
    deadline = time.monotonic() + 20
    while True:
        since = len(peer.heard.setdefault("door", []))
        await asyncio.sleep(0.5)
        heard = pitches(peer, since)
        if heard == list(wanted):
            return
        assert time.monotonic() < deadline, heard


def test_it_stands_beside_the_microphone(server, room, kinglet, admin, folder, run):
    path = folder / "closed.wav"
    write_wav(path, tone(1500, 30))

    async def call():
        peer = await Peer.join(server.url, room, "panel")
        box = kinglet("door", "--input", "tone:900", "--output", "none")
        await peer.wait_for("track_subscribed", "door")
        await hears(peer, 900)
        assert names(peer) == ["microphone"]
        box.tell(f"announce {path}")
        published = await asyncio.to_thread(box.wait_for, "local_track_published", name="announcement")
        await hears(peer, 900, 1500)
        assert names(peer) == ["announcement", "microphone"]
        refusal = await asyncio.to_thread(box.ask_refused, f"announce {path}")
        assert "is still spoken" in refusal["message"]
        # A moderator's word is its end.
        await asyncio.to_thread(admin.mute, "door", published["sid"])
        await asyncio.to_thread(box.wait_for, "local_track_unpublished", name="announcement", by="server")
        await hears(peer, 900)
        assert names(peer) == ["microphone"]
        # And again, until we end it.
        box.tell(f"announce {path}")
        await hears(peer, 900, 1500)
        await asyncio.to_thread(box.ask, "quiet")
        await hears(peer, 900)
        await peer.leave()
        box.leave()

    run(call())


def test_a_microphone_that_ends_and_begins_at_once_is_heard(server, room, kinglet, run):
    async def call():
        peer = await Peer.join(server.url, room, "panel")
        box = kinglet("door", "--input", "tone:900", "--output", "none")
        await peer.wait_for("track_subscribed", "door")
        await hears(peer, 900)
        for _ in range(3):
            before = box.events("local_track_published")[-1]
            box.tell("unpublish")
            box.tell("publish")
            await asyncio.to_thread(box.wait_for, "local_track_published", after=before)
            await hears(peer, 900)
        await peer.leave()
        box.leave()

    run(call())


def test_a_file_that_is_none_is_named(kinglet, folder):
    box = kinglet("door", "--input", "none", "--output", "none")
    box.wait_for("connected")
    assert "nowhere.wav" in box.ask_refused(f"announce {folder}/nowhere.wav")["message"]
    box.leave()
