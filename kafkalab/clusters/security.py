"""TLS and a SCRAM user for the clients' listener of our own clusters: a CA, the brokers' certificate, a password.

The brokers' own traffic and the harness keep a plain listener on loopback, so that views and faults work the same
on every cluster. Sources: Kafka's documentation, "Security"; KIP-651 (PEM stores), KIP-84 (SCRAM).
"""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from kafkalab.clusters.access import Access
from kafkalab.errors import InvalidArgument

__all__ = ["MECHANISM", "SASL_TLS", "Security", "check_security"]

SASL_TLS = "sasl-tls"
MECHANISM = "SCRAM-SHA-512"
_USER = "learner"
_JAAS = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


def check_security(name: object) -> str | None:
    """Return ``name`` if it is a way to secure a cluster; None for a plain one.

    Raises:
        InvalidArgument: it is neither.
    """
    if name is None or name == SASL_TLS:
        return name
    raise InvalidArgument(f"security={name!r} is not there: choose {SASL_TLS!r}, or leave it out for a plain cluster.")


@dataclass(frozen=True)
class Security:
    """What secures one cluster.

    Attributes:
        ca_file: the certificate authority a client has to trust (PEM).
        keystore: key and certificate of the brokers (PEM).
        username: the one user there is.
        password: of that user; new for every cluster.
    """

    ca_file: Path
    keystore: Path
    username: str
    password: str

    @classmethod
    def of(cls, folder: Path, password: str) -> Security:
        """Return what was created in ``folder``, or is to be."""
        return cls(folder / "ca.pem", folder / "broker.pem", _USER, password)

    def copy_to(self, folder: Path) -> None:
        """Copy CA and certificate to another folder, where :meth:`of` finds them."""
        for file in (self.ca_file, self.keystore):
            (folder / file.name).touch(mode=0o600)
            shutil.copyfile(file, folder / file.name)

    @classmethod
    def create(cls, folder: Path) -> Security:
        """Make a CA and a certificate for loopback in ``folder``, and a password."""
        import trustme
        from cryptography.hazmat.primitives.serialization import (
            Encoding,
            NoEncryption,
            PrivateFormat,
            load_pem_private_key,
        )

        authority = trustme.CA()
        issued = authority.issue_cert("127.0.0.1", "localhost")
        # trustme writes SEC1 keys; Kafka's PEM store reads PKCS#8 only.
        key = load_pem_private_key(issued.private_key_pem.bytes(), None)
        pkcs8 = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        chain = b"".join(pem.bytes() for pem in issued.cert_chain_pems)
        security = cls.of(folder, secrets.token_urlsafe(18))
        authority.cert_pem.write_to_path(security.ca_file)
        security.keystore.touch(mode=0o600)
        security.keystore.write_bytes(pkcs8 + chain)
        return security

    @property
    def scram_argument(self) -> str:
        """The user as ``kafka-storage format --add-scram`` takes it: known to the brokers from the first moment."""
        return f"{MECHANISM}=[name={self.username},password={self.password}]"

    def broker_properties(self) -> dict[str, str]:
        """Return the properties of the clients' listener."""
        return {
            "sasl.enabled.mechanisms": MECHANISM,
            f"listener.name.sasl_ssl.{MECHANISM.lower()}.sasl.jaas.config": _JAAS,
            "listener.name.sasl_ssl.ssl.keystore.type": "PEM",
            "listener.name.sasl_ssl.ssl.keystore.location": str(self.keystore),
        }

    @property
    def access(self) -> Access:
        """What a client gets in with."""
        return Access("SASL_SSL", MECHANISM, self.username, self.password, self.ca_file)
