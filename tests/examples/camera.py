"""A camera beside kinglet, as a participant of its own: pictures from a pipe into the room, by the official Python SDK.

    rpicam-vid -t 0 -n --codec yuv420 --width 640 --height 480 --framerate 15 -o - |
        python3 camera.py wss://intercom.example.com /etc/kinglet/camera-token 640 480

Pictures are I420, one after the other: other cameras give them by `ffmpeg -f v4l2 -i /dev/video0 -f rawvideo -pix_fmt yuv420p -`.
"""
import asyncio
import sys
from pathlib import Path

from livekit import rtc


async def main(url, token_file, width, height):
    room = rtc.Room()
    await room.connect(url, Path(token_file).read_text().strip(), rtc.RoomOptions(auto_subscribe=False))
    source = rtc.VideoSource(width, height)
    track = rtc.LocalVideoTrack.create_video_track("camera", source)
    await room.local_participant.publish_track(track, rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_CAMERA))
    size = width * height * 3 // 2
    while len(picture := await asyncio.to_thread(sys.stdin.buffer.read, size)) == size:
        source.capture_frame(rtc.VideoFrame(width, height, rtc.VideoBufferType.I420, picture))
    await room.disconnect()


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
