"""How long a join takes over a wire of 50 ms one way, until one hears and is heard: kinglet and the official Python SDK by
turns, in the same network. `tests/bench/join` prepares and runs it, in a network namespace of its own.

    talker (SDK) ─► server ─► wire.py: 50 ms each way ─► who joins, and back

kinglet is counted from the start of its process, the SDK from its `connect`: its import takes longer than a join.
"""
import asyncio
import os
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/live"))

from far import Far, near_server  # noqa: E402
from member import Member  # noqa: E402
from peer import Peer  # noqa: E402
from server import token  # noqa: E402
from sound import first_loud_ms, read_wav, tone, write_wav  # noqa: E402

FOLDER = ROOT / "target/bench/join"
BINARY = os.environ.get("KINGLET_BINARY", ROOT / "target/release/kinglet")
ONE_WAY_MS = 50
ROUND_TRIP_MS = 2 * ONE_WAY_MS
JOINS = 7
WHAT = ("connected", "is heard", "hears")


async def join(far, talker, name, command, began_with):
    """Milliseconds from the dial to each of WHAT."""
    wav = FOLDER / f"{name}.wav"
    wav.unlink(missing_ok=True)
    credentials = {"LIVEKIT_TOKEN": token("bench", name)}
    output = wav if began_with else f"wav:{wav}"
    member = Member([*far.prefix, *command, output], FOLDER / f"{name}.err", **credentials)
    try:
        _, connected = await asyncio.to_thread(member.wait_for, "connected")
        dialled = (await asyncio.to_thread(member.wait_for, began_with))[1] if began_with else 0
        await talker.hears_again(name, member.began)
        heard_at = min(at for at in talker.loud_at[name] if at > member.began)
        if began_with:
            _, hears = await asyncio.to_thread(member.wait_for, "first_sound")
            await asyncio.to_thread(member.end)
        else:
            await asyncio.sleep(1)
            await asyncio.to_thread(member.end)
            # Its record begins with `connected`.
            hears = connected + first_loud_ms(read_wav(wav)) / 1000
        return [1000 * (at - dialled) for at in (connected, heard_at - member.began, hears)]
    finally:
        member.kill()


async def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    spoken = FOLDER / "tone.wav"
    write_wav(spoken, tone(400, 1))
    far = Far()
    server, url = near_server(FOLDER)
    far.meet(delay_ms=ONE_WAY_MS)
    try:
        talker = await Peer.join(url, "bench", "talker")
        talker.speak_on(tone(700, 1))
        sdk = Path(__file__).with_name("sdk_peer.py")
        ours = [BINARY, "join", url, "--events", "json", "--loop", "--input", f"wav:{spoken}", "--output"]
        programs = {
            "kinglet": (ours, None),
            "sdk": ([sys.executable, "-u", sdk, url, spoken], "imported"),
        }
        times = {name: [] for name in programs}
        for number in range(JOINS):
            for name, (command, began_with) in programs.items():
                # Each is somebody else: of who was there before the last sound may still be heard.
                times[name].append(await join(far, talker, f"{name}-{number}", command, began_with))
        print(f"{ONE_WAY_MS} ms one way; medians and ranges of {JOINS} joins, in round trips of {ROUND_TRIP_MS} ms")
        print(f"{'':<12}" + "".join(f"{name:^26}" for name in programs))
        for index, what in enumerate(WHAT):
            row = f"{what:<12}"
            for name in programs:
                trips = [one[index] / ROUND_TRIP_MS for one in times[name]]
                row += f"{statistics.median(trips):>10.1f}  ({min(trips):.1f} – {max(trips):.1f})"
            print(row)
        await talker.leave()
    finally:
        server.stop()
        far.close()


if __name__ == "__main__":
    asyncio.run(main())
    # The SDK's threads may still be at work, and abort the process where the interpreter ends before them.
    sys.stdout.flush()
    os._exit(0)
