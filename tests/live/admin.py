"""The server's API for moderators (RoomService, twirp: JSON over HTTP)."""
import contextlib
import json
import time
import urllib.error
import urllib.request

from server import token


class Refused(Exception):
    """The server's word of error: `code`."""


class Admin:
    def __init__(self, url, room):
        self.url = url.replace("ws:", "http:") + "/twirp/livekit.RoomService/"
        self.room = room

    def ask(self, method, **members):
        """The answer, as JSON; the room is filled in."""
        grants = {"roomAdmin": True, "roomCreate": True, "roomList": True, "destinationRoom": members.get("destination_room", "")}
        request = urllib.request.Request(
            self.url + method,
            data=json.dumps({"room": self.room, **members}).encode(),
            headers={
                "Authorization": f"Bearer {token(self.room, 'admin', **grants)}",
                "Content-Type": "application/json",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise Refused(json.load(error).get("code")) from None

    def mute(self, identity, sid, muted=True):
        return self.ask("MutePublishedTrack", identity=identity, track_sid=sid, muted=muted)

    def is_muted(self, identity, sid):
        who = self.ask("GetParticipant", identity=identity)
        return next(track.get("muted", False) for track in who["tracks"] if track["sid"] == sid)

    def update(self, identity, **members):
        return self.ask("UpdateParticipant", identity=identity, **members)

    def announce(self, identity):
        """Makes the server announce a participant without a track at once, instead of with its next round, of which there is one
        each three seconds. An attribute that nobody has is deleted: nothing else is sent."""
        with contextlib.suppress(Refused, OSError, ValueError):
            self.update(identity, attributes={"nobody-has-it": ""})

    def allow(self, identity, publish=True, subscribe=True, data=True, **members):
        permission = {"can_publish": publish, "can_subscribe": subscribe, "can_publish_data": data, **members}
        return self.update(identity, permission=permission)


class Announced:
    """For who waits until others have seen `identity`: announces it again and again, as often as `again` is called, but not more
    than five times a second. Without an identity it does nothing."""

    def __init__(self, url, room, identity):
        self.admin, self.identity, self.next_at = Admin(url, room), identity, 0

    def again(self):
        if self.identity and time.monotonic() >= self.next_at:
            self.admin.announce(self.identity)
            self.next_at = time.monotonic() + 0.2
