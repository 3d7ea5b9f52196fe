"""docs/deploying.md and what lies beside it: manifests fit their schemas and each other, and what is named is there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import click
import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from docs.deploying.measure import Seat
from kafkalab.cli import COMMANDS, group
from kafkalab.clusters.distribution import KAFKA_VERSION, find_java, locked_jars
from kafkalab.clusters.locks import read_lock
from kafkalab.clusters.properties import NodeAddress, kafka_value, node_properties
from kafkalab.clusters.spec import ClusterSpec
from kafkalab.errors import CorruptJar, DownloadFailed
from tests.borrowed import RIGHTS

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "deploying"
DOCUMENT = (ROOT / "docs" / "deploying.md").read_text(encoding="utf-8")
LOCK = FOLDER / "strimzi.lock.toml"
MODEL = "io.strimzi.api.kafka.model"
CLASSES = {"Kafka": "kafka.Kafka", "KafkaNodePool": "nodepool.KafkaNodePool", "KafkaUser": "user.KafkaUser"}
# As in Strimzi's own build of version 1.2.0.
GENERATOR = "io.strimzi.crdgenerator.CrdGenerator --target-kube 1.16+ --crd-api-version v1 --api-versions v1"
LEARNER = "anna"

Schema = dict[str, Any]


def objects(name: str) -> list[Any]:
    return list(yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8")))


NODES, KAFKA = objects("kafka.yaml")
(USER,) = objects("learner.yaml")
(HUB,) = objects("hub.yaml")
SINGLEUSER = HUB["singleuser"]
ENVIRONMENT = SINGLEUSER["extraEnv"]
(LISTENER,) = KAFKA["spec"]["kafka"]["listeners"]
CLUSTER = KAFKA["metadata"]["name"]


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory, require: Callable[[str, str], NoReturn]) -> dict[str, Schema]:
    """The schema of each kind, by Strimzi's own generator from its own classes; unknown fields do not fit."""
    try:
        jars = locked_jars(LOCK)
    except (CorruptJar, DownloadFailed) as problem:
        require("strimzi", str(problem))
    folder = tmp_path_factory.mktemp("strimzi")
    wanted = [f"{MODEL}.{name}={folder / kind}.json" for kind, name in CLASSES.items()]
    command = [str(find_java().executable), "-XX:TieredStopAtLevel=1", "-cp", jars.class_path, *GENERATOR.split()]
    subprocess.run([*command, *wanted], check=True)
    return {kind: schema_of(folder / f"{kind}.json") for kind in CLASSES}


def schema_of(definition: Path) -> Schema:
    (version,) = json.loads(definition.read_text(encoding="utf-8"))["spec"]["versions"]
    closed = without_unknown_fields(version["schema"]["openAPIV3Schema"])
    return {**closed, "required": ["apiVersion", "kind", "metadata", "spec"]}


