"""A cluster that somebody else runs: with TLS, passwords, and a learner who has rights to one prefix only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kafkalab import Cluster

__all__ = ["PASSWORD", "PREFIX", "RIGHTS", "USER", "lent", "way_in"]

USER, PASSWORD, PREFIX = "anna", "correct horse", "anna-"
# docs/deploying.md gives a learner the same.
RIGHTS = ("--topic", PREFIX, "--group", PREFIX, "--transactional-id", PREFIX)
# The owner's own listeners are plain and nobody's, so that nobody has to be a super user there.
_PROPERTIES = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS;User:learner",
}


@contextmanager
def lent() -> Iterator[Cluster]:
    """Run a cluster on which ``anna`` may do everything to what begins with ``anna-``, and nothing else."""
    with Cluster(3, security="sasl-tls", properties=_PROPERTIES) as owner:
        user = ("--entity-type", "users", "--entity-name", USER)
        owner.kafka_tool("kafka-configs", "--alter", "--add-config", f"SCRAM-SHA-512=[password={PASSWORD}]", *user)
        all_of = ("--operation", "All", "--resource-pattern-type", "prefixed", *RIGHTS)
        owner.kafka_tool("kafka-acls", "--add", "--allow-principal", f"User:{USER}", *all_of)
        yield owner


def way_in(owner: Cluster) -> dict[str, str]:
    """Return the environment in which ``Cluster()`` borrows it."""
    return {
        "KAFKALAB_BOOTSTRAP_SERVERS": owner.bootstrap_servers,
        "KAFKALAB_PREFIX": PREFIX,
        "KAFKALAB_SASL_USERNAME": USER,
        "KAFKALAB_SASL_PASSWORD": PASSWORD,
        "KAFKALAB_CA_FILE": str(owner.client_config()["ssl_cafile"]),
    }
