"""A call over a wire that is cut: over_a_wire.py FOLDER PASSES:SECONDS…

    caller (SDK) ─► server ─► wire.py ─► kinglet, and back

`tcp:20` lets nothing but TCP through for 20 s, `nothing:3` nothing at all for 3 s. For each cut one JSON line on stdout.
Runs in a namespace of its own (`far.py`).
"""
import asyncio
import json
import os
import sys
import time
from pathlib import Path

from far import Far, near_server
from kinglet import Kinglet
from peer import Peer
from sound import RATE, Recording, first_loud_ms, longest_silence, tone


async def main(folder, cuts):
    far = Far()
    server, url = near_server(folder)
    heard = Recording(folder / "heard.wav")
    box = Kinglet(folder, url, "wire", "box", "--input", "tone", "--output", f"wav:{heard.path}", prefix=far.prefix)
    try:
        peer = await Peer.join(url, "wire", "caller")
        peer.speak_on(tone(700, 1))
        await peer.hears_again("box", 0)
        await heard.hears_on(0)
        for passes, seconds in cuts:
            cut = time.monotonic()
            first, began = len(heard.samples()), len(box.events())
            far.meet(passes=passes)
            await asyncio.sleep(seconds)
            back, last = time.monotonic(), len(heard.samples())
            far.meet()
            # Both wait at the same time, for half a second of it.
            _, end = await asyncio.gather(peer.hears_again("box", back), heard.hears_on(last))
            times = [at for at in peer.loud_at["box"] if at > cut]
            figures = {
                "passes": passes,
                "seconds": seconds,
                "silence_up_ms": peer.longest_gap_ms("box", cut - 0.2),
                "silence_down_ms": longest_silence(heard.samples()[first - RATE // 5 : end]),
                "back_up_ms": 1000 * (min(at for at in times if at > back) - back),
                "back_down_ms": first_loud_ms(heard.samples()[last:]),
                "events": [event["event"] for event in box.events()[began:]],
            }
            print(json.dumps(figures), flush=True)
            await asyncio.sleep(2)
        box.leave()
        await peer.leave()
    except AssertionError as error:
        print(f"{error}\n{box.report()}", file=sys.stderr, flush=True)
        raise
    finally:
        box.kill()
        server.stop()
        far.close()


if __name__ == "__main__":
    arguments = [argument.split(":") for argument in sys.argv[2:]]
    asyncio.run(main(Path(sys.argv[1]), [(passes, int(seconds)) for passes, seconds in arguments]))
    # The SDK's threads may still be at work, and abort the process where the interpreter ends before them.
    sys.stdout.flush()
    os._exit(0)
