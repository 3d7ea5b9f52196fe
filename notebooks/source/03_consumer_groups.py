# %% [markdown]
# # 03 Consumer groups: share the work, crash, read again
#
# **35 minutes.** You let several consumers share a topic, watch partitions move when one joins, leaves or restarts,
# go back in time, work off a lag, and kill a consumer in the middle of its work to see what is done twice, and what
# never.
#
# You should know partitions, offsets and what committing means: [Start here](00_start_here.ipynb) and
# [Producers](01_producers.ipynb) show them.

# %%
import sqlite3
from collections import Counter
from datetime import UTC, datetime
from itertools import islice
from threading import Event, Thread
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.colors import ListedColormap
from kafka import ConsumerRebalanceListener, KafkaConsumer, KafkaProducer
from kafka import OffsetAndMetadata, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafkalab import Cluster, observe, traffic
from kafkalab.courseware import check, hint, predict, progress, show, solution
from kafkalab.courseware.crashing import run_process
from kafkalab.observe import plots
from kafkalab.simulation.source import Record
from kafkalab.waiting import wait_until

cluster = Cluster(brokers=3).start()
orders = cluster.create_topic("orders", partitions=3)

# %% [markdown]
# ## A group and its members
# A restaurant's orders go to the topic `orders`. Consumers that give the same `group_id` form a **consumer group** and
# share the work: each partition is read by exactly one **member** of the group.
#
# Members are usually programs of their own, on several machines. Here each is a thread, so that you see all of them
# in one notebook: a `Cook` reads on and on until it is told to leave. With its **heartbeats** a member tells the
# group's **coordinator**, one of the brokers, that it lives, and hears whether the group changes: every three seconds
# by default, here more often, for we do not want to wait. Who is silent for `session_timeout_ms` counts as dead.

# %%
class Cook(Thread):
    """A member of a group, which reads a topic until it leaves; each order takes it some seconds."""

    def __init__(self, name, group, topic, *, seconds=0, listener=None, **settings):
        super().__init__(name=name, daemon=True)
        self.consumer = KafkaConsumer(
            **cluster.client_config(), client_id=name, group_id=group, auto_offset_reset="earliest",
            heartbeat_interval_ms=300, session_timeout_ms=10_000, max_poll_records=10, **settings,
        )
        self.consumer.subscribe([topic], listener=listener)
        self.consumer.partitions_for_topic(topic)  # so that it knows them when it joins
        self.seconds, self.cooked, self.leaving = seconds, [], Event()
        self.start()

    def run(self):
        with self.consumer:
            while not self.leaving.is_set():
                for records in self.consumer.poll(timeout_ms=500).values():
                    for record in records:
                        self.leaving.wait(self.seconds)
                        self.cooked.append(record.value.decode())

# %% [markdown]
# Two helpers: `settled` waits until these cooks are the group, none of them is in the middle of joining, and each of the
# three partitions has its reader; it returns who reads what, as the coordinator tells it. `leave` sends cooks home.
# Ada is the first cook.

# %%
def settled(group, *cooks):
    def seen():
        told = cluster.groups(group)[["state", "members", "partitions"]].to_numpy().tolist()
        joined = [cook.consumer.group_metadata() for cook in cooks]
        return told, {(mine.generation_id, mine.state) for mine in joined}
    def as_wanted(now):
        return now[0] == [["Stable", len(cooks), 3]] and [state for _, state in now[1]] == ["<stable>"]
    wait_until(seen, as_wanted, what=f"{len(cooks)} cooks in group {group}")
    return cluster.members(group)

def leave(*cooks):
    for cook in cooks:
        cook.leaving.set()
    for cook in cooks:
        cook.join()

kitchen = cluster.name("kitchen")
ada = Cook("ada", kitchen, orders, seconds=0.005)
settled(kitchen, ada)[["member", "topic", "partition"]]

# %% [markdown]
# One member reads all three partitions. Two more cooks join.