def without_unknown_fields(schema: Any) -> Any:
    """Kubernetes drops in silence what a definition does not list: a misspelt field."""
    if isinstance(schema, list):
        return [without_unknown_fields(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: without_unknown_fields(value) for name, value in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        closed.setdefault("additionalProperties", bool(schema.get("x-kubernetes-preserve-unknown-fields")))
    return closed


def problems(thing: Any, schema: Schema) -> list[str]:
    return [
        f"{error.json_path}: {error.message}" for error in jsonschema.Draft202012Validator(schema).iter_errors(thing)
    ]


@pytest.mark.parametrize("thing", [NODES, KAFKA, USER], ids=lambda thing: str(thing["kind"]))
def test_an_object_fits_strimzis_schema(thing: Any, schemas: dict[str, Schema]) -> None:
    assert thing["apiVersion"] == "kafka.strimzi.io/v1"
    assert problems(thing, schemas[thing["kind"]]) == []


def test_what_does_not_fit_is_found(schemas: dict[str, Schema]) -> None:
    acl = {"resource": {"type": "topic", "pattern": "prefix"}, "operations": ["Everything"]}
    wrong = {**USER, "spec": {"authorization": {"type": "simple", "acls": [acl]}}}
    found = sorted(problems(wrong, schemas["KafkaUser"]))
    assert len(found) == 2
    assert "'Everything' is not one of" in found[0]
    assert "'pattern' was unexpected" in found[1]


def test_seats_reach_the_brokers_and_nothing_else_does(schemas: dict[str, Schema]) -> None:
    (egress,) = SINGLEUSER["networkPolicy"]["egress"]
    listener = schemas["Kafka"]["properties"]["spec"]["properties"]["kafka"]["properties"]["listeners"]["items"]
    assert problems(egress["to"], listener["properties"]["networkPolicyPeers"]) == []
    (brokers,) = egress["to"]
    assert brokers["podSelector"]["matchLabels"] == {
        "strimzi.io/cluster": CLUSTER,
        "strimzi.io/name": f"{CLUSTER}-kafka",
    }
    assert egress["ports"] == [{"port": LISTENER["port"], "protocol": "TCP"}]
    (seats,) = LISTENER["networkPolicyPeers"]
    assert seats["podSelector"]["matchLabels"] == {"app": "jupyterhub", "component": "singleuser-server"}


def test_a_seat_is_told_of_this_cluster() -> None:
    assert ENVIRONMENT["KAFKALAB_BOOTSTRAP_SERVERS"] == f"{CLUSTER}-kafka-bootstrap:{LISTENER['port']}"
    (volume,), (mount,) = SINGLEUSER["storage"]["extraVolumes"], SINGLEUSER["storage"]["extraVolumeMounts"]
    assert volume["secret"]["secretName"] == f"{CLUSTER}-cluster-ca-cert"
    assert volume["name"] == mount["name"]
    (item,) = volume["secret"]["items"]
    assert ENVIRONMENT["KAFKALAB_CA_FILE"] == f"{mount['mountPath']}/{item['path']}"
    assert [thing["metadata"]["labels"]["strimzi.io/cluster"] for thing in (NODES, USER)] == [CLUSTER] * 2


def test_a_seat_is_told_of_its_learner() -> None:
    assert USER["metadata"]["name"] == LEARNER
    assert HUB["hub"]["config"]["Authenticator"]["allowed_users"] == [LEARNER]
    assert ENVIRONMENT["KAFKALAB_PREFIX"].format(username=LEARNER) == f"{LEARNER}-"
    assert ENVIRONMENT["KAFKALAB_SASL_USERNAME"].format(username=LEARNER) == LEARNER
    # The user operator puts the password into a secret of the user's name.
    secret = ENVIRONMENT["KAFKALAB_SASL_PASSWORD"]["valueFrom"]["secretKeyRef"]
    assert (secret["name"].format(username=LEARNER), secret["key"]) == (LEARNER, "password")
    assert LISTENER["authentication"]["type"] == USER["spec"]["authentication"]["type"] == "scram-sha-512"


def test_a_learner_has_the_rights_that_the_guest_is_tested_with() -> None:
    option = {"topic": "--topic", "group": "--group", "transactionalId": "--transactional-id"}
    acls = USER["spec"]["authorization"]["acls"]
    assert {acl["resource"]["patternType"] for acl in acls} == {"prefix"}
    assert [acl["operations"] for acl in acls] == [["All"]] * len(acls)
    given = [word for acl in acls for word in (option[acl["resource"]["type"]], acl["resource"]["name"])]
    assert given == list(RIGHTS)
    assert f"--operation All --resource-pattern-type prefixed {' '.join(RIGHTS)}" in re.sub(
        r"\s*\\\n\s*", " ", DOCUMENT
    )


def test_the_cluster_is_set_up_as_kafkalabs_own() -> None:
    spec = ClusterSpec(brokers=3)
    own = node_properties(spec, spec.nodes[0], {node.id: NodeAddress(1, 2) for node in spec.nodes}, Path("data"))
    config = {name: kafka_value(value) for name, value in KAFKA["spec"]["kafka"]["config"].items()}
    assert config == {name: own[name] for name in config}
    # A simulated record is older than seven days.
    assert config["log.retention.ms"] == "-1"


def test_versions_are_those_of_the_locks() -> None:
    assert KAFKA["spec"]["kafka"]["version"] == KAFKA_VERSION
    assert KAFKA["spec"]["kafka"]["metadataVersion"].startswith(KAFKA_VERSION.rpartition(".")[0] + "-")
    (strimzi,) = {jar.version for jar in read_lock(LOCK).jars}
    named = re.findall(r"[Ss]trimzi(?:[- ]cluster-operator-|[a-z-]*/releases/download/| )(\d+\.\d+\.\d+)", DOCUMENT)
    assert len(named) > 1
    assert set(named) == {strimzi}
    assert set(re.findall(r"Apache Kafka (\d+\.\d+\.\d+)", DOCUMENT)) == {KAFKA_VERSION}
    (hub,) = re.findall(r"jupyterhub==([\d.]+)", (FOLDER / "Containerfile").read_text(encoding="utf-8"))
    assert f"JupyterHub {hub}" in DOCUMENT


def files() -> Iterator[tuple[str, str]]:
    """The document and everything beside it, with its text."""
    yield "deploying.md", DOCUMENT
    for path in sorted(path for path in FOLDER.iterdir() if path.is_file()):
        yield path.name, path.read_text(encoding="utf-8")


@pytest.mark.parametrize("text", [text for _, text in files()], ids=[name for name, _ in files()])
def test_what_is_named_is_there(text: str) -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "kafkalab").rglob("*.py"))
    assert [name for name in re.findall(r"KAFKALAB_[A-Z_]+", text) if f'"{name}"' not in code] == []
    named = re.findall(r"(?:docs/deploying|notebooks|tools)/[\w./@-]+\w", text)
    assert [name for name in named if not (ROOT / name).exists()] == []
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert [
        target for target in re.findall(r"\bmake (?:-C \S+ )?([a-z]+)\b", text) if f"\n{target}:" not in makefile
    ] == []


