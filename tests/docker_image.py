"""An image laid out like ``apache/kafka``, made of this machine's own parts: no registry is needed.

Paths, environment variables, user, volumes and the order of steps are those of the official image (its Dockerfile and
scripts are in Apache Kafka's repository, folder ``docker``), and so is the program that sets a node up,
``kafka.docker.KafkaDockerWrapper``, which is in Kafka's own jar. The jars and the Java are those of the local backend,
bash, three more programs and the C library those of the machine. What is left out: Kafka's command-line tools but for
``kafka-storage.sh``. The archives of loaded classes (CDS) are made once per machine, in a container: those of Kafka as
the official image's build makes them, and that of Java itself, which the official image's Java brings with it.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

from docker import APIClient

from kafkalab.clusters.backends.own import kafka_uuid
from kafkalab.clusters.cache import cache_dir
from kafkalab.clusters.distribution import broker_jars, find_java
from kafkalab.clusters.properties import NodeAddress, node_properties, render
from kafkalab.clusters.spec import ClusterSpec
from kafkalab.waiting import wait_until

__all__ = ["build"]

_APPUSER = 1000
_PROGRAMS = ("bash", "id", "grep", "mkdir")
_CHANGES = (
    "USER appuser",
    "EXPOSE 9092",
    "ENV JAVA_HOME=/opt/java/openjdk PATH=/opt/java/openjdk/bin:/usr/bin:/bin",
    'VOLUME ["/etc/kafka/secrets", "/var/lib/kafka/data", "/mnt/shared/config"]',
    'CMD ["/etc/kafka/docker/run"]',
)
# /etc/kafka/docker/run of the official image: who, defaults, checks, then the launch.
_RUN = """\
#!/bin/bash
set -o nounset -o errexit
echo "===> User"
id
export CLUSTER_ID="${CLUSTER_ID:-5L6g3nShT-eMCtK--X86sw}"
echo "===> Configuring ..."
[[ -w /opt/kafka/config/ ]] || { echo "/opt/kafka/config/ file not writable"; exit 1; }
echo "===> Launching ..."
exec /etc/kafka/docker/launch
"""
_LAUNCH = """\
#!/bin/bash
own=${KAFKA_JVM_PERFORMANCE_OPTS:-}
export KAFKA_JVM_PERFORMANCE_OPTS="$own -XX:SharedArchiveFile=/opt/kafka/storage.jsa"
result=$(/opt/kafka/bin/kafka-run-class.sh kafka.docker.KafkaDockerWrapper setup \\
    --default-configs-dir /etc/kafka/docker --mounted-configs-dir /mnt/shared/config \\
    --final-configs-dir /opt/kafka/config 2>&1) ||
    echo "$result" | grep -i "already formatted" || { echo "$result"; exit 1; }
export KAFKA_JVM_PERFORMANCE_OPTS="$own -XX:SharedArchiveFile=/opt/kafka/kafka.jsa"
exec /opt/kafka/bin/kafka-server-start.sh /opt/kafka/config/server.properties
"""
_SERVER_START = """\
#!/bin/bash
export KAFKA_LOG4J_OPTS="${KAFKA_LOG4J_OPTS:--Dlog4j2.configurationFile=/opt/kafka/config/log4j2.yaml}"
export KAFKA_HEAP_OPTS="${KAFKA_HEAP_OPTS:--Xmx1G -Xms1G}"
EXTRA_ARGS=${EXTRA_ARGS-'-name kafkaServer -loggc'}
exec /opt/kafka/bin/kafka-run-class.sh $EXTRA_ARGS kafka.Kafka "$@"
"""
_RUN_CLASS = """\
#!/bin/bash
LOG_DIR=${LOG_DIR:-/opt/kafka/logs}
mkdir -p "$LOG_DIR"
while [[ "$1" == -* ]]; do
    case "$1" in
        -name) name=$2; shift 2 ;;
        -loggc) KAFKA_GC_LOG_OPTS=${KAFKA_GC_LOG_OPTS:--Xlog:gc*:file=$LOG_DIR/${name:-java}-gc.log}; shift ;;
        *) break ;;
    esac
