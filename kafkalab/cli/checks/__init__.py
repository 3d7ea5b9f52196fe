"""What ``kafkalab doctor`` looks at: one function per check, each returning one finding."""

from __future__ import annotations

from kafkalab.cli.checks.finding import Check, Finding, Status, examine
from kafkalab.cli.checks.kafka import (
    check_aot_cache,
    check_broker,
    check_cache,
    check_jars,
    check_java,
)
from kafkalab.cli.checks.machine import (
    check_disk,
    check_docker,
    check_memory,
    check_platform,
    check_ports,
    check_python,
)
from kafkalab.cli.checks.notebooks import check_jupyter

__all__ = ["CHECKS", "Check", "Finding", "Status", "check_broker", "examine"]

CHECKS: dict[str, Check] = {
    "platform": check_platform,
    "python": check_python,
    "java": check_java,
    "memory": check_memory,
    "disk": check_disk,
    "ports": check_ports,
    "cache": check_cache,
    "jars": check_jars,
    "quick starts": check_aot_cache,
    "jupyter": check_jupyter,
    "docker": check_docker,
}
"""All checks but that with a real broker (``check_broker``), by the names of their findings, in order."""
