# %% [markdown]
# # 06 The log: storage, retention, compaction, replay
#
# **35 minutes.** You open the files in which a broker keeps a day of prices, find one record among thousands the way
# the broker does, throw its indexes away, replay one hour, and watch the two rules by which Kafka forgets: retention,
# which deletes what is old, and compaction, which keeps the last value of each key.
#
# You should know topics, offsets, keys and consumer groups: [Start here](00_start_here.ipynb) and
# [Producers](01_producers.ipynb) show them.
#
# Each broker keeps its own log, so one broker is enough here. (Copies on other brokers are the subject of
# [Replication and failover](04_replication.ipynb).) It tidies up twice a second, so that you can watch. By default a
# broker looks for what retention should delete every five minutes, and for what to compact every 15 seconds.
#
# What is sent and deleted here stays so: many cells run only once. To see one again, select it and choose *Kernel >
# Restart Kernel and Run up to Selected Cell*.

# %%
import json
import os
from datetime import UTC, datetime
from itertools import islice
from tempfile import TemporaryFile
from time import monotonic, time
import numpy as np
import pandas as pd
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource
from kafka.errors import OffsetOutOfRangeError
from kafka.record import MemoryRecords
from kafkalab import Cluster
from kafkalab.courseware import check, hint, predict, progress, show, solution
from kafkalab.ledger import Ledger
from kafkalab.observe.plots import segment_map
from kafkalab.simulation.crypto import Crypto
from kafkalab.simulation.source import Record
from kafkalab.waiting import wait_until

quick = {"log.retention.check.interval.ms": 500, "log.cleaner.backoff.ms": 500}
cluster = Cluster(brokers=1, properties=quick).start()
market = Crypto(seed=6, coins=5, sources=2, interval_s=60, start="2025-03-03")
day, hour = list(market.records(14_400)), 3_600_000  # an hour in milliseconds
print(day[0].key, day[0].value)

# %% [markdown]
# ## A day of prices on disk
# Two simulated sources report the prices of five coins, once a minute, for one day in March 2025. Above is the first
# **quote**. Each becomes a record: its key is the coin, its timestamp the simulated time. Three quotes of the afternoon
# get stuck on the way and will arrive late.
#
# All records of this lesson go through a **ledger**. It notes what was sent and acknowledged, and compares that in
# the end with what is there. We send the day, and look at what the broker has then: first at its log in numbers, then
# at its files.

# %%
prices = cluster.create_topic("prices", config={"segment.ms": 3 * hour})
late = day[8_500:8_503]
on_time = day[:8_500] + day[8_503:]
ledger = Ledger()

def send(topic, records):
    """Send records with their own times; enter each one and its acknowledgement in the ledger."""
    session, sent = ledger.session(), []
    with KafkaProducer(**cluster.client_config(), linger_ms=60_000) as producer:
        for record in records:
            entry = session.enter(topic, record.key, record.value, monotonic())
            parts = {"key": record.key, "value": record.value, "timestamp_ms": record.timestamp_ms}
            sent.append((entry, producer.send(topic, **parts, headers=entry.headers)))
        producer.flush(timeout=60)
    for entry, future in sent:
        stored = future.get(timeout=10)
        entry.acknowledged(stored.partition, stored.offset, monotonic())

send(prices, on_time)
as_sent, files = cluster.log(prices), cluster.segments(prices).query("base_offset >= 0")
display(as_sent, files.pivot(index="base_offset", columns="kind", values="bytes").convert_dtypes())

# %% [markdown]
# A partition's log is not one file but a row of **segments**. In the first table each is a row: it begins at the
# offset in `segment` and ends before `end`, where the next one begins. Records are only ever written to the last one,
# the **active** segment; the others are closed.
#
# A new segment begins when the active one is full (`segment.bytes`, by default 1 GB, and no less than 1 MB since
# Kafka 4.0), or with a batch that is later than the segment's first batch by more than `segment.ms` (by default seven
# days, here three hours). That is counted in the *records'* own times, so our simulated hours make segments at once.
#
# In the second table each segment has its files, named after its first offset. The records are in the `.log`. The
# `.index` leads from an offset to a place in it, and the `.timeindex` from a time to an offset. (Those of the active
# segment are set up at full size and cut when it is closed. A `.snapshot` remembers sequence numbers of idempotent
# producers.)
#
# ## What reading does to the log
# An auditor reads the first thousand quotes, commits, and leaves for a holiday.
#
# **Predict.** What do the files look like afterwards?

