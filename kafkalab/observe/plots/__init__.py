"""Pictures of what goes on in a cluster, drawn from tables.

Each function takes DataFrames, draws with matplotlib in one look (colours that every kind of colour vision tells
apart), and returns a :class:`Picture`: the figure, the data that were drawn, and a text that says the same. pyplot is
not used, so no figure is left open. In a lesson: ``show(picture.figure, picture.alt)``.
"""

from kafkalab.observe.plots.groups import assignment_map, rebalance_timeline
from kafkalab.observe.plots.lag import lag_curve
from kafkalab.observe.plots.look import Picture
from kafkalab.observe.plots.performance import throughput_and_latency
from kafkalab.observe.plots.replication import isr_timeline
from kafkalab.observe.plots.segments import segment_map
from kafkalab.observe.plots.skew import partition_skew

__all__ = [
    "Picture",
    "assignment_map",
    "isr_timeline",
    "lag_curve",
    "partition_skew",
    "rebalance_timeline",
    "segment_map",
    "throughput_and_latency",
]
