from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from benchmarks import report, simulation
from benchmarks.__main__ import BENCHMARKS
from benchmarks.machine import cpu_model, describe_machine, java_release
from benchmarks.memory import proportional_megabytes
from benchmarks.results import Measure, Result, describe, longest_gap, missing_and_doubled
from benchmarks.soak.__main__ import SOAKS
from benchmarks.soak.cgroup import MemoryGroup, entry, group_path, make_memory_group
from benchmarks.soak.full_load import fencings
from benchmarks.soak.lessons import NBVAL, lesson_files, seconds_of, summary
from benchmarks.soak.outcome import Outcome
from benchmarks.soak.starts import Starter, leftovers
from benchmarks.stock import stock_properties
from kafkalab.clusters.java import Java
from kafkalab.clusters.properties import known_properties
from kafkalab.errors import EnvironmentProblem, WaitTimeout
from kafkalab.simulation import SOURCES

PROJECT = Path(__file__).parents[2]
SECONDS = Measure("gap", "s", 2.5)
MEGABYTES = Measure("memory", "MB", 430)
RATIO = Measure("start", "", 0.28)
RATE = Measure("frames", "records/s", floor=1_000_000)


# ---- results ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("measure", "value", "shown"),
    [
        (SECONDS, 2.126, "2.13 s"),
        (MEGABYTES, 411.4, "411 MB"),
        (RATIO, 0.2449, "0.24"),
        (RATE, 2_345_678.9, "2,345,679 records/s"),
    ],
)
def test_a_measure_shows_its_precision_and_unit(measure: Measure, value: float, shown: str) -> None:
    assert measure.shown(value) == shown


def test_a_target_is_the_limit_or_the_floor_in_words() -> None:
    assert SECONDS.target == "at most 2.50 s"
    assert RATE.target == "at least 1,000,000 records/s"
    assert Measure("share", "", 1.0, 0.5).target == "at most 1.00, at least 0.50"
    assert Measure("stock", "MB").target == "for information"


@pytest.mark.parametrize(
    ("result", "verdict", "met"),
    [
        (Result(SECONDS, 2.5, ""), "met", True),
        (Result(SECONDS, 2.51, ""), "not met", False),
        # Shown as 0.28, and not met all the same: what counts is the figure, not its rounding.
        (Result(RATIO, 0.2801, ""), "not met", False),
        (Result(RATE, 1_000_000, ""), "met", True),
        (Result(RATE, 999_999, ""), "not met", False),
        (Result(SECONDS, 1.0, "", fault="1 records lost"), "not met: 1 records lost", False),
        (Result(Measure("stock", "MB"), 9e9, ""), "-", True),
        (Result(Measure("stock", "MB"), 1.0, "", fault="lost"), "not met: lost", False),
        (Result(RATIO, None, "no engine"), "left out", True),
    ],
)
def test_a_verdict_weighs_figure_and_fault(result: Result, verdict: str, met: bool) -> None:
    assert (result.verdict, result.met) == (verdict, met)


def test_describe_gives_the_median_and_the_range() -> None:
    assert describe("kafkalab", [3.0, 1.0, 2.0], SECONDS) == "kafkalab 2.00 s (1.00 s to 3.00 s)"
    assert describe("kafkalab", [4.0, 1.0, 2.0, 3.0], SECONDS).startswith("kafkalab 2.50 s")
    assert describe("median", [411.4], MEGABYTES) == "median 411 MB"


def test_the_longest_gap_is_looked_for_around_the_kill_only() -> None:
    # A pause of 5 s before the kill at 10.0 is none of the kill's doing.
    times = [0.0, 5.0, 9.9, 10.1, 12.3, 12.4]
    assert longest_gap([0.0, 9.0, 9.9, 10.1, 12.3, 12.4], since=10.0) == pytest.approx(2.2)
    assert longest_gap(times, since=12.35) == pytest.approx(0.1)


def test_the_gap_that_straddles_the_kill_counts_from_the_last_acknowledgement() -> None:
    assert longest_gap([9.0, 12.0], since=11.9) == pytest.approx(3.0)


@pytest.mark.parametrize("times", [[], [11.0], [1.0, 2.0]])
def test_a_gap_that_was_not_observed_is_refused(times: list[float]) -> None:
    with pytest.raises(ValueError, match="not observed"):
        longest_gap(times, since=10.0)