# %%
choices = ("just the same", "what was read is marked", "what was read is gone")
guess = predict("And the files?", choices, guess=...)
guess

# %%
folder = cluster.data_folder(1) / f"{prices}-0"
before = [file.read_bytes() for file in sorted(folder.glob("*.log"))]
auditor = {"group_id": cluster.name("auditor"), "enable_auto_commit": False}
settings = {**cluster.client_config(), **auditor, "auto_offset_reset": "earliest"}
with KafkaConsumer(prices, **settings) as consumer:
    print("read:", len(list(islice(consumer, 1_000))))
    consumer.commit()
after = [file.read_bytes() for file in sorted(folder.glob("*.log"))]
sizes = [sum(map(len, files)) for files in (before, after)]
guess.compare("just the same" if after == before else choices[1 if sizes[0] == sizes[1] else 2])
cluster.lag(auditor["group_id"])

# %% [markdown]
# Not one byte of the log has changed. A consumer removes nothing and marks nothing: how far its group has come is a
# number that is kept elsewhere, in the topic `__consumer_offsets`. So others can read the same records, and so can
# you, again. When a record goes has nothing to do with who has read it.
#
# ## How a reader finds an offset
# A consumer asks for offset 5,000. The broker takes the segment with the highest first offset that is not above it.
# But records differ in length: where in that file does the record lie? We do as the broker does, with the real files.
# An index is pairs of numbers, four bytes each: the last offset of a batch (counted from the segment's first), and the
# position of that batch in the file.

# %%
def clock(ms):
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%H:%M}"

wanted = 5_000
first = int(as_sent["segment"][as_sent["segment"] <= wanted].max())
index = np.fromfile(folder / f"{first:020}.index", ">i4").reshape(-1, 2) + [first, 0]
_, position = index[index[:, 0] <= wanted][-1]
with (folder / f"{first:020}.log").open("rb") as file:
    file.seek(position)
    tail = MemoryRecords(file.read())
looked_at = []
for batch in iter(tail.next_batch, None):
    looked_at.append((batch.base_offset, batch.last_offset))
    if batch.last_offset >= wanted:
        break
(found,) = [record for record in batch if record.offset == wanted]
print(f"the segment begins at {first}, batches looked at in it:", looked_at)
print(f"offset {found.offset}:", clock(found.timestamp), found.key.decode())
pd.DataFrame(index, columns=["offset", "position in the file"]).iloc[12:17]

# %% [markdown]
# The table shows a part of the index, around the offset. It is *sparse*: an entry stands for a batch, not for a record,
# and there is none before four more kilobytes of log (`index.interval.bytes`), so that not every small batch has
# one. A reader takes the last entry that is not above the offset, goes to its position, and reads on: one batch to
# skip, the next one has it. The rest of the file is not touched. (The broker sends batches as they lie there. The
# consumer takes them apart.)
#
# ## Break it: no more indexes
# What if an index is lost, or half written when the machine fails? The broker dies (`kill -9`), and we delete every
# index of the partition. Then the broker is switched on again.
#
# **Predict.** What is lost?

# %%
choices = ("nothing", "the records of the active segment", "all records")
guess = predict("What is lost?", choices, guess=...)
guess

# %%
cluster.broker(1).kill()
*closed, _, _ = sorted(folder.glob("*.*index"))  # the last two are the active segment's
before = [file.read_bytes() for file in closed]
for file in folder.glob("*.*index"):
    file.unlink()
print("index files:", len(list(folder.glob("*.*index"))))
cluster.broker(1).start()
cluster.wait_for_isr(prices, 1)
left = len(cluster.messages(prices, limit=20_000))
guess.compare({len(on_time): choices[0], 0: choices[2]}.get(left, choices[1]))
same = before == [file.read_bytes() for file in closed]
print("the indexes of the closed segments are as before:", same)