done
remote=-Dcom.sun.management.jmxremote
CLASSPATH=
# In an order that stays, which a cache of loaded classes belongs to.
for jar in /opt/kafka/libs/*.jar; do CLASSPATH+=:$jar; done
exec "$JAVA_HOME/bin/java" ${KAFKA_HEAP_OPTS:--Xmx256M} ${KAFKA_JVM_PERFORMANCE_OPTS:--XX:+UseG1GC} \\
    ${KAFKA_GC_LOG_OPTS:-} ${KAFKA_JMX_OPTS:-$remote $remote.authenticate=false $remote.ssl=false} \\
    -Dkafka.logs.dir="$LOG_DIR" ${KAFKA_LOG4J_OPTS:-} -cp "${CLASSPATH#:}" ${KAFKA_OPTS:-} "$@"
"""
_STORAGE = """\
#!/bin/bash
exec /opt/kafka/bin/kafka-run-class.sh kafka.tools.StorageTool "$@"
"""
# Sets a node up and runs it until it is told to end, and writes down which classes that took.
_RECORD = """\
mkdir /tmp/given /tmp/used
echo "$PROPERTIES" > /tmp/given/server.properties
java -Xshare:dump
export KAFKA_JVM_PERFORMANCE_OPTS="-XX:ArchiveClassesAtExit=/opt/kafka/storage.jsa"
/opt/kafka/bin/kafka-run-class.sh kafka.docker.KafkaDockerWrapper setup --default-configs-dir /etc/kafka/docker \\
    --mounted-configs-dir /tmp/given --final-configs-dir /tmp/used
export KAFKA_JVM_PERFORMANCE_OPTS="-XX:ArchiveClassesAtExit=/opt/kafka/kafka.jsa"
exec /opt/kafka/bin/kafka-server-start.sh /tmp/used/server.properties
"""
_RECORD_SECONDS = 120.0
_ARCHIVES = ("opt/java/openjdk/lib/server/classes.jsa", "opt/kafka/storage.jsa", "opt/kafka/kafka.jsa")
_SCRIPTS = {
    "etc/kafka/docker/run": _RUN,
    "etc/kafka/docker/launch": _LAUNCH,
    "opt/kafka/bin/kafka-server-start.sh": _SERVER_START,
    "opt/kafka/bin/kafka-run-class.sh": _RUN_CLASS,
    "opt/kafka/bin/kafka-storage.sh": _STORAGE,
}
_TEXTS = {
    "etc/passwd": "root:x:0:0::/:/bin/bash\nappuser:x:1000:1000::/home/appuser:/bin/bash\n",
    "etc/group": "root:x:0:\nappuser:x:1000:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}
_FOLDERS = {
    "opt/kafka": (_APPUSER, 0o755),
    "opt/kafka/config": (_APPUSER, 0o755),
    "etc/kafka": (_APPUSER, 0o775),
    "etc/kafka/secrets": (_APPUSER, 0o775),
    "var/lib/kafka/data": (_APPUSER, 0o775),
    "mnt/shared/config": (_APPUSER, 0o755),
    "home/appuser": (_APPUSER, 0o755),
    "tmp": (0, 0o1777),
}


def build(client: APIClient, repository: str, tag: str) -> None:
    """Put the image into an engine as ``repository:tag``."""
    archives = cache_dir() / "docker-tests" / f"cds-{broker_jars().digest[:16]}"
    _load(client, repository, tag, archives)
    if not archives.exists():
        _record(client, f"{repository}:{tag}", archives)
        _load(client, repository, tag, archives)


def _load(client: APIClient, repository: str, tag: str, archives: Path) -> None:
    with tempfile.NamedTemporaryFile(prefix="image-", suffix=".tar") as parts:
        with tarfile.open(fileobj=parts, mode="w") as tar:
            _add_all(tar)
            for path in _ARCHIVES if archives.exists() else ():
                tar.add(archives / Path(path).name, path)
        parts.flush()
        client.import_image_from_file(parts.name, repository=repository, tag=tag, changes=list(_CHANGES))


def _record(client: APIClient, name: str, archives: Path) -> None:
    """Write the archives of loaded classes into the folder ``archives`` by running a node once."""
    spec = ClusterSpec(brokers=1)
    properties = node_properties(spec, spec.nodes[0], {1: NodeAddress(9092, 9093)}, Path("/tmp/data"))
    environment = {
        "PROPERTIES": render(properties),
        "CLUSTER_ID": kafka_uuid(),
        "KAFKA_LOG4J_OPTS": "-Dlog4j2.level=INFO",
        "EXTRA_ARGS": "",
        "LOG_DIR": "/tmp",
    }
    node = client.create_container(name, ["bash", "-c", _RECORD], environment=environment, user="root")["Id"]
    try:
        client.start(node)
        wait_until(
            lambda: b"Kafka Server started" in client.logs(node), what="a node to record", timeout=_RECORD_SECONDS
        )
        client.kill(node, "SIGTERM")
        client.wait(node, timeout=_RECORD_SECONDS)
        _keep(client, node, archives)
    finally:
        client.remove_container(node, force=True, v=True)


def _keep(client: APIClient, node: str, archives: Path) -> None:
    archives.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=archives.parent) as name:
        for path in _ARCHIVES:
            data, _ = client.get_archive(node, f"/{path}")
            with tarfile.open(fileobj=io.BytesIO(b"".join(data))) as tar:
                tar.extractall(name, filter="data")
        Path(name).rename(archives)
        Path(name).mkdir()  # for its end


def _add_all(tar: tarfile.TarFile) -> None:
    for path, (user, mode) in _FOLDERS.items():
        _add(tar, path, kind=tarfile.DIRTYPE, user=user, mode=mode)
    for path, text in {**_TEXTS, **_SCRIPTS}.items():
        _add(tar, path, text.encode(), mode=0o755 if path in _SCRIPTS else 0o644)
    programs = [Path(str(shutil.which(program))) for program in _PROGRAMS]
    for program in programs:
        tar.add(program.resolve(), f"usr/bin/{program.name}")
    _add(tar, "bin", kind=tarfile.SYMTYPE, target="usr/bin")
    java = find_java().home
    tar.add(java, "opt/java/openjdk")
    for library in _libraries([*programs, java / "bin/java", *java.glob("lib/**/*.so")], java):
        tar.add(library.resolve(), str(library).lstrip("/"))
    for jar in broker_jars().files:
        tar.add(jar, f"opt/kafka/libs/{jar.name}")


def _add(
    tar: tarfile.TarFile,
    path: str,
    content: bytes = b"",
    *,
    kind: bytes = tarfile.REGTYPE,
    target: str = "",
    user: int = 0,
    mode: int = 0o755,
) -> None:
    member = tarfile.TarInfo(path)
    member.type, member.linkname, member.size = kind, target, len(content)
    member.uid = member.gid = user
    member.mode = mode
    tar.addfile(member, io.BytesIO(content))


def _libraries(files: Iterable[Path], java: Path) -> set[Path]:
    """Return the machine's shared libraries that ``files`` need; those of Java come with it."""
    told = subprocess.run(["ldd", *map(str, files)], capture_output=True, text=True, check=False).stdout
    found = {Path(path) for path in re.findall(r"(/\S+) \(0x", told)}
    return {path for path in found if not path.is_relative_to(java)}
