"""The cache folder: where it is, how files get there, and what is said when it cannot be used."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from kafkalab.clusters.cache import cache_dir, cache_lock, check_writable, replace_file, using
from kafkalab.errors import CacheProblem


def python(code: str) -> subprocess.Popen[str]:
    """Start another Python process that runs ``code``."""
    return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_the_variable_names_the_folder_and_it_is_made(cache: Path) -> None:
    assert not cache.exists()
    assert cache_dir() == cache
    assert cache.is_dir()
    assert cache_dir() == cache


def test_without_the_variable_it_is_the_user_s_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAFKALAB_CACHE_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    folder = cache_dir()
    assert folder.name == "kafkalab"
    assert folder.is_relative_to(tmp_path)


def test_a_relative_or_tilde_path_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KAFKALAB_CACHE_DIR", "here")
    assert cache_dir() == tmp_path / "here"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KAFKALAB_CACHE_DIR", "~/there")
    assert cache_dir() == tmp_path / "there"


def test_a_folder_that_cannot_be_made_is_named_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocker = tmp_path / "a-file"
    blocker.touch()
    monkeypatch.setenv("KAFKALAB_CACHE_DIR", str(blocker / "cache"))
    with pytest.raises(CacheProblem, match=rf"{blocker}/cache cannot be used .*set KAFKALAB_CACHE_DIR to a"):
        cache_dir()


def test_a_full_disk_is_said_in_one_sentence(cache: Path) -> None:
    folder = cache_dir()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The operating system refuses every byte beyond: as a full disk does, without one.
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, before[1]))
    try:
        with pytest.raises(CacheProblem, match="free some space there"):
            check_writable(folder)
        with pytest.raises(CacheProblem, match="free some space there"):
            replace_file(folder / "big", "x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(folder.iterdir()) == [], "no part of a file may stay"


def test_a_writable_folder_passes_and_stays_empty(cache: Path) -> None:
    check_writable(cache_dir())
    assert list(cache.iterdir()) == []


def test_replacing_makes_folders_and_leaves_only_the_file(cache: Path) -> None:
    path = cache_dir() / "deep" / "er" / "file.json"
    replace_file(path, "one")
    replace_file(path, "two")
    assert path.read_text(encoding="utf-8") == "two"
    assert [file.name for file in path.parent.iterdir()] == ["file.json"]


def test_only_errors_of_the_operating_system_are_translated(cache: Path) -> None:
    with pytest.raises(ZeroDivisionError), using(cache):
        _ = 1 / 0
    with pytest.raises(CacheProblem, match="No space left on device"), using(cache):
        raise OSError(28, os.strerror(28))


def test_the_lock_is_held_against_another_process_and_freed_when_it_is_killed(cache: Path) -> None:
    folder = cache_dir()
    holder = python(
        "from kafkalab.clusters.cache import *\n"
        "with cache_lock(cache_dir(), 'fetch'):\n"
        "    print('held', flush=True); input()"
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(CacheProblem, match=r"Another process has held .*fetch\.lock for 0\.1 s"),
            cache_lock(folder, "fetch", timeout=0.1),
        ):
            pytest.fail("two holders")
        with cache_lock(folder, "other", timeout=0.1):
            pass
        holder.kill()
    with cache_lock(folder, "fetch", timeout=10):
        pass


def test_an_error_of_the_block_stays_what_it_is(cache: Path) -> None:
    with pytest.raises(FileNotFoundError), cache_lock(cache_dir(), "fetch"):
        (cache / "nowhere").read_bytes()
