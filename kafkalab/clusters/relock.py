"""Make the lock files of the jars again: ``python -m kafkalab.clusters.relock``.

Needed after a change of a ``jgo.toml`` (a new Kafka version); needs a network. See ``jars/README.md``.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from kafkalab.clusters.locks import JARS_FOLDER, LOCK_NAME, SPEC_NAME

__all__ = ["main", "relock"]


def relock(folder: Path) -> int:
    """Resolve ``folder/jgo.toml`` anew, write ``folder/jgo.lock.toml``, and return the number of jars."""
    from jgo.env import EnvironmentBuilder, EnvironmentSpec, compute_spec_hash
    from jgo.maven import MavenContext

    spec_file = folder / SPEC_NAME
    with tempfile.TemporaryDirectory(prefix="kafkalab-relock-") as scratch:
        context = MavenContext(repo_cache=Path(scratch, "maven"))
        builder = EnvironmentBuilder(context=context, cache_dir=Path(scratch, "environments"))
        lock = builder.resolve_lockfile(EnvironmentSpec.load(spec_file))
        lock.spec_hash = compute_spec_hash(spec_file)
        lock.dependencies.sort(key=lambda jar: (jar.groupId, jar.artifactId, jar.classifier or ""))
        raw = Path(scratch, LOCK_NAME)
        lock.save(raw)
        lines = raw.read_text(encoding="utf-8").splitlines(keepends=True)
    # The time would make two runs differ that found the same jars.
    text = "".join(line for line in lines if not line.startswith("generated = "))
    (folder / LOCK_NAME).write_text(text, encoding="utf-8")
    return len(lock.dependencies)


def main() -> None:
    """Make every lock file again."""
    with tempfile.TemporaryDirectory(prefix="kafkalab-relock-") as scratch:
        # jgo keeps notes on the jars it looked into, which else would land in the user's home.
        os.environ["JGO_CACHE_DIR"] = scratch
        for spec_file in sorted(JARS_FOLDER.glob(f"*/{SPEC_NAME}")):
            print(f"{spec_file.parent.name}: {relock(spec_file.parent)} jars")


if __name__ == "__main__":
    main()
