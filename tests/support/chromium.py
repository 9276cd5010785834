"""A headless Chromium by its debugging pipe: what a page does when it is opened, wide or narrow, light or dark."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
WAIT_S = "120"
# What a script in the page tells: how wide it is, what of its text cannot be read, what is cut, and its structure. Text
# needs 4.5 times the luminance of what it stands on, or the other way round (WCAG 2.1, 1.4.3).
LOOK = r"""
(() => {
  const channel = (value) => { const s = value / 255; return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4; };
  const parse = (text) => (text.match(/[\d.]+/g) || []).map(Number);
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const isClear = (colour) => colour.length === 4 && colour[3] === 0;
  const paperOf = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = parse(getComputedStyle(one).backgroundColor);
      if (colour.length && !isClear(colour)) return colour;
    }
    return [255, 255, 255];
  };
  const contrast = (element) => {
    const style = getComputedStyle(element), inDrawing = element.closest("svg");
    const [a, b] = [luminance(parse(inDrawing ? style.fill : style.color)), luminance(paperOf(element))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  };
  // The numbers in a heat map's cells stand on the picture of the cells, which drawing.py chooses their colour by.
  const onPicture = (element) => {
    const drawing = element.closest("svg"), box = element.getBoundingClientRect();
    const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
    return drawing && [...drawing.querySelectorAll("image")].some((image) => {
      const held = image.getBoundingClientRect();
      return held.left <= x && x <= held.right && held.top <= y && y <= held.bottom;
    });
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const faint = [];
  let count = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement, text = walker.currentNode.data.trim();
    if (!text || ["TITLE", "DESC", "STYLE"].includes(element.tagName.toUpperCase())) continue;
    count += 1;
    if (contrast(element) < 4.5 && !onPicture(element)) faint.push(text.slice(0, 40));
  }
  const opening = document.querySelector("figure");
  const root = document.documentElement;
  return {
    faint, texts: count, scrolls_by: root.scrollWidth - root.clientWidth, width: window.innerWidth,
    opening_top: opening ? opening.getBoundingClientRect().top : null,
    dark: luminance(paperOf(document.body)) < 0.1,
  };
})()
"""


def chromium() -> str | None:
    """Return the path of a Chromium that is installed, None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@dataclass
class Seen:
    """What opening a page did: messages of its console, requests beside its own file, and what LOOK tells."""

    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    look: dict[str, Any] = field(default_factory=dict)


class Browser:
    """One browser for several pages; close it."""

    def __init__(self, program: str) -> None:
        self._folder = tempfile.TemporaryDirectory()
        theirs_in, self._to = os.pipe()
        back, theirs_out = os.pipe()
        # `timeout` ends a browser that hangs, and the pipe with it; 3 and 4 are what the option names.
        script = f'exec timeout {WAIT_S} "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}'
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run"]
        self._process = subprocess.Popen(
            [
                shutil.which("bash") or "/bin/bash",
                "-c",
                script,
                program,
                *options,
                f"--user-data-dir={self._folder.name}",
            ],
            pass_fds=(theirs_in, theirs_out),
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._from = os.fdopen(back, "rb")
        self._number, self._rest, self._events = 0, b"", []

    def close(self) -> None:
        self._ask("Browser.close")
        self._process.wait()
        self._from.close()
        os.close(self._to)
        self._folder.cleanup()

    def open(self, path: Path, width: int, *, dark: bool) -> Seen:
        """Open a page as a window or a phone of this width shows it."""
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for name in ("Page", "Runtime", "Network", "Log"):
            self._ask(f"{name}.enable", session)
        screen = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 600}
        self._ask("Emulation.setDeviceMetricsOverride", session, **screen)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._ask("Emulation.setEmulatedMedia", session, features=[scheme])
        self._events.clear()
        self._ask("Page.navigate", session, url=path.as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self._events):
            self._events.append(self._read())
        look = self._ask("Runtime.evaluate", session, expression=LOOK, returnByValue=True)
        seen = Seen(look=look["result"].get("value") or {"failed": look})
        for event in self._events:
            _sort(event["method"], event["params"], path.as_uri(), seen)
        self._ask("Target.closeTarget", targetId=target)
        return seen

    def _ask(self, method: str, session: str = "", **params: Any) -> dict[str, Any]:
        self._number += 1
        asked = {"id": self._number, "method": method, "params": params, **({"sessionId": session} if session else {})}
        os.write(self._to, json.dumps(asked).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self._events.append(answer)

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            piece = self._from.read1(65536)
            if not piece:
                raise RuntimeError("the browser is gone")
            self._rest += piece
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)


def _sort(method: str, params: dict[str, Any], own: str, seen: Seen) -> None:
    """Keep what an event says that a page should not do."""
    if method == "Runtime.exceptionThrown":
        seen.errors.append(str(params["exceptionDetails"].get("text")))
    elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
        seen.errors.append(params["entry"]["text"])
    elif method == "Runtime.consoleAPICalled":
        seen.errors.append(str(params["args"]))
    elif method == "Network.requestWillBeSent":
        url = params["request"]["url"]
        seen.requests += [url] if url != own and not url.startswith("data:") else []
