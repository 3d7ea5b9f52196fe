"""The live view as a learner sees it: a broker killed and started by its buttons, in JupyterLab."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.jupyter import LESSON_MS, Lab, Lesson

pytestmark = [pytest.mark.browser, pytest.mark.integration]

CELLS = [
    "from kafkalab import Cluster, observe\nfrom kafkalab.waiting import wait_until",
    "cluster = Cluster(brokers=3).start()",
    """orders = cluster.create_topic("orders", partitions=3)
producer = cluster.producer()
for number in range(100):
    producer.send(orders, value=b"order", partition=number % 3)
producer.flush()
consumer = cluster.consumer(orders, group_id="readers", auto_offset_reset="earliest", max_poll_records=30)
wait_until(lambda: consumer.poll(1_000), what="the first records", timeout=60)
consumer.commit()""",
    "observe.live(cluster)",
    "cluster.stop()",
]


@pytest.fixture(scope="module")
def lesson(lab: Lab, page: Page) -> Lesson:
    url = lab.url()
    write_notebook(lab.lessons / "live.ipynb")
    return Lesson.open(page, re.sub(r"/lab/tree/[^?]*", "/lab/tree/live.ipynb", url), code_cells=len(CELLS))


def write_notebook(path: Path) -> None:
    notebook = nbformat.v4.new_notebook()  # type: ignore[no-untyped-call]
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in CELLS]  # type: ignore[no-untyped-call]
    nbformat.write(notebook, path)  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def view(lesson: Lesson) -> Locator:
    """The view, with all cells run but the last."""
    lesson.run_up_to(lesson.cell("observe.live"))
    view = lesson.notebook.locator(".kafkalab-live")
    expect(view).to_be_visible(timeout=LESSON_MS)
    return view


@pytest.fixture(scope="module")
def moved(view: Locator) -> str:
    """The leader of orders-0 after its first one was killed by the button."""
    expect(leads(view, 1)).to_be_visible()
    button(view, "kill broker 1").click()
    expect(leads(view, 1)).to_have_count(0)
    expect(row(view)).not_to_have_attribute("data-leader", "-1")
    return row(view).get_attribute("data-leader") or ""


def row(view: Locator) -> Locator:
    return view.locator("tr[data-partition='orders-0']")


def leads(view: Locator, broker: int) -> Locator:
    return view.locator(f"tr[data-partition='orders-0'][data-leader='{broker}']")


def node(view: Locator, broker: int) -> Locator:
    return view.locator(f"li[data-node='{broker}']")


def button(view: Locator, name: str) -> Locator:
    return view.get_by_role("button", name=name)


def test_it_shows_log_ends_and_lag(view: Locator) -> None:
    expect(row(view)).to_contain_text("34")
    group = view.locator("tr[data-group='readers']")
    expect(group).to_contain_text("Stable")
    expect(group.locator("td").nth(2)).to_have_text("70")


def test_the_leader_moves_when_its_broker_is_killed(view: Locator, moved: str) -> None:
    assert moved in {"2", "3"}
    expect(node(view, 1)).to_contain_text("stopped")
    expect(row(view)).to_contain_text("2 of 3")
    expect(view.get_by_role("log")).to_contain_text(re.compile(r"orders-0: leader (1|none) → [23]"))


def test_a_started_broker_comes_back_into_the_isr(view: Locator, moved: str) -> None:
    button(view, "start broker 1").click()
    expect(row(view)).to_contain_text("3 of 3")
    expect(row(view).locator("[data-role='out of sync']")).to_have_count(0)
    expect(node(view, 1)).to_contain_text("running")


def test_the_keyboard_pauses_and_resumes_and_keeps_its_place(view: Locator, moved: str) -> None:
    pause = button(view, "pause broker 3")
    pause.focus()
    pause.press("Enter")
    expect(node(view, 3)).to_contain_text("paused")
    expect(button(view, "resume broker 3")).to_be_focused()
    view.page.keyboard.press("Enter")
    expect(node(view, 3)).to_contain_text("running")
    expect(button(view, "pause broker 3")).to_be_focused()
    expect(row(view)).to_contain_text("3 of 3")


def test_it_ends_with_the_cluster(lesson: Lesson, view: Locator, moved: str) -> None:
    lesson.cell("cluster.stop").locator(".cm-content").click()
    lesson.page.keyboard.press("Shift+Enter")
    expect(view.locator("header")).to_contain_text("the cluster is stopped")
    expect(view.get_by_role("button")).to_have_count(0)