# %%
ben, chen = (Cook(name, kitchen, orders, seconds=0.005) for name in ("ben", "chen"))
picture = plots.assignment_map(settled(kitchen, ada, ben, chen))
show(picture.figure, picture.alt)

# %% [markdown]
# Nobody told Ada to hand anything over: the group **rebalanced**. The coordinator noticed the new members and had the
# partitions divided anew. (One of the members does the sum, with a function called the **assignor**. In Kafka's newer
# group protocol, KIP-848, the coordinator does it; kafka-python 3.0 does not speak that yet.)
#
# **Predict.** Dina joins too. How many of the four cooks have something to read then?

# %%
guess = predict("How many of the four have something to read?", choices=(3, 4), guess=...)
guess

# %%
dina = Cook("dina", kitchen, orders, seconds=0.005)
picture = plots.assignment_map(seen := settled(kitchen, ada, ben, chen, dina))
show(picture.figure, picture.alt)
guess.compare(int((seen["partition"] >= 0).sum()))

# %% [markdown]
# *More consumers than partitions help* is wrong: within a group a partition has one reader, so with three partitions
# the fourth cook is idle. The number of partitions limits how many can work at once. Dina is not useless, though.
#
# ## A rebalance is no accident
# Three hundred orders come in, placed one a minute from noon on. (That time is the record's timestamp, and the number
# of the table is its key.) While they are cooked, Ada goes home, and later comes back. `observe.watch` asks the
# coordinator twenty times a second who reads what.
#
# **Predict.** Two rebalances in the middle of the work. What becomes of the orders?

# %%
outcomes = ("some are lost", "some are cooked twice", "neither")
guess = predict("What becomes of them?", choices=outcomes, guess=...)
guess

# %%
def milliseconds(hour, minute=0):
    return int(datetime(2025, 6, 2, hour, tzinfo=UTC).timestamp() * 1000) + minute * 60_000

def cooked(*cooks):
    return [order for cook in cooks for order in cook.cooked]

with observe.watch(cluster, group=kitchen, every=0.05) as watched:
    with KafkaProducer(**cluster.client_config()) as producer:
        for number in range(300):
            table, placed = f"table {number % 12}".encode(), milliseconds(12, number)
            producer.send(orders, f"order {number}".encode(), key=table, timestamp_ms=placed)
    watched.mark("ada leaves")
    leave(ada)
    settled(kitchen, ben, chen, dina)
    watched.mark("ada comes back")
    again = Cook("ada", kitchen, orders, seconds=0.005)
    settled(kitchen, again, ben, chen, dina)
    staff = [ada, again, ben, chen, dina]
    wait_until(lambda: len(cooked(*staff)) >= 300, what="300 orders cooked")
leave(*staff)

# %%
picture = plots.rebalance_timeline(watched.assignments(), watched.faults())
show(picture.figure, "Who reads what over time: others when ada has left, and again when she is back.")
times = Counter(cooked(*staff))
lost, twice = 300 - len(times), sum(count > 1 for count in times.values())
guess.compare(outcomes[0 if lost else 1 if twice else 2])

# %% [markdown]
# *A rebalance is an error* is wrong too: it is how a group takes members in and lets them go. The hatched times are
# rebalances: the coordinator waits until each member has heard of it with a heartbeat, and has joined anew. When Ada
# left, there was Dina: a spare member is a stand-by. And before a member hands a partition over, kafka-python's
# **auto-commit** (on by default) commits how far it has come, and the next reader goes on from there.
#
# ## Eager and cooperative
# What does a rebalance cost? A member may be given a **listener**, which is called when partitions are taken from it
# or given to it. This one notes what is taken. Ada reads alone, then Ben joins: first with the assignor `range`, then
# with `cooperative-sticky`.
#
# **Predict.** Ben is to get one of Ada's three partitions. How many does she give up for that with `range`?

# %%
guess = predict("How many does Ada give up with range?", choices=(0, 1, 3), guess=...)
guess

