"""Twilio's own Python library against the sandbox, unchanged but for the address that it calls.

What the library sends and what it makes of the answers is the measure of the emulator: a field that it cannot read, a
page that it cannot follow or a signature that it rejects shows here and in no test of ours. It starts the sandbox and
the server that gets the callbacks, and prints one line for each check. It does not test the library, nor Trunkline.
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, quote

# A proxy or a region of whoever runs this has no say in where the calls go.
for name in ("TWILIO_EDGE", "TWILIO_REGION", "HTTP_PROXY", "http_proxy"):
    os.environ.pop(name, None)
os.environ["NO_PROXY"] = "127.0.0.1"

from twilio.base.exceptions import TwilioRestException  # noqa: E402
from twilio.request_validator import RequestValidator  # noqa: E402
from twilio.rest import Client  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
BINARY = os.environ.get("TRUNKLINE_BIN", str(ROOT / "target" / "debug" / "trunkline"))
PHONE = "+14155550123"
MANY = "+14155550150"
PATIENCE = 15.0

failures = []


def check(name, ok, detail=""):
    """Notes one check, and says what came of it."""
    print(f"ok   {name}" if ok else f"FAIL {name} {detail}", flush=True)
    if not ok:
        failures.append(name)


def wait_for(what, condition):
    """Looks again until a condition holds, and gives what it came to; nothing if it never does."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    check(what, False, f"not within {PATIENCE} s")
    return None


def refused(name, code, status, call):
    """A call that the library must turn into its own exception."""
    try:
        call()
    except TwilioRestException as problem:
        check(name, (problem.code, problem.status) == (code, status), f"{problem.status} {problem.code}: {problem.msg}")
    else:
        check(name, False, "it was accepted")


