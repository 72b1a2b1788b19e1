"""A box without sound and somebody with the official SDK, for tests of what they tell each other."""
import asyncio
import time

from peer import Peer

QUIET = ("--input", "none", "--output", "none")


async def meet(server, room, kinglet, *arguments):
    anna = await Peer.join(server.url, room, "anna")
    box = kinglet("box", *QUIET, *arguments)
    await asyncio.to_thread(box.wait_for, "connected")
    await anna.wait_for("participant_connected", "box")
    return anna, box


async def part(anna, box):
    await asyncio.to_thread(box.leave)
    await anna.leave()


async def until(condition, timeout_s=30):
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not happen in time")
