# %% [markdown]
# # 22 Smart city: late, doubled, stuck and dead
#
# **40 minutes.** A day of a city's sensors goes through Kafka: traffic, air and energy. Readings come late, twice, or
# not at all, a broker dies in the middle of the day, and all the same you draw the planners' map, set traffic lights,
# raise alerts, and find the sensors that cannot be trusted.
#
# You should know keys and partitions, groups and commits, and what `acks=all` is for:
# [Partitions](02_partitions.ipynb), [Consumer groups](03_consumer_groups.ipynb) and
# [Replication and failover](04_replication.ipynb) show them.

# %%
import json
from itertools import islice, pairwise, takewhile
import pandas as pd
from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.errors import UnknownBrokerIdError  # of one that has died: asked again, it knows the next one
from kafkalab import Cluster, faults, traffic
from kafkalab.apps import Application, Received, as_frame
from kafkalab.apps.city import (
    Advice, Breach, EnvironmentalAgency, Finding, Planners, SensorHealth, SignalPlan, TooLate,
    TrafficManagement, heat_map, precision_and_recall,
)  # fmt: skip
from kafkalab.courseware import check, hint, predict, progress, show, solution
from kafkalab.ledger import Ledger
from kafkalab.observe.plots.city import district_hours, reading_delays, sensor_map
from kafkalab.simulation import City
from kafkalab.waiting import wait_until

cluster = Cluster(brokers=3).start()
city = City(
    seed=36, start="2025-03-03T00:00:00Z", districts=6, traffic_sensors=6, energy_sensors=3,
    traffic_every_s=300, air_every_s=600, energy_every_s=900, fault_share=0.2,
)  # fmt: skip
city.sensors.groupby("kind", observed=True)["every_s"].agg(["size", "first"]).set_axis(
    ["sensors", "seconds between readings"], axis="columns")  # fmt: skip

# %% [markdown]
# ## Three networks, three topics, one key
# The city is simulated, in simulated time: a Monday in March, from midnight to one o'clock of the next day. Its sensors
# belong to three networks: the road authority's detectors, the stations for the air, and the power company's meters.
# Each network sends to a topic of its own, for what it measures has other fields, and is read by other programs.
#
# The **key** is the sensor. So all that a sensor sends lies in one partition, in the order in which it was sent, and
# the load is spread. (The district would be a worse key: with six values some partitions easily get more than others,
# and nothing that we do hangs on the order *between* two sensors.)
#
# Other topics are for what the city's applications say. Other programs act on that.

# %%
MINUTE, HOUR = 60_000, 3_600_000
topics = {name: cluster.create_topic(name) for name in ("air-alerts", "energy-advice", "sensor-faults")}
end_ms = city.start_ms + 25 * HOUR
day = list(takewhile(lambda record: record.timestamp_ms < end_ms, city.records(20_000)))
night = [record for record in day if record.timestamp_ms < city.start_ms + 2 * HOUR]  # two hours
for name in City.topics:
    first = next(record for record in day if record.topic == name)
    print(f"{name}: key {first.key.decode()}, value {first.value.decode()}")

# %% [markdown]
# ## A reading has three times
# `measured_ms` in the value says when the sensor measured: the **event time**. The record's own timestamp says when
# it was sent. And then there is the moment at which a program looks at the record: the **processing time**. (Our day
# takes some seconds. For us the time of sending stands for the processing time, as in a city whose programs keep up.)
#
# Between measuring and sending there are radio holes, weak batteries, and a gateway in each district that may fail. A
# sensor that hears no acknowledgement from its gateway sends the reading again, later: a second record.
#
# **Predict** two things. We send the first two hours with one `KafkaProducer` for each network. It is idempotent, as
# by default, and all that a sensor sends is in one partition. First: are a sensor's readings there in the order in
# which they were measured? Second: what becomes of the readings that a sensor sent twice?

# %%
order = predict("In the order of measuring?", choices=("always", "not always"), guess=...)
twice = predict("A reading sent twice is stored ...", choices=("once", "twice"), guess=...)
print(order, twice, sep="\n")

# %%
topics |= {name: cluster.create_topic(name, partitions=3) for name in City.topics}
for name in City.topics:
    with KafkaProducer(**cluster.client_config(), client_id=f"{name}-network") as producer:
        for record in (one for one in night if one.topic == name):
            producer.send(topics[name], record.value, key=record.key, timestamp_ms=record.timestamp_ms)

