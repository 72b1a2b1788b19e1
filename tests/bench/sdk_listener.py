"""The official Python SDK as a listener: LIVEKIT_TOKEN=… sdk_listener.py URL

Each second one line on stdout with the totals of its jitter buffer (NetEQ) for the one talker it hears: seconds that
samples waited in all, samples that left, samples concealed while somebody spoke, samples played.
"""
import asyncio
import json
import os
import sys

from livekit import rtc


async def drain(track):
    # The buffer is only worked when somebody listens.
    async for _ in rtc.AudioStream(track, sample_rate=48_000, num_channels=1):
        pass


async def main(url):
    room, tracks = rtc.Room(), []

    def subscribed(track, *_):
        tracks.append((track, asyncio.ensure_future(drain(track))))

    room.on("track_subscribed", subscribed)
    await room.connect(url, os.environ["LIVEKIT_TOKEN"])
    while True:
        await asyncio.sleep(1)
        for track, _ in tracks:
            for stats in await track.get_stats():
                if stats.HasField("inbound_rtp"):
                    inbound = stats.inbound_rtp.inbound
                    line = {
                        "waited_s": inbound.jitter_buffer_delay,
                        "emitted": inbound.jitter_buffer_emitted_count,
                        "concealed": inbound.concealed_samples - inbound.silent_concealed_samples,
                        "played": inbound.total_samples_received,
                    }
                    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
