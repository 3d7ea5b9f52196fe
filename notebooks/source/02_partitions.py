# %% [markdown]
# # 02 Partitions and topic design
#
# **30 minutes.** You see where Kafka keeps order and where it does not, find a partition that works while the
# others rest and repair it with a better key, break the order of a topic by adding a partition to it, and design
# topics for a load.
#
# You should know keys, partitioners and acknowledgements: [Producers](01_producers.ipynb) shows them.

# %%
import json
import random
import zlib
from datetime import UTC, datetime
from itertools import islice
import pandas as pd
from matplotlib import pyplot as plt
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import InvalidPartitionsError
from kafka.partitioner import murmur2
from kafkalab import Cluster
from kafkalab.courseware import check, hint, predict, progress, show, solution
from kafkalab.observe import plots
from kafkalab.simulation.shop import Shop
from kafkalab.simulation.social import Social
from kafkalab.waiting import wait_until

# %% [markdown]
# A parcel service scans each parcel again and again on its way. Every scan is a record, and its key is the parcel.
# We start three brokers, and write a function that reads all there is in a topic.

# %%
def read(topic):
    """Return every record that is in the topic now, as one consumer gets them."""
    settings = {"auto_offset_reset": "earliest", "consumer_timeout_ms": 30_000}
    with KafkaConsumer(**cluster.client_config(), **settings) as consumer:
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
        consumer.assign(partitions)
        return list(islice(consumer, sum(consumer.end_offsets(partitions).values())))

cluster = Cluster(brokers=3).start()

# %% [markdown]
# ## Order
# The topic has two partitions. Six parcels are scanned in turn, four times each. The value of a scan is its number, 0
# to 23, and we wait for each acknowledgement before we send the next one, so there is no doubt about the order of
# sending. Then one consumer reads the whole topic. In the picture below, every dot is a scan: how far right it stands
# says when it was *read*, and how high, when it was *sent*. If a topic kept its order, the dots would rise in one
# line.
#
# **Predict.** In which order does the consumer read the 24 scans?

# %%
guess = predict("They are read", choices=("as they were sent", "in another order"), guess=...)
guess

# %%
scans = cluster.create_topic(f"scans-{len(cluster.topics())}", partitions=2)  # new in each run
parcels = [b"parcel %d" % number for number in range(1, 7)]
producer = KafkaProducer(**cluster.client_config())
for number in range(24):
    producer.send(scans, key=parcels[number % 6], value=b"%d" % number).get(timeout=10)
rows = [(record.partition, record.key, int(record.value)) for record in read(scans)]
arrived = pd.DataFrame(rows, columns=["partition", "key", "sent"])
guess.compare("as they were sent" if arrived["sent"].is_monotonic_increasing else "in another order")
for each in ("partition", "key"):
    print(f"in order within each {each}:", arrived.groupby(each)["sent"].is_monotonic_increasing.all())

figure, axes = plt.subplots(figsize=(7, 3.4))
for (number, of), colour, marker in zip(arrived.groupby("partition"), ("#0072B2", "#D55E00"), "os"):
    axes.scatter(of.index, of["sent"], color=colour, marker=marker, label=f"partition {number}")
axes.set(xlabel="place in the order of reading", ylabel="place in the order of sending")
axes.legend(loc="upper left")
alt = "Scans by the order of reading and of sending: two rising lines, one for each partition."
show(figure, alt)

# %% [markdown]
# Two rising lines: first all of one partition, then all of the other. (Which one comes first may change from run to
# run. With more records, they would come in alternating pieces.) A partition is a log, and is read as it was written.
# Between two partitions there is *no* order: each counts its own offsets, and nothing tells a consumer which of two
# records in different partitions was stored first.
#
# So **a topic has no order; each of its partitions has one**. What must stay in order needs the same key: the scans of
# each parcel were read in order.
#
# ## Can a timestamp help?
# Every record has a timestamp. Three scans go to a topic with one partition: at the gate, at the sorter, and in the
# van. The van's scanner had no network at 9:10, so that its scan is sent last.
#
# **Predict.** When does the consumer read the scan of 9:10: second, by its time, or last, as it came?

# %%
guess = predict("The scan of 9:10 is read", choices=("second", "last"), guess=...)
guess

# %%
handheld = cluster.create_topic("handheld", partitions=1)
for minute, place in [(0, b"gate"), (20, b"sorter"), (10, b"van")]:
    scanned = datetime(2025, 3, 3, 9, minute, tzinfo=UTC)
    producer.send(handheld, place, timestamp_ms=int(scanned.timestamp() * 1000)).get(timeout=10)

