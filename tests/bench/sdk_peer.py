"""The official Python SDK doing what `kinglet join --input wav:… --loop --output wav:…` does, and no more.

    LIVEKIT_TOKEN=… sdk_peer.py URL INPUT.wav OUTPUT.wav

Events on stdout as kinglet's: imported, connected, first_sound. Ends at SIGTERM.
"""
import asyncio
import json
import os
import signal
import sys
import wave

from livekit import rtc

RATE = 48_000
FRAME = RATE // 100


def tell(event):
    print(json.dumps({"event": event}), flush=True)


async def speak(room, path):
    source = rtc.AudioSource(RATE, 1, queue_size_ms=100)
    track = rtc.LocalAudioTrack.create_audio_track("microphone", source)
    options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE, dtx=False, red=False)
    await room.local_participant.publish_track(track, options)
    with wave.open(path) as file:
        data = file.readframes(file.getnframes())
    while True:
        for start in range(0, len(data) - 2 * FRAME + 1, 2 * FRAME):
            await source.capture_frame(rtc.AudioFrame(data[start : start + 2 * FRAME], RATE, 1, FRAME))


async def hear(track, path):
    is_silent = True
    with wave.open(path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        async for event in rtc.AudioStream(track, sample_rate=RATE, num_channels=1):
            data = event.frame.data.tobytes()
            if is_silent and any(data):
                is_silent = False
                tell("first_sound")
            file.writeframesraw(data)


async def main(url, spoken, heard):
    tell("imported")
    room = rtc.Room()
    tasks = []

    def subscribed(track, *_):
        if track.kind == rtc.TrackKind.KIND_AUDIO:
            tasks.append(asyncio.ensure_future(hear(track, heard)))

    room.on("track_subscribed", subscribed)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await room.connect(url, os.environ["LIVEKIT_TOKEN"])
    tell("connected")
    tasks.append(asyncio.ensure_future(speak(room, spoken)))
    await ended.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await room.disconnect()
    # Its threads may still be at work, and abort the process where the interpreter ends before them.
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
