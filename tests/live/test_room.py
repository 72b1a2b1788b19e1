"""A room of five: each kinglet hears the mix of the four others, and one comes back."""
import asyncio

from peer import Peer
from sound import RATE, read_wav, tone, tone_levels

KINGLETS = {"hall": 523, "kitchen": 659, "attic": 784}
PEERS = {"anna": 988, "bert": 1319}
PITCHES = {**KINGLETS, **PEERS}
HEARD_DB, UNHEARD_DB = -30, -50


def test_each_hears_the_four_others(server, room, kinglet, folder, run):
    def start(identity):
        wav = folder / f"{identity}.wav"
        return kinglet(identity, "--input", f"tone:{KINGLETS[identity]}", "--output", f"wav:{wav}")

    async def call():
        peers = [await Peer.join(server.url, room, identity) for identity in PEERS]
        for peer in peers:
            peer.speak_on(tone(PEERS[peer.identity], 10))
        boxes = {identity: start(identity) for identity in KINGLETS}
        for box in boxes.values():
            for other in PITCHES.keys() - {box.identity}:
                await asyncio.to_thread(box.wait_for, "track_subscribed", identity=other)
        await asyncio.sleep(5)
        # One leaves, and returns: its sound comes on the m-line that it left behind.
        await asyncio.to_thread(boxes["attic"].leave)
        await asyncio.to_thread(boxes["hall"].wait_for, "participant_left", identity="attic")
        await asyncio.sleep(2)
        before = len(boxes["hall"].events())
        (folder / "attic.wav").rename(folder / "attic-first.wav")
        boxes["attic"] = start("attic")
        for other in PITCHES.keys() - {"attic"}:
            await asyncio.to_thread(boxes["attic"].wait_for, "track_subscribed", identity=other)
        await asyncio.sleep(5)
        again = [event["event"] for event in boxes["hall"].events()[before:] if event.get("identity") == "attic"]
        heard_by_peers = {peer.identity: {who: peer.sound_of(who) for who in peer.heard} for peer in peers}
        for box in boxes.values():
            await asyncio.to_thread(box.leave)
        for peer in peers:
            await peer.leave()
        return again, heard_by_peers

    again, heard_by_peers = run(call())
    assert "participant_joined" in again and "track_subscribed" in again
    for identity in KINGLETS:
        mix = read_wav(folder / f"{identity}.wav")
        levels = tone_levels(mix[-3 * RATE : -RATE], PITCHES.values())
        print(identity, {pitch: round(level) for pitch, level in levels.items()})
        for other, pitch in PITCHES.items():
            if other == identity:
                assert levels[pitch] < UNHEARD_DB, f"{identity} hears itself"
            else:
                assert levels[pitch] > HEARD_DB, f"{identity} does not hear {other}"
    gone = tone_levels(read_wav(folder / "attic-first.wav")[-3 * RATE : -RATE], PITCHES.values())
    assert all(gone[PITCHES[other]] > HEARD_DB for other in PITCHES if other != "attic")
    for who, heard in heard_by_peers.items():
        for identity in KINGLETS:
            level = tone_levels(heard[identity][-3 * RATE : -RATE], [KINGLETS[identity]])
            assert level[KINGLETS[identity]] > HEARD_DB, f"{who} does not hear {identity}"
