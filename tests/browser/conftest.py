"""One lab and one page for the tests of this folder; each state of the lesson is a fixture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from playwright.sync_api import Page

from tests.browser.jupyter import Lab, chromium, find_chromium, running_lab


@pytest.fixture(scope="module")
def page(require: Callable[[str, str], NoReturn]) -> Iterator[Page]:
    path = find_chromium()
    if path is None:
        require("chromium", "there is no Chromium here: install your system's package chromium")
    with chromium(path) as page:
        yield page


@pytest.fixture(scope="module")
def lab(page: Page, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """After the browser, so that nothing is started in vain where there is none."""
    with running_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(scope="session")
def notebooks() -> Path:
    return Path(__file__).parents[2] / "notebooks"


@pytest.fixture(scope="session")
def committed(notebooks: Path) -> list[Any]:
    """The code cells of the committed lesson 00."""
    import nbformat

    notebook: Any = nbformat.read(notebooks / "00_start_here.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    return [cell for cell in notebook.cells if cell.cell_type == "code"]