# %%
class Diary(ConsumerRebalanceListener):
    def __init__(self):
        self.given_up = set()
    def on_partitions_revoked(self, revoked):
        self.given_up |= {partition.partition for partition in revoked}
    def on_partitions_assigned(self, assigned):
        pass

def join(assignor):
    """Let Ben join Ada; print who reads what then, and return what Ada had to give up."""
    group, diary = cluster.name(assignor.name), Diary()
    strategy = {"partition_assignment_strategy": [assignor]}
    ada = Cook("ada", group, orders, listener=diary, **strategy)
    settled(group, ada)
    ben = Cook("ben", group, orders, **strategy)
    then = settled(group, ada, ben).groupby("member")["partition"].apply(list).to_dict()
    given_up = sorted(diary.given_up)
    leave(ada, ben)
    print(f"{assignor.name}: ada gives up {given_up}, and then they read", then)
    return given_up

# %%
guess.compare(len(join(RangePartitionAssignor)))
moved = join(CooperativeStickyAssignor)

# %% [markdown]
# With `range`, an **eager** assignor, every member gives up *all* it has before each rebalance, and gets something
# back afterwards, perhaps something else. From the first member's giving up until the last has joined anew, there are
# partitions that nobody reads: with many members, and much to tidy up in each, a pause that users notice.
#
# A **cooperative** rebalance (KIP-429) takes only what has to move, in two rounds: in the first the old reader gives it
# up, in the second the new one gets it. All else stays with its reader. (All members of a group have to agree on the
# kind. Kafka's Java client lists both assignors by default, so that a group can change over member by member.)
#
# ## Restarts, and members with a name
# Programs are restarted all the time, for a new version or another setting. To the coordinator that is one who leaves
# and a new one who joins: a **dynamic** member. Unless the member brings a name that outlasts it, its
# `group_instance_id`: then it is a **static** member (KIP-345).
#
# The **generation** of a group counts its rebalances. Ada and Ben form a group, and Ben is restarted.
#
# **Predict.** The restart of a dynamic Ben takes two rebalances: one when he leaves, one when he joins. How many does it
# take when he is a static member?

# %%
guess = predict("How many rebalances does a static Ben's restart take?", choices=(0, 1, 2), guess=...)
guess

# %%
def restart(group, **static):
    """Restart one of two members; print who reads what meanwhile, and count the rebalances."""
    ada, ben = Cook("ada", group, orders), Cook("ben", group, orders, **static)
    settled(group, ada, ben)
    before = ada.consumer.group_metadata().generation_id
    leave(ben)
    meanwhile = cluster.members(group) if static else settled(group, ada)
    print("while Ben is away:", meanwhile.groupby("member")["partition"].apply(list).to_dict())
    ben = Cook("ben", group, orders, **static)
    settled(group, ada, ben)
    after = ada.consumer.group_metadata().generation_id
    leave(ada, ben)
    return after - before

print("dynamic Ben, two rebalances or more:", restart(cluster.name("dynamic")) >= 2)
guess.compare(restart(cluster.name("static"), group_instance_id="ben"))

# %% [markdown]
# None: a static member does not say goodbye when it is closed, and whoever comes with its name is given its partitions.
# Ada noticed nothing. The price stands in the third line: while Ben was away, his partitions were still his, and nobody
# read them. If he does not come back within `session_timeout_ms` (45 seconds by default), the coordinator gives him up
# as dead, and then there is a rebalance.
#
# ## Back in time
# The kitchen has cooked all 300 orders and committed that. The last of them were placed from 16:00 on.
#
# **Predict.** The boss of the kitchen wants to see those from 16:00 on once more. How many can still be read?

# %%
guess = predict("How many of the 60 orders since 16:00 can still be read?", choices=(0, 60), guess=...)
guess

