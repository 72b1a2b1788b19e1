"""The faults that LiveKit's server plays when asked (`SimulateScenario`): kinglet is back, hears and is heard."""
import asyncio
import time

import pytest
from peer import Peer
from proxy import Proxy
from sound import Recording, longest_silence, tone

# The scenario, whether the signal connection must be cut to bring it about, and the event that ends it.
SCENARIOS = [
    ("speaker_update", False, None),
    ("node_failure", False, "reconnected"),
    ("migration", False, "reconnected"),
    ("server_leave", False, "reconnected"),
    # The subscriber's ICE is restarted with TCP candidates only: no loss, and nothing to come back from.
    ("switch_candidate_protocol_tcp", False, None),
    ("disconnect_signal_on_resume", True, "resumed"),
    ("disconnect_signal_on_resume_no_messages", True, "resumed"),
    # Server 1.13.5 knows the name only: nothing happens. `tests/sim/stories/many_cuts.rs` has such a leave.
    ("leave_request_full_reconnect", False, None),
]


@pytest.mark.parametrize("scenario, is_cut, ending", SCENARIOS, ids=[name for name, *_ in SCENARIOS])
def test_back_and_heard(server, room, kinglet, folder, run, scenario, is_cut, ending):
    heard = Recording(folder / "heard.wav")
    proxy = Proxy(server.port)
    logged = len(server.text())

    async def call():
        peer = await Peer.join(server.url, room, "caller")
        peer.speak_on(tone(700, 1))
        url = f"ws://127.0.0.1:{proxy.port}"
        box = kinglet("box", "--input", "tone", "--output", f"wav:{heard.path}", url=url)
        await peer.wait_for("track_subscribed", "box")
        await peer.hears_again("box", 0)
        before = await heard.hears_on(0)
        began = time.monotonic()
        box.tell(f"simulate {scenario}")
        done = await asyncio.to_thread(box.wait_for, "command_result")
        assert done["ok"], done
        if is_cut:
            await asyncio.sleep(0.3)
            proxy.cut()
        if ending:
            await asyncio.to_thread(box.wait_for, ending, 60)
        elif scenario.startswith("switch"):
            await wait_until(lambda: is_on_tcp(server.text()[logged:]))
        else:
            await asyncio.sleep(2)
        await peer.hears_again("box", time.monotonic())
        gap_up_ms = peer.longest_gap_ms("box", began - 0.5)
        # What is in the file is from before it was written.
        await heard.hears_on(len(heard.samples()) + 24_000)
        gap_down_ms = longest_silence(heard.samples()[before:])
        await asyncio.to_thread(box.leave)
        await peer.leave()
        return box, gap_up_ms, gap_down_ms

    try:
        box, gap_up_ms, gap_down_ms = run(call())
    finally:
        proxy.stop()
    print(f"{scenario}: gap heard by the other {gap_up_ms:.0f} ms, by kinglet {gap_down_ms} ms")
    assert len(box.events("connected")) == 1
    if ending is None:
        assert not box.events("reconnecting"), box.report()
    else:
        # `leave` is said on the way out, too: everything before it will be retried.
        assert all(event["will_retry"] for event in box.events("disconnected")[:-1])


def is_on_tcp(log):
    """Whether the server has a path by TCP to the box."""
    lines = (line for line in log.splitlines() if "selected ICE candidate pair changed" in line)
    return any('"participant": "box"' in line and '"localProtocol": "tcp"' in line for line in lines)


async def wait_until(is_so, timeout_s=30):
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, "it does not come about"
        await asyncio.sleep(0.05)