# %%
for record in read(handheld):
    time = f"{datetime.fromtimestamp(record.timestamp / 1000, UTC):%H:%M}"
    print(f"offset {record.offset}: {time} {record.value.decode()}")
guess.compare("last" if record.value == b"van" else "second")

# %% [markdown]
# The offset orders records, and offsets are given in the order in which records arrive. The timestamp is what the
# producer says, and nothing sorts by it. (With the topic setting `message.timestamp.type=LogAppendTime` it is the
# time of the leader's clock at the arrival.) A consumer that needs the order of the times must sort by itself, and
# decide how long it waits for those that come late.
#
# ## Does the key decide the broker?
# Parcel 1 has its partition, and that partition has three replicas, one of which leads. The first in their list is the
# **preferred leader**. An operator now puts another replica first, and asks for an election.
#
# **Predict.** What changes for the next scan of parcel 1?

# %%
choices = ("the partition", "the broker", "both", "nothing")
guess = predict("What changes for parcel 1?", choices=choices, guess=...)
guess

# %%
def partition_of(key, partitions):
    return (murmur2(key) & 0x7FFFFFFF) % partitions

def scan_again(parcel):
    number = producer.send(scans, key=parcel, value=b"again").get(timeout=10).partition
    return number, cluster.partitions(scans)["leader"][number]

before = scan_again(parcels[0])
moving = partition_of(parcels[0], 2)
first, *others = cluster.partitions(scans)["replicas"][moving]
with KafkaAdminClient(**cluster.client_config()) as admin:
    admin.alter_partition_reassignments({TopicPartition(scans, moving): [*others, first]})
    admin.elect_leaders(0, {scans: [moving]})  # 0: of the preferred replica
wait_until(lambda: cluster.partitions(scans)["leader"][moving] != first, what="a new leader")
after = scan_again(parcels[0])
for when, (number, broker) in {"before": before, "after": after}.items():
    print(f"{when}: partition {number} on broker {broker}")
changed = [choice for choice, old, new in zip(choices, before, after) if old != new]
guess.compare(changed[0] if len(changed) == 1 else "both" if changed else "nothing")

# %% [markdown]
# The partition stayed, the broker changed. A hash of the key and the number of partitions decide the partition; where
# that partition lives is another question. Brokers take turns in leading a partition: after a failure, for repair, or
# to share the load. A producer that still asks the old leader is refused, finds out who leads now, and sends again;
# `send` hides it. To the key all this means nothing.
#
# (The same key goes to the same partition only where all producers have the same partitioner. librdkafka, on which
# confluent-kafka is built, has another hash by default: beside Java or kafka-python, set its `partitioner` to
# `murmur2_random`.)
#
# ## A hot key
# Another business: comments on a social network. The key is the post, so that the comments on a post stay in order.
# One post goes viral.
#
# **Predict.** The topic has six partitions. What share of all comments will the fullest one have?

# %%
choices = ("about a sixth", "about a third", "more than half")
guess = predict("The share of the fullest partition?", choices=choices, guess=...)
guess

# %%
network = Social(seed=1, users=300, viral_after_s=60)
written = [record for record in network.records(12_000) if record.topic == "social-comments"]

def store(topic, key_of):
    """Send all comments, each with the key that key_of gives it; return what is stored."""
    for record in written:
        producer.send(topic, key=key_of(record), value=record.value, timestamp_ms=record.timestamp_ms)
    producer.flush(timeout=60)
    rows = [json.loads(r.value) | {"partition": r.partition, "key": r.key} for r in read(topic)]
    return pd.DataFrame(rows)

def draw(stored):
    picture = plots.partition_skew(stored, partitions=6)
    show(picture.figure, picture.alt)

by_post = store(cluster.create_topic("comments", partitions=6), lambda record: record.key)
share = by_post["partition"].value_counts(normalize=True).max()
guess.compare(choices[sum(share > limit for limit in (1 / 4, 1 / 2))])
draw(by_post)

# %% [markdown]
# One **hot key** fills one partition. That is the disks of the brokers that keep it, and one consumer, which has most
# of the work while the others rest. More partitions would not help: all records of a key are still in one. And the hash
# is not to blame: it spreads *keys* evenly, not records.
#
# ## A better key
# We cut the hot key into 24 pieces: the post, and a number from 0 to 23 that we compute from the user. Such an
# addition is called a **salt**.

# %%
def salted(record):
    return record.key + b"-%d" % (zlib.crc32(json.loads(record.value)["user"].encode()) % 24)