# %%
partitions = [TopicPartition(orders, number) for number in range(3)]
with KafkaConsumer(**cluster.client_config(), group_id=kitchen, consumer_timeout_ms=10_000) as consumer:
    consumer.assign(partitions)
    print("committed:", {partition.partition: consumer.committed(partition) for partition in partitions})
    found = consumer.offsets_for_times({partition: milliseconds(16) for partition in partitions})
    for partition, first in found.items():
        consumer.seek(partition, first.offset)
    print("from:     ", {partition.partition: first.offset for partition, first in found.items()})
    numbers = sorted(int(record.value.split()[1]) for record in islice(consumer, 60))
print(f"order {numbers[0]} to order {numbers[-1]}")
guess.compare(len(numbers))

# %% [markdown]
# *A consumer removes the record* is wrong: reading and committing change nothing in the log. A **commit** is a note of
# the group, "here I go on"; another group has its own and may read all 300. Records go when the topic's retention says
# so, whoever has read them.
#
# `offsets_for_times` asks each partition for its first record with this timestamp or a later one, and `seek` sets the
# consumer's **position**, from where it reads next. `assign` takes partitions by hand: no group divides them, nobody
# rebalances. So one tries a repaired program on the orders of yesterday: a **replay**.
#
# **Exercise 1.** The group `accounts` has to do its work anew, from 15:00 on. Set its committed offsets, in every
# partition, to the first order placed at 15:00 or later. (`commit` takes a dictionary that gives each partition an
# `OffsetAndMetadata(offset, "", -1)`.) Stuck? `hint("03.rewind")`

# %% exercise="03.rewind"
accounts = cluster.name("accounts")
### BEGIN SOLUTION
with KafkaConsumer(**cluster.client_config(), group_id=accounts) as consumer:
    found = consumer.offsets_for_times({partition: milliseconds(15) for partition in partitions})
    back = {partition: OffsetAndMetadata(first.offset, "", -1) for partition, first in found.items()}
    consumer.commit(back)
### END SOLUTION

# %%
check("03.rewind", cluster, topic=orders, group=accounts, since_ms=milliseconds(15))

# %% [markdown]
# ## Lag
# The **lag** of a group is what it has yet to read: the end of the log less the committed offset, in each partition.
# At lunch 200 orders come in each second, 450 together, without a key, so that they spread over the partitions. One
# takes a cook eight milliseconds. Ada begins alone. When she lags 60 orders behind, Ben and Chen come to help.

# %%
rush = cluster.create_topic("lunch-rush", partitions=3)
rush_hour = [Record("lunch-rush", None, f"order {number}".encode(), milliseconds(12))
             for number in range(450)]  # fmt: skip
brigade = cluster.name("brigade")
pace = {"seconds": 0.008, "auto_commit_interval_ms": 100}

def lag(group):
    return int(cluster.lag(group)["lag"].sum())

cooks = [Cook("ada", brigade, rush, **pace)]
settled(brigade, cooks[0])
with observe.watch(cluster, group=brigade) as watched, traffic.start(cluster, rush_hour, rate=200):
    wait_until(lambda: lag(brigade), lambda records: records > 60, what="a lag of 60")
    watched.mark("ben and chen join")
    cooks += [Cook(name, brigade, rush, **pace) for name in ("ben", "chen")]
    wait_until(lambda: len(cooked(*cooks)) >= 450, what="450 orders cooked")
    wait_until(lambda: lag(brigade), lambda records: records == 0, what="no lag")
leave(*cooks)
picture = plots.lag_curve(watched.lag(), watched.faults())
show(picture.figure, picture.alt)

# %% [markdown]
# While more comes in than is worked off, the lag grows; with three cooks it is worked off. This is the curve to watch
# of every group. One that rises for hours means: more members, up to the number of partitions, or faster ones. (Lag is
# counted from what is *committed*, here every 100 milliseconds.)
#
# **Exercise 2.** The group `late-shift` has cooked the first 20 orders of each partition, and went home. Bring its
# lag to zero: cook what is left, each order once, and keep the orders you cook in the list `finished`. More than one
# cook may do it. Stuck? `hint("03.lag-to-zero")`

