from __future__ import annotations

from pathlib import Path

import pytest

from kafkalab.courseware.files import checkout, lesson_files, lessons_folder, write_atomically


def test_lessons_are_the_numbered_notebooks_in_order(tmp_path: Path) -> None:
    for name in ("01_b.ipynb", "00_a.ipynb", "00_a.new-1234567.ipynb", "notes.ipynb", "00_a.py"):
        (tmp_path / name).touch()
    assert [path.name for path in lesson_files(tmp_path)] == ["00_a.ipynb", "01_b.ipynb"]


def test_this_is_a_checkout_and_its_lessons_are_used() -> None:
    root = checkout()
    assert root is not None
    assert lessons_folder() == root / "notebooks"


@pytest.mark.parametrize("content", ["text\n", b"bytes\r\n"])
def test_a_file_is_written_whole_and_nothing_else_remains(content: str | bytes, tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    write_atomically(path, content)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert list(path.parent.iterdir()) == [path]


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "full").touch()
    with pytest.raises(OSError, match="target"):
        write_atomically(tmp_path / "target", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["target"]
