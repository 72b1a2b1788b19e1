"""A named agent of LiveKit's own framework, as its scaffold makes them: agent.py NAME. Says who called it, and leaves with them.

It runs in a Python of its own (`target/agents`), reads LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET, and prints a line
when it waits for jobs."""
import asyncio
import json
import sys

from livekit.agents import AgentServer, JobContext, JobExecutorType

# The server passes over a worker whose machine is busy, as one that runs tests is.
server = AgentServer(
    job_executor_type=JobExecutorType.THREAD, num_idle_processes=0, load_fnc=lambda: 0.0, host="127.0.0.1", port=0
)


@server.rtc_session(agent_name=sys.argv[1])
async def attend(ctx: JobContext):
    await ctx.connect()
    box = await ctx.wait_for_participant()
    facts = {"job": ctx.job.metadata, "metadata": box.metadata, "attributes": dict(box.attributes)}
    await ctx.room.local_participant.send_text(json.dumps(facts), topic="job")


server.on("worker_registered", lambda *_: print("waits", flush=True))
asyncio.run(server.run(devmode=True))
