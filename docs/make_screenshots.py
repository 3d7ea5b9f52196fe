"""Take the pictures of the documents anew: ``make screenshots``, which needs Chromium or Chrome.

Starts the lab with a folder of its own, runs lesson 00 in a real browser as a learner would, and writes
``docs/images/*.png``. Look at them before you commit them.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the tests are no part of the installed package

from playwright.sync_api import Locator, Page  # noqa: E402

from tests.browser.jupyter import Lesson, chromium, find_chromium, running_lab  # noqa: E402

IMAGES = ROOT / "docs" / "images"
LESSON = ROOT / "notebooks" / "00_start_here.ipynb"
WIDTH, HEIGHT = 1400, 940  # pixels
LARGEST = 300_000  # bytes


def main() -> int:
    """Take all pictures; return the exit code."""
    path = find_chromium()
    if path is None:
        print("make screenshots: there is no Chromium here: install your system's package chromium.", file=sys.stderr)
        return 1
    with (
        tempfile.TemporaryDirectory(prefix="screenshots-") as folder,
        running_lab(Path(folder)) as lab,
        chromium(path, width=WIDTH, height=HEIGHT) as page,
    ):
        lesson = open_lesson(page, lab.url())
        make_guess(lesson)
        lesson.run_all()
        # Three brokers, a topic, the first record.
        take("lesson-00", lesson, lesson.cell("cluster = Cluster(brokers=3)"))
        # The leader killed; nothing is lost.
        take("failure", lesson, lesson.notebook.get_by_role("heading", name="Break it"))
    return 0


def open_lesson(page: Page, url: str) -> Lesson:
    """Open lesson 00 and give it all the width."""
    lesson = Lesson.open(page, url, code_cells=len(code_of(LESSON)))
    page.keyboard.press("ControlOrMeta+B")  # the file browser at the left
    return lesson


def make_guess(lesson: Lesson) -> None:
    """Predict, as the lesson asks for, that the death of the leader loses none of the five orders."""
    question = "How many orders can still be read?"
    code = next(code for code in code_of(LESSON) if question in code)
    lesson.write(lesson.cell(question), code.replace("guess=...", "guess=5"))


def code_of(notebook: Path) -> list[str]:
    """Return the text of each code cell."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def take(name: str, lesson: Lesson, first: Locator) -> None:
    """Write the page with this part as the first in view.

    Raises:
        ValueError: the picture is too large for a document.
    """
    lesson.page.mouse.move(WIDTH / 2, 5)  # where nothing shows that a mouse is over it
    lesson.bring_to_top(first)
    path = IMAGES / f"{name}.png"
    path.parent.mkdir(exist_ok=True)
    size = len(lesson.page.screenshot(path=path, animations="disabled", caret="hide"))
    print(f"{path.relative_to(ROOT)}: {size / 1000:.0f} kB", flush=True)
    if size > LARGEST:
        raise ValueError(f"{path.name} has {size} bytes, and at most {LARGEST} are wanted: show less.")


if __name__ == "__main__":
    sys.exit(main())
