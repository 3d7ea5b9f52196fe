# %% [markdown]
# # 04 Replication and failover
#
# **40 minutes.** You look at one partition on three brokers, kill its leader under load and prove that nothing was
# lost, lose records on purpose with `acks=1`, see writes refused that could not be kept safe, and trade records for
# availability with an unclean election.
#
# You should know partitions, replicas and what `acks` says: [Start here](00_start_here.ipynb) and
# [Producers](01_producers.ipynb) show them.

# %%
from itertools import islice
from time import monotonic
import numpy as np
from matplotlib import pyplot as plt
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import NotEnoughReplicasError
from kafkalab import Cluster, faults, observe, traffic
from kafkalab.courseware import check, hint, predict, progress, show, solution
from kafkalab.ledger import Ledger
from kafkalab.observe import plots
from kafkalab.simulation.stocks import Stocks
from kafkalab.waiting import wait_until

cluster = Cluster(brokers=3).start()
orders = cluster.create_topic("orders", partitions=3)
cluster.partitions(orders)

# %% [markdown]
# ## Leader, followers, ISR
# Each row is a partition, and each partition is kept by three brokers, its **replicas**. One of them is the
# **leader**: producers write to it, and by default consumers read from it. The others are **followers**: they fetch
# from the leader what they do not have yet, and store it at the same offsets. Those that keep up, the leader among
# them, are the **in-sync replicas**, the **ISR**. Each broker leads one partition here, so that the load is shared.
#
# We store three records in partition 0, and look at what each of the three brokers has on its own disk. Copying takes
# a moment, and lessons never sleep and hope: `wait_until(look, accept)` calls `look` until `accept` likes what it
# returned, and gives up with what it saw last.

# %%
producer = KafkaProducer(**cluster.client_config(), acks=1, enable_idempotence=False)
for number in range(3):
    producer.send(orders, f"order {number}".encode(), partition=0).get(timeout=10)

def replicas_of(topic):
    seen = cluster.replicas(topic).query("partition == 0")
    return seen[["broker", "role", "in_sync", "log_end", "high_watermark"]]

seen = wait_until(
    lambda: replicas_of(orders), lambda now: (now["high_watermark"] == 3).all(), what="three copies"
)
files = [cluster.data_folder(broker) / f"{orders}-0" / f"{0:020}.log" for broker in (1, 2, 3)]
print("the same bytes on the disks of all three:", len({file.read_bytes() for file in files}) == 1)
seen

# %% [markdown]
# A replica is not a backup in another form: it is the same file, byte for byte. Two columns of the table matter
# below. The **log end** is the offset that the next record of this replica will get. The **high watermark** is how
# far *all* in-sync replicas have come, as far as this broker knows.
#
# ## What a consumer is shown
# Now both followers freeze: `faults.pause` halts their processes where they stand, as when a machine hangs, until the
# `with` block ends. The leader is given two records more. With `acks=1` its own word is enough.
#
# **Predict.** A consumer asks the leader for news. What is it shown?

# %%
guess = predict("What is the consumer shown?", choices=("both records", "nothing new"), guess=...)
guess

# %%
def log_ends(topic):
    batches = {broker: cluster.batches(topic, broker=broker) for broker in (1, 2, 3)}
    return {broker: int(table["last_offset"].max()) + 1 for broker, table in batches.items()}

partition = TopicPartition(orders, 0)
consumer = KafkaConsumer(**cluster.client_config(), auto_offset_reset="earliest")
consumer.assign([partition])
so_far = consumer.end_offsets([partition])[partition]
print("at first:", [record.value.decode() for record in islice(consumer, so_far)])
with faults.pause([2, 3]).on(cluster):
    sent = [producer.send(orders, value, partition=0) for value in (b"order 3", b"order 4")]
    print("acknowledged at offsets", [future.get(timeout=10).offset for future in sent])
    shown = consumer.poll(timeout_ms=600).get(partition, [])
    print("the high watermark, as the consumer is told:", consumer.highwater(partition))
    print("the log's end on each broker's own disk:", log_ends(orders))
print("after the thaw:", [record.value.decode() for record in islice(consumer, 2)])
guess.compare("both records" if shown else "nothing new")

