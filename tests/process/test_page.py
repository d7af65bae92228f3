"""The demo as a newcomer meets it: the command line, the page, a real browser."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--virtual-time-budget=8000",
)


@pytest.fixture
def demo(tmp_path):
    """Start the demo with its page, and end it afterwards.

    By SIGTERM: tests that run in the background have SIGINT ignored, and children inherit that.
    """
    command = [sys.executable, "main.py", "demo", "--port", "0", "--out", str(tmp_path / "out")]
    quiet = {**os.environ, "EASEL_LOG_LEVEL": "ERROR"}
    with subprocess.Popen(
        command, cwd=ROOT, env=quiet, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.terminate()
        process.communicate(timeout=PATIENCE)
    assert process.returncode in (0, -signal.SIGTERM)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_the_page_shows_what_was_made(demo, tmp_path):
    address, shown = "", []
    for line in demo.stdout:
        shown.append(line)
        address = next(iter(re.findall(r"http://127\.0\.0\.1:\d+/\S*", line)), address)
        if "Ctrl-C ends" in line:
            break
    assert address, "".join(shown)
    page = subprocess.run(
        [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", address],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    ).stdout
    assert "/img2img" in page
    assert "/upscale" in page
    assert len(re.findall(r"<img[^>]+(?:png|blob:|asset)", page)) >= 2
    assert {"img2img-1.png", "upscale-1.png"} <= {
        path.name for path in (tmp_path / "out").iterdir()
    }
