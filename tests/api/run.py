"""The API against its own description, by schemathesis: what /v1/openapi.json promises, a really served instance keeps.

It starts the sandbox and the server in a temporary folder, puts one thing of each kind in so that reads find something,
and lets schemathesis call every operation with right and wrong requests. What is asked of the answers, and the few
places where more than the description decides, stand in schemathesis.toml. It tests neither deliveries nor the console.
"""

import base64
import hashlib
import hmac
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BINARY = os.environ.get("TRUNKLINE_BIN", str(ROOT / "target" / "debug" / "trunkline"))
JUDGE = ROOT / "tests" / ".venv" / "bin" / "schemathesis"
SHOP_SECRET = "sandbox-shop-secret"
PHONE = "+14155550123"
PATIENCE = 20.0
LONGEST = 300

started = []


def free_ports():
    """Two ports that nobody listens on now."""
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def start(folder, name, arguments):
    """Starts one part of the binary, with its log beside the store."""
    with open(folder / f"{name}.log", "wb") as log:
        started.append(subprocess.Popen([BINARY, *arguments], cwd=folder, stdout=log, stderr=log))


def call(method, url, body=None, headers=None):
    """One request: the status and the answer; JSON goes in and out."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json", **(headers or {})}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        status, text = refusal.code, refusal.read()
    return status, json.loads(text) if text.startswith(b"{") else text.decode()


def wait_for(what, condition):
    """Looks again until a condition holds, and gives what it came to."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            found = condition()
        except OSError:
            found = None
        if found:
            return found
        if any(process.poll() is not None for process in started):
            raise RuntimeError(f"while waiting for {what}, a server ended")
        time.sleep(0.05)
    raise RuntimeError(f"{what}: not within {PATIENCE} s")


def configure(folder, server, sandbox):
    """The configuration that ships, at these ports."""
    config = folder / "config"
    shutil.copytree(ROOT / "config", config, ignore=shutil.ignore_patterns("*.sqlite*"))
    for file in config.rglob("*.toml"):
        text = file.read_text()
        file.write_text(text.replace("127.0.0.1:8080", f"127.0.0.1:{server}").replace("127.0.0.1:8081", f"127.0.0.1:{sandbox}"))
    return config


def fill(base, key):
    """Puts one thing of each kind in: a text, a run, a profile with a conflict, a grant, and webhooks that are refused, done and dead."""
    auth = {"authorization": f"Bearer {key}"}

    def put(expected, method, path, body, headers=None):
        status, answer = call(method, base + path, body, {**auth, **(headers or {})})
        if status != expected:
            raise RuntimeError(f"{method} {path}: {status} {answer}")
        return answer

    text = {"to": PHONE, "purpose": "transactional", "body": "Your order has left.", "labels": {"order": "#1042"}}
    put(202, "POST", "/v1/messages", text, {"idempotency-key": "order-1042"})
    event = {"specversion": "1.0", "id": "e-1", "source": "/logistics", "type": "delivery.exception", "data": {"order": "#1042", "customer_id": "1042", "phone": PHONE}}
    taken = put(202, "POST", "/v1/events", event, {"content-type": "application/cloudevents+json"})
    put(200, "PUT", "/v1/profiles/crm/1042", {"attributes": {"first_name": "Ada", "vip": True}})
    put(201, "POST", "/v1/consent", {"address": PHONE, "action": "grant", "evidence": "ticked 'Send me offers' on /account"})
    for topic, signed in [("orders/create", True), ("orders/create", False)]:
        body = {"id": 1}
        secret = SHOP_SECRET if signed else "not the secret"
        signature = base64.b64encode(hmac.new(secret.encode(), json.dumps(body).encode(), hashlib.sha256).digest()).decode()
        headers = {"x-shopify-topic": topic, "x-shopify-webhook-id": "w-1", "x-shopify-hmac-sha256": signature, "x-shopify-shop-domain": "acme.example", "x-shopify-api-version": "2026-10"}
        put(200 if signed else 403, "POST", "/hooks/shopify", body, headers)

    def read(path):
        return call("GET", base + path, None, auth)[1]

    wait_for("a receipt", lambda: read("/v1/hooks?lane=receipt")["items"])
    wait_for("what becomes of the event", lambda: read(f"/v1/events/{taken['event']}")["runs"])
    wait_for("a dead letter", lambda: read("/v1/deadletters")["items"])


def judge(base, key, folder):
    """Runs schemathesis; gives its exit code."""
    command = [JUDGE, "--config-file", HERE / "schemathesis.toml", "run", f"{base}/v1/openapi.json", "--url", base, *sys.argv[1:]]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": str(HERE / "hooks.py"), "TRUNKLINE_KEY": key, "NO_PROXY": "127.0.0.1", "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "hypothesis")}
    return subprocess.run(command, cwd=folder, env=environment, timeout=LONGEST, check=False).returncode


def run(folder):
    """All of it, in this folder."""
    server, sandbox = free_ports()
    base = f"http://127.0.0.1:{server}"
    os.environ.update(
        TRUNKLINE_CONFIG=str(configure(folder, server, sandbox)),
        TWILIO_AUTH_TOKEN="sandbox-auth-token",
        SHOPIFY_SECRET=SHOP_SECRET,
        CRM_TOKEN="crm-sandbox-token",
    )
    start(folder, "sim", ["sim", "--listen", f"127.0.0.1:{sandbox}", "--target", base, "--quick-receipts", "--json"])
    start(folder, "serve", ["serve", "--json"])
    wait_for("the sandbox", lambda: call("GET", f"http://127.0.0.1:{sandbox}/sandbox/credentials")[0] == 200)
    wait_for("the server", lambda: call("GET", f"{base}/ready")[0] == 200)
    made = subprocess.run([BINARY, "keys", "create", "judge", "--json"], capture_output=True, text=True, check=True)
    key = json.loads(made.stdout)["key"]
    fill(base, key)
    code = judge(base, key, folder)
    if any(process.poll() is not None for process in started):
        raise RuntimeError("a server ended before its time")
    return code


def main():
    """Runs it, cleans up whatever happens, and shows the logs if it failed."""
    # Ending this ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(tempfile.mkdtemp(prefix="trunkline-api-"))
    code = 1
    try:
        code = run(folder)
    except (RuntimeError, OSError, subprocess.SubprocessError) as problem:
        print(f"FAIL {problem}")
    finally:
        for process in started:
            process.terminate()
        for process in started:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        if code != 0:
            for log in sorted(folder.glob("*.log")):
                print(f"--- the end of {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-40:]))
        shutil.rmtree(folder, ignore_errors=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
