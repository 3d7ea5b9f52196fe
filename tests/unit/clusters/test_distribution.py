"""Jars as a cluster gets them: verified, remembered, repaired, and shared by several processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kafkalab.clusters.distribution import KAFKA_VERSION, broker_jars, find_java, locked_jars, tools_jars
from kafkalab.clusters.locks import JARS_FOLDER, LOCK_NAME, read_lock
from kafkalab.errors import CacheProblem, CorruptJar, DownloadFailed

if TYPE_CHECKING:
    from tests.unit.clusters.conftest import Mirror, Small, WriteLock

# jgo leaves the socket of a request that was refused to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

GET_JARS = (
    "import sys; from pathlib import Path\n"
    "from kafkalab.clusters.distribution import locked_jars\n"
    "print('begun', flush=True)\n"
    "jars = locked_jars(Path(sys.argv[1]))\n"
    "print(len(jars.files), flush=True)\n"
)


def start(code: str, small: Small) -> subprocess.Popen[str]:
    """Run ``code`` in another Python process."""
    return subprocess.Popen(
        [sys.executable, "-c", code, str(small.lock_file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def alter(path: Path, *, keep_state: bool = False) -> None:
    """Change one byte; on demand so that size and modification time do not show it."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    if keep_state:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_cold_cache_is_filled_and_a_warm_one_asks_nobody(cache: Path, small: Small, mirror: Mirror) -> None:
    jars = locked_jars(small.lock_file)
    assert [file.read_bytes() for file in jars.files] == [small.contents[path] for path in sorted(small.contents)]
    assert jars.class_path == os.pathsep.join(str(file) for file in jars.files)
    assert all(file.is_relative_to(cache) and file.is_absolute() for file in jars.files)
    asked = dict(mirror.requests)
    assert locked_jars(small.lock_file) == jars
    assert dict(mirror.requests) == asked