# %% [markdown]
# `table` shows what a topic holds, one row for each record. Here is a sensor with a reading that was overtaken.

# %%
def table(name):
    """Return every record of a topic, by partition and offset, with its value's fields as columns."""
    found = cluster.messages(topics[name], limit=20_000, timestamps=True)
    return found.join(pd.DataFrame(found["value"].map(json.loads).tolist()))

def clock(milliseconds):
    return pd.to_datetime(milliseconds, unit="ms").dt.strftime("%H:%M:%S")

seen = table("traffic-flow")
reading = ["sensor_id", "measured_ms"]
newest_before = seen.groupby("sensor_id")["measured_ms"].cummax()
print("order of measuring: ", end="")
order.compare("always" if (seen["measured_ms"] >= newest_before).all() else "not always")
print("sent twice: ", end="")
twice.compare("twice" if seen.duplicated(reading).any() else "once")
odd = seen[seen["measured_ms"] < newest_before]["sensor_id"].iloc[0]
clocks = {"measured": clock(seen["measured_ms"]), "sent": clock(seen["timestamp"])}
seen.assign(**clocks)[seen["sensor_id"] == odd][["sensor_id", "partition", "offset", *clocks]].head(8)

# %% [markdown]
# Look where `measured` goes back: a later reading was there first. A partition keeps the order of *arrival*, and that
# is all that it promises. It knows nothing of `measured_ms`. *A timestamp orders records* is wrong.
#
# And the readings that came twice are there twice. *An idempotent producer prevents duplicates* holds for its own
# retries only. For Kafka the sensor's second try is another record, with a number and an offset of its own. That both
# tell of the same thing, only the reader can see: here by the sensor and `measured_ms`.
#
# ## An application in a loop
# Who reads has to bring order into that. `kafkalab.apps.city` has the arithmetic of the city's applications, and knows
# nothing of Kafka: an `Application` is given records, and returns what it has to say. All that is Kafka stands in
# `work`: **poll, process, send, commit**.
#
# - Each application is a **group** of its own, so that each reads everything, at its own pace.
# - `positions` are the offsets to commit: of the first record that was not *worked on*. What came ahead of its turn
#   waits in memory, and would be read again.
# - What is said goes to its topic, and `flush` waits until that is stored, before the commit: **at least once**.
# - Quick reconnects are for the broker that we are going to kill.
#
# (What open windows have gathered is lost with the process. A program that may crash keeps `application.state()` and
# its offsets in one step: [Delivery guarantees](05_delivery_guarantees.ipynb) shows how. Ours keep nothing, and so
# offsets of an earlier run are of no use: `work` deletes them, and reads from the start.)

# %%
QUICK = {"reconnect_backoff_max_ms": 200, "retry_backoff_ms": 50, "metadata_max_age_ms": 500}
planned = {topic: name for name, topic in topics.items()}

def received(record):
    """A kafka-python record as the applications take it."""
    value, key = json.loads(record.value), record.key.decode()
    return Received(planned[record.topic], record.partition, record.offset, key, value, record.timestamp)

def send(producer, outputs):
    for record in (output.record() for output in outputs if output.topic):
        time = record.timestamp_ms
        producer.send(topics[record.topic], record.value, key=record.key, timestamp_ms=time)
    producer.flush(timeout=30)

def offsets(application):
    """What to commit: for each partition the first offset that was not worked on."""
    return {TopicPartition(topics[name], number): OffsetAndMetadata(offset, "", -1)
            for (name, number), offset in application.positions().items()}  # fmt: skip

def reached(consumer):
    """Whether it was given partitions, and has read them to their ends."""
    ends = consumer.end_offsets(list(consumer.assignment()))
    return bool(ends) and all(consumer.position(partition) >= end for partition, end in ends.items())

# %% [markdown]
# And this is the loop. It ends when all producers have (`ended`) and the last record is read.