# %% [markdown]
# The log is the truth, and an index can be computed from it. The broker found none, read the segments once, and wrote
# the indexes anew.
#
# ## Why a log: appends against writes in place
# A log takes new records at its end only. The alternative is to give each record a place of its own in a large file
# and to write it there, as a table on disk does. Operating systems and disks do not write single bytes but pages,
# mostly 4 kB each. We write 4,000 records of 100 bytes in both ways, until the disk confirms (`fsync`), count the pages
# that are touched, and take the time: the best of five tries, for other programs use the disk, too.

# %%
count, size, rng = 4_000, 64 * 2**20, np.random.default_rng(6)
places = rng.choice(size // 100, count, replace=False) * 100
ways = {
    "in place": [(int(place), bytes(100)) for place in places],
    "appended": [(number * 10_000, bytes(10_000)) for number in range(count // 100)],
}

def pages(place, piece):
    return range(place // 4096, (place + len(piece) - 1) // 4096 + 1)

seconds = {way: [] for way in ways}
with TemporaryFile(buffering=0) as file:
    file.write(bytes(size))
    os.fsync(file.fileno())  # now the file is there, as large as it gets
    for way in [*ways] * 5:
        began = monotonic()
        for place, piece in ways[way]:
            os.pwrite(file.fileno(), piece, place)
        os.fsync(file.fileno())
        seconds[way].append(monotonic() - began)
print("writes:", {way: len(ways[way]) for way in ways})
print("pages: ", {way: len({page for write in ways[way] for page in pages(*write)}) for way in ways})
print("appending was sooner done:", min(seconds["appended"]) < min(seconds["in place"]))

# %% [markdown]
# Records that are neighbours fit into one write, here a hundred in each, as Kafka writes batches; and they share
# pages. In place, almost every record costs a page of its own, most of which is written just as it was. On a hard
# disk each page also costs a movement of the arm. An SSD has no arm, but it writes pages, too.
#
# (Kafka does not even wait for the disk: it hands records to the operating system, which writes them out in large
# pieces. What a power failure would take, it relies on replicas for.)
#
# ## Replay: reading from a time
# Somebody asks for the quotes from 14:00 to 15:00. With the time index the broker knows where to begin:
# `offsets_for_times` asks for the first offset whose timestamp is the given one *or later*. Meanwhile the three late
# quotes have arrived. We replay from the offset for 14:00 up to the offset for 15:00.
#
# **Predict.** Does the replay have all quotes of that hour?

# %%
choices = ("all", "all but the late ones", "all, and some of other hours")
guess = predict("Does it have them all?", choices, guess=...)
guess

# %%
def offset_at(topic, ms):
    partition = TopicPartition(topic, 0)
    with KafkaConsumer(**cluster.client_config()) as consumer:
        return consumer.offsets_for_times({partition: ms})[partition].offset

def read(topic, start=0, end=None):
    """Return the records from one offset up to another, or to the end of the log."""
    settings = {"auto_offset_reset": "earliest", "consumer_timeout_ms": 30_000}
    with KafkaConsumer(**cluster.client_config(), **settings) as consumer:
        consumer.assign([partition := TopicPartition(topic, 0)])
        consumer.seek(partition, start)
        last, found = (end or consumer.end_offsets([partition])[partition]) - 1, []
        for record in consumer:
            found.append(record)
            if record.offset >= last:
                break
    return found

send(prices, late)
fourteen, fifteen = market.start_ms + 14 * hour, market.start_ms + 15 * hour
replay = read(prices, offset_at(prices, fourteen), offset_at(prices, fifteen))
print(len(replay), "quotes, from", clock(replay[0].timestamp), "to", clock(replay[-1].timestamp))
missing = sum(fourteen <= quote.timestamp_ms < fifteen for quote in day) - len(replay)
guess.compare({0: choices[0], len(late): choices[1]}.get(missing, choices[2]))
print("end of the log:", [(r.offset, clock(r.timestamp)) for r in read(prices, len(day) - 5)])

# %% [markdown]
# Look at the end of the log. A log is in the order of *arrival*, and a timestamp is only a number in a record. The
# producer sets it (unless the topic says `message.timestamp.type=LogAppendTime`), and it may be earlier than that of
# the record before. What came late stands behind the quotes of midnight.
#
# So the offset for 14:00 was right: it is the *first* with such a time, and nothing of that hour lies before it. The
# end was wrong: no offset promises that nothing of that hour lies behind it.
#
# **Exercise 1.** Replay the hour exactly: copy every quote from 14:00 up to, but not including, 15:00 to the topic
# `replayed`, each once, with its key, its value and its own timestamp, the late ones as well.
#
# Stuck? Type `hint("06.replay-hour")` in a new cell (press Esc, then B), and run it again for a stronger one. To
# start over, run the exercise's cell again: each run makes a new, empty topic.

# %% exercise="06.replay-hour"
replayed = cluster.create_topic(f"replayed-{len(cluster.topics())}")
with KafkaProducer(**cluster.client_config()) as producer:
    ...
    ### BEGIN SOLUTION
    for record in read(prices, offset_at(prices, fourteen)):
        if fourteen <= record.timestamp < fifteen:
            producer.send(replayed, record.value, key=record.key, timestamp_ms=record.timestamp)
    ### END SOLUTION

# %%
check("06.replay-hour", cluster, source=prices, replayed=replayed, start_ms=fourteen, end_ms=fifteen)

# %% [markdown]
# ## Retention by time
# Disks are finite. With `cleanup.policy=delete`, the default, a log forgets its oldest records: those older than
# `retention.ms`, and the oldest ones of a partition that is larger than `retention.bytes`. (By default these are seven
# days, and no limit. Our clusters keep records for ever, or prices of a March long past would be gone at once.)
#
# It is midnight in our market, and quotes from before noon may go. The broker compares with its own clock, which says
# another year, so we count from noon up to that clock.
#
# **Predict.** From when is the oldest quote that can be read afterwards?

# %%
choices = ("from before 12:00", "from 12:00 sharp", "from after 12:00")
guess = predict("From when is the oldest quote?", choices, guess=...)
guess

# %%
def configure(topic, settings):
    with KafkaAdminClient(**cluster.client_config()) as admin:
        admin.alter_configs([ConfigResource("TOPIC", topic, settings)])

def log_start(topic):
    with KafkaConsumer(**cluster.client_config()) as consumer:
        return consumer.beginning_offsets([TopicPartition(topic, 0)])[TopicPartition(topic, 0)]

noon = market.start_ms + 12 * hour
configure(prices, {"retention.ms": round(time() * 1000) - noon})
by_time = wait_until(
    lambda: cluster.log(prices),
    lambda log: 0 < log_start(prices) == log["segment"].min(),
    what="a shorter log",
)
start = log_start(prices)
oldest = clock(read(prices, start, start + 1)[0].timestamp)
print("the log begins at offset", start, "which is from", oldest)
guess.compare(choices[0] if oldest < "12:00" else choices[1 if oldest == "12:00" else 2])
files = cluster.segments(prices)
files.query("kind in ['log', 'log.deleted']").groupby("kind")["bytes"].agg(files="count", bytes="sum")

# %% [markdown]
# Retention is not exact, for it deletes whole segments: one goes when its *youngest* record is too old. So
# `retention.ms` promises that records stay for so long, not that they are gone then. (And the broker looks only every
# `log.retention.check.interval.ms`.) Whoever must delete by a date has to make segments short.
#
# The first offset that can be read is the **log start offset**. The table shows that the disk is not free yet: the
# files are called `.deleted` first, and are removed a minute later (`file.delete.delay.ms`), so that whoever is reading
# them can finish.
#
# ## Retention by size
# The same holds for `retention.bytes`: the oldest segment goes if the others still have so many bytes. (It is a limit
# for each partition, not for the topic.) Here it is a million.

# %%
def small(log):
    return log["bytes"].iloc[1:].sum() < 1_000_000

configure(prices, {"retention.bytes": 1_000_000})
by_size = wait_until(lambda: cluster.log(prices), small, what="a smaller log")
picture = segment_map({"as sent": as_sent, "by time": by_time, "by size": by_size})
show(picture.figure, alt=f"Segments before and after retention. {picture.measured}")
print("a million bytes are left:", by_size["bytes"].sum() >= 1_000_000)
print("and without the oldest segment:", by_size["bytes"].iloc[1:].sum() >= 1_000_000)

# %% [markdown]
# Each row of the picture is the same log, at a later time. A million bytes is the least that stays: without its oldest
# segment the log would have less, so that one was kept.
#
# ## Break it: the reader that comes back too late
# The auditor is back from its holiday. It had committed offset 1,000, and wants to go on from there.
#
# **Predict.** What does it get?

# %%
choices = ("an error", "offset 1000", "a later offset, and no error")
guess = predict("What does it get?", choices, guess=...)
guess

# %%
def come_back(reset):
    settings = {**cluster.client_config(), **auditor, "auto_offset_reset": reset}
    with KafkaConsumer(prices, **settings, consumer_timeout_ms=30_000) as consumer:
        try:
            return next(consumer).offset
        except OffsetOutOfRangeError:
            return choices[0]

got = come_back("earliest")
guess.compare({choices[0]: choices[0], 1_000: choices[1]}.get(got, choices[2]))
print(f"it goes on at offset {got}, and has never seen {got - 1_000} quotes")
print("with auto_offset_reset='none':", come_back("none"))
ledger.verify(cluster)

# %% [markdown]
# A reader slower than retention misses records, and with the usual settings nobody tells it. `auto_offset_reset` does
# not only say where a *new* group begins: it also says where one goes on whose offset is out of range. (`latest`
# would have skipped all of it.) Whoever must know takes `none` and handles the error, and watches the group's lag.
#
# Has Kafka lost these quotes? The ledger does not say *lost* but **expired**: acknowledged, and gone by the rule that
# the topic has.
#
# **Exercise 2.** The disk is nearly full. The records of `archive` take more than a megabyte: bring them below one, and
# keep at least the newest 1,000 quotes. There are two ways: a setting of retention, or `delete_records` of
# `KafkaAdminClient`, which moves the log start offset to where you say. (In this topic deleted files are removed at
# once. To start over, run the cell again: it makes a new topic.)

# %% exercise="06.free-disk"
at_once = {"segment.ms": 3 * hour, "file.delete.delay.ms": 0}
archive = cluster.create_topic(f"archive-{len(cluster.topics())}", config=at_once)
send(archive, day[:6_000])
# Bring it below a megabyte.
### BEGIN SOLUTION
configure(archive, {"retention.bytes": 500_000})
### END SOLUTION

# %%
check("06.free-disk", cluster, archive=archive, records=6_000)

# %% [markdown]
# ## Compaction: the last value of each key
# Who only wants to know what each coin costs *now* needs no history. With `cleanup.policy=compact` a topic forgets by
# another rule: a record may go when there is a later one with the same key. What stays is a table with a value for
# each key, and a new reader gets it by reading from the start.
#
# `latest` gets the quotes of the morning, and then this policy. (The cleaner takes up a log when enough of it is
# *dirty*, not cleaned yet: half of it by default, a hundredth here.)
#
# **Predict.** There are five coins. How many quotes can be read afterwards?

# %%
choices = ("five", "many more than five", "all")
guess = predict("How many quotes can be read?", choices, guess=...)
guess

# %%
def cleaned(topic, records):
    """Wait until compaction has left one closed segment with so many records."""
    def done(log):
        return log["active"].tolist() == [False, True] and log["records"].iloc[0] == records
    return wait_until(lambda: cluster.log(topic), done, what="a compacted log")

latest = cluster.create_topic("latest", config={"segment.ms": 3 * hour})
send(latest, day[:7_200])
dirty = cluster.log(latest)
configure(latest, {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": 0.01})
picture = segment_map({"before": dirty, "compacted": cleaned(latest, records=5)})
show(picture.figure, alt=f"Segments before and after compaction. {picture.measured}")
readable = read(latest)
guess.compare({5: choices[0], 7_200: choices[2]}.get(len(readable), choices[1]))
print("records:", len(readable), "- offsets:", [record.offset for record in readable[:7]], "...")
print({record.key.decode(): clock(record.timestamp) for record in readable})

# %% [markdown]
# The closed segments became one. It still spans all their offsets, but has one quote of each coin: the last one *in
# there*. The **active segment is never compacted**. So a reader may meet several values of a key, and keeps the last,
# as the dictionary in the last line does: each coin has its quote from just before noon.
#
# And look at the offsets: they are not counted anew. A record keeps its offset for ever, and compaction leaves
# **gaps**. A consumer that asks for an offset in a gap gets the next one that there is. (So the lag of a group, end
# minus committed offset, may be far more than the records that are left to read.)
#
# **Exercise 3.** Make a topic `carts` that keeps the last value of each key. The check writes three carts for each of
# four customers, begins a new segment, waits for the cleaner, and reads.

# %% exercise="06.last-value"
carts = ...
### BEGIN SOLUTION
carts = cluster.create_topic("carts", config={"cleanup.policy": "compact"})
### END SOLUTION

# %%
check("06.last-value", cluster, carts=carts)

# %% [markdown]
# ## Tombstones: how a key is deleted
# Solana is no longer traded, and should vanish from `latest`. A single record cannot be deleted. Instead you send one
# more: the key, and **no value** (`None`), a **tombstone**. Then the afternoon goes on without Solana, new segments
# begin, and the cleaner comes.
#
# **Predict.** What does a new reader find for Solana?

# %%
choices = ("its last price", "a record without a value", "nothing at all")
guess = predict("What is there for Solana?", choices, guess=...)
guess

# %%
afternoon = [quote for quote in day[7_200:10_800] if quote.key != b"solana"]
send(latest, [afternoon[0]._replace(key=b"solana", value=None)])
send(latest, afternoon)
cleaned(latest, records=5)
readable = read(latest)
found = {record.key.decode(): record.value for record in readable}
guess.compare(choices[0] if found.get("solana") else choices[1 if "solana" in found else 2])
print({coin: value and json.loads(value)["price_usd"] for coin, value in sorted(found.items())})
print("records of Solana:", sum(record.key == b"solana" for record in readable))

# %% [markdown]
# All prices of Solana are gone, and the tombstone is there, on purpose. A reader that built its table last week
# must learn that the key is deleted, and it can learn that only from a record. The cleaner keeps a tombstone for
# `delete.retention.ms`, a day by default, and then takes it as well. (A reader that is away for longer may never learn
# of it.)
#
# **Exercise 4.** Anna wants her data deleted. `customers` is compacted and has two addresses of hers. Make them vanish
# from the files on disk, and leave the others' as they are. `send` takes records like those in the cell. (What is sent
# by one `send` is a batch here, and one that is over a day later than the first begins a new segment. To start over,
# run the cell again.)

# %% exercise="06.forget"
daily = {"cleanup.policy": "compact", "segment.ms": 24 * hour, "file.delete.delay.ms": 0}
customers = cluster.create_topic(f"customers-{len(cluster.topics())}", config=daily)
midnight = market.start_ms
moves = [("anna", "Elm Road 1"), ("ben", "Oak Lane 5"), ("anna", "Mill Way 7"), ("eva", "Park Row 2")]
send(customers, [Record(customers, who.encode(), to.encode(), midnight) for who, to in moves])
# Make her addresses vanish.
### BEGIN SOLUTION
send(customers, [Record(customers, b"anna", None, midnight + hour)])
send(customers, [Record(customers, b"ben", b"Oak Lane 5", midnight + 25 * hour)])
### END SOLUTION

# %%
check("06.forget", cluster, customers=customers, moves=moves)

# %% [markdown]
# ## What you have seen
# - A partition is a row of **segments**; only the last one, the active, is written to. Indexes can be made anew.
# - Reading changes nothing. Records go by the topic's rule, whether anybody has read them or not.
# - **Retention** deletes whole segments: what it promises is a minimum. Who is slower misses records, silently.
# - `offsets_for_times` finds where to begin. A timestamp does not order records, so look behind the end as well.
# - **Compaction** keeps the last value of each key, but not in the active segment. A **tombstone** deletes a key.
#
# And of all that you sent, nothing is lost: it is stored, expired, or compacted.

# %%
verdict = ledger.verify(cluster)
print("verified:", verdict.verified, "- lost:", verdict.lost)
print("all accounted for:", verdict.sent == verdict.stored + verdict.expired + verdict.compacted)
cluster.stop()
progress("06")
