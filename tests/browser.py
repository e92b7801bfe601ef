"""A browser that nobody here wrote, at a page of ours: Chromium without a window, driven by its own protocol.

usage: browser.py CHROMIUM ORIGIN: prints one line of JSON with what the browser saw.
"""

import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import websocket

STEPS = """
(async () => {
  const until = async (what, of) => {
    for (let n = 0; n < 400; n++) { const found = of(); if (found) return found; await new Promise((go) => setTimeout(go, 50)); }
    throw new Error(what + " does not come");
  };
  const seen = { title: document.title };
  seen.fetched = await (await fetch("/items/7")).json();
  const posted = await fetch("/items", { method: "POST", headers: { "content-type": "application/json" },
    body: JSON.stringify({ name: "x", count: 3 }) });
  seen.posted = [posted.status, await posted.text()];
  const refused = await fetch("/items/x");
  seen.refused = [refused.status, (await refused.json()).detail];
  seen.events = await new Promise((done, failed) => {
    const all = [], source = new EventSource("/numbers/3");
    source.onmessage = (event) => { all.push(event.data); if (all.length === 3) { source.close(); done(all); } };
    source.onerror = () => failed(new Error("the events broke off"));
  });
  const open = await until("the operation", () => document.querySelector("details[id*=item]:not([id*=items])"));
  open.open = true;
  const form = await until("its form", () => open.querySelector("form"));
  const input = form.querySelector("input");
  input.value = "7";
  form.querySelector("button").click();
  const status = await until("the answer", () => form.querySelector("strong")?.textContent);
  await until("its body", () => form.textContent.includes("whole after"));
  seen.tried = [status, [...form.querySelectorAll("pre")].at(-1).textContent];
  seen.title = document.title;
  return JSON.stringify(seen);
})()
"""


def main(chromium: str, origin: str) -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = subprocess.Popen(
            [
                chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--no-first-run", "--remote-debugging-port=0", "--remote-allow-origins=*",
                f"--user-data-dir={profile}", f"{origin}/try",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            print(run(Path(profile) / "DevToolsActivePort", origin))
        finally:
            browser.kill()
            browser.wait()


def run(port_file: Path, origin: str) -> str:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if port_file.exists() and (port := port_file.read_text().split("\n")[0]):
            listed = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list"))
            pages = [page for page in listed if page["url"].startswith(origin)]
            if pages:
                return evaluated(pages[0]["webSocketDebuggerUrl"])
        time.sleep(0.1)
    sys.exit("the browser does not open the page")


def evaluated(url: str) -> str:
    socket = websocket.create_connection(url, timeout=90)
    # It is listed before it has begun to load.
    while value(socket, "document.readyState + location.protocol") != "completehttp:":
        time.sleep(0.1)
    seen = value(socket, STEPS)
    socket.close()
    return seen


def value(socket: websocket.WebSocket, expression: str) -> str:
    parameters = {"expression": expression, "awaitPromise": True, "returnByValue": True}
    socket.send(json.dumps({"id": 1, "method": "Runtime.evaluate", "params": parameters}))
    while (said := json.loads(socket.recv())).get("id") != 1:
        pass
    result = said["result"]
    if "exceptionDetails" in result:
        sys.exit(json.dumps(result["exceptionDetails"]))
    return result["result"]["value"]


if __name__ == "__main__":
    main(*sys.argv[1:])
