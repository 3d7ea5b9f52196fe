"""An admin client that survives what the harness does to brokers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from kafka import KafkaAdminClient
from kafka.errors import KafkaError, UnknownBrokerIdError

from kafkalab.clusters.kafka_python import made
from kafkalab.errors import NotRunning, WaitTimeout
from kafkalab.waiting import wait_until

__all__ = ["QUICK_RECONNECT", "PatientAdmin"]

T = TypeVar("T")

# kafka-python's defaults back off up to 30 s from a broker that was down; a lesson brings it back in 2 s.
QUICK_RECONNECT: dict[str, Any] = {
    "reconnect_backoff_ms": 20,
    "reconnect_backoff_max_ms": 200,
    "retry_backoff_ms": 50,
    "metadata_max_age_ms": 500,
}
# A paused broker takes requests and never answers: give up soon, another one knows as much.
_REQUEST_MS = 1500
_BOOTSTRAP_MS = 5000
ANSWER_SECONDS = 30.0


class PatientAdmin:
    """kafka-python's admin client, made again when the broker it talks to is gone.

    Args:
        config: returns kafka-python's settings to reach those that are worth asking now; without servers for none.
        hint: says, for the message of a time-out, what is wrong with the cluster now; "" for nothing.
        request_ms: how long one broker may take for an answer; longer for requests that change something.
    """

    def __init__(
        self, config: Callable[[], dict[str, Any]], hint: Callable[[], str], request_ms: int = _REQUEST_MS
    ) -> None:
        self._config = config
        self._hint = hint
        self._request_ms = request_ms
        self._lock = threading.RLock()
        self._client: KafkaAdminClient | None = None

    def ask(self, question: Callable[[KafkaAdminClient], T], timeout: float | None = None) -> T:
        """Return ``question(client)``, asked again while brokers are unreachable.

        Args:
            question: asks the client.
            timeout: seconds for an answer; by default 30.

        Raises:
            NotRunning: no broker runs.
            WaitTimeout: no answer in time; shows the last error.
            kafka.errors.KafkaError: an answer that asking again would not change.
        """
        patience = ANSWER_SECONDS if timeout is None else timeout
        with self._lock:
            try:
                return wait_until(
                    lambda: self._ask_once(question, patience),
                    lambda _: True,
                    what="an answer from the cluster",
                    timeout=patience,
                    retry_on=(_NotNow,),
                )
            except WaitTimeout as error:
                raise WaitTimeout(" ".join(filter(None, [str(error), self._hint()])), error.last) from error

    def _ask_once(self, question: Callable[[KafkaAdminClient], T], patience: float) -> T:
        try:
            if self._client is None:
                self._client = self._connect(patience)
            return question(self._client)
        except KafkaError as error:
            # Asked for the controller, kafka-python may still name one that has left the metadata it has by now.
            if not error.retriable and not isinstance(error, UnknownBrokerIdError):
                raise
            self.close()
            raise _NotNow(error) from error

    def _connect(self, patience: float) -> KafkaAdminClient:
        config = self._config()
        if not config["bootstrap_servers"]:
            raise NotRunning("no broker of this cluster is running: start one with cluster.broker(1).start().")
        return _connected(
            **config,
            request_timeout_ms=self._request_ms,
            bootstrap_timeout_ms=min(_BOOTSTRAP_MS, int(patience * 1000)),
            **QUICK_RECONNECT,
        )

    def close(self) -> None:
        """Close the connection; the next question makes a new one."""
        with self._lock:
            client, self._client = self._client, None
            if client is not None:
                client.close()


def _connected(**config: Any) -> KafkaAdminClient:
    client = made(KafkaAdminClient, **config)
    # The first answer on a new connection may take 10 s, which KafkaAdminClient's own settings cannot change.
    client._manager.config.update(  # noqa: SLF001
        socket_connection_setup_timeout_ms=_REQUEST_MS, socket_connection_setup_timeout_max_ms=_REQUEST_MS
    )
    try:
        _go_to_named(client, set(config["bootstrap_servers"].split(",")))
    except KafkaError:
        client.close()
        raise
    return client


def _go_to_named(client: KafkaAdminClient, servers: set[str]) -> None:
    """Connect to one of the servers named: of all that it has heard of the client would ask any, frozen ones too."""
    manager = client._manager  # noqa: SLF001
    for broker in manager.cluster.brokers():
        if f"{broker.host}:{broker.port}" in servers:

            async def connect(node_id: int = broker.node_id) -> None:
                await manager.get_connection(node_id)

            manager.run(connect)
            _stay_with(manager, broker.node_id)
            return


def _stay_with(manager: Any, node_id: int) -> None:
    """Ask this broker as long as it is in the cluster.

    What brokers know of the metadata differs for moments. Who asks now one and now another would see an in-sync
    replica go, come and go again.
    """
    any_node = manager.least_loaded_node
    manager.least_loaded_node = lambda: node_id if manager.cluster.broker_metadata(node_id) else any_node()


class _NotNow(Exception):
    """No broker could answer; another time one may. Shows itself as the client's error."""

    def __init__(self, error: KafkaError) -> None:
        super().__init__(error)
        self._error = error

    def __repr__(self) -> str:
        return repr(self._error)