# %% [markdown]
# During the frost broker 1, the leader, had both records: its log ended at 5. But its high watermark stayed at 3, and
# a consumer is shown nothing beyond the high watermark. What only one broker has may still be lost with it, and nobody
# should have acted on a record that then never was. When the followers ran again, they fetched the two records, the
# high watermark moved, and the consumer got them.
#
# ## Kill the leader, under load
# Now a fault that happens. A simulated stock market sends 2,000 trades to the topic `stock-prices`, 400 a second,
# with `acks=all`, while you pull the plug of broker 1. A **ledger** notes every record that is sent and every
# acknowledgement, and afterwards reads the topic from the start and compares.
#
# `faults.kill(...)` says what shall break, `.fire(cluster)` breaks it now, `.watch()` waits until the other brokers
# have noticed, and `.undo()` starts the broker again. Meanwhile `observe.watch` keeps an eye on the leaders and the
# ISR, for the picture.
#
# Broker 1 leads partition 0; brokers 2 and 3 lead the other two partitions, and stay alive.
#
# **Predict.** In which partitions do acknowledgements stop for more than a second?

# %%
guess = predict("Which ones stop?", choices=("none", "only partition 0", "others too"), guess=...)
guess

# %%
prices = cluster.create_topic("stock-prices", partitions=3)
trades = (record for record in Stocks(seed=4).records(4_000) if record.topic == "stock-prices")

def in_sync(story):
    return story.isr()["isr"].tail(3).map(len).tolist()

with observe.watch(cluster, topic=prices) as story:
    run = traffic.start(cluster, islice(trades, 2_000), rate=400, acks="all")
    wait_until(lambda: run.observe().acknowledged, lambda count: count > 300, what="300 acknowledged")
    kill = faults.kill(faults.leader(prices, 0)).fire(cluster)
    story.mark(kill.name)
    noticed = kill.watch()
    story.mark("start it again")
    kill.undo()
    wait_until(lambda: in_sync(story), lambda now: now == [3, 3, 3], what="three in-sync replicas each")
picture = plots.isr_timeline(story.isr(), story.faults())
show(picture.figure, picture.alt)

# %% [markdown]
# Read the picture from left to right. Line 1 is `kill -9`: no goodbye, no time to hand over, and for a while the
# cluster still believes in broker 1. Then the controller, the part of the cluster that knows who lives, has missed
# enough of the broker's heartbeats: it takes broker 1 out of every ISR, and makes another in-sync replica of partition
# 0 its leader. At line 2 the broker is switched on again. It fetches what it has missed, and is back in every ISR.
#
# How did the producer fare?

# %%
run.wait(timeout=60)
acks = run.ledger.acknowledgements()
since = [acks["acknowledged_at"][acks["partition"] == number] - kill.at for number in range(3)]
figure, axes = plt.subplots(3, figsize=(8, 4), sharex=True, sharey=True, layout="constrained")
for number, panel in enumerate(axes):
    panel.hist(since[number], bins=np.arange(-1, 6, 0.1), log=True, color="#0072B2")
    panel.axvline(0, color="black", label="broker 1 killed")
    panel.axvline(noticed.seconds, color="#D55E00", linestyle="--", label="the others have noticed")
    panel.set_ylabel(f"partition {number}")
axes[0].set_title("Records acknowledged per 0.1 s", loc="left")
axes[2].set_xlabel("time since the kill (s)")
figure.legend(*panel.get_legend_handles_labels(), loc="outside upper right", ncols=2)
silent = [number for number in range(3) if np.diff(np.sort(since[number])).max() > 1]
stopped = ", ".join(map(str, silent))
show(figure, alt=f"Records acknowledged per 0.1 s. Partitions {stopped} stop at the kill, then go on.")
guess.compare("only partition 0" if silent == [0] else "others too" if silent else "none")

# %% [markdown]
# All three, although two leaders were alive. `acks=all` waits for every in-sync replica, and broker 1 was one in each
# partition until the controller took it out. (Here a broker counts as dead after two seconds without a heartbeat;
# Kafka's default, `broker.session.timeout.ms`, is nine.) Then everything went on, and the producer caught up on
# what it had kept meanwhile.
#
# ## The verdict
# Was anything lost?

# %%
run.ledger.verify(cluster)

