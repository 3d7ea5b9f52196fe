from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import pytest

from kafkalab.courseware.store import FileStore, MemoryStore, default_store
from kafkalab.errors import EnvironmentProblem


def add_many(path: str, prefix: str) -> None:
    store = FileStore(Path(path))
    for number in range(25):
        store.add(f"{prefix}.{number}")


def test_what_was_added_is_there_in_the_next_sitting(tmp_path: Path) -> None:
    path = tmp_path / "not" / "yet" / "progress.json"
    assert FileStore(path).done() == frozenset()
    assert [FileStore(path).add(name) for name in ("00.b", "00.a", "00.a")] == [True, True, False]
    assert FileStore(path).done() == {"00.a", "00.b"}
    assert json.loads(path.read_text()) == {"done": ["00.a", "00.b"]}


def test_several_kernels_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    context = multiprocessing.get_context("spawn")
    kernels = [context.Process(target=add_many, args=(str(path), name)) for name in ("00", "01")]
    for kernel in kernels:
        kernel.start()
    for kernel in kernels:
        kernel.join(60)
    assert [kernel.exitcode for kernel in kernels] == [0, 0]
    assert FileStore(path).done() == {f"{name}.{number}" for name in ("00", "01") for number in range(25)}


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"done": 3}', b'{"done": [1]}', b"\xff\xfe", b""])
def test_an_unreadable_file_is_set_aside_and_said(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "progress.json"
    path.write_bytes(content)
    assert FileStore(path).done() == frozenset()
    assert "kept as progress.unreadable-1.json" in capsys.readouterr().out
    assert (tmp_path / "progress.unreadable-1.json").read_bytes() == content
    FileStore(path).add("00.a")
    assert FileStore(path).done() == {"00.a"}


def test_a_second_unreadable_file_does_not_replace_the_first(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    for content in ("first", "second"):
        path.write_text(content)
        FileStore(path).add("00.a")
    assert [(tmp_path / f"progress.unreadable-{n}.json").read_text() for n in (1, 2)] == ["first", "second"]


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentProblem, match="set KAFKALAB_PROGRESS_FILE to a file"):
        FileStore(tmp_path / "file" / "progress.json").add("00.a")


def test_a_place_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "progress.json").mkdir()
    with pytest.raises(EnvironmentProblem, match="cannot be read"):
        FileStore(tmp_path / "progress.json").done()


def test_builds_and_tests_keep_progress_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKALAB_PROGRESS_FILE", ":memory:")
    store = default_store()
    assert [store.add("00.a"), store.add("00.a")] == [True, False]
    assert isinstance(store, MemoryStore)
    assert store.done() == {"00.a"}
    assert default_store().done() == frozenset()


def test_the_file_may_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKALAB_PROGRESS_FILE", str(tmp_path / "mine.json"))
    default_store().add("00.a")
    assert (tmp_path / "mine.json").exists()


def test_the_name_of_the_file_may_begin_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KAFKALAB_PROGRESS_FILE", "~/mine.json")
    default_store().add("00.a")
    assert (tmp_path / "mine.json").exists()


@pytest.mark.parametrize("named", [None, ""])
def test_by_default_it_is_the_users_own_and_not_in_a_cache_that_others_may_share(
    named: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shared").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("KAFKALAB_CACHE_DIR", str(tmp_path / "shared"))
    monkeypatch.delenv("KAFKALAB_PROGRESS_FILE", raising=False)
    if named is not None:
        monkeypatch.setenv("KAFKALAB_PROGRESS_FILE", named)
    default_store().add("00.a")
    assert list((tmp_path / "shared").iterdir()) == []
    (path,) = (tmp_path / "home").rglob("progress.json")
    assert FileStore(path).done() == {"00.a"}
