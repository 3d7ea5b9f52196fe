# %% [markdown]
# # 01 Producers: what happens when you send
#
# **30 minutes.** You look into a record, find out who chooses its partition, watch sends succeed and fail, count
# the bytes that batches and compression save, and freeze a broker to see what `acks` is worth, how a duplicate
# comes about, and what prevents it.
#
# You should know what brokers, topics, partitions, offsets and replicas are: [Start here](00_start_here.ipynb)
# shows them.

# %%
import json
import random
from datetime import UTC, datetime
from itertools import islice
import pandas as pd
from matplotlib import pyplot as plt
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import MessageSizeTooLargeError
from kafka.partitioner import StickyPartitioner, murmur2
from kafka.record import MemoryRecords
from kafkalab import Cluster
from kafkalab.courseware import check, hint, predict, progress, show, solution
from kafkalab.waiting import wait_until

# %% [markdown]
# Three brokers again. The setting lets a silent broker count as a member for four seconds: time enough to see
# what a frozen broker does to a producer.

# %%
cluster = Cluster(brokers=3, properties={"broker.session.timeout.ms": 4_000}).start()
payments = cluster.create_topic("payments", partitions=3)
cluster.partitions(payments)

# %% [markdown]
# ## What a record is made of
# We send one payment with everything a record can have: a **key**, a **value**, **headers** and a **timestamp**
# (in milliseconds since 1970; without one, kafka-python takes the time of the send).

# %%
nine_o_clock = int(datetime(2025, 3, 1, 9, tzinfo=UTC).timestamp() * 1000)
producer = KafkaProducer(**cluster.client_config())
payment = {"key": b"anna", "value": b'{"amount": 25}', "headers": [("app", b"till")]}
metadata = producer.send(payments, **payment, timestamp_ms=nine_o_clock).get(timeout=10)
print(f"stored in partition {metadata.partition} at offset {metadata.offset}")

# %%
def read(topic):
    """Return every record that is in the topic now; give up when none comes for 30 seconds."""
    settings = {"auto_offset_reset": "earliest", "consumer_timeout_ms": 30_000}
    with KafkaConsumer(**cluster.client_config(), **settings) as consumer:
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
        consumer.assign(partitions)
        return list(islice(consumer, sum(consumer.end_offsets(partitions).values())))

(record,) = read(payments)
print(record.key, record.value, record.headers, datetime.fromtimestamp(record.timestamp / 1000, UTC))

# %% [markdown]
# All of it came back as it was sent. Key, value and the header's value are bytes: Kafka neither reads nor checks
# them. Why did Anna's payment go to this partition, and not to another?
#
# ## Who chooses the partition
# **Predict.** Six customers make four payments each, and the key is the customer. In how many partitions will
# Anna's four payments lie?

# %%
guess = predict("In how many partitions will Anna's payments lie?", choices=(1, 2, 3), guess=...)
guess

# %%
customers = ["anna", "ben", "chen", "eva", "noor", "omar"]
futures = [(name, producer.send(payments, key=name.encode(), value=b"{}")) for name in customers * 4]
rows = [(name, future.get(timeout=10).partition) for name, future in futures]
spread = pd.crosstab(*zip(*rows)).reindex(columns=range(3), fill_value=0)
guess.compare(int((spread.loc["anna"] > 0).sum()))

# %% [markdown]
# And the other customers? The heat map counts the records of each key in each partition.

# %%
figure, axes = plt.subplots(figsize=(5, 3.5))
image = axes.imshow(spread, cmap="cividis", aspect="auto")
axes.set(xlabel="partition", ylabel="key", xticks=range(3), yticks=range(6), yticklabels=customers)
figure.colorbar(image, label="records")
where = ", ".join(f"{key} in {partition}" for key, partition in spread.idxmax(axis="columns").items())
show(figure, alt=f"Heat map of records by key and partition. Every key is in one partition only: {where}.")

# %% [markdown]
# Each key has one partition, and all its records go there; several keys may share a partition. Since a partition
# keeps its order, the payments of one customer stay in order.
#
# The *producer* chooses, with a function called the **partitioner**: it computes a number from the key (a hash
# named murmur2) and takes the remainder after division by the number of partitions. You can do the same sum:

# %%
def partition_of(key, partitions):
    return (murmur2(key) & 0x7FFFFFFF) % partitions

