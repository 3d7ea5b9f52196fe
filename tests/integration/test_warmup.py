"""The AOT cache: made once, used by brokers, outdated ones removed, and not missed where it cannot be."""

from __future__ import annotations

import shutil
from pathlib import Path

import psutil
import pytest

from kafkalab import Cluster
from kafkalab.clusters.cache import CACHE_DIR_VARIABLE, cache_dir
from kafkalab.clusters.startup import Startup, storage_template
from kafkalab.clusters.warmup import ensure_aot_cache
from tests.processes import is_broker, words

pytestmark = pytest.mark.integration


@pytest.fixture
def cache_without_aot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of its own with everything in it but the AOT cache."""
    Startup.find()
    shutil.copytree(cache_dir(), tmp_path / "cache", ignore=shutil.ignore_patterns("aot", "*.lock"))
    monkeypatch.setenv(CACHE_DIR_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_it_is_made_once_used_by_brokers_and_replaces_an_outdated_one(cache_without_aot: Path) -> None:
    startup = Startup.find()
    if not startup.supports_aot:
        pytest.skip("platform: this Java is too old to have an AOT cache")
    expected = startup.aot_cache
    expected.parent.mkdir()
    outdated = expected.with_name(expected.name[:-8] + "0000.aot")
    another_java = expected.with_name("broker-0123456789ab-0123456789ab.aot")
    outdated.touch()
    another_java.touch()
    assert ensure_aot_cache(startup) == expected
    assert sorted(path.name for path in expected.parent.iterdir()) == sorted([expected.name, another_java.name])
    made = expected.stat()
    assert made.st_size > 10_000_000
    assert ensure_aot_cache(startup) == expected
    assert expected.stat().st_mtime_ns == made.st_mtime_ns
    with Cluster(brokers=1) as cluster:
        assert f"-XX:AOTCache={expected}" in _command_lines(cluster.folder)


def test_without_room_for_it_brokers_start_all_the_same(cache_without_aot: Path) -> None:
    (cache_without_aot / "aot").touch()  # a file where the folder should be: as unwritable for root as for others
    with pytest.warns(UserWarning, match="brokers start slowly"):
        cluster = Cluster(brokers=1).start()
    with cluster:
        assert "-XX:AOTCache=" not in _command_lines(cluster.folder)
        cluster.create_topic("orders")


def test_the_storage_template_is_made_once_by_kafka_itself(cache_without_aot: Path) -> None:
    shutil.rmtree(cache_without_aot / "storage")
    startup = Startup.find()
    template = storage_template(startup)
    assert b"metadata.version" in template.read_bytes()
    made = template.stat().st_mtime_ns
    assert storage_template(startup).stat().st_mtime_ns == made


def _command_lines(folder: Path) -> str:
    commands = [" ".join(words(process)) for process in psutil.process_iter() if is_broker(process)]
    return "\n".join(line for line in commands if str(folder) in line)
