"""How a broker's JVM is started, and what makes that quick.

Measured on two cores: three brokers with Kafka's stock settings take four times as long. What saves the time is the
AOT cache (JEP 483, 514: classes loaded and linked ahead of time, Java 25), one small heap with the serial collector,
the C1 compiler only, and storage that is formatted by copying instead of by a JVM of its own.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from kafkalab.clusters.cache import cache_dir, cache_lock
from kafkalab.clusters.distribution import Jars, Progress, broker_jars, find_java
from kafkalab.clusters.java import Java
from kafkalab.clusters.spec import ClusterSpec
from kafkalab.errors import EnvironmentProblem

__all__ = [
    "CHECKPOINT_NAME",
    "LOG_CONFIG",
    "LOG_CONFIG_NAME",
    "MAIN_CLASS",
    "SMALL_JVM",
    "Startup",
    "format_storage",
    "storage_template",
]

MAIN_CLASS = "kafka.Kafka"
LOG_CONFIG_NAME = "log4j2.properties"
# log4j2, to standard output, in the pattern of Kafka's own configuration.
LOG_CONFIG = """\
rootLogger.level = INFO
rootLogger.appenderRef.stdout.ref = STDOUT
appender.stdout.type = Console
appender.stdout.name = STDOUT
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = [%d] %p %m (%c)%n
"""
_FORMAT_CLASS = "kafka.tools.StorageTool"
_FORMAT_SECONDS = 120.0
_FIRST_JAVA_WITH_AOT_CACHE = 25
CHECKPOINT_NAME = "bootstrap.checkpoint"

SMALL_JVM = (
    "-Xmx256m",
    # The JVM would start with a 64th of the machine's memory, and on a large one never collect: 60 MB more in all.
    "-Xms48m",
    "-XX:+UseSerialGC",
    # C2 would compete with the brokers for two cores, and a lesson ends before it pays.
    "-XX:TieredStopAtLevel=1",
    # Otherwise every kill -9 leaves a file in the temporary folder's hsperfdata.
    "-XX:-UsePerfData",
    "-XX:+ExitOnOutOfMemoryError",
    # The JVM's own notes on the AOT cache would stand before the broker's first line.
    "-Xlog:disable",
)


@dataclass(frozen=True)
class Startup:
    """Java, jars and flags of every node of a cluster."""

    java: Java
    jars: Jars

    @classmethod
    def find(cls, progress: Progress | None = None) -> Startup:
        """Return this machine's, with the jars verified, and fetched where they are missing (``progress`` sees it)."""
        return cls(find_java(), broker_jars(progress))

    @property
    def supports_aot(self) -> bool:
        """Whether this Java can make and use an AOT cache."""
        return self.java.version >= _FIRST_JAVA_WITH_AOT_CACHE

    @property
    def aot_cache(self) -> Path:
        """Where the AOT cache of exactly this JVM, class path and these flags belongs; it may not be there yet."""
        release = self.java.home / "release"
        parts = [str(self.java.executable), str(self.java.version), self.jars.class_path, *SMALL_JVM]
        parts.append(release.read_text(errors="replace") if release.exists() else "")
        return cache_dir() / "aot" / f"broker-{_digest(str(self.java.executable))}-{_digest(*parts)}.aot"

    def command(self, *, folder: Path, log_config: Path, properties: Path, flags: tuple[str, ...] = ()) -> list[str]:
        """Return the command line of one node.

        Args:
            folder: of this node; the JVM's own temporary files and crash reports stay inside.
            log_config: log4j2 configuration.
            properties: the node's server.properties.
            flags: further JVM flags.
        """
        cache = (f"-XX:AOTCache={self.aot_cache}",) if self.supports_aot and self.aot_cache.exists() else ()
        return [
            str(self.java.executable),
            *SMALL_JVM,
            *cache,
            *flags,
            f"-Djava.io.tmpdir={folder / 'tmp'}",
            f"-XX:ErrorFile={folder / 'hs_err.log'}",
            f"-Dlog4j2.configurationFile={log_config}",
            # Otherwise log4j closes first, and the last lines of an orderly stop are lost.
            "-Dlog4j2.shutdownHookEnabled=false",
            "-cp",
            self.jars.class_path,
            MAIN_CLASS,
            str(properties),
        ]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def storage_template(startup: Startup) -> Path:
    """Return the ``bootstrap.checkpoint`` that Kafka's own ``kafka-storage format`` writes, made once per version.

    It holds the feature levels only, no identity: the same bytes for every node of every cluster.
    """
    template = cache_dir() / "storage" / startup.jars.digest[:16] / CHECKPOINT_NAME
    if not template.exists():
        with cache_lock(cache_dir(), "storage"):
            if not template.exists():
                format_storage(startup, template)
    return template


def format_storage(startup: Startup, checkpoint: Path, *options: str) -> None:
    """Let Kafka's own ``kafka-storage format`` write ``checkpoint``, with further ``options`` of that command.

    Raises:
        EnvironmentProblem: it failed; shows what it said.
    """
    with tempfile.TemporaryDirectory(prefix="kafkalab-format-") as name:
        folder = Path(name)
        properties = folder / "server.properties"
        properties.write_text(_any_properties(folder))
        command = [str(startup.java.executable), *SMALL_JVM, "-cp", startup.jars.class_path, _FORMAT_CLASS]
        command += ["format", "--cluster-id", "AAAAAAAAAAAAAAAAAAAAAA", "--config", str(properties), *options]
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_FORMAT_SECONDS, cwd=folder, check=False
        )
        made = folder / "data" / CHECKPOINT_NAME
        if done.returncode != 0 or not made.exists():
            raise EnvironmentProblem(
                f"Kafka could not format its storage: {(done.stderr + done.stdout).strip()[-400:]}"
            )
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        partial = checkpoint.with_suffix(".partial")
        shutil.copyfile(made, partial)
        partial.replace(checkpoint)


def _any_properties(folder: Path) -> str:
    # Imported here: the property table is of no use to anybody else in this module.
    from kafkalab.clusters.properties import NodeAddress, node_properties, render

    spec = ClusterSpec(brokers=1)
    return render(node_properties(spec, spec.nodes[0], {1: NodeAddress(1, 2)}, folder / "data"))
