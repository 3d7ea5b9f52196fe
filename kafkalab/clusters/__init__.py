"""Throwaway Kafka clusters: real brokers, started quickly, ended for certain."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kafkalab.clusters.cluster import Cluster

__all__ = ["Cluster"]


# Loaded when first asked for, as in kafkalab itself: the modules below are of use without pandas.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name == "Cluster":
            from kafkalab.clusters.cluster import Cluster

            return Cluster
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