@pytest.mark.parametrize(
    ("acknowledged", "stored", "expected"),
    [
        ([0, 1, 2], [0, 1, 2], ([], [])),
        ([0, 1, 2], [0, 2], ([1], [])),
        ([0, 1], [0, 1, 1, 1], ([], [1])),
        # A record whose acknowledgement was not awaited may be stored or not; twice is twice.
        ([0], [0, 7], ([], [])),
        ([0], [0, 7, 7], ([], [7])),
        ([3, 1], [], ([1, 3], [])),
    ],
)
def test_missing_and_doubled_records_are_named(
    acknowledged: list[int], stored: list[int], expected: tuple[list[int], list[int]]
) -> None:
    assert missing_and_doubled(acknowledged, stored) == expected


# ---- report -----------------------------------------------------------------------------------------------


def test_a_table_is_markdown_and_a_bar_cannot_end_a_cell() -> None:
    assert report.table(("a", "b"), [("1", "x|y"), ("2", "two\nlines")]) == (
        "| a | b |\n| --- | --- |\n| 1 | x\\|y |\n| 2 | two lines |\n"
    )


def test_a_report_has_every_row_the_machine_and_the_method() -> None:
    results = [Result(m, m.limit or 1.0, "seen") for b in BENCHMARKS for m in b.measures]
    rounds = {benchmark: benchmark.rounds for benchmark in BENCHMARKS}
    text = report.render(results, rounds, {"cores": "2"}, day="2000-01-02", command="make bench")
    rows = [line for line in text.splitlines() if line.endswith("| seen |")]
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows] == [result.measure.name for result in results]
    assert "Made by `make bench` on 2000-01-02" in text
    assert "| cores | 2 |" in text
    assert all(f"- **{b.name}** ({b.rounds} rounds, medians): {b.method}" in text for b in BENCHMARKS)


def test_the_committed_report_is_in_step_with_what_is_measured() -> None:
    text = report.REPORT.read_text(encoding="utf-8")
    rows = [f"| {m.name} | {m.target} |" for b in BENCHMARKS for m in b.measures]
    assert [row for row in rows if row not in text] == [], "make it again with `make bench`"
    assert all(f"- **{b.name}** ({b.rounds} rounds, medians): {b.method}\n" in text for b in BENCHMARKS)
    assert "Made by `make bench`" in text


def test_the_machine_is_described() -> None:
    described = describe_machine()
    assert int(described["cores"]) >= 1
    assert all(described.values())


def test_a_processor_is_read_from_cpuinfo() -> None:
    assert cpu_model("processor\t: 0\nmodel name\t: Fast 9000\n\nmodel name\t: Fast 9000\n") == "Fast 9000"
    assert cpu_model("Hardware\t: some board\n") == ""


def test_a_java_release_is_read_or_else_its_feature_release(tmp_path: Path) -> None:
    java = Java(tmp_path / "bin" / "java", 25)
    assert java_release(java) == "25"
    (tmp_path / "release").write_text('IMPLEMENTOR="x"\nJAVA_VERSION="25.0.2"\n')
    assert java_release(java) == "25.0.2"


def test_memory_of_a_cluster_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="0 JVMs run"):
        proportional_megabytes(tmp_path, 3)


# ---- simulation -------------------------------------------------------------------------------------------


def test_every_source_has_a_floor_for_its_frames_and_its_records() -> None:
    assert simulation.MEASURES.keys() == SOURCES.keys()
    assert [measure.floor for measure in simulation.BENCHMARK.measures] == [1_000_000, 150_000] * len(SOURCES)


