"""A named agent of the official framework comes into a new room: called by kinglet's own token, and by a token endpoint that was
asked for it."""
import base64
import json
import os
import subprocess
from pathlib import Path

import pytest
from kinglet import BINARY, ENVIRONMENT
from meeting import QUIET
from server import KEY, SECRET
from token_service import SECRET_HEADER, TokenService

ROOT = Path(__file__).resolve().parents[2]
NAME = "concierge"
WORDS = ["--agent", NAME, "--job-metadata", '{"floor": 2}', "--attribute", "door=front", "--attribute", "note=a b=c"]
ATTRIBUTES = {"door": "front", "note": "a b=c"}


@pytest.fixture(scope="module")
def agent(server, output):
    """A worker that waits for jobs: it takes five seconds to start, and serves all tests."""
    environment = {**os.environ, "LIVEKIT_URL": server.url, "LIVEKIT_API_KEY": KEY, "LIVEKIT_API_SECRET": SECRET}
    command = [ROOT / "target/agents/bin/python", Path(__file__).with_name("agent.py"), NAME]
    log = output / "agent.log"
    worker = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log.open("w"), text=True)
    assert worker.stdout.readline() == "waits\n", log.read_text()
    yield worker
    worker.terminate()
    worker.wait(30)


def job_of(box):
    """What the agent in the box's room says of its job."""
    came = box.wait_for("text_stream", topic="job", timeout_s=30)
    # The server announces a participant without a track within three seconds.
    assert box.wait_for("participant_joined", identity=came["identity"])["kind"] == "agent"
    return json.loads(came["text"])


def test_our_own_token_calls_it(agent, kinglet):
    box = kinglet("box", *QUIET, *WORDS, "--metadata", "from the hall")
    assert job_of(box) == {"job": '{"floor": 2}', "metadata": "from the hall", "attributes": ATTRIBUTES}
    box.leave()


def test_a_token_endpoint_is_asked_for_it(agent, server, room, kinglet, folder):
    header_file = folder / "auth"
    header_file.write_text(f"Authorization: {SECRET_HEADER}\n")
    service = TokenService(server.url)
    who = ["--token-endpoint", service.url, "--token-header-file", header_file]
    box = kinglet("box", *QUIET, *who, *WORDS, "--metadata", "m")
    assert job_of(box) == {"job": '{"floor": 2}', "metadata": "m", "attributes": ATTRIBUTES}
    assert service.asked == [
        {
            "room_name": room,
            "participant_identity": "box",
            "participant_metadata": "m",
            "participant_attributes": ATTRIBUTES,
            "room_config": {"agents": [{"agent_name": NAME, "metadata": '{"floor": 2}'}]},
        }
    ]
    box.leave()
    service.stop()


def test_a_box_calls_it(agent, box):
    agent_table = f'[agent]\nname = "{NAME}"\nmetadata = "of the door"\nattributes = {{ door = "front" }}\n'
    door = box(call='join = "on-ring"', more=agent_table)
    door.ask("ring")
    job = json.loads(door.wait_for("text_stream", topic="job")["text"])
    assert job["job"] == "of the door" and job["attributes"]["door"] == "front"
    door.wait_for("participant_joined", kind="agent")
    door.stop()


def test_a_token_that_is_printed_holds_it(room):
    command = [BINARY, "token", "--room", room, "--identity", "box", *WORDS, "--deployment", "blue"]
    made = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=True).stdout.strip()
    claims = made.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    dispatch = {"agentName": NAME, "metadata": '{"floor": 2}', "deployment": "blue"}
    assert claims["roomConfig"] == {"agents": [dispatch]} and claims["attributes"] == ATTRIBUTES


def test_attributes_are_set_after_the_join_where_the_token_has_none(kinglet):
    """A token that was given, and allows it."""
    box = kinglet("box", *QUIET, "--attribute", "door=front", grants={"canUpdateOwnMetadata": True})
    box.wait_for("connected")
    box.wait_until(lambda: (box.ask("status").get("attributes") or {}).get("door") == "front")
    box.leave()

