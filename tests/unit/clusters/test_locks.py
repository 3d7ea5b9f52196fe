"""The committed lock files: in step with their specification, and of one Apache Kafka version."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from pathlib import Path

import pytest

from kafkalab.clusters.distribution import KAFKA_VERSION
from kafkalab.clusters.locks import JARS_FOLDER, LOCK_NAME, SPEC_NAME, LockedJar, read_lock

FOLDERS = sorted(path.parent for path in JARS_FOLDER.glob(f"*/{LOCK_NAME}"))
each_lock = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


def test_broker_and_tools_are_locked() -> None:
    assert [folder.name for folder in FOLDERS] == ["broker", "tools"]


@each_lock
def test_the_lock_is_in_step_with_its_specification(folder: Path) -> None:
    # What jgo itself compares: the first 16 digits of the specification's SHA-256.
    expected = hashlib.sha256((folder / SPEC_NAME).read_bytes()).hexdigest()[:16]
    lock = tomllib.loads((folder / LOCK_NAME).read_text(encoding="utf-8"))
    assert lock["metadata"]["spec_hash"] == expected, "run: python -m kafkalab.clusters.relock"


@each_lock
def test_all_kafka_jars_are_of_the_one_version(folder: Path) -> None:
    kafka = {jar.artifact: jar.version for jar in read_lock(folder / LOCK_NAME).jars if "kafka" in jar.group}
    assert len(kafka) > 10
    assert set(kafka.values()) == {KAFKA_VERSION}, kafka


@each_lock
def test_every_coordinate_is_pinned_hard(folder: Path) -> None:
    spec = tomllib.loads((folder / SPEC_NAME).read_text(encoding="utf-8"))
    assert all(coordinate.endswith("!") for coordinate in spec["dependencies"]["coordinates"])


@each_lock
def test_the_logging_binding_has_the_version_of_log4j(folder: Path) -> None:
    versions = {jar.artifact: jar.version for jar in read_lock(folder / LOCK_NAME).jars}
    assert versions["log4j-slf4j-impl"] == versions["log4j-core"]


@each_lock
def test_every_jar_has_a_checksum_and_a_place_of_its_own(folder: Path) -> None:
    jars = read_lock(folder / LOCK_NAME).jars
    assert all(re.fullmatch("[0-9a-f]{64}", jar.sha256) for jar in jars)
    assert len({jar.file_name for jar in jars}) == len(jars)
    assert list(jars) == sorted(jars, key=lambda jar: Path(jar.path))


@each_lock
def test_a_lock_holds_nothing_of_the_machine_that_made_it(folder: Path) -> None:
    text = (folder / LOCK_NAME).read_text(encoding="utf-8")
    assert "generated" not in text
    assert "://" not in text
    assert not re.search(r'"/|"[A-Z]:\\\\', text)


def test_a_jar_shared_by_both_locks_is_the_same_in_both() -> None:
    broker, tools = ({jar.path: jar.sha256 for jar in read_lock(f / LOCK_NAME).jars} for f in FOLDERS)
    shared = broker.keys() & tools.keys()
    assert len(shared) > 20
    assert {path: broker[path] for path in shared} == {path: tools[path] for path in shared}


def test_the_place_of_a_jar_is_maven_s() -> None:
    plain = LockedJar("org.apache.kafka", "kafka-clients", "4.3.1", "0" * 64)
    assert plain.path == "org/apache/kafka/kafka-clients/4.3.1/kafka-clients-4.3.1.jar"
    native = LockedJar("io.example", "native", "2", "0" * 64, classifier="linux")
    assert native.path == "io/example/native/2/native-2-linux.jar"


@pytest.mark.parametrize(
    ("packaging", "checksum", "error"), [("pom", 'sha256 = "0"', ValueError), ("jar", "", KeyError)]
)
def test_what_cannot_be_verified_is_not_read(
    packaging: str, checksum: str, error: type[Exception], tmp_path: Path
) -> None:
    lock_file = tmp_path / LOCK_NAME
    entry = f'groupId = "g"\nartifactId = "a"\nversion = "1"\npackaging = {json.dumps(packaging)}\n{checksum}\n'
    lock_file.write_text(f'[environment]\nname = "bad"\n[[dependencies]]\n{entry}', encoding="utf-8")
    with pytest.raises(error):
        read_lock(lock_file)