# %% [markdown]
# Every acknowledged record is there, once, and in order. An acknowledgement with `acks=all` meant: each in-sync
# replica has it. The new leader was one of them.
#
# Broker 1 is in every ISR again, but look at the first picture once more: it leads nothing. A broker that comes back
# does not take its partitions back by itself. The first broker in `replicas` is the **preferred leader**. Kafka's tool
# for leader elections puts it back (the controller's own check does so every five minutes,
# `leader.imbalance.check.interval.seconds`).
#
# The next cell does that, and shows the **live view**: the cluster as it is now, refreshed twice a second.

# %%
where = ["--topic", prices, "--partition", "0"]
print(cluster.kafka_tool("kafka-leader-election", "--election-type", "preferred", *where).strip())
cluster.wait_for_isr(orders, 3)
observe.live(cluster)

# %% [markdown]
# **Your turn.** In this view, press *Kill* at the broker that leads `stock-prices-0`. For two seconds the cluster has
# not noticed yet; then the leader moves, and two of three replicas are in sync. Press *Start*: the broker joins, comes
# back into every ISR, and leads nothing. To keep the view beside you, right-click it and choose *Create New View for
# Cell Output*. The buttons work while no cell runs. In a terminal, `print(observe.live(cluster))` says the same in
# words.
#
# Before you go on, all three brokers should run again.
#
# **Exercise 1.** Create a topic that survives one loss: with any one broker dead it still takes writes with
# `acks=all`, and even then it acknowledges no record that only one broker has. The setting is `min.insync.replicas`:
# how many in-sync replicas there must be for a write with `acks=all`.
#
# The check kills the leader of your topic and writes: watch it in the view. Stuck? `hint("04.one-loss")`

# %% exercise="04.one-loss"
safe = ...
### BEGIN SOLUTION
safe = cluster.create_topic("safe", replication_factor=3, config={"min.insync.replicas": 2})
### END SOLUTION

# %%
check("04.one-loss", cluster, safe=safe)

# %% [markdown]
# ## Break it: acks=1 loses
# The same kill, but now the producer is content with the leader's word, and the followers lag: they are frozen for a
# moment. (On a real cluster it is a slow disk, a busy network or a long pause of the JVM.)
#
# This time the ledger is kept in plain code. A `session` is one producer's page in it. `enter` notes a record before
# it is sent, and gives it a header with its number, by which the ledger knows it again; `acknowledged` notes what the
# broker answered: the partition and the offset.
#
# Ten orders are stored on all three brokers. Twenty more come while the followers are frozen; then the leader dies,
# and the followers thaw.
#
# **Predict.** All thirty orders were acknowledged. What does the ledger say?

# %%
def place(producer, topic, session, names):
    """Send each order, wait for its acknowledgement, and enter both in the ledger."""
    for name in names:
        entry = session.enter(topic, None, name.encode(), monotonic())
        stored = producer.send(topic, name.encode(), headers=entry.headers).get(timeout=10)
        entry.acknowledged(stored.partition, stored.offset, monotonic())

lossy, ledger = cluster.create_topic("lossy", replication_factor=3), Ledger()
session = ledger.session()
placed = [f"order {number}" for number in range(30)]
place(producer, lossy, session, placed[:10])
wait_until(
    lambda: replicas_of(lossy), lambda now: (now["high_watermark"] == 10).all(), what="ten copies"
)

guess = predict("The ledger says:", choices=("all are there", "some lost", "all lost"), guess=...)
guess

# %%
with faults.pause([2, 3]).on(cluster):
    place(producer, lossy, session, placed[10:])
    producer.close()
    cluster.broker(1).kill()
cluster.wait_for_isr(lossy, 2)
verdict = ledger.verify(cluster)
lost = set(verdict.table("lost")["sequence"])
guess.compare("all are there" if not lost else "some lost" if verdict.stored else "all lost")
print("acknowledged:", verdict.acknowledged, "- of the first ten lost:", len(lost & set(range(10))))
print("acknowledged = found + named as lost:", verdict.acknowledged == verdict.stored + len(lost))
verdict.table("lost").set_index("sequence")[["topic", "partition", "offset", "detail"]].tail(3)

