"""Faults on purpose: what to break, when, for how long, and what was seen of it.

.. code-block:: python

    from kafkalab import faults

    with faults.pause(2).on(cluster):  # by hand; undone at the end of the block, whatever ends it
        ...

    schedule = faults.Schedule(
        faults.pause(faults.followers("orders", 0)).after(2.0),
        faults.kill(faults.leader("orders", 0)).when(acknowledged=5000).undo_after(3.0),
    )
    with schedule.running(cluster, progress):  # in a thread; ``progress()`` has elapsed, sent, acknowledged
        ...
    schedule.frame()

Targets are looked up at the moment of firing. Each firing records what was hit, when, and what the rest of the
cluster saw of it. ``isolate`` and ``slow`` need ``Cluster(proxied=True)``.
"""

from kafkalab.faults.fault import Fault, RecoverableFault, isolate, kill, pause, restart, slow, stop
from kafkalab.faults.firing import Firing, Observation
from kafkalab.faults.schedule import Schedule
from kafkalab.faults.targets import Target, controller, followers, leader
from kafkalab.faults.triggers import Progress

__all__ = [
    "Fault",
    "Firing",
    "Observation",
    "Progress",
    "RecoverableFault",
    "Schedule",
    "Target",
    "controller",
    "followers",
    "isolate",
    "kill",
    "leader",
    "pause",
    "restart",
    "slow",
    "stop",
]
