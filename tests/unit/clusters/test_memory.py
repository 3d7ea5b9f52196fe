"""Memory: the machine's, or the limit of the cgroup around it."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from kafkalab.clusters.memory import BROKER_BYTES, available_bytes, check_fits
from kafkalab.errors import NotEnoughMemory

MIB = 2**20


def _version_2(root: Path, limit: str) -> Path:
    (root / "memory.max").write_text(f"{limit}\n")
    (root / "memory.current").write_text(f"{700 * MIB}\n")
    (root / "memory.stat").write_text(f"anon {500 * MIB}\ninactive_file {200 * MIB}\n")
    return root


def test_a_limit_of_cgroup_version_2_counts_less_what_is_used_and_not_reclaimable(tmp_path: Path) -> None:
    assert available_bytes(_version_2(tmp_path, str(1000 * MIB))) == 500 * MIB


def test_a_limit_of_cgroup_version_1_counts_too(tmp_path: Path) -> None:
    group = tmp_path / "memory"
    group.mkdir()
    (group / "memory.limit_in_bytes").write_text(str(600 * MIB))
    (group / "memory.usage_in_bytes").write_text(str(300 * MIB))
    (group / "memory.stat").write_text(f"total_inactive_file {100 * MIB}\n")
    assert available_bytes(tmp_path) == 400 * MIB


def test_the_tightest_group_around_this_process_counts(tmp_path: Path) -> None:
    inner = tmp_path / "user" / "seat"
    inner.mkdir(parents=True)
    _version_2(tmp_path, str(5000 * MIB))
    _version_2(inner, str(900 * MIB))
    own_groups = tmp_path / "own"
    own_groups.write_text("0::/user/seat\n")
    assert available_bytes(tmp_path, own_groups) == 400 * MIB


def test_version_1_names_its_controllers(tmp_path: Path) -> None:
    seat = tmp_path / "memory" / "seat"
    seat.mkdir(parents=True)
    (seat / "memory.limit_in_bytes").write_text(str(600 * MIB))
    (seat / "memory.usage_in_bytes").write_text(str(300 * MIB))
    (seat / "memory.stat").write_text("total_inactive_file 0\n")
    own_groups = tmp_path / "own"
    own_groups.write_text("12:cpu,cpuacct:/elsewhere\n5:memory:/seat\n")
    assert available_bytes(tmp_path, own_groups) == 300 * MIB


@pytest.mark.parametrize("limit", ["max", str(2**62)])
def test_no_limit_leaves_the_machines_memory(tmp_path: Path, limit: str) -> None:
    machine = psutil.virtual_memory().available
    assert available_bytes(_version_2(tmp_path, limit)) == pytest.approx(machine, rel=0.2)


def test_more_brokers_than_fit_are_refused_with_how_many_would() -> None:
    fit = available_bytes() // BROKER_BYTES
    with pytest.raises(NotEnoughMemory, match=r"brokers need about \d+ MB, but \d+ MB are free: ask for at most \d+,"):
        check_fits(2 * fit + 2)


def test_one_broker_fits_here() -> None:
    check_fits(1)