by_post_and_user = store(cluster.create_topic("comments-salted", partitions=6), salted)
draw(by_post_and_user)

# %% [markdown]
# The load is shared. What did we pay? `event_id` counts all events as they were sent; with it we look whether the
# comments on the viral post are read in order, all together, and for each user.

# %%
hot = network.viral["post_id"].item()

def order_of(stored):
    viral = stored[stored["post_id"] == hot]
    return {
        "partitions with the post": viral["partition"].nunique(),
        "whole post in order": viral["event_id"].is_monotonic_increasing,
        "each user in order": viral.groupby("user")["event_id"].is_monotonic_increasing.all(),
    }

pd.DataFrame({"key: post": order_of(by_post), "key: post and salt": order_of(by_post_and_user)}).T

# %% [markdown]
# The order across the salts is gone: the post is spread over all partitions, and whoever wants the whole conversation,
# or only the number of its comments, must read them all and put the parts together. What has the *same* salt is still
# in order: each user's comments, since we made the salt from the user. (A random number would share the load too, and
# keep no order at all.)
#
# So ask first: **what must stay in order?** The smallest such thing is the best key.
#
# **Exercise 1.** Back to the parcels. Somebody has used the depot as the key, and most parcels go through Cologne. What
# must stay in order are the scans of a parcel. Write `better_key`: it gets a scan, such as
# `{"depot": "Cologne", "parcel": "P-007", "step": 0}`, and returns its key, in bytes. No partition may get more than a
# quarter of the scans. Stuck? `hint("02.better-key")`

# %% exercise="02.better-key"
def better_key(scan):
    ...
    ### BEGIN SOLUTION
    return scan["parcel"].encode()
    ### END SOLUTION

depots = random.Random(2).choices(["Cologne", "Lyon", "Turin"], weights=[8, 1, 1], k=240)
morning = [
    {"depot": depots[n], "parcel": f"P-{n:03}", "step": step} for step in range(4) for n in range(240)
]
balanced = cluster.create_topic(f"balanced-{len(cluster.topics())}", partitions=6)  # new in each run
for scanned in morning:
    producer.send(balanced, key=better_key(scanned), value=json.dumps(scanned).encode())
producer.flush(timeout=60)

# %%
check("02.better-key", cluster, topic=balanced, scans=morning)

# %% [markdown]
# ## How many partitions?
# Deliveries have a topic of their own, with two partitions. There is so much to do that three consumers share the
# work: they have the same `group_id`. Who gets what?

# %%
deliveries = cluster.create_topic("deliveries", partitions=2)
drivers = cluster.name("drivers")
# A quick heartbeat: whoever is there hears soon that another one has come.
settings = {**cluster.client_config(), "group_id": drivers, "heartbeat_interval_ms": 200}
members = [KafkaConsumer(deliveries, **settings, client_id=f"reader {number}") for number in (1, 2, 3)]
for member in members:
    member.partitions_for_topic(deliveries)  # it learns what there is before it joins

def group_now():
    for member in members:
        member.poll(timeout_ms=100)
    return cluster.groups()[["state", "members", "partitions"]].to_numpy().tolist()

ready = [["Stable", 3, 2]]
wait_until(group_now, lambda now: now == ready, what="three members, two of them at work", timeout=60)
picture = plots.assignment_map(cluster.members(drivers))
show(picture.figure, picture.alt)
for member in members:
    member.close()

# %% [markdown]
# The third has nothing to do. Within a group, each partition is read by one member, so **the number of partitions is
# the limit of parallel work**. ([Start here](00_start_here.ipynb) showed that another group reads all of it again; and
# share groups, which are new in Kafka 4, are made to be without this limit.)
#
# ## Break it: add a partition
# So add a third partition for the third consumer? Kafka can do that while everything runs. We try it on a topic like
# this one: sixty parcels are scanned twice before, and once more after it.
#
# **Predict.** For how many parcels will the new scan go to *another* partition than their earlier ones?

# %%
guess = predict("How many move?", choices=("none", "about a third", "about two thirds"), guess=...)
guess

# %%
def scan_all(place):
    with KafkaProducer(**cluster.client_config()) as sender:
        futures = {name: sender.send(growing, key=name, value=place) for name in fleet}
        return {name: future.get(timeout=10).partition for name, future in futures.items()}

growing = cluster.create_topic(f"growing-{len(cluster.topics())}", partitions=2)  # new in each run
fleet = [b"P-%d" % number for number in range(300, 360)]
before = scan_all(b"collected")
print("the same for the second scan:", scan_all(b"loaded") == before)
with KafkaAdminClient(**cluster.client_config()) as admin:
    admin.create_partitions({growing: 3})
