"""Who reads the city's sensors: planners, traffic management, an environmental agency, and two who look after them."""

from __future__ import annotations

from collections.abc import Mapping

from kafkalab.apps.city.delivery import Arrivals, DeliveryMonitor
from kafkalab.apps.city.environment import Advice, Breach, EnvironmentalAgency
from kafkalab.apps.city.health import Finding, SensorHealth, precision_and_recall
from kafkalab.apps.city.planners import HeatCell, Planners, heat_map
from kafkalab.apps.city.readings import TooLate
from kafkalab.apps.city.signals import SignalPlan, TrafficManagement
from kafkalab.apps.task import Task

__all__ = [
    "APPLICATIONS",
    "Advice",
    "Arrivals",
    "Breach",
    "DeliveryMonitor",
    "EnvironmentalAgency",
    "Finding",
    "HeatCell",
    "Planners",
    "SensorHealth",
    "SignalPlan",
    "TooLate",
    "TrafficManagement",
    "heat_map",
    "precision_and_recall",
]

#: Each is a consumer group of this name.
APPLICATIONS: Mapping[str, type[Task]] = {
    "planners": Planners,
    "traffic-management": TrafficManagement,
    "environmental-agency": EnvironmentalAgency,
    "sensor-health": SensorHealth,
    "delivery-monitor": DeliveryMonitor,
}
