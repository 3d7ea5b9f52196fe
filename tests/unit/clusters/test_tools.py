"""The command-line tools: each class is in the locked jars."""

from __future__ import annotations

from zipfile import ZipFile

import pytest

from kafkalab.clusters.tools import TOOLS, _jars_with


@pytest.mark.parametrize("tool", sorted(TOOLS))
def test_its_class_is_in_the_locked_jars(tool: str) -> None:
    wanted = TOOLS[tool].replace(".", "/") + ".class"
    assert any(wanted in ZipFile(jar).namelist() for jar in _jars_with(TOOLS[tool]).files)