views = lambda: cluster.broker_views([growing]).values()
wait_until(lambda: {len(view.isr) for view in views()} == {3}, what="three partitions on every broker")
after = scan_all(b"delivered")
moved = [name for name in fleet if before[name] != after[name]]
into_new = list(after.values()).count(2)
print(f"{len(moved)} of {len(fleet)} moved, {into_new} of them into the new partition")
guess.compare("none" if not moved else "about a third" if len(moved) < 30 else "about two thirds")

# %% [markdown]
# A partition is the key's hash modulo the number of partitions: another divisor gives another remainder, for most keys.
# Some parcels even moved between the two *old* partitions. And the records that were stored before stay where they are.
# (A producer that is running learns of a new partition when it next renews its metadata, by default after five minutes
# at the latest. Until then it counts in the old way, beside others that count in the new one.)
#
# What does this do to a parcel? Two members of a group work side by side: one reads the parcel's old partition, the
# other the new one. We let them take turns, one record each.

# %%
def records_in(number):
    """Yield the records of one partition, as the member gets them that has it."""
    partition = TopicPartition(growing, number)
    with KafkaConsumer(**cluster.client_config(), auto_offset_reset="earliest") as member:
        member.assign([partition])
        yield from islice(member, member.end_offsets([partition])[partition])

parcel = [name for name in fleet if after[name] == 2][-1]
new, old = records_in(2), records_in(before[parcel])
handled = [record for pair in zip(new, old) for record in pair] + list(old)
print(parcel.decode(), "lies in partitions", sorted({r.partition for r in handled if r.key == parcel}))
print("its scans as they are handled:", [r.value.decode() for r in handled if r.key == parcel])
with KafkaAdminClient(**cluster.client_config()) as admin:
    try:
        admin.create_partitions({growing: 2})
    except InvalidPartitionsError:
        print("back to two partitions: refused, InvalidPartitionsError")

# %% [markdown]
# Delivered before it was collected. The old partition has two rounds of scans to work off, the new one is nearly empty,
# and so the newest scan is handled first. Nothing failed, nobody was warned, and each record had its key. Adding
# partitions is harmless only where no order hangs on the keys. And there is no way back: Kafka removes no partition,
# for what should become of the records in it?
#
# **Exercise 2.** Grow without breaking the order. `returns` has two partitions and holds the first two scans of each
# parcel; `news` are the scans that come next. Bring all of them into one topic with four partitions or more, so that
# every parcel's scans are in one partition, in order. Keep its name as `grown`.
# Stuck? `hint("02.room-to-grow")`

# %% exercise="02.room-to-grow"
attempt = len(cluster.topics())  # each run of this cell starts afresh
returns = cluster.create_topic(f"returns-{attempt}", partitions=2)
for place in (b"1 handed in", b"2 checked"):
    for name in fleet:
        producer.send(returns, key=name, value=place)
producer.flush(timeout=60)
news = [(name, b"3 refunded") for name in fleet]
grown = ...
### BEGIN SOLUTION
grown = cluster.create_topic(f"grown-{attempt}", partitions=4)
for record in read(returns):
    producer.send(grown, key=record.key, value=record.value)
for name, place in news:
    producer.send(grown, key=name, value=place)
producer.flush(timeout=60)
### END SOLUTION

# %%
check("02.room-to-grow", cluster, returns=returns, news=news, grown=grown)

# %% [markdown]
# (In operation, the producers have to wait until the copy has caught up: a scan that is sent to the new topic too early
# overtakes older ones.) It is simpler to have enough partitions from the start. Why not hundreds, then?
#
# ## What a partition costs
# The same 600 scans, compressed, go into topics with 1, 20 and 40 partitions, and we look at one broker's disk. (The
# producer sends when `flush` is called, so that each partition gets all its scans at once.)

# %%
def cost(partitions):
    topic = cluster.create_topic(f"cost-{partitions}", partitions=partitions)
    with KafkaProducer(**cluster.client_config(), linger_ms=10_000, compression_type="gzip") as sender:
        for scan in morning[:600]:
            value = json.dumps(scan).encode()
            sender.send(topic, key=scan["parcel"].encode(), value=value, timestamp_ms=network.start_ms)
        sender.flush(timeout=60)
    files = cluster.segments(topic).query("broker == 1 and base_offset == 0")
    batches = pd.concat([cluster.batches(topic, number, broker=1) for number in range(partitions)])
    return {"folders": files["partition"].nunique(), "log and index files": len(files),
            "batches": len(batches), "kilobytes": round(batches["bytes"].sum() / 1000)}  # fmt: skip