def test_offline_a_warm_cache_is_enough(cache: Path, small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    jars = locked_jars(small.lock_file)
    monkeypatch.setenv("KAFKALAB_OFFLINE", "1")
    assert locked_jars(small.lock_file) == jars
    assert locked_jars(small.lock_file, rehash=True) == jars


def test_offline_a_cold_cache_says_what_to_do(
    cache: Path, small: Small, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKALAB_OFFLINE", "1")
    with pytest.raises(DownloadFailed, match=r"2 of 2 jars of small .*alpha-1.0.jar.*run `kafkalab fetch` once"):
        locked_jars(small.lock_file)
    assert not mirror.requests


@pytest.mark.parametrize("damage", ["truncated", "altered", "emptied", "removed"])
def test_a_damaged_jar_is_fetched_again_and_only_that_one(
    damage: str, cache: Path, small: Small, mirror: Mirror
) -> None:
    jar = locked_jars(small.lock_file).files[0]
    if damage == "removed":
        jar.unlink()
    elif damage == "altered":
        alter(jar)
    else:
        os.truncate(jar, 0 if damage == "emptied" else 1000)
    told: list[str] = []
    locked_jars(small.lock_file, lambda done, total, name: told.append(f"{done}/{total} {name}"))
    assert jar.read_bytes() == small.contents[small.path]
    assert told == ["1/1 alpha-1.0.jar"]
    assert [mirror.requests[path] for path in sorted(small.contents)] == [2, 1]


@pytest.mark.parametrize("damage", ["truncated", "altered"])
def test_offline_a_damaged_jar_is_refused_by_name(
    damage: str, cache: Path, small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    jar = locked_jars(small.lock_file).files[1]
    if damage == "altered":
        alter(jar)
    else:
        os.truncate(jar, 1000)
    monkeypatch.setenv("KAFKALAB_OFFLINE", "1")
    with pytest.raises(CorruptJar, match=rf"^{jar} differs from its locked SHA-256 .*run `kafkalab fetch` once"):
        locked_jars(small.lock_file)


def test_a_damaged_jar_that_cannot_be_replaced_is_never_used(cache: Path, small: Small, mirror: Mirror) -> None:
    alter(locked_jars(small.lock_file).files[0])
    mirror.answers[small.path] = [mirror.refuse(503)]
    for _ in range(2):
        with pytest.raises(DownloadFailed, match=r"alpha-1.0.jar could not be fetched"):
            locked_jars(small.lock_file)


def test_a_wrong_jar_from_the_source_is_never_used(cache: Path, small: Small, mirror: Mirror) -> None:
    mirror.answers[small.path] = [mirror.give(b"something else")]
    for _ in range(2):
        with pytest.raises(CorruptJar, match="do not trust that source"):
            locked_jars(small.lock_file)
    assert not (cache / "maven" / small.path).exists()


def test_rehash_finds_what_size_and_time_do_not_show(cache: Path, small: Small, mirror: Mirror) -> None:
    jar = locked_jars(small.lock_file).files[0]
    alter(jar, keep_state=True)
    locked_jars(small.lock_file, rehash=True)
    assert jar.read_bytes() == small.contents[small.path]
    assert mirror.requests[small.path] == 2


@pytest.mark.parametrize("stamp", ["", "{", "[]", "null", '{"PATH": []}', '{"PATH": [1, 2]}'])
def test_a_stamp_that_makes_no_sense_only_costs_hashing(stamp: str, cache: Path, small: Small, mirror: Mirror) -> None:
    locked_jars(small.lock_file)
    asked = dict(mirror.requests)
    (file,) = (cache / "verified").iterdir()
    file.write_text(stamp.replace("PATH", small.path), encoding="utf-8")
    locked_jars(small.lock_file)
    assert dict(mirror.requests) == asked
    assert json.loads(file.read_text(encoding="utf-8")).keys() == small.contents.keys()


def test_a_stamp_does_not_vouch_for_a_jar_that_is_gone(cache: Path, small: Small) -> None:
    jars = locked_jars(small.lock_file)
    (file,) = (cache / "verified").iterdir()
    jars.files[0].unlink()
    file.write_text(json.dumps({path: [] for path in small.contents}), encoding="utf-8")
    assert locked_jars(small.lock_file).files[0].read_bytes() == small.contents[small.path]


def test_a_moved_cache_is_hashed_not_fetched(
    cache: Path, small: Small, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked_jars(small.lock_file)
    for jar in locked_jars(small.lock_file).files:
        os.utime(jar, (1, 1))
    moved = cache.rename(cache.with_name("moved"))
    monkeypatch.setenv("KAFKALAB_CACHE_DIR", str(moved))
    monkeypatch.setenv("KAFKALAB_OFFLINE", "1")
    assert all(file.is_relative_to(moved) for file in locked_jars(small.lock_file).files)


def test_a_full_cache_serves_where_its_stamp_cannot_be_written(
    cache: Path, small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    jars = locked_jars(small.lock_file)
    (stamp,) = (cache / "verified").iterdir()
    stamp.unlink()
    stamp.parent.rmdir()
    stamp.parent.touch()  # a file where the folder belongs: nobody can write below it, root included
    monkeypatch.setenv("KAFKALAB_OFFLINE", "1")
    assert locked_jars(small.lock_file) == jars


def test_a_cache_that_cannot_take_jars_is_a_cache_problem(cache: Path, small: Small) -> None:
    cache.mkdir()
    (cache / "maven").touch()
    with pytest.raises(CacheProblem, match=rf"{cache} cannot be used .*set KAFKALAB_CACHE_DIR"):
        locked_jars(small.lock_file)


def test_two_processes_on_a_cold_cache_fetch_each_jar_once(cache: Path, small: Small, mirror: Mirror) -> None:
    half_sent, go_on = threading.Event(), threading.Event()
    mirror.answers[small.path] = [mirror.hold(small.contents[small.path], half_sent, go_on)]
    with start(GET_JARS, small) as one, start(GET_JARS, small) as two:
        assert [first_line(one), first_line(two)] == ["begun\n", "begun\n"]
        assert half_sent.wait(timeout=30)
        go_on.set()
        assert [one.communicate(timeout=60)[0], two.communicate(timeout=60)[0]] == ["2\n", "2\n"]
    assert [mirror.requests[path] for path in small.contents] == [1, 1]


def test_a_process_killed_while_fetching_leaves_nothing_that_is_trusted(
    cache: Path, small: Small, mirror: Mirror
) -> None:
    half_sent, go_on = threading.Event(), threading.Event()
    content = small.contents[small.path]
    mirror.answers[small.path] = [mirror.hold(content, half_sent, go_on), mirror.give(content)]
    with start(GET_JARS, small) as process:
        assert half_sent.wait(timeout=30)
        process.kill()
        assert process.wait(timeout=30) == -signal.SIGKILL
    go_on.set()
    assert not (cache / "maven" / small.path).exists()
    assert (cache / "maven-staging").exists(), "the kill came too late to show anything"
    assert [file.read_bytes() for file in locked_jars(small.lock_file).files] == list(small.contents.values())
    assert not (cache / "maven-staging").exists()


def test_the_warm_path_imports_nothing_heavy_and_takes_no_lock(cache: Path, small: Small) -> None:
    locked_jars(small.lock_file)
    (cache / "fetch.lock").unlink(missing_ok=True)
    code = GET_JARS + (
        "from kafkalab.clusters.distribution import find_java; find_java()\n"
        "print(sorted({'jgo', 'requests', 'rich', 'filelock'} & sys.modules.keys()))\n"
    )
    with start(code, small) as process:
        assert process.communicate(timeout=60)[0] == "begun\n2\n[]\n"
    assert not (cache / "fetch.lock").exists()


def test_a_fetch_writes_only_into_the_cache(
    tmp_path: Path, cache: Path, small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "TMPDIR"):
        monkeypatch.setenv(name, str(home))
    with start(GET_JARS, small) as process:
        assert process.communicate(timeout=60)[0] == "begun\n2\n"
    assert list(home.iterdir()) == []
    assert sorted(path.name for path in cache.iterdir()) == ["fetch.lock", "maven", "verified"]


def test_small_jars_come_from_maven_central(
    cache: Path, write_lock: WriteLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAFKALAB_MAVEN_URL", raising=False)
    broker = read_lock(JARS_FOLDER / "broker" / LOCK_NAME).jars
    chosen = [jar for jar in broker if jar.artifact in {"slf4j-api", "jopt-simple"}]
    jars = locked_jars(write_lock(chosen))
    assert [file.name for file in jars.files] == ["jopt-simple-5.0.4.jar", "slf4j-api-1.7.36.jar"]


def test_broker_and_tools_run_and_are_of_the_locked_version() -> None:
    broker, tools = broker_jars(), tools_jars()
    assert (broker.name, tools.name) == ("kafka-broker", "kafka-tools")
    assert (broker.version, tools.version) == (KAFKA_VERSION, KAFKA_VERSION)
    assert broker.digest != tools.digest
    assert list(broker.files) == sorted(broker.files)
    commands = {
        "kafka.Kafka": broker,
        "org.apache.kafka.tools.TopicCommand": tools,
    }
    for main_class, jars in commands.items():
        done = subprocess.run(
            [find_java().executable, "-Xmx128m", "-cp", jars.class_path, main_class, "--version"],
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.stdout.split()[0].startswith(KAFKA_VERSION), done.stdout
