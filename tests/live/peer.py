"""The other party: a participant made with the official Python SDK."""
import asyncio
import time

import numpy as np
from livekit import rtc

from admin import Announced
from server import token
from sound import RATE

FRAME = RATE // 100


class Peer:
    """Joins, speaks, records what it hears of each identity, and notes what it sees, with times."""

    def __init__(self, identity):
        self.identity = identity
        self.room = rtc.Room()
        self.seen = []
        self.heard = {}
        self.heard_since = {}
        # When each frame with sound in it was handed out, over all tracks of an identity.
        self.loud_at = {}
        self.tasks = []
        self.source = None
        self.publication = None

    @classmethod
    async def join(cls, url, room, identity, kind="standard", prepare=lambda room: None, grants=None):
        peer = cls(identity)
        peer.room.on("track_subscribed", peer._subscribed)
        for name in ("participant_connected", "participant_disconnected"):
            peer.room.on(name, lambda who, name=name: peer.note(name, who.identity))
        peer.room.on("track_published", lambda track, who: peer.note("track_published", who.identity, track))
        peer.room.on("track_muted", lambda who, track: peer.note("track_muted", who.identity))
        peer.room.on("track_unmuted", lambda who, track: peer.note("track_unmuted", who.identity))
        peer.room.on(
            "active_speakers_changed", lambda who: peer.note("speakers", sorted(one.identity for one in who))
        )
        peer.url, peer.room_name = url, room
        prepare(peer.room)
        await peer.room.connect(url, token(room, identity, kind=kind, **(grants or {})))
        return peer

    def note(self, name, *what):
        self.seen.append((time.monotonic(), name, *what))

    def named(self, name):
        return [entry for entry in self.seen if entry[1] == name]

    def times(self, name, identity):
        return [at for at, what, *rest in self.seen if what == name and rest and rest[0] == identity]

    async def wait_for(self, name, identity, timeout_s=20, after=0.0):
        deadline = time.monotonic() + timeout_s
        announced = Announced(self.url, self.room_name, identity if name == "participant_connected" else None)
        while time.monotonic() < deadline:
            await asyncio.to_thread(announced.again)
            times = [at for at in self.times(name, identity) if at > after]
            if times:
                return times[0]
            await asyncio.sleep(0.01)
        raise AssertionError(f"{self.identity}: no {name} of {identity}; saw {self.seen[-10:]}")

    async def speak(self, samples, repeat=False):
        """Publishes a microphone and says `samples` in real time; returns when the last is taken."""
        await self.publish()
        await self.say(samples, repeat)

    async def publish(self):
        self.source = rtc.AudioSource(RATE, 1, queue_size_ms=100)
        track = rtc.LocalAudioTrack.create_audio_track("voice", self.source)
        # Steady tones and pauses are to be heard as they are.
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE, dtx=False, red=True)
        self.publication = await self.room.local_participant.publish_track(track, options)

    async def say(self, samples, repeat=False):
        data = (np.clip(samples, -1, 1) * 32767).astype("<i2")
        while True:
            for start in range(0, len(data) - FRAME + 1, FRAME):
                frame = rtc.AudioFrame(data[start : start + FRAME].tobytes(), RATE, 1, FRAME)
                await self.source.capture_frame(frame)
            if not repeat:
                return

    def speak_on(self, samples):
        """Says `samples` again and again, beside whatever follows."""
        self.tasks.append(asyncio.ensure_future(self.speak(samples, repeat=True)))

    async def show(self, width=320, height=240):
        """Publishes a camera that shows changing grey, beside whatever follows."""
        source = rtc.VideoSource(width, height)
        track = rtc.LocalVideoTrack.create_video_track("camera", source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_CAMERA)
        await self.room.local_participant.publish_track(track, options)

        async def show_on():
            number = 0
            while True:
                grey = bytes([number % 256]) * (width * height * 4)
                source.capture_frame(rtc.VideoFrame(width, height, rtc.VideoBufferType.RGBA, grey))
                number += 7
                await asyncio.sleep(1 / 15)

        self.tasks.append(asyncio.ensure_future(show_on()))

    def sound_of(self, identity):
        """All that was heard of `identity` since its track was subscribed."""
        frames = self.heard.get(identity, [])
        data = np.concatenate(frames) if frames else np.zeros(0, "<i2")
        return data.astype(np.float32) / 32768

    def longest_gap_ms(self, identity, after=0.0):
        """Longest time without sound of `identity`, between the first after that time and the last."""
        times = np.array([at for at in self.loud_at.get(identity, []) if at >= after])
        return 1000 * float(np.diff(times).max()) if len(times) > 1 else float("nan")

    async def hears_again(self, identity, after, timeout_s=60):
        """Waits for half a second of sound of `identity` later than `after`."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if sum(at > after for at in self.loud_at.get(identity, [])) >= 50:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"{self.identity} does not hear {identity} again")

    def remote(self, identity):
        return self.room.remote_participants.get(identity)

    async def leave(self):
        for task in self.tasks:
            task.cancel()
        await self.room.disconnect()

    def _subscribed(self, track, publication, participant):
        self.note("track_subscribed", participant.identity, publication)
        if track.kind == rtc.TrackKind.KIND_AUDIO:
            self.tasks.append(asyncio.ensure_future(self._record(track, participant.identity)))

    async def _record(self, track, identity):
        frames = self.heard.setdefault(identity, [])
        async for event in rtc.AudioStream(track, sample_rate=RATE, num_channels=1):
            self.heard_since.setdefault(identity, time.monotonic())
            samples = np.frombuffer(event.frame.data, "<i2").copy()
            frames.append(samples)
            if np.abs(samples).max() > 655:
                self.loud_at.setdefault(identity, []).append(time.monotonic())
