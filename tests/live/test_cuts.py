"""What is cut during a call, how long nothing is heard, and how soon sound is back.

The bounds are generous, for busy machines; the figures are printed, and exact ones come from the simulation
(`tests/sim/stories/cuts.rs`).
"""
import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kinglet import Kinglet
from peer import Peer
from proxy import Proxy
from server import Server
from sound import Recording, tone

HERE = Path(__file__).parent
PACKET_MS = 20
OWN_NETWORK = ["unshare", "--map-root-user", "--net"]


def test_a_cut_signal_connection_costs_the_way_up_nothing(server, room, kinglet, folder, run):
    heard = Recording(folder / "heard.wav")
    proxy = Proxy(server.port)
    cuts = 5

    async def call():
        peer = await Peer.join(server.url, room, "caller")
        peer.speak_on(tone(700, 1))
        url = f"ws://127.0.0.1:{proxy.port}"
        box = kinglet("box", "--input", "tone", "--output", f"wav:{heard.path}", "--stats", "1", url=url)
        await peer.hears_again("box", 0)
        await heard.hears_on(0)
        for cut in range(cuts):
            # Two `stats` without an event between them: what is lost later belongs to this cut.
            told = len(box.events("stats"))
            await asyncio.to_thread(box.wait_until, lambda: len(box.events("stats")) >= told + 2)
            proxy.cut()
            await asyncio.to_thread(box.wait_until, lambda: len(box.events("resumed")) > cut)
        told = len(box.events("stats"))
        await asyncio.to_thread(box.wait_until, lambda: len(box.events("stats")) >= told + 2)
        lost_up = await packets_lost(peer, "box")
        await asyncio.to_thread(box.leave)
        await peer.leave()
        return box, lost_up

    try:
        box, lost_up = run(call())
    finally:
        proxy.stop()
    lost_down = [sum(track["lost"] for track in stats["tracks"]) for stats in box.events("stats")]
    gaps = [event["gap_ms"] for event in box.events("resumed")]
    print(
        f"{cuts} cuts: resumed after {gaps} ms; packets of {PACKET_MS} ms lost on the way up {lost_up}, on the way down"
        f" {sum(lost_down)} in all, {PACKET_MS * max(lost_down)} ms at most in one cut"
    )
    assert lost_up == 0
    assert max(lost_down) * PACKET_MS <= 200 and not box.events("reconnected")


async def packets_lost(peer, identity):
    """What WebRTC counts as lost of the sound of `identity`."""
    [publication] = peer.remote(identity).track_publications.values()
    stats = await publication.track.get_stats()
    [inbound] = [one.inbound_rtp for one in stats if one.HasField("inbound_rtp")]
    assert inbound.received.packets_received > 100
    return inbound.received.packets_lost


def test_a_wire_that_is_cut(folder):
    """`tcp` stops UDP only: ICE goes over to TCP where that lasts. `nothing` is the network away."""
    if subprocess.run([*OWN_NETWORK, "true"], capture_output=True).returncode or not os.access("/dev/net/tun", os.R_OK):
        pytest.skip("this system gives nobody a network of his own")
    command = [*OWN_NETWORK, sys.executable, HERE / "over_a_wire.py", folder, "tcp:3", "tcp:20", "nothing:20"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    short, udp_away, all_away = [json.loads(line) for line in done.stdout.splitlines()]
    for figures in (short, udp_away, all_away):
        print(
            f"only {figures['passes']} passes for {figures['seconds']} s: silence on the way up {figures['silence_up_ms']:.0f} ms,"
            f" down {figures['silence_down_ms']} ms; back after {figures['back_up_ms']:.0f} and {figures['back_down_ms']} ms"
        )
        assert max(figures["back_up_ms"], figures["back_down_ms"]) < 10_000
        assert "disconnected" not in figures["events"] or figures is all_away
    assert "reconnecting" not in short["events"], "ICE bridges it"
    assert "resumed" in udp_away["events"] and "reconnected" not in udp_away["events"]
    assert max(udp_away["silence_up_ms"], udp_away["silence_down_ms"]) < 18_000, "by TCP, before UDP was back"


def test_a_server_that_is_killed_and_started_again(folder, room, run):
    """Two kinglets, since the SDK gives up sooner."""
    server = Server(folder)
    names = ("box", "hall")
    heard = [Recording(folder / f"heard-by-{name}.wav") for name in names]
    boxes = [
        Kinglet(folder, server.url, room, name, "--input", "tone", "--output", f"wav:{recording.path}")
        for name, recording in zip(names, heard)
    ]

    async def call():
        await asyncio.gather(*(recording.hears_on(0) for recording in heard))
        server.process.kill()
        server.process.wait()
        await asyncio.sleep(20)
        silent = [len(recording.samples()) for recording in heard]
        server.start()
        listens = time.monotonic()
        await asyncio.gather(*(recording.hears_on(since, 0.1) for recording, since in zip(heard, silent)))
        back_ms = 1000 * (time.monotonic() - listens)
        # The official SDK hears both, too: the rooms are whole.
        peer = await Peer.join(server.url, room, "caller")
        for name in names:
            await peer.hears_again(name, 0)
        await peer.leave()
        return back_ms

    try:
        back_ms = run(call())
        print(f"server away for 20 s: both hear each other {back_ms:.0f} ms after it listens again")
        for box in boxes:
            assert len(box.events("connected")) == len(box.events("reconnected")) == 1, box.report()
            assert all(event["will_retry"] for event in box.events("disconnected"))
            box.leave()
    finally:
        for box in boxes:
            box.kill()
        server.stop()
    assert back_ms < 15_000
