"""A proxy, captive portal or firewall answers in the server's place: a call goes on, and the message names the one that answers."""
import asyncio
import subprocess
import time

from kinglet import BINARY, ENVIRONMENT
from middle import Middle
from peer import Peer
from portal import PAGES, other_websocket, page
from proxy import Proxy
from server import token
from token_service import SECRET_HEADER, TokenService


def test_a_call_goes_on_whatever_answers_in_the_servers_place(server, room, kinglet, run):
    """With a token that cannot be had anew: what would be taken for its refusal would end the program. Four boxes at a time, of two
    answers each."""
    answers = [(name, page(*parts)) for name, *parts, _ in PAGES] + [("websocket", other_websocket)]

    async def call(peer, identity, proxy, answers):
        box = kinglet(identity, "--input", "tone", "--output", "none", url=f"ws://127.0.0.1:{proxy.port}", grants={})
        await peer.wait_for("track_subscribed", identity)
        await asyncio.sleep(1)
        before = len(peer.sound_of(identity))
        for count, (name, answer) in enumerate(answers, 1):
            # A session that was resumed less than a second before is another story.
            await asyncio.sleep(1.1)
            met = proxy.answered
            proxy.answer_itself(answer)
            await asyncio.sleep(0.4)
            proxy.answer_itself(None)
            assert proxy.answered > met, f"{name}: {box.report()}"
            deadline = time.monotonic() + 10
            while len(box.events("resumed")) < count and time.monotonic() < deadline:
                await asyncio.sleep(0.02)
            assert len(box.events("resumed")) == count, f"{name}: {box.report()}"
        heard = peer.sound_of(identity)[before:]
        await asyncio.to_thread(box.leave)
        return box, heard

    async def calls():
        peer = await Peer.join(server.url, room, "caller")
        each = [call(peer, f"box-{at}", proxies[at], answers[2 * at : 2 * at + 2]) for at in range(len(proxies))]
        done = await asyncio.gather(*each)
        await peer.leave()
        return done

    proxies = [Proxy(server.port) for _ in range(len(answers) // 2)]
    try:
        done = run(calls())
    finally:
        for proxy in proxies:
            proxy.stop()
    count = silent = 0
    for box, heard in done:
        blocks = heard[: len(heard) // 4800 * 4800].reshape(-1, 4800)
        count += len(blocks)
        silent += sum(abs(block).max() < 0.01 for block in blocks)
        gaps = [event["gap_ms"] for event in box.events("resumed")]
        print(f"{silent} of {count} blocks of 100 ms silent so far; gaps {gaps} ms")
        assert len(box.events("reconnecting")) == len(gaps) == 2
        assert not box.events("reconnected") and [event["reason"] for event in box.events("disconnected")] == ["CLIENT_INITIATED"]
    assert count > 80 and silent <= 2


def test_at_the_first_join_it_is_named(room):
    secret = token(room, "box")
    for name, *parts, words in PAGES:
        answer = page(*parts)
        middle = Middle(lambda head: answer(head)[0])
        command = [BINARY, "join", middle.url, "--token", secret, "--input", "none", "--output", "none"]
        done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=20)
        middle.stop()
        print(f"{name}: {done.returncode}: {done.stderr.strip()}")
        assert done.returncode == 5 and words in done.stderr and done.stderr.count("\n") == 1, (name, done)
        assert "token" not in done.stderr and "x=1" not in done.stderr, (name, done)


def test_a_portal_is_waited_for(server, room, folder):
    """It answers for the server and for the token endpoint, until somebody logs in."""
    tokens = TokenService(server.url)
    proxies = [Proxy(server.port), Proxy(tokens.http.server_port)]
    header_file = folder / "auth"
    header_file.write_text(f"Authorization: {SECRET_HEADER}\n")
    _, *parts, _ = PAGES[-1]
    for proxy in proxies:
        proxy.answer_itself(page(*parts))
    url, endpoint = f"ws://127.0.0.1:{proxies[0].port}", f"http://127.0.0.1:{proxies[1].port}/token"
    sound = ["--input", "none", "--output", "none", "--duration", "1", "--retry", "forever", "--events", "json"]
    asks = ["--room", room, "--token-endpoint", endpoint, "--token-header-file", str(header_file), "--identity"]
    ways = [[url, *asks, "knows"], [*asks, "asks"], [url, "--token", token(room, "has")]]
    boxes = [
        subprocess.Popen([BINARY, "join", *way, *sound], env={"PATH": "/usr/bin"}, stdout=subprocess.PIPE, text=True)
        for way in ways
    ]
    try:
        time.sleep(2)
        assert [box.poll() for box in boxes] == [None, None, None]
        for proxy in proxies:
            proxy.answer_itself(None)
        for box in boxes:
            said, _ = box.communicate(timeout=30)
            assert box.returncode == 0 and '"event":"connected"' in said and "captive portal" in said, said
            assert SECRET_HEADER not in said
    finally:
        for box in boxes:
            box.kill()
        for each in (*proxies, tokens):
            each.stop()