# %% [markdown]
# The table shows the last three rows of the lost. The mechanism, step by step:
# 1. The leader stored each order and acknowledged it at once: `acks=1` does not wait for followers.
# 2. The followers had not fetched the last orders, but were still in the ISR: one is taken out only when it has
#    lagged for a while (`replica.lag.time.max.ms`) or counts as dead.
# 3. The leader died, and the controller chose from the ISR. The new leader's log ends before those orders.
#
# No error was raised anywhere: the producer was told "stored" thirty times. But broker 1 is dead, not its disk. What
# lies on it, and what happens when it comes back?

# %%
ends = log_ends(lossy)
figure, axes = plt.subplots(figsize=(8, 2))
axes.barh([f"broker {number}" for number in ends], list(ends.values()), color="#0072B2")
axes.barh("broker 1", len(lost), left=30 - len(lost), color="#D55E00", hatch="//", label="lost")
axes.invert_yaxis()
axes.set_title("What lies on each broker's own disk", loc="left")
axes.set_xlabel("orders")
axes.legend(loc="lower right")
behind = " and ".join(f"{number}" for number, end in ends.items() if end < ends[1])
show(figure, alt=f"Broker 1 has {ends[1]} orders on its disk. Brokers {behind} lack the last ones.")
cluster.broker(1).start()
cluster.wait_for_isr(lossy, 3)
print("now all three end at the same offset:", len(set(log_ends(lossy).values())) == 1)
print("the same orders are lost:", ledger.verify(cluster).lost == len(lost))

# %% [markdown]
# Broker 1 had them all, and gives them up. A follower's log must be the leader's log, so the returning broker cuts off
# (**truncates**) what its new leader does not have. The last copy is gone.
#
# **Exercise 2.** Somebody has to call the customers. From `verdict.table("lost")`, make the list of the orders (as in
# `placed`) that were acknowledged and are lost. A record's `sequence` counts the ledger's records from 0. The check
# reads the topic. Stuck? `hint("04.read-verdict")`

# %% exercise="04.read-verdict"
to_call = ...
### BEGIN SOLUTION
to_call = [placed[number] for number in verdict.table("lost")["sequence"]]
### END SOLUTION

# %%
check("04.read-verdict", cluster, topic=lossy, placed=placed, to_call=to_call)

# %% [markdown]
# ## A write that is refused
# For the rest two of three brokers go down, and somebody must still say who leads. This cluster has a controller in a
# process of its own, beside the three brokers. (A new cluster: `observe.live(cluster)` shows it, if you like.) Three
# topics, each with three replicas, differ in one setting. Then broker 3 is shut down, in good order, for repair.

# %%
consumer.close()
cluster.stop()
cluster = Cluster(brokers=3, controllers=1).start()
loose, strict, invoices = (
    cluster.create_topic(name, config={"min.insync.replicas": least})
    for name, least in {"loose": 1, "strict": 2, "invoices": 3}.items()
)
accounts = cluster.create_topic("accounts")

def attempt(topic):
    """Try one write with acks=all and no retries, so that a refusal is seen at once."""
    once = {"acks": "all", "retries": 0, "enable_idempotence": False}
    with KafkaProducer(**cluster.client_config(), **once) as producer:
        try:
            producer.send(topic, b"attempt").get(timeout=10)
        except NotEnoughReplicasError:
            return "refused: NotEnoughReplicas"
    return "acknowledged"

cluster.broker(3).stop()
for topic in (loose, strict, invoices):
    cluster.wait_for_isr(topic, 2)
    print(f"{topic:8}", attempt(topic))

# %% [markdown]
# `invoices` asked for three in-sync replicas of three, which sounds safest, and means that it stops with the first
# broker.
#
# **Exercise 3.** Make `invoices` take writes with `acks=all` again, and still acknowledge nothing that only one
# broker has. Broker 3 is in pieces and must stay off. (Kafka's tool for settings is `kafka-configs`, and
# `cluster.kafka_tool` runs it.) Stuck? `hint("04.refused-write")`

# %% exercise="04.refused-write"
# Make invoices take writes again.
### BEGIN SOLUTION
settings = f"--alter --entity-type topics --entity-name {invoices} --add-config min.insync.replicas=2"
cluster.kafka_tool("kafka-configs", *settings.split())
### END SOLUTION