pd.DataFrame({count: cost(count) for count in (1, 20, 40)}).T.rename_axis("partitions")

# %% [markdown]
# Each partition is a folder of files that the broker keeps open, on every broker that has a replica. What was a few
# batches is many small ones, and small batches compress badly. And when a broker dies, each partition that it led needs
# a new leader. So: not one partition for each key, and not hundreds for a small load.
#
# A rule to start with: divide the load that you expect in a year or two by what **one consumer** can do, and leave some
# room. (A producer or a broker may be the bottleneck instead: measure.)
#
# **Exercise 3.** Design a topic. A parcel service has 6,000 scans a second at its peak, and expects twice as many next
# year. Partitions cannot be added later: the order of each parcel's scans must hold. One consumer handles 1,000 scans a
# second. The operators allow at most 24 partitions. With any one broker dead, the topic must take writes with
# `acks="all"`, and never acknowledge what only one broker has. (How many in-sync replicas such a write needs is the
# topic setting `min.insync.replicas`, by default 1.) Stuck? `hint("02.design")`

# %% exercise="02.design"
# To try again, give the next topic another name.
designed = ...
### BEGIN SOLUTION
designed = cluster.create_topic(
    "designed", partitions=15, replication_factor=3, config={"min.insync.replicas": 2}
)
### END SOLUTION

# %%
check("02.design", cluster, designed=designed)

# %% [markdown]
# ## One topic for each kind of event
# An online shop has carts, orders, payments and more. Would one big topic not be simpler? We store its events both
# ways. (In the big topic, a header says what an event is.) A fraud detector needs the payments only.
#
# **Predict.** It reads the big topic. What share of the bytes that it reads, in keys and values, are payments?

# %%
choices = ("less than a tenth", "about a quarter", "more than half")
guess = predict("The share of the payments?", choices=choices, guess=...)
guess

# %%
events = list(Shop(seed=1).records(3_000))
kinds = sorted({record.topic for record in events})
everything = cluster.create_topic("everything", partitions=3)
own = {kind: cluster.create_topic(kind, partitions=3) for kind in kinds}
for record in events:
    sent = {"key": record.key, "value": record.value, "timestamp_ms": record.timestamp_ms}
    producer.send(everything, **sent, headers=[("kind", record.topic.encode())])
    producer.send(own[record.topic], **sent)
producer.flush(timeout=60)

def size(records):
    total = sum(len(record.key) + len(record.value) for record in records)
    return {"records": len(records), "kilobytes": round(total / 1000)}

big, small = read(everything), read(own["payments"])
used = [record for record in big if ("kind", b"payments") in record.headers]
parts = {"read from everything": big, "used of it": used, "read from payments": small}
table = pd.DataFrame({name: size(records) for name, records in parts.items()}).T
share = table["kilobytes"]["used of it"] / table["kilobytes"]["read from everything"]
guess.compare(choices[sum(share > limit for limit in (1 / 10, 1 / 2))])
table

# %%
fields = {kind: ", ".join(json.loads(read(topic)[0].value)) for kind, topic in own.items()}
for kind, names in fields.items():
    print(f"{kind}: {names}")

# %% [markdown]
# From the big topic the fraud detector reads everything and throws away almost all of it: a broker does not choose
# among records for a consumer, it hands out whole batches. From a topic of their own it reads the payments and nothing
# else. And look at the fields: in the big topic every consumer must be ready for six kinds of values, and for each
# change of each kind.
#
# A topic is also what you *set*: how long its records are kept, in how many partitions, on how many brokers, who may
# read it. Carts may go after a day, payments must stay for years. So: **one topic for each kind of event**. The
# exception follows from the first section: kinds that must be read in one order, such as `placed` and `cancelled` of
# an order, belong in one topic, under one key. Between topics there is no order either.
#
# ## What you have seen
# - Order holds **within a partition**, and nowhere else; timestamps do not sort.
# - The **key** decides the partition, and the partition's leader the broker. What must stay in order shares a key.
# - A **hot key** is one full partition. A finer or **salted** key shares the load, and gives up order across pieces.
# - The number of partitions is the **limit of parallel work** in a group. Too many cost files and batches.
# - **Adding partitions moves keys** and breaks their order. Plan the number, or move to a new topic.
# - **One topic for each kind of event**: read, kept and changed apart from the others.

# %%
producer.close()
cluster.stop()
progress("02")
