"""A lab as a newcomer starts it, and a lesson in it as a learner sees and works it, in a real Chromium.

Used by the tests of this folder and by ``docs/make_screenshots.py``. Every wait has a deadline and is for
something that the page shows.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
from playwright.sync_api import Locator, Page, expect, sync_playwright

from kafkalab.waiting import wait_until

START_SECONDS = 90.0
END_SECONDS = 15.0
PAGE_MS = 60_000
LESSON_MS = 180_000  # a lesson takes under a minute on two cores that do nothing else

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_ON_MACOS = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
# A browser that talks to nobody but the lab; the sandbox needs rights that containers often lack.
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/lab/tree/\S+\?token=\w+")


def find_chromium() -> str | None:
    """Return the path of the machine's own Chromium or Chrome, or None."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    return found or (str(_ON_MACOS) if _ON_MACOS.exists() else None)


@dataclass(frozen=True)
class Lab:
    """A running ``kafkalab lab``; everything it writes lies in one folder."""

    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def temporary(self) -> Path:
        """The lab's own temporary folder: clusters have their data there."""
        return self.folder / "tmp"

    @property
    def lessons(self) -> Path:
        """The learner's copies, which JupyterLab shows."""
        return self.folder / "lessons"

    @property
    def said(self) -> str:
        """What it has printed so far, log and all."""
        return (self.folder / "lab.txt").read_text(encoding="utf-8")

    def url(self) -> str:
        """Wait for the address of the first lesson, token included, and for a server that answers there."""

        def look() -> re.Match[str] | None:
            ended = self.process.poll() is not None
            found = _ADDRESS.search(self.said)
            assert found or not ended, f"the lab ended with {self.process.returncode}: {self.said}"
            return found

        found = wait_until(look, what="the lab's address", timeout=START_SECONDS)
        assert found
        address = urlsplit(found.group())
        # Jupyter tells its address first and listens a moment later (ServerApp.start_app, _bind_http_server).
        connect = partial(socket.create_connection, (address.hostname, address.port))
        wait_until(connect, what="a listening lab", timeout=START_SECONDS, retry_on=(ConnectionRefusedError,)).close()
        return found.group()

    def family(self) -> list[psutil.Process]:
        """Return the lab's process and all that came of it: kernels, supervisors, brokers."""
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def end(self) -> None:
        """Ask it to end, and wait until its process has."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(END_SECONDS)


@contextmanager
def running_lab(folder: Path, *arguments: str) -> Iterator[Lab]:
    """Start ``kafkalab lab`` with copies of the lessons in ``folder``; ended with the block, if not before."""
    (folder / "tmp").mkdir()
    command = [sys.executable, "-m", "kafkalab", "lab", "--no-browser", "--port", "0"]
    with (folder / "lab.txt").open("wb") as out:
        process = subprocess.Popen(
            [*command, "--workspace", str(folder / "lessons"), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=_environment(folder),
            cwd=folder,
        )
    lab = Lab(process, folder)
    try:
        yield lab
    finally:
        try:
            if process.poll() is None:
                lab.end()
        finally:
            process.kill()  # does nothing to one that has ended
            process.wait()


def _environment(folder: Path) -> Mapping[str, str]:
    """A newcomer's: no settings, no progress, and no need of a network."""
    own = {f"JUPYTER_{kind}_DIR": str(folder / kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")}
    own |= {"IPYTHONDIR": str(folder / "ipython"), "TMPDIR": str(folder / "tmp"), "KAFKALAB_OFFLINE": "1"}
    inherited = {name: value for name, value in os.environ.items() if name != "KAFKALAB_PROGRESS_FILE"}
    return {**inherited, **own}


@contextmanager
def chromium(path: str, *, width: int = 1400, height: int = 900) -> Iterator[Page]:
    """Open an empty page, ``width`` by ``height`` pixels, in a headless browser with a profile of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        try:
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme="light")
            page.set_default_timeout(PAGE_MS)
            expect.set_options(timeout=PAGE_MS)  # a default of its own, else of 5 s
            yield page
        finally:
            browser.close()


@dataclass(frozen=True)
class Shown:
    """One output on the page: ``kind`` is the MIME type that JupyterLab rendered it as."""

    kind: str
    text: str


class Lesson:
    """A lesson open in JupyterLab."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.panel = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
        self.notebook = self.panel.locator(".jp-Notebook")
        self.code_cells = self.notebook.locator(".jp-CodeCell")

    @classmethod
    def open(cls, page: Page, url: str, *, code_cells: int) -> Lesson:
        """Open the address and wait until all of the lesson's cells are on the page and its kernel is idle."""
        page.goto(url)
        lesson = cls(page)
        # JupyterLab puts the cells that are out of sight on the page when it has nothing else to do.
        expect(lesson.code_cells).to_have_count(code_cells)
        # The notebook's own sign says idle also before there is a kernel. A restart while the page still connects to
        # the first one may leave it with a connection on which nothing is understood.
        expect(page.get_by_role("contentinfo", name="Bottom Panel")).to_contain_text("| Idle")
        return lesson

    def unsaved(self) -> bool:
        """Return whether JupyterLab marks the lesson's tab as having changes that are not in its file."""
        tab = self.page.locator(".lm-DockPanel-tabBar .lm-TabBar-tab.jp-mod-active")
        return "jp-mod-dirty" in (tab.get_attribute("class") or "").split()

    def notifications(self) -> list[str]:
        """Return the texts of the boxes that JupyterLab shows over the page."""
        return self.page.locator(".Toastify__toast").all_text_contents()

    def choose(self, menu: str, item: str) -> None:
        """Choose an item of JupyterLab's menu bar."""
        self.page.get_by_role("menuitem", name=menu, exact=True).click()
        self.page.locator(".lm-Menu-itemLabel").get_by_text(item, exact=True).click()

    def run_all(self) -> None:
        """Clear all outputs, restart the kernel, run all cells, and wait for the last one's number."""
        self.choose("Edit", "Clear Outputs of All Cells")
        expect(self.notebook.locator(".jp-OutputArea-output")).to_have_count(0)
        self.restart("Restart Kernel and Run All Cells…")
        self.wait_until_run(self.code_cells.last)

    def restart(self, item: str) -> None:
        """Choose one of the kernel menu's restarts, and confirm it."""
        self.choose("Kernel", item)
        self.page.get_by_role("button", name="Confirm Kernel Restart").click()

    def wait_until_run(self, cell: Locator) -> None:
        """Wait until a code cell has its execution count in place of ``[*]`` or nothing."""
        expect(_prompt(cell)).to_have_text(re.compile(r"^\[\d+\]:$"), timeout=LESSON_MS)

    def numbers(self) -> list[str]:
        """Return the code cells' execution counts as shown: ``[1]:`` and so on."""
        return _prompt(self.code_cells).all_text_contents()

    def cell(self, code: str) -> Locator:
        """Return the one code cell that contains this text."""
        return self.code_cells.filter(has=self.page.locator(".jp-InputArea", has_text=code))

    def write(self, cell: Locator, code: str) -> None:
        """Type code into a cell in place of what is there."""
        cell.locator(".cm-content").click()
        self.page.keyboard.press("ControlOrMeta+A")
        self.page.keyboard.type(code)

    def run_up_to(self, cell: Locator) -> None:
        """Restart the kernel and run all cells up to and with this one; does not wait for them."""
        _prompt(cell).click()
        self.restart("Restart Kernel and Run up to Selected Cell…")

    def outputs(self) -> list[list[Shown]]:
        """Return what the page shows below each code cell."""
        shown: list[list[list[str]]] = self.code_cells.evaluate_all(_OUTPUTS)
        return [[Shown(kind, text) for kind, text in cell] for cell in shown]

    def text_of_html(self, html: str) -> str:
        """Return the text that this HTML has on a page."""
        text: str = self.page.evaluate(_TEXT_OF_HTML, html)
        return text

    def bring_to_top(self, part: Locator) -> None:
        """Scroll the notebook until this part is the first in view."""
        # Cells get their true height when they come near the view, and push away what was scrolled to.
        wait_until(
            lambda: part.evaluate(_SCROLL_TO_TOP),
            lambda pixels: abs(pixels) < 3,
            what="the page to stand still after scrolling",
        )

    def pictures(self) -> list[dict[str, Any]]:
        """Bring each picture into view and return its box on the page (x, y, width, height in pixels)."""
        boxes = []
        for picture in self.notebook.locator(".jp-OutputArea-output img").all():
            picture.scroll_into_view_if_needed()
            expect(picture).to_be_visible()
            boxes.append(dict(picture.bounding_box() or {}))
        return boxes


def _prompt(cells: Locator) -> Locator:
    return cells.locator(".jp-InputArea-prompt")


# The text as it stands in the document: what is out of sight has no layout, and so no inner text.
_OUTPUTS = """cells => cells.map(cell => [...cell.querySelectorAll(".jp-OutputArea-output")].map(output => {
    const copy = output.cloneNode(true);
    copy.querySelectorAll("style").forEach(style => style.remove());
    return [output.dataset.mimeType ?? "", copy.textContent];
}))"""
# Returns by how many pixels the part moved; two frames later, all that came near the view has been laid out.
_SCROLL_TO_TOP = """part => new Promise(resolve => {
    const before = part.getBoundingClientRect().top;
    part.scrollIntoView({block: "start", behavior: "instant"});
    const moved = part.getBoundingClientRect().top - before;
    requestAnimationFrame(() => requestAnimationFrame(() => resolve(moved)));
})"""
_TEXT_OF_HTML = """html => {
    const body = new DOMParser().parseFromString(html, "text/html").body;
    body.querySelectorAll("style").forEach(style => style.remove());
    return body.textContent;
}"""
