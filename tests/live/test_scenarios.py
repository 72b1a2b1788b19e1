"""The faults that LiveKit's server plays when asked (`SimulateScenario`): kinglet is back, hears and is heard."""
import asyncio
import time

import pytest
from peer import Peer
from proxy import Proxy
from sound import longest_silence, read_wav, tone

# The scenario, whether the signal connection must be cut to bring it about, and the event that ends it.
SCENARIOS = [
    ("speaker_update", False, None),
    ("node_failure", False, "reconnected"),
    ("server_leave", False, "reconnected"),
    # Server 1.13.5 knows the name only: nothing happens. `tests/sim/stories/many_cuts.rs` has such a leave.
    ("leave_request_full_reconnect", False, None),
    ("disconnect_signal_on_resume", True, "resumed"),
    ("disconnect_signal_on_resume_no_messages", True, "resumed"),
]


@pytest.mark.parametrize("scenario, is_cut, ending", SCENARIOS, ids=[name for name, *_ in SCENARIOS])
def test_back_and_heard(server, room, kinglet, folder, run, scenario, is_cut, ending):
    wav = folder / "heard.wav"
    proxy = Proxy(server.port)

    async def call():
        peer = await Peer.join(server.url, room, "caller")
        peer.speak_on(tone(700, 1))
        url = f"ws://127.0.0.1:{proxy.port}"
        box = kinglet("box", "--input", "tone", "--output", f"wav:{wav}", url=url)
        await peer.wait_for("track_subscribed", "box")
        await peer.hears_again("box", 0)
        began = time.monotonic()
        box.tell(f"simulate {scenario}")
        done = await asyncio.to_thread(box.wait_for, "command_result")
        assert done["ok"], done
        if is_cut:
            await asyncio.sleep(0.3)
            proxy.cut()
        if ending:
            await asyncio.to_thread(box.wait_for, ending, 60)
        else:
            await asyncio.sleep(2)
        await peer.hears_again("box", time.monotonic())
        gap_up_ms = peer.longest_gap_ms("box", began - 0.5)
        # The other way: half a second of it is in the file, too.
        await asyncio.sleep(1)
        await asyncio.to_thread(box.leave)
        await peer.leave()
        return box, gap_up_ms

    try:
        box, gap_up_ms = run(call())
    finally:
        proxy.stop()
    heard = read_wav(wav)
    print(f"{scenario}: gap heard by the other {gap_up_ms:.0f} ms, by kinglet {longest_silence(heard)} ms")
    assert len(box.events("connected")) == 1
    assert longest_silence(heard[-48_000:]) == 0, "the end of the file is sound without a hole"
    if ending is None:
        assert not box.events("reconnecting"), box.report()
    else:
        # `leave` is said on the way out, too: everything before it will be retried.
        assert all(event["will_retry"] for event in box.events("disconnected")[:-1])