# %%
def work(group, task, ended=lambda: True, speaks=True):
    """Read as the only member of a group until all is read and no more comes; return what was said."""
    application, said = Application(task, dict.fromkeys(task.reads, 3)), []
    cluster.admin().delete_groups([cluster.name(group)])
    consumer = KafkaConsumer(
        *(topics[name] for name in task.reads), **cluster.client_config(), **QUICK,
        group_id=cluster.name(group), auto_offset_reset="earliest", enable_auto_commit=False,
    )
    with consumer, KafkaProducer(**cluster.client_config(), **QUICK) as producer:
        for topic in consumer.subscription():
            consumer.partitions_for_topic(topic)  # so that it knows them when it joins
        def take(outputs):
            said.extend(outputs)
            send(producer, outputs if speaks else [])
            consumer.commit(offsets(application))
        def read_on():
            if ended() and reached(consumer):
                return True
            wait_ms = 200 if consumer.assignment() else 10_000  # the first poll joins the group
            batches = consumer.poll(timeout_ms=wait_ms).values()
            take(application.process(received(record) for batch in batches for record in batch))
            return False
        wait_until(read_on, what=f"the end for {group}", timeout=100, every=0, retry_on=(UnknownBrokerIdError,))
        take(application.finish())
    return said

# %% [markdown]
# ## Break it: a broker dies in the rush hour
# `TrafficManagement` sets the lights. Every five minutes, and for each district, it decides on a plan: `normal`,
# `extended` (longer green on main streets) or `gated` (traffic from outside is held back, too). It writes the plans to
# a topic `signal-plans`. That one is compacted and its key is the district, so that a set of lights that was switched
# off finds the plan that holds now.
#
# Now the rest of the day comes, from three networks at once, 20,000 times faster than it was. Traffic management reads
# along. When the first thousands of readings are stored, the broker that leads partition 1 of `traffic-flow` is killed
# with `kill -9`. It is started again when the day is over. A ledger notes each record and its acknowledgement.
# (`where_possible()` leaves the kill out on a borrowed cluster, whose brokers are not ours.)
#
# **Predict.** What becomes of the readings? And when another group reads the whole day in peace afterwards, does it
# come to the same decisions about the lights?

# %%
outcomes = ("some are lost", "some are stored twice by Kafka", "all are stored once")
stored = predict("The readings:", choices=outcomes, guess=...)
same = predict("The decisions:", choices=("the same", "some differ"), guess=...)
print(stored, same, sep="\n")

# %%
topics["signal-plans"] = cluster.create_topic("signal-plans", config={"cleanup.policy": "compact"})
ledger, rest = Ledger(), day[len(night):]
runs = [
    traffic.start(cluster, [one for one in rest if one.topic == name], speed=20_000, ledger=ledger)
    for name in City.topics
]  # fmt: skip
target = faults.leader(topics["traffic-flow"], 1)
kill = faults.kill(target).where_possible().when(acknowledged=4000)
with faults.Schedule(kill).running(cluster, runs[0].observe) as death:
    live = work("traffic-management", TrafficManagement, lambda: not any(run.running for run in runs))
    leaders = set(cluster.partitions(topics["traffic-flow"])["leader"])
plans, dead = as_frame(SignalPlan, live), set(death.firings[0].targets)
print(f"brokers killed: {len(dead)} ({target}), leading at the end of the day: {len(dead & leaders)}")

# %% [markdown]
# The fault was real: that broker was dead for the rest of the day, and another replica led its partition. What does
# the ledger say, and what decides the group `audit`, which reads the day once more?

# %%
verdict = ledger.verify(cluster)
stored.compare(outcomes[0 if verdict.lost else 1 if verdict.duplicated else 2])
again = as_frame(SignalPlan, work("audit", TrafficManagement, speaks=False))
same.compare("the same" if plans.equals(again) else "some differ")
verdict

# %% [markdown]
# Every acknowledged reading was on the other brokers already. (The *foreign* records are those of the night: we sent
# them ourselves, and the ledger does not know them.) Nor does the ledger call the sensors' second tries duplicates:
# each was sent, and is stored, once.
#
# That the decisions are the same is no matter of course. How the records of several partitions interleave differs in
# each run, and all the more around a broker's death. A program that decides by what *happens to have come* decides
# something else each time. This one merges the partitions by the records' time of sending: a record waits until each
# partition has come as far. How far all have come is the **watermark**: a time, and not to be confused with a
# partition's *high watermark*, which is an offset. What it decides then hangs on the records alone.
#
# Here is when the plans changed.

