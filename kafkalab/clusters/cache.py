"""The cache folder: the one place, beside the temporary folder, where kafkalab writes.

A full cache is enough for everything but fetching, also where it is read-only: a classroom may share one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kafkalab.errors import CacheProblem

__all__ = ["CACHE_DIR_VARIABLE", "cache_dir", "cache_lock", "check_writable", "replace_file", "using"]

CACHE_DIR_VARIABLE = "KAFKALAB_CACHE_DIR"
# Longer than a whole fetch may take, so that who waits outlives who fetches.
LOCK_TIMEOUT_S = 900.0


def cache_dir() -> Path:
    """Return the cache folder, made when it is not there.

    It is ``KAFKALAB_CACHE_DIR``, else the user's cache folder of this platform.

    Raises:
        CacheProblem: the folder is not there and cannot be made.
    """
    chosen = os.environ.get(CACHE_DIR_VARIABLE)
    if chosen:
        folder = Path(chosen).expanduser().absolute()
    else:
        import platformdirs

        folder = Path(platformdirs.user_cache_dir("kafkalab"))
    with using(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def using(folder: Path) -> Iterator[None]:
    """Turn what the operating system says against the use of the cache ``folder`` into one clear sentence.

    Raises:
        CacheProblem: an ``OSError`` in the block, such as a read-only folder or a full disk.
    """
    try:
        yield
    except OSError as error:
        raise CacheProblem(
            f"The cache folder {folder} cannot be used ({error.strerror or error}): make it writable or free "
            f"some space there, or set {CACHE_DIR_VARIABLE} to a folder you can write."
        ) from error


def check_writable(folder: Path) -> None:
    """Write one small file into ``folder`` and remove it.

    Raises:
        CacheProblem: that failed.
    """
    import tempfile

    with using(folder), tempfile.NamedTemporaryFile(dir=folder, prefix=".probe-") as probe:
        probe.write(bytes(4096))
        probe.flush()


def replace_file(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` so that every reader sees the old file or the new one, never a part.

    Raises:
        CacheProblem: the folder cannot be written.
    """
    import tempfile

    with using(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not deleted by the context, which would miss it after the move.
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}-", delete=False
        ) as file:
            try:
                file.write(text)
                file.flush()
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise


@contextmanager
def cache_lock(folder: Path, name: str, timeout: float = LOCK_TIMEOUT_S) -> Iterator[None]:
    """Hold the lock ``name`` of the cache ``folder``; others wait for it, at most ``timeout`` seconds.

    The operating system frees it when the holder ends, however it ends.

    Raises:
        CacheProblem: the folder cannot be written, or another process holds the lock for too long.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / f"{name}.lock")
    # Apart from the caller's block, whose own OSErrors must not be taken for those of the lock.
    with using(folder):
        try:
            lock.acquire(timeout=timeout)
        except Timeout as error:
            raise CacheProblem(
                f"Another process has held {lock.lock_file} for {timeout:g} s: "
                f"wait until its `kafkalab fetch` is done, or end it, and try again."
            ) from error
    try:
        yield
    finally:
        lock.release()
