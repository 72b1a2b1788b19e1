"""Text and byte streams between kinglet and the official SDK: 1 B, 15 000 B, 1 MB, both ways."""
import asyncio
import hashlib
import random
import time

from meeting import QUIET, meet, part, until

SIZES = (1, 15_000, 1_000_000)


def content(size):
    return random.Random(size).randbytes(size)


def test_files_that_we_send(server, room, kinglet, folder, run):
    async def call():
        anna, box = await meet(server, room, kinglet)
        got = []

        def handle(reader, identity):
            async def read():
                got.append((identity, reader.info, b"".join([chunk async for chunk in reader])))

            anna.tasks.append(asyncio.ensure_future(read()))

        anna.room.register_byte_stream_handler("pictures", handle)
        for size in SIZES:
            path = folder / f"{size}.jpg"
            path.write_bytes(content(size))
            began = time.monotonic()
            line = f"file --topic pictures --to anna {path}"
            box.tell(line)
            result = await asyncio.to_thread(box.wait_for, "command_result", command=line)
            assert result["ok"] and result["result"]["bytes"] == size, result
            await until(lambda: len(got) and got[-1][1].name == f"{size}.jpg")
            identity, info, data = got[-1]
            print(f"{size} bytes in {time.monotonic() - began:.2f} s")
            assert identity == "box" and info.mime_type == "image/jpeg" and info.size == size
            assert data == content(size)
        box.tell(f"file {folder}/nothing")
        result = await asyncio.to_thread(box.wait_for, "command_result", command=f"file {folder}/nothing")
        assert not result["ok"] and "No such file" in result["error"]["message"]
        await part(anna, box)

    run(call())


def test_files_that_we_store(server, room, kinglet, folder, run):
    store = folder / f"store-{time.monotonic_ns()}"
    store.mkdir()

    async def call():
        anna, box = await meet(server, room, kinglet, "--files", store)
        for size in SIZES:
            writer = await anna.room.local_participant.stream_bytes(
                "../../a picture.jpg", total_size=size, mime_type="image/jpeg", topic="pictures",
                attributes={"floor": "2"},
            )
            await writer.write(content(size))
            await writer.aclose()
            event = await asyncio.to_thread(box.wait_for, "byte_stream", bytes=size)
            assert (event["identity"], event["topic"], event["mime_type"]) == ("anna", "pictures", "image/jpeg")
            assert event["attributes"] == {"floor": "2"}
            assert event["path"].startswith(str(store)) and ".." not in event["path"]
            stored = open(event["path"], "rb").read()
            assert hashlib.sha256(stored).digest() == hashlib.sha256(content(size)).digest()
        assert sorted(path.name for path in store.iterdir()) == ["a_picture-1.jpg", "a_picture-2.jpg", "a_picture.jpg"]
        # One that is given up leaves nothing behind.
        writer = await anna.room.local_participant.stream_bytes("half.bin", total_size=100_000)
        await writer.write(content(20_000))
        await anna.leave()
        await until(lambda: any("half.bin" in event["text"] for event in box.events("warning")))
        await until(lambda: len(list(store.iterdir())) == 3)
        await asyncio.to_thread(box.leave)

    run(call())


def test_without_a_folder_files_are_only_told(server, room, kinglet, run):
    async def call():
        anna, box = await meet(server, room, kinglet)
        writer = await anna.room.local_participant.stream_bytes("a.bin", total_size=30_000)
        await writer.write(content(30_000))
        await writer.aclose()
        event = await asyncio.to_thread(box.wait_for, "byte_stream", bytes=30_000)
        assert event["path"] is None and event["name"] == "a.bin"
        await part(anna, box)

    run(call())


def test_text_both_ways(server, room, kinglet, folder, run):
    async def call():
        anna, box = await meet(server, room, kinglet)
        got = []

        def handle(reader, identity):
            async def read():
                got.append(await reader.read_all())

            anna.tasks.append(asyncio.ensure_future(read()))

        anna.room.register_text_stream_handler("notes", handle)
        for text in ("x", "€" * 5000):
            box.tell(f"text --topic notes {text}")
            await until(lambda: text in got)
        # Longer text than a line holds comes from a file.
        path = folder / "text"
        for text in ("x", "€" * 5000, "€" * 333_333):
            path.write_text(text)
            got.clear()
            box.tell(f"text-file --topic notes {path}")
            await until(lambda: text in got)
        path.write_bytes("€".encode()[:2])
        refusal = await asyncio.to_thread(box.ask_refused, f"text-file {path}")
        assert "cut in two" in refusal["message"]
        for text in ("x", "€" * 5000, "€" * 333_333):
            writer = await anna.room.local_participant.stream_text(topic="notes", attributes={"lang": "de"})
            before = len(box.events("text_stream"))
            await writer.write(text)
            await writer.aclose()
            await until(lambda: any(event["last"] for event in box.events("text_stream")[before:]))
            pieces = box.events("text_stream")[before:]
            assert "".join(piece["text"] for piece in pieces) == text
            assert [piece["part"] for piece in pieces] == list(range(len(pieces)))
            assert all(len(piece["text"].encode()) < 100_000 for piece in pieces)
            assert all(piece["attributes"] == {"lang": "de"} for piece in pieces)
        assert len(pieces) > 10, "a long text comes in pieces"
        await part(anna, box)

    run(call())
