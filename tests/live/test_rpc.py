"""Calls between kinglet and the official SDK, both ways, with every error that can be caused."""
import asyncio
import sys

import pytest
from livekit import rtc

from meeting import QUIET, meet, part


def test_a_command_answers_calls(server, room, kinglet, folder, run):
    count = folder / "count"
    count.write_text("")
    script = folder / "method.py"
    script.write_text(
        "import os, sys, time\n"
        "what = sys.argv[1]\n"
        f"open({str(count)!r}, 'a').write(what + '\\n')\n"
        "payload = sys.stdin.read()\n"
        "if what == 'echo': print(os.environ['KINGLET_RPC_CALLER'] + ' ' + os.environ['KINGLET_RPC_METHOD'] + ' ' + payload, end='')\n"
        "if what == 'fail': sys.exit(3)\n"
        "if what == 'large': print('x' * 20000)\n"
        "if what == 'slow': time.sleep(30)\n"
    )
    methods = [f"--rpc={what}={sys.executable} {script} {what}" for what in ("echo", "fail", "large", "slow")]

    async def call():
        anna, box = await meet(server, room, kinglet, *methods)
        me = anna.room.local_participant

        async def perform(method, payload="", timeout=None):
            return await me.perform_rpc(
                destination_identity="box", method=method, payload=payload, response_timeout=timeout
            )

        async def code_of(*arguments, **more):
            with pytest.raises(rtc.RpcError) as failed:
                await perform(*arguments, **more)
            return failed.value.code

        assert await perform("echo", "Tür 1") == "anna echo Tür 1"
        payload = "€" * 5000
        assert await perform("echo", payload) == f"anna echo {payload}"
        answers = await asyncio.gather(*(perform("echo", f"{number}") for number in range(10)))
        assert answers == [f"anna echo {number}" for number in range(10)]
        assert await code_of("unknown") == 1400
        assert await code_of("fail") == 1500
        assert await code_of("large") == 1504
        assert await code_of("slow", timeout=9) == 1502
        carried_out = count.read_text().split()
        assert carried_out.count("echo") == 12 and carried_out.count("slow") == 1, "each call once"
        assert any("status 3" in event["text"] for event in box.events("warning"))
        await part(anna, box)

    run(call())


def test_calls_of_the_official_sdk(server, room, kinglet, run):
    async def call():
        anna, box = await meet(server, room, kinglet)
        me = anna.room.local_participant

        @me.register_rpc_method("greet")
        async def greet(data: rtc.RpcInvocationData):
            return f"hello {data.caller_identity}: {data.payload}"

        @me.register_rpc_method("own-error")
        async def own_error(data):
            raise rtc.RpcError(123, "the door is stuck", "more")

        @me.register_rpc_method("broken")
        async def broken(data):
            raise ValueError("unforeseen")

        @me.register_rpc_method("large")
        async def large(data):
            return "x" * 15_361

        @me.register_rpc_method("slow")
        async def slow(data):
            await asyncio.sleep(60)

        def answer(line, timeout_s=20):
            box.tell(line)
            return box.wait_for("command_result", command=line, timeout_s=timeout_s)

        done = await asyncio.to_thread(answer, "rpc anna greet Tür 1")
        assert done["result"] == {"payload": "hello box: Tür 1"}
        event = box.events("rpc_answered")[-1]
        assert (event["identity"], event["method"], event["payload"]) == ("anna", "greet", "hello box: Tür 1")
        expected = {
            "rpc anna unknown": 1400,
            "rpc nobody greet": 1401,
            "rpc anna greet " + "x" * 15_361: 1402,
            "rpc anna own-error": 123,
            "rpc anna broken": 1500,
            "rpc anna large": 1504,
        }
        for line, code in expected.items():
            failed = await asyncio.to_thread(answer, line)
            assert not failed["ok"] and failed["error"]["code"] == "rpc"
            assert failed["error"]["message"].startswith(f"{code} "), failed["error"]
            assert box.events("rpc_answered")[-1]["code"] == code
        assert "stuck" in [event for event in box.events("rpc_answered") if event.get("code") == 123][0]["message"]
        failed = await asyncio.to_thread(answer, "rpc anna slow")
        assert failed["error"]["message"].startswith("1502 ")

        # Who leaves while we wait.
        box.tell("rpc anna slow again")
        await asyncio.sleep(0.5)
        await anna.leave()
        failed = await asyncio.to_thread(box.wait_for, "command_result", command="rpc anna slow again")
        assert failed["error"]["message"].startswith("1503 ")
        await asyncio.to_thread(box.leave)

    run(call())


def test_kinglets_call_each_other(room, kinglet):
    door = kinglet("door", *QUIET, "--rpc", "open=cat")
    hall = kinglet("hall", *QUIET)
    hall.wait_for("participant_joined", identity="door")
    door.wait_for("participant_joined", identity="hall")
    for number in range(40):
        hall.tell(f"rpc door open {number}")
        result = hall.wait_for("command_result", command=f"rpc door open {number}")
        assert result["result"] == {"payload": f"{number}"}
    assert len(door.events("rpc_invoked")) == 40
    hall.leave()
    door.leave()