# %%
changes = plans[plans["changed"]].assign(at=clock(plans["time_ms"]).str[:5])
stored_plans = cluster.messages(topics["signal-plans"], limit=10_000)
print("plans:", len(plans), "- changed:", len(changes), "- stored:", len(stored_plans))
changes[changes["district"] == "Foundry"][["at", "district", "plan", "reason"]]

# %% [markdown]
# All plans are stored still, though only the last of each district holds: brokers compact later, and never the segment
# that is being written. Whoever reads the topic to its end has the plans that hold.
#
# ## The planners' map
# The city's planners do not decide on minutes. They want to know where it is slow, and when. They are another group on
# the same topic, `planners`, and come when the day is over: the records are still there.

# %%
planners = work("planners", Planners)
picture = district_hours(heat_map(planners, "speed_kmh"), "speed", "km/h")
show(picture.figure, picture.alt)
events = city.incidents(1)
events[["district", "kind"]].assign(begins=clock(events["from_ms"]), ends=clock(events["to_ms"]))

# %% [markdown]
# Both rush hours are there. And the darkest cells are another thing: the table has the simulation's truth, a burst
# water main in Foundry and an accident in Old Town. The planners were told nothing of them.
#
# ## When is an hour over?
# The hour from 7 to 8 o'clock is a **window** of event time: it takes what was *measured* in that hour, whenever it
# comes. But when may one say that it is complete? Some readings come half an hour late. The **allowed lateness** is the
# answer: a window stays open for so long after its end, and is then closed and forgotten. What comes later still is
# **too late**: it changes nothing, and is counted.
#
# | group | window | allowed lateness |
# |---|---|---|
# | `traffic-management` | 5 minutes | 1 minute: lights cannot wait |
# | `planners` | 1 hour | 10 minutes |
# | `environmental-agency` | 1 hour | 40 minutes: it has to prove what it says |
#
# **Predict.** Both read `traffic-flow`. How many of its readings are too late for the planners, for each hundred that
# are too late for the lights?

# %%
guess = predict("For each hundred:", choices=("about 80", "about 20", "fewer than 5"), guess=...)
guess

# %%
arrived = table("traffic-flow")

def closed(window, lateness):
    """For each record, whether its window was closed when it was sent."""
    ends = arrived["measured_ms"] // window * window + window
    return arrived["timestamp"] >= ends + lateness

late = {"traffic-management": as_frame(TooLate, live), "planners": as_frame(TooLate, planners)}
counts = pd.DataFrame({"said to be too late": {group: len(rows) for group, rows in late.items()}})
counts["by hand"] = [closed(5 * MINUTE, MINUTE).sum(), closed(HOUR, 10 * MINUTE).sum()]
share = len(late["planners"]) / len(late["traffic-management"])
guess.compare("fewer than 5" if share < 0.05 else "about 20" if share < 0.5 else "about 80")
counts

# %% [markdown]
# The applications counted what they had to leave out, and so did we, by hand: the numbers agree. The picture has each
# reading of the day, with those that are too late for the planners. The table has the simulation's truth about the
# districts' gateways.

# %%
picture = reading_delays(arrived.assign(too_late=closed(HOUR, 10 * MINUTE)), city.start_ms)
show(picture.figure, picture.alt)
outages = city.outages(1)
outages[["district"]].assign(begins=clock(outages["from_ms"]), ends=clock(outages["to_ms"]))

# %% [markdown]
# Most of what is late comes alone. But look at the columns of points: there the gateway of a district failed, kept what
# its sensors measured, and sent all of it when it was well again. What was measured first had waited longest.
#
# By the time of *sending*, Riverside would have had no traffic in the last minutes before seven, and too much of it
# after. By the time of measuring nothing is missing. The price is waiting: allowed lateness is time in which you do not
# know the answer yet, and memory for every window that is open. How long is long enough is a question about the
# answer's use, not about Kafka.
#
# **Exercise 1.** The statistics office wants to know how many `vehicles` were counted in each district from 07:00 to
# 08:00 (07:00 is in it, 08:00 is not): by event time, and each reading once. Send one record for each district to
# `rush_hour`, with the district as its key and the number as its value, such as `b"1234"`. `table("traffic-flow")` has
# the readings. Stuck? `hint("22.rush-hour")`

