"""One server for all tests, kinglets that do not outlive theirs."""
import asyncio
import itertools
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from admin import Admin  # noqa: E402
from appliance import Appliance  # noqa: E402
from browser import Browser  # noqa: E402
from kinglet import Kinglet  # noqa: E402
from server import Server  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
_rooms = itertools.count(1)


@pytest.fixture(scope="session")
def output():
    folder = ROOT / "target/live"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def server(output):
    server = Server(output)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def browser(output, request):
    """A Chromium with the JavaScript SDK; each test begins with `browser.join(…)`."""
    browser = Browser(output / request.module.__name__)
    yield browser
    browser.stop()


@pytest.fixture
def room():
    return f"room-{next(_rooms)}"


@pytest.fixture
def admin(server, room):
    """The server's API, for the test's room."""
    return Admin(server.url, room)


@pytest.fixture
def folder(output, request):
    """The test's own, and empty: what an earlier run has left there is not taken for this one's sound."""
    folder = output / request.node.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def kinglet(server, room, folder):
    """Starts a kinglet in the test's room: kinglet(identity, *arguments); `grants` makes its token."""
    started = []

    def start(identity, *arguments, url=None, grants=None, prefix=()):
        url = url or server.url
        started.append(Kinglet(folder, url, room, identity, *arguments, grants=grants, prefix=prefix))
        return started[-1]

    yield start
    for one in started:
        one.kill()


@pytest.fixture
def box(server, room, folder):
    """Starts an appliance in the test's room: box(**options), as of `Appliance`."""
    started = []

    def start(**options):
        started.append(Appliance(folder, **{"url": server.url, "room": room, **options}))
        return started[-1]

    yield start
    for one in started:
        one.kill()


@pytest.fixture
def run():
    """Runs a coroutine to its end: the SDK wants an event loop, the tests stay plain functions."""
    return asyncio.run
