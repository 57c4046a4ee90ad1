"""The carrier's own Python client, driving the fake. Arguments: base URL, account, token.

Prints one line for each check and ends with a non-zero status at the first that fails.
"""

import sys
import time

from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

base, account, token = sys.argv[1:4]


class Local(TwilioHttpClient):
    """Sends everything to the fake instead of the carrier."""

    def request(self, method, url, *args, **kwargs):
        return super().request(method, url.replace("https://api.twilio.com", base), *args, **kwargs)


client = Client(account, token, http_client=Local())
TO, FROM = "+14155552671", "+14155550100"
HOLD = "<Response><Pause length='120'/></Response>"


def check(name, good):
    print(("ok   " if good else "FAIL ") + name)
    if not good:
        sys.exit(1)


def refused(code, act):
    try:
        act()
    except TwilioRestException as e:
        return e.code == code
    return False


def wait_for(is_so):
    for _ in range(200):
        if is_so():
            return True
        time.sleep(0.02)
    return False


call = client.calls.create(
    to=TO,
    from_=FROM,
    twiml=HOLD,
    timeout=20,
    status_callback="http://127.0.0.1:9/status",
    status_callback_event=["initiated", "ringing", "answered", "completed"],
    machine_detection="DetectMessageEnd",
    async_amd="true",
    async_amd_status_callback="http://127.0.0.1:9/amd",
)
check("create answers a queued call", call.status == "queued" and call.sid.startswith("CA"))
check("dates are read", call.date_created is not None and call.direction == "outbound-api")
check("the call comes to be in progress", wait_for(lambda: client.calls(call.sid).fetch().status == "in-progress"))
check("events show the request", client.calls(call.sid).events.list()[0].request["parameters"]["to"] == TO)
check("update redirects", client.calls(call.sid).update(twiml=HOLD).sid == call.sid)
recording = client.calls(call.sid).recordings.create()
check("a recording starts", recording.status == "in-progress")
paused = client.calls(call.sid).recordings("Twilio.CURRENT").update(status="paused")
check("a recording pauses", paused.status == "paused")
check("update ends", client.calls(call.sid).update(status="completed").status == "completed")
check("ending twice is 21220", wait_for(lambda: refused(21220, lambda: client.calls(call.sid).update(status="completed"))))
check("recordings list", len(client.recordings.list(call_sid=call.sid)) == 1)
check("a recording is deleted", client.recordings(recording.sid).delete())

for _ in range(7):
    client.calls.create(to="+14155550140", from_=FROM, twiml=HOLD)
pages = list(client.calls.stream(to="+14155550140", page_size=3))
check("list follows pages", len(pages) == 7 and len({c.sid for c in pages}) == 7)
check("list filters", all(c.to == "+14155550140" for c in pages) and client.calls.list(to="+19995550000") == [])

check("bad number is 21211", refused(21211, lambda: client.calls.create(to="nobody", from_=FROM, twiml=HOLD)))
check("bad caller id is 21212", refused(21212, lambda: client.calls.create(to=TO, from_="me", twiml=HOLD)))
check("unknown call is 20404", refused(20404, lambda: client.calls("CA" + "0" * 32).fetch()))
stranger = Client(account, "wrong", http_client=Local())
check("bad token is 20003", refused(20003, lambda: stranger.calls("CA" + "0" * 32).fetch()))

room = client.conferences("room")
first = room.participants.create(to=TO, from_=FROM, label="a", end_conference_on_exit=True)
check("a participant is queued", first.status == "queued")
room.participants.create(to=TO, from_=FROM, label="b")
check("it begins with the second", wait_for(lambda: client.conferences.list(friendly_name="room", status="in-progress")))
check("both are in", len(room.participants.list()) == 2)
check("a label is taken once", refused(16025, lambda: room.participants.create(to=TO, from_=FROM, label="a")))
found = client.conferences.list(friendly_name="room", status="in-progress")
check("the conference is listed", len(found) == 1)
held = client.conferences(found[0].sid).participants("a").update(hold=True)
check("hold holds one", held.hold and not client.conferences(found[0].sid).participants("b").fetch().hold)
check("a participant is removed", client.conferences(found[0].sid).participants("b").delete())
over = client.conferences(found[0].sid).update(status="completed")
check("a conference is ended", over.status == "completed" and over.reason_conference_ended == "conference-ended-via-api")