# %% exercise="22.rush-hour"
rush_hour = cluster.create_topic(f"rush-hour-{len(cluster.topics())}")  # new in each run
### BEGIN SOLUTION
once = table("traffic-flow").drop_duplicates(["sensor_id", "measured_ms"])
seven = city.start_ms + 7 * HOUR
counted = once[(once["measured_ms"] >= seven) & (once["measured_ms"] < seven + HOUR)]
with KafkaProducer(**cluster.client_config()) as producer:
    for district, vehicles in counted.groupby("district")["vehicles"].sum().items():
        producer.send(rush_hour, key=district.encode(), value=b"%d" % vehicles)
### END SOLUTION

# %%
check("22.rush-hour", cluster, readings=topics["traffic-flow"], rush_hour=rush_hour)

# %% [markdown]
# **Exercise 2.** A hospital may only use the air's readings if each comes once. Read `air-quality`, and write each
# reading once to `clean`: unchanged, with its key, and all of a sensor in one partition. The stub has the loop; what is
# missing is its middle. Stuck? `hint("22.once")`

# %% exercise="22.once"
clean = cluster.create_topic(f"clean-{len(cluster.topics())}", partitions=3)  # new in each run
settings = {"auto_offset_reset": "earliest", "consumer_timeout_ms": 20_000}
with KafkaConsumer(topics["air-quality"], **cluster.client_config(), **settings) as consumer:
    with KafkaProducer(**cluster.client_config()) as producer:
        seen, count = set(), len(table("air-quality"))
        for record in islice(consumer, count):
            ...
            ### BEGIN SOLUTION
            which = record.key, json.loads(record.value)["measured_ms"]
            if which not in seen:
                producer.send(clean, record.value, key=record.key, timestamp_ms=record.timestamp)
            seen.add(which)
            ### END SOLUTION

# %%
check("22.once", cluster, readings=topics["air-quality"], clean=clean)

# %% [markdown]
# (Your `seen` grows for ever. The applications keep theirs with each window, and forget it when the window is closed:
# allowed lateness bounds that memory, too.)
#
# ## The agency's alerts
# The environmental agency reads two topics, the air and the meters. It compares each station's means, over an hour and
# over a day, with the limits that are set for them. And it looks for buildings where energy could be saved: where even
# the quietest hour of the day takes more than 55 % of the busiest. What it says goes to `air-alerts` and
# `energy-advice`.

# %%
agency = work("environmental-agency", EnvironmentalAgency)
breaches, advice = as_frame(Breach, agency), as_frame(Advice, agency)
print("alerts stored:", len(cluster.messages(topics["air-alerts"])), "- advice:", *advice["sensor_id"])
print("wasteful, in truth:", *city.sensors.query("wasteful")["sensor_id"].sort_values())
breaches[["sensor_id", "pollutant", "mean_over", "mean", "limit", "source"]].round(1)

# %% [markdown]
# All of these are above what the World Health Organization recommends for a day. The advice is for the right meters:
# the simulation knows behind which of them nothing is ever switched off.
#
# ## One more reader, and nobody is touched
# In the evening somebody asks whether the *sensors* are right. In a system of direct calls all three networks would now
# have to send to one more receiver, and the day that is over would be lost to it. Here it is one more group.
# `SensorHealth` reads all three topics from their start, and looks for sensors that are **stuck** (the same reading
# again and again), **dead** (nothing, while others of its district speak), or **drift** away from their neighbours.
#
# Since the city is simulated, we know the truth, and can say how good that is. **Precision**: how many of its findings
# are right? **Recall**: how many of the faults were found?
#
# **Predict.** Which kind of fault is found worst?

# %%
guess = predict("Found worst:", choices=("stuck", "drift", "dead"), guess=...)
guess

# %%
def committed():
    return [cluster.lag(cluster.name(group)) for group in ("planners", "environmental-agency")]

before = committed()
health = work("sensor-health", SensorHealth)
findings, truth = as_frame(Finding, health), city.faults(2).query("from_ms < @end_ms")
print("the others' offsets are the same:", all(map(pd.DataFrame.equals, before, committed())))
print("groups:", ", ".join(cluster.groups()["group"]))
score = precision_and_recall(findings, truth, until_ms=end_ms)
guess.compare(score.set_index("fault")["recall"].idxmin())
score.round(2)

