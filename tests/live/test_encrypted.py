"""Somebody who speaks end-to-end encrypted is named, not played: without the key it is noise at full scale."""
import asyncio

import numpy as np
from livekit import rtc
from peer import Peer
from server import token
from sound import RATE, read_wav, tone


def test_an_encrypted_voice_is_named_and_not_played(server, room, kinglet, folder, run):
    wav = folder / "heard.wav"

    async def call():
        box = kinglet("box", "--input", "none", "--output", f"wav:{wav}")
        await asyncio.to_thread(box.wait_for, "connected")
        key = rtc.KeyProviderOptions(shared_key=b"a key that the box has not")
        options = rtc.RoomOptions(encryption=rtc.E2EEOptions(key_provider_options=key))
        peer = Peer("secretive")
        await peer.room.connect(server.url, token(room, "secretive"), options)
        peer.speak_on(tone(600, 10))
        await asyncio.to_thread(box.wait_for, "track_published", identity="secretive")
        await asyncio.sleep(3)
        await asyncio.to_thread(box.leave)
        await peer.leave()
        return box

    box = run(call())
    assert any("secretive" in event["text"] and "encrypted" in event["text"] for event in box.events("warning"))
    assert not box.events("track_subscribed")
    heard = read_wav(wav)
    assert len(heard) > 3 * RATE and not np.any(heard), "exact zeros"