print({name: partition_of(name.encode(), 3) for name in customers})
print("as observed:", all(spread.loc[name, partition_of(name.encode(), 3)] == 4 for name in customers))

# %% [markdown]
# No broker is asked, and no list of keys is kept. The sum also tells what a change of the number of partitions
# would do: the remainders change, and keys move.
#
# And a record **without a key**? We send sixty, with kafka-python's default partitioner and then with another
# that comes with it. `linger_ms` makes the producer wait for more records before it sends, `flush` ends the wait.

# %%
for name, choice in {"default": {}, "sticky": {"partitioner": StickyPartitioner()}}.items():
    with KafkaProducer(**cluster.client_config(), linger_ms=10_000, **choice) as sender:
        futures = [sender.send(payments, value=b"{}") for _ in range(60)]
        sender.flush(timeout=30)
    print(f"{name}: {len({future.get(timeout=10).partition for future in futures})} of 3 partitions")

# %% [markdown]
# The default one picks a partition at random for each record, so that all three got some. The sticky one stays
# with one partition while it fills a batch (KIP-480; more on batches below). Without a key, records are spread,
# and nothing holds their order.
#
# **Exercise 1.** Predict the partition of each of three new keys in the topic `payments`. The check sends one
# record with each key and looks where it lands. (To a partitioner, keys are bytes: `b"hugo"`, not `"hugo"`.)
#
# Stuck? Type `hint("01.predict-partition")` in a new cell (press Esc, then B), and run it again for a stronger one.

# %% exercise="01.predict-partition"
# A dictionary: {"hugo": ..., "ida": ..., "jan": ...} with a number for each.
predicted = ...
### BEGIN SOLUTION
predicted = {name: partition_of(name.encode(), 3) for name in ["hugo", "ida", "jan"]}
### END SOLUTION

# %%
check("01.predict-partition", cluster, topic=payments, predicted=predicted)

# %% [markdown]
# ## Sending does not wait
# `send` returns at once, with a **future**: a promise of an answer. A background thread of the producer collects
# records into **batches** and sends these. You can wait for the answer with `get`, or leave a **callback**, a
# function that the thread calls when the answer comes.

# %%
journal = cluster.create_topic("journal")
offsets = []
with KafkaProducer(**cluster.client_config(), linger_ms=10_000) as sender:
    future = sender.send(journal, b"first entry")
    future.add_callback(lambda metadata: offsets.append(metadata.offset))
    print("after send: ", future.is_done, offsets)
    sender.flush(timeout=30)
    print("after flush:", future.is_done, offsets)

# %% [markdown]
# After `send` the record was still in the producer's memory: a program that ends there loses it. After `flush` it
# was acknowledged, and the callback had been called with its metadata. A failure calls what you leave with
# `add_errback`; `get` raises it.
#
# ## A record too large
# This topic takes batches of at most 1,000 bytes. We send a small note, a large one, and another small one.

# %%
notes = cluster.create_topic("notes", config={"max.message.bytes": 1_000})

def attempt(sender, size):
    try:
        return f"stored at offset {sender.send(notes, b'x' * size).get(timeout=10).offset}"
    except MessageSizeTooLargeError:
        return "refused: MessageSizeTooLargeError"

for size in (10, 5_000, 10):
    print(f"{size:5} bytes:", attempt(producer, size))

# %% [markdown]
# Look at the last line: that note was small enough. The leader refused the large one, and after such a refusal
# this producer takes nothing more: every later send fails with the same error. That is how an *idempotent*
# producer, the default, behaves in this version of kafka-python; what the word means comes below. The remedy is a
# new producer, or better, one that knows the limit.

# %%
producer.close()
producer = KafkaProducer(**cluster.client_config(), max_request_size=1_000)
for size in (10, 5_000, 10):
    print(f"{size:5} bytes:", attempt(producer, size))

# %% [markdown]
# The same error, from another place: `max_request_size` made the *producer* refuse, before anything was sent, and
# it goes on working. (The same error has the name `RecordTooLargeException` in Kafka's Java client.)
#
# **Exercise 2.** A failed send handled: send every note of the inbox to `notes`, with its key. The one that is
# refused goes, with its key and the first 100 bytes of its value, to `rejected`. A record sent by mistake cannot be
# taken back, so each run of the cell makes two new, empty topics: to start over, run it again.

