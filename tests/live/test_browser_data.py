"""Messages between kinglet and the official JavaScript SDK: user data, chat, streams, calls."""
import hashlib
import time

import pytest

from meeting import QUIET


@pytest.fixture
def box(server, room, browser, kinglet):
    """A kinglet that says and hears nothing, in a room with the browser ("panel")."""
    browser.join(server.url, room, "panel")
    box = kinglet("door", *QUIET)
    box.wait_for("connected")
    browser.wait_for("participant_connected", identity="door")
    box.wait_for("participant_joined", identity="panel")
    yield box
    box.leave()


def test_user_data_both_ways(box, browser, kinglet):
    other = kinglet("hall", *QUIET)
    other.wait_for("connected")
    box.wait_for("participant_joined", identity="hall")
    browser.wait_for("participant_connected", identity="hall")
    for number in range(20):
        box.ask(f"data --topic count {number}")
    box.ask("data --topic secret --to hall not for the panel")
    box.ask("data --topic mine --to panel for the panel")
    browser.wait_for("data", topic="mine", text="for the panel", reliable=True)
    counted = [int(note["text"]) for note in browser.seen if note["seen"] == "data" and note["topic"] == "count"]
    assert counted == list(range(20)), "each once and in order"
    other.wait_for("data", topic="secret", identity="door")
    assert not [note for note in browser.seen if note.get("topic") == "secret"]

    publish = "await room.localParticipant.publishData(new TextEncoder().encode(argument[0]), argument[1])"
    for number in range(20):
        browser.run(publish, [str(number), {"reliable": True, "topic": "back"}])
    browser.run(publish, ["away", {"reliable": True, "topic": "other", "destinationIdentities": ["hall"]}])
    browser.run(publish, ["last", {"reliable": True, "topic": "end", "destinationIdentities": ["door"]}])
    box.wait_for("data", topic="end", text="last", identity="panel")
    other.wait_for("data", topic="other")
    back = [int(event["text"]) for event in box.events("data") if event["topic"] == "back"]
    assert back == list(range(20)) and all(event["reliable"] for event in box.events("data"))
    assert not [event for event in box.events("data") if event["topic"] == "other"]
    assert not [event for event in other.events("data") if event["topic"] == "end"]
    other.leave()


def test_lossy_data_both_ways(box, browser):
    # Lossy messages may be lost, so each is said until it is heard.
    box.ask("data --topic open x")
    browser.wait_for("data", topic="open")
    publish = "await room.localParticipant.publishData(new TextEncoder().encode('y'), argument)"
    for _ in range(20):
        box.ask("data --lossy --topic fast x")
        browser.run(publish, {"reliable": False, "topic": "fast"})
        time.sleep(0.05)
    browser.wait_for("data", topic="fast", text="x", reliable=False)
    box.wait_for("data", topic="fast", text="y", reliable=False)


def test_chat_both_ways(box, browser):
    browser.run("listen('lk.chat')")
    box.ask("chat Tür 1 ist offen")
    browser.wait_for("text", topic="lk.chat", text="Tür 1 ist offen", identity="door")
    browser.run("await room.localParticipant.sendChatMessage('danke')")
    box.wait_for("chat", text="danke", identity="panel")
    browser.run("await room.localParticipant.sendText('auch so', { topic: 'lk.chat' })")
    box.wait_for("chat", text="auch so", identity="panel")
    assert [event["text"] for event in box.events("chat")] == ["danke", "auch so"], "each once"


@pytest.mark.parametrize("length", [1, 15_000, 999_999])
def test_text_streams_both_ways(box, browser, folder, length):
    browser.run("listen('notes')")
    # Three bytes each: chunks end on whole characters.
    text = "€" * (length // 3) or "x"
    if length <= 15_000:
        box.ask(f"text --topic notes --to panel {text}")
    else:
        # Longer than a line: from a file.
        path = folder / "text"
        path.write_text(text)
        box.ask(f"text-file --topic notes --to panel {path}")
    browser.wait_for("text", topic="notes", text=text, identity="door")
    browser.run(
        "await room.localParticipant.sendText(argument, { topic: 'notes', attributes: { floor: '2' } })", text
    )
    last = box.wait_for("text_stream", topic="notes", identity="panel", last=True)
    pieces = [event for event in box.events("text_stream") if event["id"] == last["id"]]
    assert "".join(piece["text"] for piece in pieces) == text
    assert last["attributes"] == {"floor": "2"} and (length > 15_000 or len(pieces) == 1)


@pytest.mark.parametrize("length", [1, 15_000, 1_000_000])
def test_byte_streams_both_ways(server, room, browser, kinglet, folder, length):
    files = folder / "files"
    files.mkdir(exist_ok=True)
    content = bytes(number * 7 % 251 for number in range(length))
    sha256 = hashlib.sha256(content).hexdigest()
    path = folder / f"{length}.bin"
    path.write_bytes(content)
    browser.join(server.url, room, "panel")
    browser.run("listenToBytes('files')")
    box = kinglet("door", *QUIET, "--files", files)
    box.wait_for("participant_joined", identity="panel")
    browser.wait_for("participant_connected", identity="door")
    box.ask(f"file --topic files --to panel {path}")
    browser.wait_for("bytes", topic="files", length=length, sha256=sha256, name=path.name)
    browser.run(
        "const bytes = Uint8Array.from({ length: argument }, (_, number) => number * 7 % 251);"
        "await room.localParticipant.sendFile(new File([bytes], 'back.bin'), { topic: 'files' })",
        length,
    )
    got = box.wait_for("byte_stream", topic="files", identity="panel", bytes=length)
    assert hashlib.sha256(open(got["path"], "rb").read()).hexdigest() == sha256
    box.leave()


def test_calls_both_ways(server, room, browser, kinglet):
    browser.join(server.url, room, "panel")
    browser.run(
        "room.registerRpcMethod('greet', async (call) => `hello ${call.callerIdentity}: ${call.payload}`);"
        "room.registerRpcMethod('stuck', async () => { throw new LivekitClient.RpcError(123, 'the door is stuck') })"
    )
    box = kinglet("door", *QUIET, "--rpc", "echo=cat", "--rpc", "fail=false")
    box.wait_for("participant_joined", identity="panel")
    browser.wait_for("participant_connected", identity="door")
    assert box.ask("rpc panel greet Tür 1") == {"payload": "hello door: Tür 1"}
    for method, code in (("stuck", 123), ("unknown", 1400)):
        error = box.ask_refused(f"rpc panel {method}")
        assert error["code"] == "rpc" and error["message"].startswith(f"{code} "), error

    perform = (
        "try { return { payload: await room.localParticipant.performRpc({ destinationIdentity: 'door', ...argument }) } }"
        "catch (error) { return { code: error.code } }"
    )
    payload = "€" * 5000
    assert browser.run(perform, {"method": "echo", "payload": payload}) == {"payload": payload}
    assert browser.run(perform, {"method": "fail", "payload": ""}) == {"code": 1500}
    assert browser.run(perform, {"method": "unknown", "payload": ""}) == {"code": 1400}
    assert [event["method"] for event in box.events("rpc_invoked")] == ["echo", "fail"]
    box.leave()