def test_a_rate_counts_records_by_processor_time() -> None:
    slow = simulation.rate(lambda: sum(range(2_000_000)), 1000)
    quick = simulation.rate(lambda: sum(range(200_000)), 1000)
    assert quick > 2 * slow
    # Waiting is no work.
    waited = simulation.rate(lambda: threading.Event().wait(0.2), 1000)
    assert waited > 1000 / 0.1


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_is_measured_beside_its_plain_loop(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for count in ("_FRAME_RECORDS", "_RECORDS", "_PLAIN_RECORDS"):
        monkeypatch.setattr(simulation, count, 1000)
    monkeypatch.setattr(simulation, "SOURCES", {name: SOURCES[name]})
    ticked: list[str] = []
    results = simulation.BENCHMARK.run(1, ticked.append)
    assert [result.measure for result in results] == list(simulation.MEASURES[name])
    assert all(result.figure and result.figure > 0 for result in results)
    assert all(re.match(r"[\d.]+ times the plain loop; kafkalab [\d,]+ records/s, plain ", r.detail) for r in results)
    assert ticked == [f"simulation, {name}"]


# ---- stock Kafka ------------------------------------------------------------------------------------------


def test_stock_properties_are_defaults_but_for_what_one_machine_needs(tmp_path: Path) -> None:
    ports = {1: 20001, 2: 20002, 3: 20003}
    controllers = {1: 20004, 2: 20005, 3: 20006}
    three = stock_properties(2, ports, controllers, tmp_path)
    assert three["listeners"] == "PLAINTEXT://127.0.0.1:20002,CONTROLLER://127.0.0.1:20005"
    assert three["controller.quorum.voters"] == "1@127.0.0.1:20004,2@127.0.0.1:20005,3@127.0.0.1:20006"
    assert len(three) == 7
    one = stock_properties(1, {1: 20001}, {1: 20004}, tmp_path)
    assert {one[name] for name in one.keys() - three.keys()} == {"1"}
    assert one.keys() <= known_properties()


# ---- soak -------------------------------------------------------------------------------------------------


def test_nbval_is_as_strict_in_the_soak_as_in_the_makefile() -> None:
    makefile = (PROJECT / "Makefile").read_text().replace("\\\n", " ")
    (line,) = (line for line in makefile.splitlines() if line.startswith("NBVAL :="))
    assert line.split()[2:] == list(NBVAL)


def test_the_seconds_of_a_notebook_are_those_of_its_cells() -> None:
    cells = [("notebooks.00_a", 1.5), ("notebooks.solutions.00_a", 4), ("notebooks.00_a", 0.25)]
    report = "".join(f'<testcase classname="{name}.ipynb" name="Cell" time="{time}"/>' for name, time in cells)
    assert seconds_of(f"<testsuites><testsuite>{report}</testsuite></testsuites>") == {
        "notebooks.00_a": 1.75,
        "notebooks.solutions.00_a": 4,
    }


def test_lessons_and_solutions_are_found(tmp_path: Path) -> None:
    (tmp_path / "notebooks" / "solutions").mkdir(parents=True)
    for name in (
        "notebooks/01_b.ipynb",
        "notebooks/00_a.ipynb",
        "notebooks/solutions/00_a.ipynb",
        "notebooks/x.py",
    ):
        (tmp_path / name).touch()
    assert lesson_files(tmp_path) == [
        "notebooks/00_a.ipynb",
        "notebooks/01_b.ipynb",
        "notebooks/solutions/00_a.ipynb",
    ]


def test_a_failed_run_is_summed_up_by_what_failed() -> None:
    failed = "FAILED a.ipynb::Cell 1 - it broke"
    output = f"long output\n{failed}\n\n1 failed, 2 passed in 3s\n"
    assert summary(output) == "FAILED a.ipynb::Cell 1 - it broke; 1 failed, 2 passed in 3s"
    assert summary("usage: pytest\nno such option\n") == "usage: pytest no such option"


def test_a_fencing_is_read_from_a_controllers_log() -> None:
    log = (
        "[...] INFO [QuorumController id=1] Registering periodic task maybeFenceStaleBroker\n"
        "[...] INFO [QuorumController id=1] Fencing broker 2 at epoch 18 because its session has timed out.\n"
        "[...] INFO Recorded new KRaft controller, now node 127.0.0.1:1 (id: 1 rack: null isFenced: false)\n"
    )
    assert fencings(log) == [2]


def test_an_outcome_names_the_first_failure_and_counts_the_others() -> None:
    assert Outcome.of([], "well") == Outcome("passed", "well")
    assert Outcome.of(["bad"], "well") == Outcome("failed", "bad")
    assert Outcome.of(["bad", "worse", "worst"], "well") == Outcome("failed", "bad (and 2 more)")


def test_what_a_cluster_leaves_is_found(tmp_path: Path) -> None:
    assert leftovers(tmp_path) == []
    (tmp_path / "kafkalab-x").mkdir()
    loop = [sys.executable, "-c", "print(flush=True); input()", str(tmp_path)]
    with subprocess.Popen(loop, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()  # right after its start a process has no command line for a moment
        assert leftovers(tmp_path) == [f"file {tmp_path / 'kafkalab-x'}", f"process {process.pid}"]
        process.communicate(b"\n")


def test_a_starter_that_died_is_told_and_asked_again_without_harm(tmp_path: Path) -> None:
    starter = Starter(tmp_path)
    try:
        starter._process.kill()
        starter._process.join(30)
        for _ in range(2):
            starter.go()
            assert starter.failure() == "the starting process ended with exit code -9"
    finally:
        starter.close()


# ---- control groups ---------------------------------------------------------------------------------------


def test_version_1_nests_in_the_own_group(tmp_path: Path) -> None:
    own = "5:cpu,cpuacct:/a\n4:memory:/seat/7\n1:name=systemd:/\n0::/\n"
    assert group_path(own, tmp_path) == (tmp_path / "memory" / "seat" / "7", 1)


def test_version_2_climbs_to_a_group_that_hands_memory_down(tmp_path: Path) -> None:
    own = tmp_path / "user.slice" / "shell.scope"
    own.mkdir(parents=True)
    (own / "cgroup.subtree_control").write_text("\n")
    (own.parent / "cgroup.subtree_control").write_text("cpu memory pids\n")
    assert group_path("0::/user.slice/shell.scope\n", tmp_path) == (own.parent, 2)


@pytest.mark.parametrize("own", ["", "0::/\n", "3:cpu:/\n"])
def test_no_memory_controller_is_said(own: str, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="no control groups for memory"):
        group_path(own, tmp_path)


def test_a_group_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="no memory control group can be made"):
        make_memory_group("seat", root=tmp_path, own="4:memory:/\n")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_the_controllers_files_is_no_group(tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    with pytest.raises(EnvironmentProblem, match="no memory controller"):
        make_memory_group("seat", root=tmp_path, own="4:memory:/\n")
    assert list((tmp_path / "memory").iterdir()) == []


@pytest.mark.parametrize(
    ("version", "limit", "peak", "kills"),
    [
        (1, "memory.limit_in_bytes", "memory.max_usage_in_bytes", "memory.oom_control"),
        (2, "memory.max", "memory.peak", "memory.events"),
    ],
)
def test_both_versions_are_read_alike(version: int, limit: str, peak: str, kills: str, tmp_path: Path) -> None:
    (tmp_path / peak).write_text("123\n")
    (tmp_path / kills).write_text("low 0\noom_kill 4\n")
    group = MemoryGroup(tmp_path, version)
    group.limit(2_000_000_000)
    assert ((tmp_path / limit).read_text(), group.peak_bytes, group.kills) == ("2000000000", 123, 4)


def test_a_command_enters_the_group_and_keeps_its_arguments(tmp_path: Path) -> None:
    said = [
        sys.executable,
        "-c",
        "import json, os, sys; print(json.dumps([os.getpid(), *sys.argv[1:]]))",
        "a b",
        "$c",
    ]
    done = subprocess.run(MemoryGroup(tmp_path, 2).command(said), capture_output=True, text=True, check=True)
    pid, *arguments = json.loads(done.stdout)
    assert arguments == ["a b", "$c"]
    assert int((tmp_path / "cgroup.procs").read_text()) == pid


def test_a_group_in_use_is_not_removed_silently(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.soak.cgroup._GONE_SECONDS", 0.0)
    (tmp_path / "busy").mkdir()
    with pytest.raises(WaitTimeout, match="the end of all processes"):
        MemoryGroup(tmp_path, 2).remove()
    (tmp_path / "busy").rmdir()
    MemoryGroup(tmp_path, 2).remove()
    assert not tmp_path.exists()


def test_a_missing_counter_is_said() -> None:
    with pytest.raises(EnvironmentProblem, match="oom_kill"):
        entry("under_oom 0\n", "oom_kill")


def test_names_are_unique() -> None:
    for names in ([b.name for b in BENCHMARKS], [s.name for s in SOAKS]):
        assert len(set(names)) == len(names)
    measures = [measure.name for benchmark in BENCHMARKS for measure in benchmark.measures]
    assert len(set(measures)) == len(measures)