# %% exercise="01.failed-send"
number = len(cluster.topics())  # names that are still free
notes = cluster.create_topic(f"fresh-notes-{number}", config={"max.message.bytes": 1_000})
rejected = cluster.create_topic(f"fresh-rejected-{number}")
sizes = {b"note-1": 50, b"note-2": 80, b"note-3": 7_000, b"note-4": 60, b"note-5": 90}
inbox = {key: b"n" * size for key, size in sizes.items()}
for key, value in inbox.items():
    ...
    ### BEGIN SOLUTION
    try:
        producer.send(notes, key=key, value=value).get(timeout=10)
    except MessageSizeTooLargeError:
        producer.send(rejected, key=key, value=value[:100]).get(timeout=10)
    ### END SOLUTION

# %%
check("01.failed-send", cluster, notes=notes, rejected=rejected, inbox=inbox)

# %% [markdown]
# ## Batches and compression, in bytes on disk
# We store the same 300 payments three times: waiting for each, so that every record is a batch of its own; in
# batches; and in compressed batches. Then we read the segment file on broker 1 and count. (The payments are made
# from a seed, 7, and are the same in every run.)

# %%
rng = random.Random(7)
values = [
    json.dumps({"customer": rng.choice(customers), "cents": rng.randrange(100, 10_000), "currency": "EUR"})
    for _ in range(300)
]

def segment(topic):
    return (cluster.data_folder(1) / f"{topic}-0" / f"{0:020}.log").read_bytes()

def batches(topic):
    return list(iter(MemoryRecords(segment(topic)).next_batch, None))

def store(topic, wait_for_each=False, **settings):
    with KafkaProducer(**cluster.client_config(), **settings) as sender:
        for number, value in enumerate(values):
            future = sender.send(topic, value.encode(), timestamp_ms=nine_o_clock + number)
            if wait_for_each:
                future.get(timeout=10)
        sender.flush(timeout=30)
    return {"batches": len(batches(topic)), "kilobytes": round(len(segment(topic)) / 1000)}

print("the first payment:", values[0])

# %%
stored = pd.DataFrame({
    "one by one": store(cluster.create_topic("single"), wait_for_each=True),
    "batched": store(cluster.create_topic("batched"), linger_ms=10_000),
    "batched, gzip": store(cluster.create_topic("gzip"), linger_ms=10_000, compression_type="gzip"),
}).T
stored

# %%
figure, axes = plt.subplots(figsize=(7, 2.4))
axes.barh(stored.index, stored["kilobytes"], color=["#D55E00", "#0072B2", "#009E73"])
axes.set(xlabel="bytes on disk of one replica (kilobytes)")
axes.invert_yaxis()
shares = ", ".join(f"{name} {size}" for name, size in stored["kilobytes"].items())
show(figure, alt=f"Bar chart of the kilobytes that 300 payments take on disk: {shares}.")

# %% [markdown]
# Every batch has a header. Sent one by one, the records needed 300 of them; in batches, two. Compression works on a
# whole batch at a time, so that text which repeats from record to record almost vanishes. The broker stores a
# batch as it comes, compressed or not.
#
# Two settings make batches: `batch_size`, in bytes (a full batch is sent, which is why there are two), and
# `linger_ms`, how long to wait for one to fill. Lingering saves bytes and costs time.
#
# ## Break it: what is an acknowledgement worth?
# `acks` says how many replicas must have a record before the leader answers: `0` asks for no answer at all, `1`
# for the leader's word, `"all"` for all in-sync replicas. Three producers send a warm-up record each, so that their
# connections stand; then broker 2, a follower, freezes, and each sends the rent.
#
# **Predict.** Which of them are told "done" while broker 2 is frozen?

# %%
guess = predict("Who is told?", choices=("nobody", "acks=0 and acks=1", "all three"), guess=...)
guess

# %%
transfers = cluster.create_topic("transfers")
senders = {acks: KafkaProducer(**cluster.client_config(), acks=acks, enable_idempotence=False)
           for acks in ("all", 1, 0)}  # fmt: skip
for acks, sender in senders.items():
    print(f"acks={acks}: warm-up at offset", sender.send(transfers, b"warm-up").get(timeout=10).offset)
cluster.broker(2).pause()
futures = {acks: sender.send(transfers, b"rent") for acks, sender in senders.items()}
print("with broker 2 frozen: acks=0 reports offset", futures[0].get(timeout=10).offset)
print("acks=1 reports an offset beyond the warm-up:", futures[1].get(timeout=10).offset > 1)
guess.compare("all three" if futures["all"].is_done else "acks=0 and acks=1")

