"""What a client needs besides the servers to get into a cluster, in the words of each client.

Sources: Kafka's documentation, "Security"; KIP-651 (PEM stores); librdkafka's CONFIGURATION.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypedDict, cast

from kafkalab.errors import InvalidArgument

__all__ = ["MECHANISMS", "PLAINTEXT", "PROTOCOLS", "VARIABLES", "Access", "AccessArguments", "arguments_in"]

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_JAAS = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
}
_OF_SASL = ("mechanism", "username", "password")
_OF_TLS = ("ca_file", "cert_file", "key_file")
#: The environment variables that :func:`arguments_in` reads, by argument.
VARIABLES = {
    "protocol": "KAFKALAB_SECURITY_PROTOCOL",
    "mechanism": "KAFKALAB_SASL_MECHANISM",
    "username": "KAFKALAB_SASL_USERNAME",
    "password": "KAFKALAB_SASL_PASSWORD",
    "ca_file": "KAFKALAB_CA_FILE",
    "cert_file": "KAFKALAB_CERT_FILE",
    "key_file": "KAFKALAB_KEY_FILE",
}


class AccessArguments(TypedDict, total=False):
    """The attributes of :class:`Access`, as arguments by name."""

    protocol: str
    mechanism: str
    username: str
    password: str
    ca_file: str | Path
    cert_file: str | Path
    key_file: str | Path


def arguments_in(environment: Mapping[str, str]) -> AccessArguments:
    """Return what the environment variables of :data:`VARIABLES` say."""
    found = {name: environment[variable] for name, variable in VARIABLES.items() if environment.get(variable)}
    return cast("AccessArguments", found)


@dataclass(frozen=True)
class Access:
    """How a client gets in: Kafka's ``security.protocol`` and what belongs to it.

    Attributes:
        protocol: one of :data:`PROTOCOLS`.
        mechanism: one of :data:`MECHANISMS`; None without SASL.
        username: for SASL.
        password: for SASL; never shown.
        ca_file: the certificate authority to trust (PEM); None for those that the machine trusts.
        cert_file: the client's own certificate (PEM), where the brokers ask for one.
        key_file: its private key (PEM, PKCS#8, without a password).
    """

    protocol: str = "PLAINTEXT"
    mechanism: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    @classmethod
    def checked(cls, given: Mapping[str, Any]) -> Self:
        """Return what the arguments of this name say; the protocol follows from the others where it is not given.

        Raises:
            InvalidArgument: something is missing, does not fit the protocol, or is not there.
        """
        if strange := sorted(set(given) - set(VARIABLES)):
            raise InvalidArgument(f"{strange[0]!r} says nothing about access: choose from {', '.join(VARIABLES)}.")
        told = {name: value for name, value in given.items() if value not in (None, "")}
        for name in told.keys() & set(_OF_TLS):
            told[name] = _existing(name, told[name])
        sasl, tls = (bool(told.keys() & set(names)) for names in (_OF_SASL, _OF_TLS))
        told.setdefault("protocol", "SASL_SSL" if sasl else "SSL" if tls else "PLAINTEXT")
        if sasl:
            told.setdefault("mechanism", "SCRAM-SHA-512")
        access = cls(**told)
        access._check()
        return access

    def _check(self) -> None:
        if self.protocol not in PROTOCOLS:
            raise InvalidArgument(f"protocol={self.protocol!r} is not there: choose from {', '.join(PROTOCOLS)}.")
        if self.mechanism is not None and self.mechanism not in MECHANISMS:
            raise InvalidArgument(f"mechanism={self.mechanism!r} is not there: choose from {', '.join(MECHANISMS)}.")
        self._check_parts("SASL", self.has_sasl, _OF_SASL)
        if self.has_sasl and not (self.username and self.password):
            raise InvalidArgument(f"protocol={self.protocol!r} needs username and password: give both.")
        self._check_parts("SSL", self.has_tls, _OF_TLS)
        if (self.cert_file is None) != (self.key_file is None):
            raise InvalidArgument("a client's certificate needs its key: give cert_file and key_file, or neither.")

    def _check_parts(self, kind: str, has: bool, names: tuple[str, ...]) -> None:
        given = [name for name in names if getattr(self, name) is not None]
        if given and not has:
            raise InvalidArgument(
                f"{given[0]} does not fit protocol={self.protocol!r}: leave it out, or choose a protocol with {kind}."
            )

    @property
    def has_sasl(self) -> bool:
        """Whether a client gives its name and a password."""
        return self.protocol.startswith("SASL_")

    @property
    def has_tls(self) -> bool:
        """Whether connections are encrypted."""
        return self.protocol.endswith("SSL")

    def kafka_python(self) -> dict[str, Any]:
        """Return the keyword arguments of a kafka-python client; none for a plain cluster."""
        return self._named(
            "security_protocol",
            {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
                "ssl_cafile": self.ca_file,
                "ssl_certfile": self.cert_file,
                "ssl_keyfile": self.key_file,
            },
        )

    def confluent_kafka(self) -> dict[str, Any]:
        """Return the settings of a confluent-kafka (librdkafka) client; none for a plain cluster."""
        return self._named(
            "security.protocol",
            {
                "sasl.mechanism": self.mechanism,
                "sasl.username": self.username,
                "sasl.password": self.password,
                "ssl.ca.location": self.ca_file,
                "ssl.certificate.location": self.cert_file,
                "ssl.key.location": self.key_file,
            },
        )

    def java(self) -> dict[str, str]:
        """Return the properties of Kafka's own clients, its command-line tools among them; none for a plain one."""
        return self._named(
            "security.protocol",
            {
                "sasl.mechanism": self.mechanism,
                "sasl.jaas.config": self._jaas() if self.has_sasl else None,
                "ssl.truststore.type": self.ca_file and "PEM",
                "ssl.truststore.location": self.ca_file,
                "ssl.keystore.type": self.cert_file and "PEM",
                "ssl.keystore.certificate.chain": self.cert_file and self.cert_file.read_text(),
                "ssl.keystore.key": self.key_file and self.key_file.read_text(),
            },
        )

    def _named(self, protocol: str, settings: Mapping[str, object]) -> dict[str, str]:
        if self.protocol == "PLAINTEXT":
            return {}
        return {protocol: self.protocol} | {name: str(value) for name, value in settings.items() if value is not None}

    def _jaas(self) -> str:
        values = (f'{name}="{_quoted(getattr(self, name))}"' for name in ("username", "password"))
        return f"{_JAAS[self.mechanism or '']} required {' '.join(values)};"


def _existing(name: str, given: object) -> Path:
    path = Path(str(given)).expanduser()
    if not path.is_file():
        raise InvalidArgument(f"{name}={str(given)!r} is no file: give the path of a PEM file.")
    return path.absolute()


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


#: For a cluster that lets everybody in.
PLAINTEXT = Access()
