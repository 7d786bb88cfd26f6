"""A real Chromium, without a screen: pictures of a page, and what a script finds when it measures the page."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from hashlib import sha256
from html import unescape
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from matplotlib.image import imread

MEASURES = (Path(__file__).parent / "page_measures.js").read_text("utf-8")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--virtual-time-budget=8000"]  # fmt: skip
DARK = ["--force-dark-mode", "--blink-settings=preferredColorScheme=0"]


class Seen(NamedTuple):
    """What was measured, and the picture, [height, width, 3] from 0 to 1."""

    measured: dict[str, Any]
    picture: np.ndarray


def chromium() -> str:
    """Chromium's path; without it the test is left out, but never where tests must be complete."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None and os.environ.get("CI"):
        pytest.fail("needs chromium; install the package of that name")
    return found or pytest.skip("needs chromium, to look at the page")


def look(page: Path, work: Path, width: int, height: int, *, dark: bool = False, inside: bool = False) -> Seen:
    """Open a page in a window of that size.

    `inside` opens it in a frame, for no window of Chromium is as narrow as a telephone. The frame is wide at first and
    narrow later, as a telephone is when it is turned.
    """
    opened = _framed(_measuring(page), width, height) if inside else _measuring(page)
    size = f"--window-size={max(width, 600)},{height}"
    shot, profile = work / "page.png", work / "profile"
    command = [chromium(), *FLAGS, *(DARK if dark else []), size, f"--user-data-dir={profile}", "--dump-dom",
               f"--screenshot={shot}", opened.as_uri()]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    found = re.search(r'<pre id="measured"[^>]*>(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, f"the page was not measured: {done.stderr[-2000:]}"
    return Seen(json.loads(unescape(found[1])), imread(shot)[:, :width, :3])


def _measuring(page: Path) -> Path:
    """A copy that measures itself; its policy allows that one script more."""
    digest = base64.b64encode(sha256(MEASURES.encode()).digest()).decode()
    text = page.read_text("utf-8")
    policy = re.search(r'<meta http-equiv="Content-Security-Policy"[^>]*>', text)
    assert policy, "the page has no policy"
    allowed = policy[0].replace("script-src ", f"script-src 'sha256-{digest}' ")
    copy = page.with_name("measured.html")
    copy.write_text(text.replace(policy[0], f"{allowed}<script>{MEASURES}</script>", 1), "utf-8")
    return copy


def _framed(page: Path, width: int, height: int) -> Path:
    frame = page.with_name("framed.html")
    frame.write_text(f"""<!doctype html><style>body {{ margin: 0 }} iframe {{ border: 0; display: block }}</style>
<pre id="waiting" hidden></pre><iframe src="{page.name}" width="600" height="{height}"></iframe><script>
const frame = document.querySelector("iframe");
frame.addEventListener("load", () => setTimeout(() => frame.width = {width}, 500));
window.addEventListener("message", (event) => {{
  const out = document.getElementById("waiting");
  out.textContent = event.data;
  out.id = "measured";
}});
</script>""")
    return frame