# %% [markdown]
# `acks=0` counts a record as done when it has left the producer. Nobody tells it an offset: the 0 that kafka-python
# reports is a placeholder, both times, and the record at offset 0 is another. `acks=1` has the leader's word;
# whether any follower has the record, it does not know. `acks="all"` is still waiting for broker 2. For ever?

# %%
seen = cluster.wait_for_isr(transfers, 2)
print("acks=all, acknowledged:", futures["all"].get(timeout=10).offset > 0, "- broker 2:", cluster.broker(2).state)
seen

# %% [markdown]
# No. Broker 2 is frozen still, but after four seconds of silence it was taken out of the **in-sync replicas**, and
# then the record was acknowledged. So `acks="all"` does *not* mean all replicas: it means all that are in sync at that
# moment. (How few may be enough is the topic's setting `min.insync.replicas`.)
#
# ## Break it: the duplicate
# Now the freeze is short, shorter than those four seconds. The leader stores a gift of 50 at once, but may not
# answer before broker 2 has it too. The producer loses patience after its `request_timeout_ms`, here one second. As
# soon as the client's log tells that it will retry, broker 2 thaws. After its `retry_backoff_ms`, here three seconds,
# the producer sends the gift again.

# %%
cluster.broker(2).resume()
cluster.wait_for_isr(transfers, 3)

def retries():
    """Count the retries that kafka-python has logged; the cluster keeps what clients log."""
    return int(cluster.client_log()["message"].str.contains("retrying").sum())

def give(topic, **settings):
    """Send a gift whose first acknowledgement comes too late; return what is stored in the end."""
    cluster.wait_for_isr(topic, 3)
    patience = {"request_timeout_ms": 1_000, "retry_backoff_ms": 3_000}
    with KafkaProducer(**cluster.client_config(), **patience, **settings) as sender:
        sender.send(topic, b"rent 900").get(timeout=10)
        before = retries()
        cluster.broker(2).pause()
        future = sender.send(topic, b"gift 50")
        wait_until(retries, lambda count: count > before, what="the producer's retry")
        cluster.broker(2).resume()
        future.get(timeout=20)
    return [record.value.decode() for record in read(topic)]

# %%
plain, idempotent = cluster.create_topic("plain"), cluster.create_topic("idempotent")
print("plain:     ", give(plain, acks="all", enable_idempotence=False))
print("idempotent:", give(idempotent, acks="all", enable_idempotence=True))
print("sequence numbers:", {topic: [batch.base_sequence for batch in batches(topic)] for topic in (plain, idempotent)})

# %% [markdown]
# The first producer called `send` once for the gift, and it is stored **twice**. The retry was right: without an
# answer, nobody can know whether the record arrived, and not to retry could mean to lose it.
#
# The **idempotent producer** met the same freeze, retried too, and the gift is there once. It numbers its batches
# for each partition (-1 stands for no number). When the leader sees a number that it has already stored, it
# acknowledges, and does not store the batch again. The numbering belongs to one `KafkaProducer` object: if your
# *program* sends a payment again after a restart, that is a new record to Kafka.
#
# **Exercise 3.** Make a producer set for no loss: it waits for all in-sync replicas, retries without making
# duplicates, and reports a record as failed after 40 seconds rather than two minutes (`delivery_timeout_ms`).

# %% exercise="01.no-loss"
careful = ...
### BEGIN SOLUTION
careful = KafkaProducer(
    **cluster.client_config(), acks="all", enable_idempotence=True, delivery_timeout_ms=40_000
)
### END SOLUTION

# %%
check("01.no-loss", cluster, topic=journal, careful=careful)

# %% [markdown]
# ## What you have seen
# - The producer's **partitioner** chooses: the same key, the same partition; without a key, records spread.
# - `send` only promises. Look at the future, or a failure passes unseen.
# - A record too large is refused by the producer or by the leader, and the place makes a difference.
# - Batches and compression save bytes; `linger_ms` is the price.
# - `acks="all"` waits for the in-sync replicas. Retries prevent loss and can duplicate; idempotence prevents that.

# %%
for client in (producer, *senders.values(), careful):
    if isinstance(client, KafkaProducer):
        client.close()
cluster.stop()
progress("01")
