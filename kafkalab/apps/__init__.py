"""The applications that read the simulated worlds, each a consumer group of its own.

An application is given records and gives outputs. Reading, sending and committing is the reader's, see
:class:`~kafkalab.apps.application.Application`; what it decides hangs on the records alone, not on how their
partitions interleave, on redelivery or on a restart. All of that is pure; :mod:`kafkalab.apps.runner` and
:mod:`kafkalab.apps.member` run applications as processes on a cluster.
"""

from __future__ import annotations

from collections.abc import Mapping

from kafkalab.apps import city, social, stocks
from kafkalab.apps.application import Application
from kafkalab.apps.merge import END_OF_TIME, Input, Merge, Received
from kafkalab.apps.output import Output, as_frame
from kafkalab.apps.task import Task

__all__ = ["APPLICATIONS", "END_OF_TIME", "Application", "Input", "Merge", "Output", "Received", "Task", "as_frame"]

#: Name of the source -> name of the consumer group -> what it runs.
APPLICATIONS: Mapping[str, Mapping[str, type[Task]]] = {
    "stocks": stocks.APPLICATIONS,
    "social": social.APPLICATIONS,
    "city": city.APPLICATIONS,
}