# %% exercise="03.lag-to-zero"
late = cluster.name("late-shift")
with KafkaConsumer(**cluster.client_config(), group_id=late) as consumer:
    consumer.commit({partition: OffsetAndMetadata(20, "", -1) for partition in partitions})
finished = ...
### BEGIN SOLUTION
helpers = [Cook(name, late, orders) for name in ("eva", "finn", "gina")]
wait_until(lambda: len(cooked(*helpers)) >= 240, what="240 orders cooked")
leave(*helpers)
finished = cooked(*helpers)
### END SOLUTION

# %%
check("03.lag-to-zero", cluster, topic=orders, group=late, committed=20, finished=finished)

# %% [markdown]
# ## Break it: a crash in the middle of the work
# A lag of zero says that all is committed. Is it cooked?
#
# `shift` works through a topic, four orders to a batch. It commits each batch `"before"` or `"after"` cooking it, or
# leaves that to auto-commit (`"auto"`). What is cooked goes to the topic `meals`. A shift may end badly, at order 6: it
# is killed, or its oven fails, and then it closes its consumer in good order and ends with that error.
#
# A thread cannot be killed, so `run_process` runs each shift in a process of its own, and where asked sends it
# `kill -9` before a line: it can do nothing more. The consumer is a static member, so that the next shift need not
# wait until the dead one is given up.

# %%
def shift(config, orders, meals, group, commit, fails_at=-1):
    """Cook the orders up to offset 12; fail at one of them."""
    consumer = KafkaConsumer(
        orders, **config, group_id=group, group_instance_id="ada", auto_offset_reset="earliest",
        enable_auto_commit=commit == "auto", auto_commit_interval_ms=30_000, max_poll_records=4,
    )
    producer = KafkaProducer(**config)
    reached = 0
    try:
        while reached < 12:
            for batch in consumer.poll(timeout_ms=10_000).values():
                if commit == "before":
                    consumer.commit()
                for record in batch:
                    if record.offset == fails_at:
                        raise RuntimeError("the oven is broken")
                    producer.send(meals, record.value).get(timeout=10)
                    reached = record.offset + 1
                if commit == "after":
                    consumer.commit()
    finally:
        consumer.close()

# %% [markdown]
# Twelve orders wait. `two_shifts` runs a shift that ends badly, then one that goes on to the end, and counts in `meals`
# how often each order was cooked.

# %%
counter = cluster.create_topic("counter")
with KafkaProducer(**cluster.client_config()) as producer:
    for number in range(12):
        producer.send(counter, f"order {number}".encode())

def two_shifts(name, commit, *trouble, **kill):
    meals = cluster.create_topic(f"meals-{name}")
    given = (cluster.client_config(), counter, meals, cluster.name(name), commit)
    first, second = run_process(shift, *given, *trouble, **kill), run_process(shift, *given)
    assert (first.killed_before or first.error) and not (second.killed_before or second.error)
    times = cluster.messages(meals)["value"].value_counts()
    return [int(times.get(f"order {number}".encode(), 0)) for number in range(12)]

# %% [markdown]
# **Predict** two things. Orders 4 to 7 are one batch. First: it is committed *before* it is cooked, and the process is
# killed at order 6. Second: auto-commit is on, the oven fails at order 6, and the consumer is closed. What does the
# next shift do with orders 6 and 7?

# %%
outcomes = ("cook them", "leave them out")
before = predict("Committed before cooking, killed:", choices=outcomes, guess=...)
auto = predict("Auto-commit, failed and closed:", choices=outcomes, guess=...)
print(before, auto, sep="\n")