class Callbacks(BaseHTTPRequestHandler):
    """Keeps every webhook as it came: its URL, its signature and its form."""

    protocol_version = "HTTP/1.1"
    received = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        url = f"http://127.0.0.1:{self.server.server_port}{self.path}"
        form = dict(parse_qsl(body, keep_blank_values=True))
        Callbacks.received.append((url, self.headers.get("x-twilio-signature", ""), form))
        self.send_response(204)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Says nothing: the checks do."""


def control(base, method, path, body):
    """One call of the sandbox's own controls."""
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(f"{base}{path}", data, {"content-type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def callbacks_of(sid, least):
    """The status callbacks of one text, once there are so many."""
    found = [hook for hook in Callbacks.received if hook[2].get("MessageSid") == sid and "MessageStatus" in hook[2]]
    return found if len(found) >= least else None


def delivered(client, sid):
    """A text, once it is delivered."""
    text = client.messages(sid).fetch()
    return text if text.status == "delivered" else None


def sending(client, credentials, base, hooks):
    """Texts by sender and by service, and what becomes of them."""
    sender, service = credentials["senders"][0], credentials["messaging_service"]
    text = client.messages.create(to=PHONE, from_=sender, body="Hello", status_callback=f"{hooks}/status?order=17%2Fb")
    check("a text is taken", re.fullmatch(r"SM[0-9a-f]{32}", text.sid) and text.status == "queued" and text.from_ == sender, f"{text.sid} {text.status}")
    check("its fields are read", text.num_segments == "1" and text.direction == "outbound-api" and text.date_created.tzinfo is not None and text.error_code is None)
    done = wait_for("a text is delivered", lambda: delivered(client, text.sid))
    check("fetching shows what became of it", bool(done and done.date_sent and done.to == PHONE))
    seen = wait_for("callbacks come", lambda: callbacks_of(text.sid, 2)) or []
    check("callbacks tell the statuses", sorted(form["MessageStatus"] for _, _, form in seen) == ["delivered", "sent"], str(seen))
    validator = RequestValidator(credentials["auth_token"])
    check("the library accepts their signatures", bool(seen) and all(validator.validate(url, form, signature) for url, signature, form in seen))
    check("and rejects a changed one", bool(seen) and not any(validator.validate(url, {**form, "MessageStatus": "failed"}, signature) for url, signature, form in seen))

    pooled = client.messages.create(to=PHONE, messaging_service_sid=service, body="From the pool")
    check("a service takes a text without a sender", pooled.from_ is None and pooled.status == "accepted" and pooled.messaging_service_sid == service, f"{pooled.from_} {pooled.status}")
    sent = wait_for("a pooled text is delivered", lambda: delivered(client, pooled.sid))
    check("and names it once it is sent", bool(sent) and sent.from_ == sender)

    for to, code in [("+15005550001", 21211), ("+15005550002", 21612), ("+15005550003", 21408), ("+15005550004", 21610), ("+15005550009", 21614)]:
        refused(f"recipient {to} is refused", code, 400, lambda to=to: client.messages.create(to=to, from_=sender, body="Hi"))
    for from_, code in [("+15005550001", 21212), ("+15005550007", 21606), ("+15005550008", 21611), ("+14155550999", 21606)]:
        refused(f"sender {from_} is refused", code, 400, lambda from_=from_: client.messages.create(to=PHONE, from_=from_, body="Hi"))
    refused("media is refused", 21620, 400, lambda: client.messages.create(to=PHONE, from_=sender, body="Hi", media_url=["https://t.example/cat.png"]))
    refused("a missing body is refused", 21602, 400, lambda: client.messages.create(to=PHONE, from_=sender))
    stranger = Client(credentials["account_sid"], "not the token")
    stranger.api.base_url = base
    refused("a wrong token is refused", 20003, 401, lambda: stranger.messages.create(to=PHONE, from_=sender, body="Hi"))


def listing(client, credentials):
    """Filters, limits, and pages that the library follows by itself."""
    sender = credentials["senders"][0]
    made = [client.messages.create(to=MANY, from_=sender, body=f"Number {n}").sid for n in range(120)]
    wait_for("the last text is sent", lambda: client.messages(made[-1]).fetch().date_sent)
    found = client.messages.list(to=MANY)
    check("all pages are followed, newest first", [text.sid for text in found] == made[::-1], f"{len(found)} of {len(made)}")
    check("a small page size finds the same", len(client.messages.list(to=MANY, page_size=7)) == 120)
    check("a limit is kept", [text.sid for text in client.messages.list(to=MANY, limit=7)] == made[:-8:-1])
    check("more than a page holds can be asked for", len(client.messages.list(to=MANY, limit=5000)) == 120)
    check("both numbers filter", len(client.messages.list(to=MANY, from_=sender)) == 120 and client.messages.list(to=MANY, from_=PHONE) == [])
    day = timedelta(days=1)
    now = datetime.now(timezone.utc)
    check("days filter", len(client.messages.list(to=MANY, date_sent_after=now - day, date_sent_before=now + day)) == 120)
    check("a day without texts is empty", client.messages.list(to=MANY, date_sent=now - 3 * day) == [] and client.messages.list(to=MANY, date_sent_after=now + 2 * day) == [])
    page = client.messages.page(to=MANY, page_size=50).next_page()
    check("a page leads back", [text.sid for text in page.previous_page()] == made[:-51:-1])
    refused("an unknown text is not found", 20404, 404, lambda: client.messages("SM" + "0" * 32).fetch())


def changing(client, credentials, hooks):
    """Scheduling, cancelling, redacting, deleting."""
    sender, service = credentials["senders"][0], credentials["messaging_service"]

    def schedule(minutes, **more):
        at = datetime.now(timezone.utc) + timedelta(minutes=minutes)
        return client.messages.create(to=PHONE, body="Later", schedule_type="fixed", send_at=at, status_callback=f"{hooks}/status", **more)

    text = schedule(10, messaging_service_sid=service)
    check("a text is scheduled", text.status == "scheduled" and text.date_sent is None, text.status)
    refused("too soon is refused", 35114, 400, lambda: schedule(1, messaging_service_sid=service))
    refused("too late is refused", 35114, 400, lambda: schedule(36 * 24 * 60, messaging_service_sid=service))
    refused("without a service is refused", 35118, 400, lambda: schedule(10, from_=sender))
    refused("deleting what is under way is refused", 20009, 400, lambda: client.messages(text.sid).delete())
    check("a scheduled text is canceled", client.messages(text.sid).update(status="canceled").status == "canceled")
    seen = wait_for("the callback for it comes", lambda: callbacks_of(text.sid, 1)) or []
    check("the callback says canceled", [form["MessageStatus"] for _, _, form in seen] == ["canceled"], str(seen))
    refused("canceling twice is refused", 30409, 400, lambda: client.messages(text.sid).update(status="canceled"))

    text = client.messages.create(to=PHONE, from_=sender, body="The code is 4711")
    wait_for("it is delivered", lambda: delivered(client, text.sid))
    check("a text is redacted", client.messages(text.sid).update(body="").body == "" and client.messages(text.sid).fetch().body == "")
    check("a text is deleted", client.messages(text.sid).delete() is True)
    refused("a deleted text is not found", 20404, 404, lambda: client.messages(text.sid).fetch())


def inbound(client, credentials, base):
    """A person's text: announced with a signature, and found in the list."""
    sender = credentials["senders"][0]
    control(base, "POST", f"/sandbox/phones/{quote(PHONE)}/reply", {"to": sender, "body": "Is it on its way? ✓"})
    seen = wait_for("a person's text is announced", lambda: [hook for hook in Callbacks.received if hook[2].get("SmsStatus") == "received"]) or []
    validator = RequestValidator(credentials["auth_token"])
    check("the library accepts its signature", bool(seen) and all(validator.validate(url, form, signature) for url, signature, form in seen))
    check("and rejects a changed body", bool(seen) and not validator.validate(seen[0][0], {**seen[0][2], "Body": "STOP"}, seen[0][1]))
    listed = client.messages.list(from_=PHONE)
    check("it is in the list", [(text.body, text.direction, text.status, text.to) for text in listed] == [("Is it on its way? ✓", "inbound", "received", sender)], str(listed))


def run():
    """Starts both servers, and runs every check."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Callbacks)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hooks = f"http://127.0.0.1:{server.server_port}"
    sim = subprocess.Popen([BINARY, "sim", "--listen", "127.0.0.1:0", "--target", hooks, "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        base = json.loads(sim.stdout.readline())["url"]
        credentials = control(base, "GET", "/sandbox/credentials", None)
        control(base, "PATCH", "/sandbox/faults", {"quick_receipts": True})
        client = Client(credentials["account_sid"], credentials["auth_token"])
        client.api.base_url = base
        sending(client, credentials, base, hooks)
        listing(client, credentials)
        changing(client, credentials, hooks)
        inbound(client, credentials, base)
    finally:
        sim.terminate()
        sim.wait(10)
        server.shutdown()


def too_long(*_):
    """The whole of it is bounded, whatever hangs."""
    raise TimeoutError("the checks took longer than a minute")


if __name__ == "__main__":
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(60)
    try:
        run()
    except Exception as problem:  # noqa: BLE001  whatever it was, it is a failed check
        check("the checks run to their end", False, repr(problem))
    print(f"{len(failures)} failed")
    sys.exit(1 if failures else 0)
