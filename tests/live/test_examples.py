"""The programs in tests/examples, as `cargo test` has built them."""
import asyncio
import contextlib
import subprocess
import sys
import time

import numpy as np
import pytest
from kinglet import ROOT
from livekit import rtc
from peer import Peer
from server import token
from sound import Recording, read_wav, tone, tone_levels, write_wav
from test_tones import RINGING_HZ, wait_for_tone


@pytest.fixture
def example(server, room, folder):
    """Starts one: example(name, *arguments)."""
    started = []

    def start(name, *arguments):
        path = folder / "token"
        path.write_text(token(room, name) + "\n")
        command = [ROOT / "target/debug/examples" / name, server.url, path, *arguments]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        return started[-1]

    yield start
    for one in started:
        if one.poll() is None:
            one.kill()
            one.wait()


def test_a_camera_beside_it(server, room, kinglet, folder, run):
    """Pictures of one grey from a pipe are seen by others as they are, and kinglet is not disturbed."""
    path = folder / "camera-token"
    path.write_text(token(room, "door-camera") + "\n")
    width, height = 320, 240
    picture = bytes([180]) * (width * height) + bytes([128]) * (width * height // 2)

    async def call():
        door = kinglet("door", "--input", "tone:440", "--output", "none")
        flat = await Peer.join(server.url, room, "flat-1")
        command = [sys.executable, ROOT / "tests/examples/camera.py", server.url, path, str(width), str(height)]
        camera = subprocess.Popen(command, stdin=subprocess.PIPE)

        def feed():
            while camera.poll() is None:
                with contextlib.suppress(BrokenPipeError):
                    camera.stdin.write(picture)
                    camera.stdin.flush()
                time.sleep(1 / 15)

        feeding = asyncio.ensure_future(asyncio.to_thread(feed))
        await flat.wait_for("track_subscribed", "door-camera", timeout_s=40)
        [seen] = [track.track for track in flat.remote("door-camera").track_publications.values()]
        async for event in rtc.VideoStream(seen, format=rtc.VideoBufferType.I420):
            luma = np.frombuffer(event.frame.data, "u1")[: event.frame.width * event.frame.height]
            if abs(float(luma.mean()) - 180) < 10:
                break
        await asyncio.to_thread(door.wait_for, "track_published", kind="video")
        assert not door.events("track_subscribed") and door.process.poll() is None
        camera.kill()
        await feeding
        camera.wait()
        await asyncio.to_thread(door.leave)
        await flat.leave()

    run(asyncio.wait_for(call(), 90))


def test_doorbell(server, room, example, folder, run):
    heard = folder / "heard.wav"
    program = example("doorbell", "none", f"wav:{heard}")

    async def call():
        flat = await Peer.join(server.url, room, "flat-1")
        stranger = await Peer.join(server.url, room, "stranger")

        async def perform(peer, method):
            return await peer.room.local_participant.perform_rpc(
                destination_identity="doorbell", method=method, payload="", response_timeout=10
            )

        while not flat.remote("doorbell") or not stranger.remote("doorbell"):
            await asyncio.sleep(0.02)
        assert await perform(stranger, "ring") == "it rings"
        await asyncio.to_thread(wait_for_tone, Recording(heard), RINGING_HZ)
        with pytest.raises(rtc.RpcError) as refused:
            await perform(stranger, "open")
        assert refused.value.message == "not for you"
        assert await perform(flat, "open") == ""
        await flat.leave()
        await stranger.leave()

    run(asyncio.wait_for(call(), 60))
    program.terminate()
    said, _ = program.communicate(timeout=20)
    assert program.returncode == 0 and said.startswith("flat-1 opens the door\n"), said


def test_announce(server, room, example, folder, run):
    path = folder / "says.wav"
    write_wav(path, tone(900, 2))
    program = example("announce", path)

    async def call():
        flat = await Peer.join(server.url, room, "flat-1")
        await flat.hears_again("announce", 0)
        assert tone_levels(flat.sound_of("announce")[-9600:], [900])[900] > -20
        await flat.wait_for("participant_disconnected", "announce")
        await flat.leave()

    run(call())
    said, _ = program.communicate(timeout=20)
    assert (program.returncode, said) == (0, "said 2.0 s\n")


def test_record_room(server, room, example, folder, run):
    path = folder / "room.wav"

    async def call():
        flat = await Peer.join(server.url, room, "flat-1")
        flat.speak_on(tone(700, 5))
        program = example("record_room", path, "4")
        said, _ = await asyncio.to_thread(program.communicate, timeout=40)
        assert program.returncode == 0 and said.startswith("flat-1 is recorded\n"), said
        await flat.leave()

    run(call())
    samples = read_wav(path)
    assert len(samples) > 3 * 48_000 and tone_levels(samples[-48_000:], [700])[700] > -20