# %%
faulty, accused = set(truth["sensor_id"]), set(findings["sensor_id"])
def state(sensor):
    if sensor in faulty:
        return "found" if sensor in accused else "missed"
    return "accused" if sensor in accused else "well"

sensors = city.sensors.assign(state=city.sensors["sensor_id"].astype(str).map(state))
picture = sensor_map(sensors)
show(picture.figure, picture.alt)
missed = truth[truth["sensor_id"].isin(sensors.query("state == 'missed'")["sensor_id"])]
print("breaches told by a faulty sensor:", *breaches[breaches["sensor_id"].isin(faulty)]["sensor_id"])
missed[["sensor_id", "fault"]].assign(begins=clock(missed["from_ms"]), ends=clock(missed["to_ms"]))

# %% [markdown]
# Stuck sensors give themselves away. What was missed, and why:
# - The detector in Foundry drifted from the first hour on, while `SensorHealth` was still learning what is usual there.
# - The energy meter drifted, too, but its neighbours hang on other buildings: there is nothing to compare it with.
# - The station for the air was dead before it had sent anything. Who looks at what comes in cannot miss what never
#   came. That takes a list of those who should speak.
#
# And one healthy sensor was accused, three times over. `SensorHealth` had learned its usual level in the first two
# hours, at night, from the few vehicles that pass then: too few. A better program learns by day. You can try one on
# the same records, as often as you like: they are still there.
#
# And an alert is as good as its sensor: one of the agency's breaches comes from a station that was faulty that day.
#
# **Exercise 3.** Find the dead sensors, also the one that was missed. A sensor is dead when it has *measured* nothing
# for more than 30 minutes between midnight and midnight. Send one record for each to `dead`, with the sensor as its
# key; the value is up to you. Mind the gateways: a sensor behind one that failed is not dead. `everything` has
# all readings. Stuck? `hint("22.dead-sensors")`

# %% exercise="22.dead-sensors"
dead = cluster.create_topic(f"dead-sensors-{len(cluster.topics())}")  # new in each run
everything = pd.concat([table(name) for name in City.topics])
midnights = [city.start_ms, city.start_ms + 24 * HOUR]
### BEGIN SOLUTION
with KafkaProducer(**cluster.client_config()) as producer:
    for sensor, measured in everything.groupby("sensor_id")["measured_ms"]:
        moments = sorted([*measured[measured < midnights[1]], *midnights])
        if max(later - earlier for earlier, later in pairwise(moments)) > 30 * MINUTE:
            producer.send(dead, key=sensor.encode(), value=b"silent for more than 30 minutes")
### END SOLUTION

# %%
check("22.dead-sensors", cluster, city=city, dead=dead)

# %% [markdown]
# ## What you have seen
# | topic | key, and why | written by | read by the groups |
# |---|---|---|---|
# | `traffic-flow` | sensor: its readings stay in one partition | detectors | `traffic-management`, `planners`, `sensor-health`, `audit` |
# | `air-quality` | sensor | stations | `environmental-agency`, `sensor-health` |
# | `energy-usage` | sensor | meters | `environmental-agency`, `sensor-health` |
# | `signal-plans`, compacted | district: the last plan holds | traffic management | the lights |
# | `air-alerts`, `energy-advice` | district: who is responsible | the agency | districts |
# | `sensor-faults` | sensor | sensor health | technicians |
#
# - **Event time** is in the value. A partition keeps the order of **arrival**, and timestamps do not sort it.
# - A sensor's second try is a new record to Kafka: the **reader** recognises it, by what makes a reading unique.
# - A **window** of event time stays open for the **allowed lateness**; what is **too late** is counted, not hidden.
# - Merged by time up to the **watermark**, the same records give the same decisions, broker or no broker.
# - One group for each application: a new reader comes when it likes, reads from the start, and nobody is touched.
#   Traffic management, the planners and sensor health have one member each, for their questions need all partitions.
#   The agency's are about single sensors: its group could share the partitions.
# - Faults of sensors are found by comparing, with **precision and recall** measured against a known truth.
#
# All of it at full speed: `kafkalab run city` in a terminal. (It has one group more, `delivery-monitor`, which counts
# what comes late, twice and out of order.)

# %%
cluster.stop()
progress("22")
