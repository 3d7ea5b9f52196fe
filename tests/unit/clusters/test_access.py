from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kafkalab.clusters.access import PLAINTEXT, VARIABLES, Access, arguments_in
from kafkalab.errors import InvalidArgument

USER = {"username": "anna", "password": 'se"cret'}


@pytest.fixture
def pem(tmp_path: Path) -> str:
    file = tmp_path / "some.pem"
    file.write_text("-----BEGIN X-----\nabc\n-----END X-----\n")
    return str(file)


def test_a_plain_cluster_asks_for_nothing() -> None:
    access = Access.checked({})
    assert access == PLAINTEXT
    assert access.kafka_python() == access.confluent_kafka() == access.java() == {}


@pytest.mark.parametrize(
    ("given", "protocol", "mechanism"),
    [
        (USER, "SASL_SSL", "SCRAM-SHA-512"),
        (USER | {"mechanism": "PLAIN"}, "SASL_SSL", "PLAIN"),
        (USER | {"protocol": "SASL_PLAINTEXT"}, "SASL_PLAINTEXT", "SCRAM-SHA-512"),
        ({"protocol": "SSL"}, "SSL", None),
    ],
)
def test_the_rest_follows_from_what_is_given(given: dict[str, Any], protocol: str, mechanism: str | None) -> None:
    access = Access.checked(given)
    assert (access.protocol, access.mechanism) == (protocol, mechanism)


def test_a_certificate_authority_means_tls(pem: str) -> None:
    access = Access.checked({"ca_file": pem})
    assert access.protocol == "SSL"
    assert access.kafka_python() == {"security_protocol": "SSL", "ssl_cafile": pem}
    assert access.confluent_kafka() == {"security.protocol": "SSL", "ssl.ca.location": pem}
    assert access.java() == {
        "security.protocol": "SSL",
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": pem,
    }


def test_every_client_is_told_who_one_is(pem: str) -> None:
    access = Access.checked({**USER, "ca_file": pem, "cert_file": pem, "key_file": pem})
    assert access.kafka_python()["sasl_plain_username"] == access.confluent_kafka()["sasl.username"] == "anna"
    java = access.java()
    assert java["sasl.jaas.config"] == (
        'org.apache.kafka.common.security.scram.ScramLoginModule required username="anna" password="se\\"cret";'
    )
    assert java["ssl.keystore.key"] == java["ssl.keystore.certificate.chain"] == Path(pem).read_text()
    assert access.kafka_python()["ssl_certfile"] == access.confluent_kafka()["ssl.key.location"] == pem


def test_a_password_is_not_shown() -> None:
    assert "cret" not in repr(Access.checked(USER))


def test_the_environment_says_the_same(pem: str) -> None:
    environment = {VARIABLES["username"]: "anna", VARIABLES["password"]: 'se"cret', VARIABLES["ca_file"]: pem}
    assert arguments_in(environment | {"HOME": "x"}) == {**USER, "ca_file": pem}
    assert arguments_in({VARIABLES["username"]: ""}) == {}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"protocol": "TLS"}, "protocol='TLS' is not there: choose from PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"),
        (USER | {"mechanism": "GSSAPI"}, "mechanism='GSSAPI' is not there: choose from PLAIN, SCRAM"),
        (USER | {"protocol": "SSL"}, "mechanism does not fit protocol='SSL': leave it out, or choose .* with SASL"),
        ({"username": "anna"}, "protocol='SASL_SSL' needs username and password: give both"),
        ({"ca_file": "/no/such.pem"}, "ca_file='/no/such.pem' is no file: give the path of a PEM file"),
        ({"user": "anna"}, "'user' says nothing about access: choose from protocol, mechanism, username"),
    ],
)
def test_what_does_not_fit_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        Access.checked(given)


def test_files_have_to_fit_as_well(pem: str) -> None:
    with pytest.raises(InvalidArgument, match="a client's certificate needs its key"):
        Access.checked({"cert_file": pem})
    with pytest.raises(InvalidArgument, match=r"ca_file does not fit protocol='SASL_PLAINTEXT'.* with SSL"):
        Access.checked(USER | {"protocol": "SASL_PLAINTEXT", "ca_file": pem})
