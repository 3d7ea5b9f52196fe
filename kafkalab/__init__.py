"""kafkalab: learn Apache Kafka by doing, on real brokers."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kafkalab.clusters import Cluster

__version__ = "0.1.0"

__all__ = ["Cluster", "__version__"]


# Loaded when first asked for (PEP 562): pandas and the Kafka client take most of a second, and the command
# line mostly needs neither. Hidden from type checkers, which would take every misspelt name for one of these.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name == "Cluster":
            from kafkalab.clusters import Cluster

            return Cluster
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
