"""Properties of a node: what depends on the spec, what may be overridden, and how values are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from kafkalab.clusters.properties import (
    NodeAddress,
    check_overrides,
    known_properties,
    node_properties,
    render,
)
from kafkalab.clusters.spec import ClusterSpec
from kafkalab.errors import InvalidArgument

DATA = Path("data")


def _properties(spec: ClusterSpec, node: int, generation: int = 0) -> dict[str, str]:
    (found,) = (n for n in spec.nodes if n.id == node)
    addresses = {
        n.id: NodeAddress(20000 + n.id if n.is_broker else 0, 21000 + n.id if n.is_voter else 0) for n in spec.nodes
    }
    return node_properties(spec, found, addresses, DATA, generation=generation)


def test_a_combined_node_listens_for_clients_and_for_the_quorum_on_loopback() -> None:
    properties = _properties(ClusterSpec(3), 2)
    assert properties["listeners"] == "PLAINTEXT://127.0.0.1:20002,CONTROLLER://127.0.0.1:21002"
    assert properties["controller.quorum.voters"] == "1@127.0.0.1:21001,2@127.0.0.1:21002,3@127.0.0.1:21003"


def test_a_restored_cluster_does_not_find_the_brokers_it_was_copied_from() -> None:
    properties = _properties(ClusterSpec(1), 1, generation=2)
    assert properties["listeners"] == "PLAINTEXT_2://127.0.0.1:20001,CONTROLLER://127.0.0.1:21001"
    assert properties["inter.broker.listener.name"] == "PLAINTEXT_2"
    assert "PLAINTEXT_2:PLAINTEXT" in properties["listener.security.protocol.map"].split(",")


def test_a_broker_beside_own_controllers_has_no_controller_listener() -> None:
    spec = ClusterSpec(3, 1)
    assert _properties(spec, 1)["listeners"] == "PLAINTEXT://127.0.0.1:20001"
    assert _properties(spec, 101)["listeners"] == "CONTROLLER://127.0.0.1:21101"
    assert _properties(spec, 1)["controller.quorum.voters"] == "101@127.0.0.1:21101"


@pytest.mark.parametrize(("brokers", "replicas", "min_isr"), [(1, "1", "1"), (2, "2", "2"), (3, "3", "2")])
def test_internal_topics_ask_for_no_more_replicas_than_there_are(brokers: int, replicas: str, min_isr: str) -> None:
    properties = _properties(ClusterSpec(brokers), 1)
    for topic in ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic"):
        assert properties[f"{topic}.replication.factor"] == replicas
    assert properties["transaction.state.log.min.isr"] == min_isr


def test_an_override_wins() -> None:
    spec = ClusterSpec(1, properties={"log.retention.ms": "1000"})
    assert _properties(spec, 1)["log.retention.ms"] == "1000"


def test_every_property_set_here_is_one_that_kafka_knows() -> None:
    assert set(_properties(ClusterSpec(3), 1)) <= known_properties()


def test_overrides_are_written_as_kafka_writes_values() -> None:
    given = {"num.io.threads": 2, "auto.create.topics.enable": True, "listener.name.plaintext.x": "y"}
    assert check_overrides(given) == {
        "num.io.threads": "2",
        "auto.create.topics.enable": "true",
        "listener.name.plaintext.x": "y",
    }


def test_a_misspelt_property_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InvalidArgument, match=r"'num\.io\.treads' is not .*: did you mean 'num\.io\.threads'\?"):
        check_overrides({"num.io.treads": 2})


@pytest.mark.parametrize("properties", [["a"], "num.io.threads=2", 7])
def test_what_is_no_dict_is_refused(properties: object) -> None:
    with pytest.raises(InvalidArgument, match="give a dict of names and values"):
        check_overrides(properties)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [None, [1], {}])
def test_what_is_no_value_is_refused(value: object) -> None:
    with pytest.raises(InvalidArgument, match=r"is no value for property 'num\.io\.threads': give a text or a number"):
        check_overrides({"num.io.threads": value})


def test_a_property_like_none_is_refused_with_where_to_look() -> None:
    with pytest.raises(InvalidArgument, match="Broker Configs"):
        check_overrides({"zzzzzzzzzzzz": 1})


@pytest.mark.parametrize("name", ["node.id", "listeners", "log.dirs", "controller.quorum.voters"])
def test_what_holds_the_cluster_together_cannot_be_overridden(name: str) -> None:
    with pytest.raises(InvalidArgument, match="is set by kafkalab itself: leave it out"):
        check_overrides({name: "1"})


def test_rendered_values_survive_javas_escapes() -> None:
    assert render({"a": "C:\\x", "b": "1\n2"}) == "a=C:\\\\x\nb=1\\n2\n"


def test_behind_a_proxy_a_node_binds_one_port_and_advertises_another() -> None:
    spec = ClusterSpec(brokers=1, proxied=True)
    address = NodeAddress(20001, 20002, 20003, NodeAddress(21001, 21002, 21003))
    properties = node_properties(spec, spec.nodes[0], {1: address}, DATA)
    assert properties["listeners"] == (
        "PLAINTEXT://127.0.0.1:21001,INTERNAL://127.0.0.1:21003,CONTROLLER://127.0.0.1:21002"
    )
    assert properties["advertised.listeners"] == properties["listeners"].replace(":210", ":200")
    assert properties["controller.quorum.voters"] == "1@127.0.0.1:20002"
    assert properties["inter.broker.listener.name"] == "INTERNAL"
    assert "advertised.listeners" not in _properties(ClusterSpec(1), 1)


def test_a_node_in_a_network_of_its_own_has_a_name_for_its_peers_and_loopback_for_the_others() -> None:
    spec = ClusterSpec(brokers=1, security="sasl-tls")
    address = NodeAddress(20001, 20002, 20003, harness_port=20004, peer_host="node-1")
    properties = node_properties(spec, spec.nodes[0], {1: address}, DATA)
    assert address.plain_port == 20004
    assert properties["listeners"] == (
        "HARNESS://0.0.0.0:20004,SASL_SSL://0.0.0.0:20001,INTERNAL://0.0.0.0:20003,CONTROLLER://0.0.0.0:20002"
    )
    assert properties["advertised.listeners"] == (
        "HARNESS://127.0.0.1:20004,SASL_SSL://127.0.0.1:20001,INTERNAL://node-1:20003,CONTROLLER://node-1:20002"
    )
    assert properties["controller.quorum.voters"] == "1@node-1:20002"
    assert properties["inter.broker.listener.name"] == "INTERNAL"


def test_the_harness_may_share_the_listener_of_the_clients() -> None:
    spec = ClusterSpec(brokers=1)
    address = NodeAddress(20001, 20002, 20003, harness_port=20001, peer_host="node-1")
    assert node_properties(spec, spec.nodes[0], {1: address}, DATA)["listeners"] == (
        "PLAINTEXT://0.0.0.0:20001,INTERNAL://0.0.0.0:20003,CONTROLLER://0.0.0.0:20002"
    )