# %%
at_order_6 = {"kill_before": "producer.send(", "nth": 7}
table = pd.DataFrame({
    "commit after, killed": two_shifts("after", "after", **at_order_6),
    "commit before, killed": two_shifts("before", "before", **at_order_6),
    "auto-commit, killed": two_shifts("auto-killed", "auto", **at_order_6),
    "auto-commit, failed": two_shifts("auto-failed", "auto", 6),
}).T
print("Committed before cooking:", end=" ")
before.compare(outcomes[int(table.loc["commit before, killed", 6] == 0)])
print("Auto-commit, failed:     ", end=" ")
auto.compare(outcomes[int(table.loc["auto-commit, failed", 6] == 0)])
figure, axes = plt.subplots(figsize=(8, 2.4))
axes.imshow(table, cmap=ListedColormap(["#D55E00", "#E3E3E3", "#56B4E9"]), vmin=0, vmax=2, aspect="auto")
for (row, order), times in table.stack().items():
    axes.text(order, table.index.get_loc(row), times, ha="center", va="center")
axes.set(title="How often each order was cooked", xlabel="order", xticks=range(12))
axes.set_yticks(range(4), table.index)
found = {times: [f"{row}: {list(table.columns[table.loc[row] == times])}" for row in table.index
                 if (table.loc[row] == times).any()] for times in (0, 2)}  # fmt: skip
show(figure, alt=f"Never cooked: {'; '.join(found[0])}. Cooked twice: {'; '.join(found[2])}.")

# %% [markdown]
# - *Commit = processed* is wrong. A commit says where the group goes on, and nothing about what was done. Committed
#   **before** the work, what was in hand at the crash is never done: **at most once**.
# - Committed **after** it, what was done since the last commit is done again: **at least once**. Nothing is left out.
# - *Auto-commit is safe* is wrong. It commits, at times while `poll` is called and in `close`, everything that was
#   *handed out*. By default it does so every five seconds, here every thirty: killed earlier, the process had
#   committed nothing, and six orders were cooked twice. Closed after the error, it committed the whole batch, with orders 6 and 7 in it.
#
# So switch auto-commit off where it matters, and commit after the work. What is done twice then has to have the effect
# of once. One way to that: keep the offset not in Kafka but *with the result*, in one write that happens as a whole or
# not at all.
#
# **Exercise 3.** `takings` adds up what the orders cost, in a SQLite table with one row: `cents`, and `next_offset`,
# which is not used yet. Killed between `book.commit()` and `consumer.commit()` it counts an order twice. Have it keep
# the offset in the table, and start from there. The check kills it before each line of its loop. Stuck?
# `hint("03.no-double-effect")`

# %% exercise="03.no-double-effect"
def takings(config, orders, group, database):
    book = sqlite3.connect(database)
    consumer = KafkaConsumer(**config, group_id=group, enable_auto_commit=False)
    consumer.assign([TopicPartition(orders, 0)])
    start = consumer.committed(TopicPartition(orders, 0)) or 0
    ### BEGIN SOLUTION
    (start,) = book.execute("SELECT next_offset FROM takings").fetchone()
    ### END SOLUTION
    consumer.seek(TopicPartition(orders, 0), start)
    for record in islice(consumer, 12 - start):
        book.execute("UPDATE takings SET cents = cents + ?", [int(record.value)])
        ### BEGIN SOLUTION
        book.execute("UPDATE takings SET next_offset = ?", [record.offset + 1])
        ### END SOLUTION
        book.commit()
        consumer.commit()

# %%
check("03.no-double-effect", cluster, takings=takings)

# %% [markdown]
# ## What you have seen
# - Within a **group** each partition has one reader: as many members can work as there are partitions.
# - A **rebalance** divides the partitions anew. Eager ones take all from everybody, cooperative ones what has to move;
#   a **static** member restarts without one, if it is back in time.
# - Records stay. A group is a set of committed offsets, and can be put back or forward; **lag** is what is left.
# - Commit after the work and a crash repeats, commit before it and a crash leaves out. Auto-commit commits what was
#   handed out. More on this, and what transactions do about it, in [Delivery guarantees](05_delivery_guarantees.ipynb).

# %%
cluster.stop()
progress("03")