def kafkalab_commands() -> list[list[str]]:
    """The words of each call of ``kafkalab`` in the document and the unit, up to where JupyterLab's own begin."""
    lines = "\n".join(text for _, text in files()).replace("\\\n", " ").splitlines()
    found = [re.search(r"(?:bin/|^)kafkalab ([a-z].*)", line) for line in lines]
    return [match.group(1).partition(" -- ")[0].split() for match in found if match]


def test_each_call_of_kafkalab_is_one_that_it_understands() -> None:
    calls = kafkalab_commands()
    assert len(calls) > 1
    for command, *words in calls:
        assert command in COMMANDS
        found = group.get_command(click.Context(group), command)
        assert found is not None
        options = {option for parameter in found.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options


def test_shell_commands_can_be_parsed() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", DOCUMENT, re.DOTALL)
    assert len(blocks) > 2
    for block in blocks:
        assert subprocess.run(["bash", "-n"], input=block, text=True, capture_output=True, check=False).stderr == ""


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("platform: this system has no systemd-analyze")
    text = (FOLDER / "kafkalab-seat@.service").read_text(encoding="utf-8")
    here = text.replace("/opt/kafkalab/.venv/bin/kafkalab", sys.executable)  # a program has to be there
    assert here != text
    unit = tmp_path / "kafkalab-seat@.service"
    unit.write_text(here, encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines() if unit.name in line] == []
    unit.write_text(here.replace("MemoryMax=", "MemoriMax="), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert "Unknown key" in done.stderr


def test_all_seats_have_the_same_limit() -> None:
    unit = (FOLDER / "kafkalab-seat@.service").read_text(encoding="utf-8")
    assert f"MemoryMax={SINGLEUSER['memory']['limit']}\n" in unit
    assert f"CPUQuota={SINGLEUSER['cpu']['limit'] * 100}%\n" in unit


def test_a_seat_has_its_lessons_and_becomes_jupyterhubs_server(tmp_path: Path) -> None:
    server = tmp_path / "bin" / "jupyterhub-singleuser"
    server.parent.mkdir()
    server.write_text('#!/bin/sh\nprintf "%s\\n" "$@" "$KAFKALAB_PROGRESS_FILE" "$JUPYTER_CONFIG_PATH"\n')
    server.chmod(0o755)
    home = {"HOME": str(tmp_path), "PATH": f"{server.parent}{os.pathsep}{os.environ['PATH']}"}
    script, *arguments = SINGLEUSER["cmd"][1:]
    command = [sys.executable, script.replace("/opt/kafkalab", str(ROOT)), *arguments, "--ip=0.0.0.0"]
    environment = {**os.environ, **home}
    environment.pop("KAFKALAB_PROGRESS_FILE", None)
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()
    lessons = tmp_path / "kafka"
    assert shown[:3] == [f"--ServerApp.root_dir={lessons}", "--ip=0.0.0.0", str(lessons / ".kafkalab-progress.json")]
    assert (Path(shown[3].split(os.pathsep)[0]) / "labconfig").is_dir()
    assert (lessons / SINGLEUSER["defaultUrl"].removeprefix("/lab/tree/")).is_file()


def test_a_seat_is_measured_by_the_processes_that_name_its_folder(tmp_path: Path) -> None:
    seat = Seat(tmp_path)
    assert seat.look() == 0
    idle = [sys.executable, "-c", "print(flush=True); input()", str(tmp_path)]
    with subprocess.Popen(idle, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        assert 1 < seat.look() < 100
        assert [pid for pid, _ in seat.processor_seconds] == [process.pid]
        process.communicate(b"\n")
    assert seat.look() == 0
    assert len(seat.processor_seconds) == 1