# %%
check("04.refused-write", cluster, topic=invoices)

# %% [markdown]
# Next, broker 2 goes as well.
#
# **Predict.** `loose` and `strict` have three replicas each, and one is left. Which of them acknowledges a write with
# `acks=all`?

# %%
guess = predict("Who acknowledges?", choices=("both", "only loose", "only strict", "neither"), guess=...)
guess

# %%
cluster.broker(2).stop()
takers = []
for topic in (loose, strict):
    cluster.wait_for_isr(topic, 1)
    print(f"{topic:8}", said := attempt(topic))
    takers += [topic] * (said == "acknowledged")
guess.compare({2: "both", 0: "neither"}.get(len(takers)) or f"only {takers[0]}")

# %% [markdown]
# Two beliefs that many hold are wrong here:
# - *acks=all means all replicas.* It means the ISR, and the ISR of `loose` is broker 1 alone. The write was
#   acknowledged with a single copy of it in the world.
# - *A replication factor of three survives two losses.* It does for what is stored already. For writes,
#   `min.insync.replicas` decides: `strict` takes none with two brokers gone, and the producer is told at once.
#   (`attempt` has no retries. Producers retry by default, and then the same refusal looks like a long silence.)
#
# ## Unclean leader election: what it buys, what it costs
# `loose` and `accounts`, a topic with the same settings, go on. Each gets thirty orders, acknowledged, in ledgers of
# their own. Then broker 1 is killed too, and brokers 2 and 3 are switched on again.

# %%
ledgers = {topic: Ledger() for topic in (loose, accounts)}
with KafkaProducer(**cluster.client_config(), acks="all") as producer:
    for topic, ledger in ledgers.items():
        place(producer, topic, ledger.session(), placed)
cluster.broker(1).kill()
cluster.broker(2).start(wait=False)
cluster.broker(3).start()
cluster.wait_for_isr(strict, 2)
cluster.partitions().query("topic in @ledgers or topic == @strict")

# %% [markdown]
# `strict` has a leader again. It took nothing while it was short of replicas, so broker 2 has all that was ever
# acknowledged. The controller remembers that of a broker which was shut down in good order (an *eligible leader
# replica*, KIP-966). `loose` and `accounts` have none (-1): only broker 1 has their last records, and Kafka rather
# waits for it than lose them.
#
# Waiting is not always right: for some data, going on matters more. Then an operator may order an **unclean
# election**: any living replica becomes leader, with what it has. (With the topic setting
# `unclean.leader.election.enable` the controller does so on its own.)
#
# Broker 2 becomes leader of `loose`. How many of the thirty orders, all acknowledged with `acks=all`, are there?

# %%
where = ["--topic", loose, "--partition", "0"]
print(cluster.kafka_tool("kafka-leader-election", "--election-type", "unclean", *where).strip())
cluster.wait_for_isr(loose, 2)
print("three new writes:", {attempt(loose) for _ in range(3)})
ledgers[loose].verify(cluster)

# %% [markdown]
# That is the trade. `loose` takes writes again, and all that was acknowledged while broker 1 was alone is lost. The
# first offsets belong to other records now (the *foreign* ones, of `attempt`). `acks=all` was no protection,
# because `min.insync.replicas=1` let one replica be all.
#
# **Exercise 4.** `accounts` has no leader either, and there every record counts. Bring it back without losing one.
# Stuck? `hint("04.without-loss")`

# %% exercise="04.without-loss"
# Bring accounts back.
### BEGIN SOLUTION
cluster.broker(1).start()
### END SOLUTION

# %%
check("04.without-loss", cluster, topic=accounts, ledger=ledgers[accounts])

# %% [markdown]
# ## What you have seen
# - A partition is one leader and its followers with the same bytes; consumers see it up to the **high watermark**.
# - A leader killed under `acks=all`: some seconds of silence, a new leader from the **ISR**, nothing lost.
# - `acks=1` loses what the followers had not fetched yet, and no error tells of it.
# - `acks=all` is worth what `min.insync.replicas` demands: with three replicas, 2 survives one loss, for reads and
#   for writes, and refuses what it could not keep.
# - An **unclean election** buys availability with acknowledged records.

# %%
cluster.stop()
progress("04")
