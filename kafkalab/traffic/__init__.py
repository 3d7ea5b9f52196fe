"""Traffic: simulated records through real clients into a cluster, with a ledger of every record.

.. code-block:: python

    run = traffic.run(cluster, source, records=10_000, rate=2000)
    run.ledger.verify(cluster)
    run.throughput(), run.latency()

:func:`run` blocks, :func:`start` goes on in the background.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kafkalab.traffic.group import Group
    from kafkalab.traffic.running import Run
    from kafkalab.traffic.starting import run, start

__all__ = ["Group", "Run", "run", "start"]

_HOMES = {"Group": "group", "Run": "running", "run": "starting", "start": "starting"}


# Loaded when first asked for, as in kafkalab itself: a member of a group is a process that needs none of it.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name in _HOMES:
            from importlib import import_module

            return getattr(import_module(f"kafkalab.traffic.{_HOMES[name]}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
