# %% [markdown]
# # 25 Event sourcing: the log is the truth
#
# **35 minutes.** You rebuild the accounts and orders of a shop from nothing but a log of events, as they are now and as
# they were at a minute of the past; read who changed an account, and when; restart from a snapshot instead of from the
# beginning; and find a mistake in a program by letting it read the past again.
#
# You should know keys, offsets, commits and compaction: [Partitions](02_partitions.ipynb),
# [Consumer groups](03_consumer_groups.ipynb) and [The log](06_the_log.ipynb) show them.
#
# Most programs keep a **state**, such as a row with the balance of an account, and change it in place. What it was
# before is gone, and so is the reason. **Event sourcing** keeps what *happened*, and computes the state from that.

# %%
import json
from collections import Counter
from datetime import UTC, datetime
from time import monotonic
import pandas as pd
from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafkalab import Cluster, faults
from kafkalab.apps.shop import as_table, balances, history, journal, truth
from kafkalab.courseware import check, hint, predict, progress, show, solution
from kafkalab.courseware.crashing import run_process
from kafkalab.ledger import Ledger
from kafkalab.observe.plots import segment_map
from kafkalab.observe.plots.history import balance_history, states_over_time
from kafkalab.simulation.shop import Shop
from kafkalab.waiting import wait_until

cluster = Cluster(brokers=3, properties={"log.cleaner.backoff.ms": 500}).start()
quick = {"reconnect_backoff_max_ms": 200, "retry_backoff_ms": 50, "metadata_max_age_ms": 500}
config = {**cluster.client_config(), **quick}  # quick to notice that a broker is gone

def at(day, hour, minute=0):
    """Return a minute of March 2025 (UTC) in milliseconds."""
    return int(datetime(2025, 3, day, hour, minute, tzinfo=UTC).timestamp() * 1000)

# %% [markdown]
# ## One topic, and its key
# A simulated shop was open for a few days in March 2025. Its order service and its payment service say what happens to
# each order: *placed*, *paid*, *packed*, ... and *declined*, *captured*, *refunded* (a payment is captured when the
# money is there). We follow the first 300 orders to their end.
#
# Two services, several kinds of events, and still **one topic**, `shop-events`, with the **customer as the key**. Why?
# Ask what has to stay in order. The state of an account hangs on its orders *and* its payments, and everybody who
# computes it should see them in the same order. Kafka keeps order within a partition only, so they have to be in the
# same one: the same topic, the same key. (An order belongs to one customer, so its own events are in order, too.)
# Customers need no order between them, so there may be several partitions.
#
# Which service an event is from stands in a **header**, `by`. And something went wrong: on 3 March from 13:00 to 16:00
# the payment service could not reach the cluster. It kept its events, and sent them at 16:00, each with the time at
# which it had happened.

# %%
shop = Shop(seed=33, customers=40, visits_per_day=400, decline_rate=0.2, return_rate=0.15)
to_send = journal(shop, records=66_000, orders=300, held_up=("payments", at(3, 13), at(3, 16)))
really = truth(shop, records=66_000, orders=300)  # to compare with: it never goes through Kafka
for event in to_send[:2]:
    print(event.topic, event.value.decode())

# %% [markdown]
# ## Break it: a broker dies while the log is written
# If the log is the truth, it must not lose an event, nor forget one. So its topic gets three replicas, with `acks="all"`
# no event is acknowledged that fewer than two of them have (`min.insync.replicas`), and it keeps its records for ever
# (`retention.ms=-1`; by default they go after a week). We send all events, here with one producer for both services.
# After 600 calls of `send` we kill the leader of partition 0 with `kill -9`. (`where_possible()` leaves that out on a
# borrowed cluster, whose brokers are not ours.) A **ledger** notes what is sent and acknowledged, and compares that
# with the log in the end.
#
# **Predict.** What does the log have afterwards?

# %%
choices = ("each event once", "some are missing", "some are there twice")
guess = predict("What does the log have?", choices, guess=...)
guess

# %%
safe = {"min.insync.replicas": 2, "retention.ms": -1}
events = cluster.create_topic("shop-events", partitions=3, replication_factor=3, config=safe)
ledger, sent = Ledger(), []
session = ledger.session()
with KafkaProducer(**config, acks="all", enable_idempotence=True) as producer:
    for number, event in enumerate(to_send):
        if number == 600:
            kill = faults.kill(faults.leader(events, 0)).where_possible().fire(cluster)
        customer = json.loads(event.value)["customer_id"].encode()
        entry = session.enter(events, customer, event.value, monotonic())
        headers = [("by", event.topic.encode()), *entry.headers]
        parts = {"key": customer, "timestamp_ms": event.timestamp_ms, "headers": headers}
        sent.append((entry, producer.send(events, event.value, **parts)))
    for entry, future in sent:
        stored = future.get(timeout=60)
        entry.acknowledged(stored.partition, stored.offset, monotonic())
kill.undo()
cluster.wait_for_isr(events, 3)
verdict = ledger.verify(cluster)
guess.compare(choices[1 if verdict.lost else 2 if verdict.duplicated else 0])
verdict

# %% [markdown]
# Each event is there once, and in order: the broker that took over had all that was acknowledged (`acks="all"`), and
# what was under way was sent again, without a duplicate (idempotence). [Replication](04_replication.ipynb) shows that at
# length. Here it means that we may throw all else away.
#
# ## State is what the events add up to
# `apply` is the whole program: from an account and one more event it makes the account as it is then. It keeps for each
# order its **status** and price, and the **balance** in cents: an order that is placed costs, a captured payment brings
# money in; what is cancelled or sent back need not be paid, and a refund takes money out. Below zero the customer owes
# the shop, above zero the shop owes the customer, and zero is settled.
#
# Note what it does *not* do: it asks no clock, no database and no other service. The same events give the same state,
# today and in ten years. `replay` applies all records from first to last. What comes out is called a **view** of the log
# (or a projection).

# %%
SIGNS = {"placed": -1, "captured": +1, "cancelled": +1, "returned": +1, "refunded": -1}
NEW = {"balance": 0, "orders": {}}

def apply(account, event):
    """Return the account after one more event; the one before stays as it is."""
    order, name = str(event["order_id"]), event["event"]
    status, cents = account["orders"].get(order) or (name, round(100 * event["amount"]))
    if "version" in event:  # only events of the order service have one: its number in the order's life
        status = name
    balance = account["balance"] + SIGNS.get(name, 0) * cents
    return {"balance": balance, "orders": account["orders"] | {order: [status, cents]}}

def book(accounts, record, rule):
    customer = record.key.decode()
    accounts[customer] = rule(accounts.get(customer, NEW), json.loads(record.value))
    return customer

def replay(records, rule):
    accounts = {}
    for record in records:
        book(accounts, record, rule)
    return accounts

# %% [markdown]
# `read` returns what the log has, from one offset up to another in each partition. No table of accounts is kept anywhere;
# after the next two cells there is one.
#
# Is it right? The simulation knows how each order really ended, and tells no consumer.

# %%
def partitions_of(topic):
    return [TopicPartition(topic, number) for number in range(3)]

def read(topic, start=None, end=None):
    """Return the records of all partitions, from offsets `start` up to `end`; by default all."""
    found, partitions = [], partitions_of(topic)
    with KafkaConsumer(**config) as consumer:
        consumer.assign(partitions)
        start = start or consumer.beginning_offsets(partitions)
        end = end or consumer.end_offsets(partitions)
        for partition in partitions:
            consumer.seek(partition, start[partition])
        def left():
            found.extend(record for batch in consumer.poll(timeout_ms=200).values() for record in batch)
            return sum(max(0, end[partition] - consumer.position(partition)) for partition in partitions)
        wait_until(left, lambda records: records == 0, what=f"the end of {topic}", every=0)
    within = [record for record in found if record.offset < end[TopicPartition(topic, record.partition)]]
    return sorted(within, key=lambda record: (record.partition, record.offset))

# %%
log = read(events)
accounts = replay(log, apply)
ended = {order: status for each in accounts.values() for order, (status, _) in each["orders"].items()}
print(f"{len(log)} events, {len(accounts)} accounts, orders:", sorted(Counter(ended.values()).items()))
print("each order as it really ended:", ended == really.set_index("order")["final_state"].to_dict())

# %% [markdown]
# Nothing but the log was needed, and each order is right. And we have more than a table would have: the state at *every*
# moment on the way. `replay` with the events before a moment gives the state as of then. The picture does that for each
# change of an order.

# %%
changes = as_table(log).query("by == 'orders'").rename(columns={"order": "key", "event": "state"})
states = ("placed", "paid", "packed", "shipped", "delivered", "cancelled", "returned")
picture = states_over_time(changes, states)
show(picture.figure, picture.alt)

# %% [markdown]
# ## Who changed it? Version history and audit trail
# A customer asks why her account was not settled on 3 March. A table with a balance could only say that it is settled
# now. The log has every **version** of the account, and what made it: the offset, the time, the service, the order.
# Nobody had to think of an audit in advance, and no program can change an account without leaving its event. (`by` is
# what a sender says of itself. Who may write to the topic at all is a question of access rights.)
#
# `history` applies one customer's events and notes each version. Kafka has no index by key: to find her events, one reads
# her whole partition. Whoever needs that often keeps the histories in a database, as one more view of the same log.

# %%
day = "@at(3, 12) <= time_ms < @at(4, 0)"
known = history(log, "C000038", apply, NEW)
known.query(day).drop(columns=["time_ms", "reached_ms"])

# %% [markdown]
# She had cancelled an order that was paid, so that the shop owed her 14.99. But look at the column `time`: it goes
# *back*. The refund of 13:36 has a higher offset than what happened at 14:19. It is one of the events that the payment
# service sent at 16:00. Offsets are in the order in which events were *appended*; the time says when each *happened*.
#
# ## The state as of a past moment
# What was the balance of each account on 3 March at 14:00? `offsets_for_times` asks each partition for its first
# offset, in the order of the log, with a timestamp of 14:00 or later. So we replay what lies before these offsets.
#
# **Predict.** Eight customers paid, or got money back, between 13:00 and 14:00, and all these events came at 16:00.
# What does such a replay say about these customers?

# %%
choices = ("the truth", "too little for all eight", "too little or too much")
guess = predict("The balances of these customers?", choices, guess=...)
guess

# %%
def offsets_at(topic, moment):
    """Return each partition's first offset with that time or a later one; its end if none has."""
    partitions = partitions_of(topic)
    with KafkaConsumer(**config) as consumer:
        found = consumer.offsets_for_times({partition: moment for partition in partitions})
        ends = consumer.end_offsets(partitions)
    return {each: found[each].offset if found[each] else ends[each] for each in partitions}

two = at(3, 14)
before_offsets = replay(read(events, end=offsets_at(events, two)), apply)
before_time = replay([record for record in log if record.timestamp < two], apply)
as_of_two = pd.DataFrame({
    "really": balances(really.query("time_ms < @two")),
    "before the offsets": {each: account["balance"] for each, account in before_offsets.items()},
    "before the time": {each: account["balance"] for each, account in before_time.items()},
}) / 100
wrong = as_of_two.query("`before the offsets` != really")
error = wrong["before the offsets"] - wrong["really"]
guess.compare(choices[0] if error.empty else choices[1 if (error < 0).all() else 2])
print("the other way is right for all:", (as_of_two["before the time"] == as_of_two["really"]).all())
late = as_table(log).eval("reached_ms - time_ms").max()
part = read(events, end=offsets_at(events, two + late))
print(f"none is over {late // 60_000 + 1} minutes late, so {len(part)} of {len(log)} events are enough:",
      replay([record for record in part if record.timestamp < two], apply) == before_time)  # fmt: skip
wrong

# %% [markdown]
# These are two different questions, and both are good ones:
#
# - **What was known at 14:00?** What had been appended by then. That is the second column: the shop believed that seven
#   customers owed it money that was already there, and that it still had to refund one.
# - **What was true at 14:00?** What had happened by then, known or not. That is the third column: all events of the log
#   with an earlier *time*, wherever they lie.
#
# Be exact about `offsets_for_times`. A broker keeps a **time index** for each segment: now and then an entry with the
# highest timestamp so far and its offset. It does not sort records; it helps to find the first offset whose record has
# the wanted time *or a later one*. Before it nothing has such a time. Behind it, anything may come. (Where no record is
# late enough, the answer is `None`, and we take the end.)
#
# Strictly, not even the first question is answered by it: the log does not say *when* a record was appended. With the
# topic setting `message.timestamp.type=LogAppendTime` the timestamp would say that, by the leader's clock, and the time
# of the event would have to stand in its value. So in the picture, "as the log had it", an event stands at the highest
# time that its partition had reached by then. More the log cannot say: the refund that came at 16:00 stands earlier, at
# the last event that her partition had before it.

# %%
by_time = history(sorted(log, key=lambda record: record.timestamp), "C000038", apply, NEW)
known = known.assign(time_ms=known["reached_ms"])
lines = {"as it was": by_time.query(day), "as the log had it": known.query(day)}
picture = balance_history(lines, "The account of C000038 on 3 March")
show(picture.figure, picture.alt)

# %% [markdown]
# What is known and what is true part only while an event is under way. But as long as it is, nobody can tell.
#
# To know the truth about 14:00, do you have to read the log to its end? Only if you cannot say how late an event may be.
# Above, none lies behind another one that is younger by more than the printed minutes. So all that happened before
# 14:00 lies before the offsets for so many minutes after 14:00. (Stream processors make their *watermarks* of such a
# bound. It is a promise: an event that breaks it is left out.)
#
# **Exercise 1.** Restore the balance of each account as it was on 3 March at 13:30, and publish the balances to the
# topic `balances`: the customer as the key, the balance in cents as the value (`b"-1799"`), one record for each
# customer who has an event before then. Stuck? `hint("25.balance-at")`

# %% exercise="25.balance-at"
asked = at(3, 13, 30)
published = cluster.create_topic(f"balances-{len(cluster.topics())}", partitions=3)  # new in each run
with KafkaProducer(**config) as producer:
    ...
    ### BEGIN SOLUTION
    for customer, account in replay([r for r in log if r.timestamp < asked], apply).items():
        producer.send(published, b"%d" % account["balance"], key=customer.encode())
    ### END SOLUTION

# %%
check("25.balance-at", cluster, events=events, published=published, before_ms=asked)

# %% [markdown]
# ## Snapshots
# A log that is kept for ever grows for ever, and so does the time of a replay. A **snapshot** is a state that was kept,
# together with *the offset it stands for*: all events before that offset are in it, and none from there on. Whoever has
# it goes on from that offset.
#
# Our snapshots go to a topic that is **compacted**: it keeps the last value of each key, and the key is the customer. It
# has as many partitions as the log and the same keys, so that an account's snapshots are in the partition with the same
# number as its events. A snapshot is no second truth: delete the topic, and the log gives it back.
#
# `keep_accounts` is a program as it runs in a shop: poll, apply, and, after each 100th event of a partition, write the
# accounts that have changed, wait until they are stored, and then **commit** that offset. After a restart it loads the
# snapshots and goes on from what was committed. (One such program takes all partitions by hand, with `assign`: its group
# shares nothing, and is the name under which its offsets are kept. Several could share the partitions, with `subscribe`;
# then each would load the snapshots of those that it is given.)

# %%
def load(snapshots):
    """Return the last snapshot of each account, and the offset that each stands for."""
    found = {record.key.decode(): json.loads(record.value) for record in read(snapshots)}
    return ({customer: kept["account"] for customer, kept in found.items()},
            {customer: kept["offset"] for customer, kept in found.items()})  # fmt: skip

def keep(producer, snapshots, accounts, offset, time):
    """Write snapshots of these accounts, and return when they are stored."""
    sent = []
    for customer in sorted(accounts):
        value = json.dumps({"offset": offset, "account": accounts[customer]}).encode()
        sent.append(producer.send(snapshots, value, key=customer.encode(), timestamp_ms=time))
    for future in sent:
        future.get(timeout=10)

# %%
def keep_accounts(log, snapshots, group):
    """Follow the log to its end; after 100 events of a partition keep the accounts that changed."""
    by_hand = {"enable_auto_commit": False, "auto_offset_reset": "earliest"}
    consumer = KafkaConsumer(**config, **by_hand, group_id=group)
    producer, partitions = KafkaProducer(**config), partitions_of(log)
    consumer.assign(partitions)
    accounts, done = load(snapshots)
    changed, ends = {partition: set() for partition in partitions}, consumer.end_offsets(partitions)
    while any(consumer.position(partition) < ends[partition] for partition in partitions):
        for partition, batch in consumer.poll(timeout_ms=1_000).items():
            for record in batch:
                customer, following = record.key.decode(), record.offset + 1
                if record.offset >= done.get(customer, 0):
                    book(accounts, record, apply)
                    changed[partition].add(customer)
                if following % 100 == 0:
                    fresh = {each: accounts[each] for each in changed[partition]}
                    keep(producer, snapshots, fresh, following, record.timestamp)
                    consumer.commit({partition: OffsetAndMetadata(following, "", -1)})
                    changed[partition].clear()
    producer.close()
    consumer.close()

# %% [markdown]
# ## Break it: killed between the snapshot and the commit
# `run_process` runs the program in a process of its own, and ends it with `kill -9` when it comes to `consumer.commit`
# for the fifth time: the fifth round of snapshots is stored, and the commit that belongs to it never happens. So the
# next start begins 100 events *before* the offset that these snapshots stand for.
#
# **Predict.** The program is started again and runs to its end. Which accounts are wrong then?

# %%
choices = ("none", "those of the fifth round", "all")
guess = predict("Which accounts are wrong?", choices, guess=...)
guess

# %%
def restart(snapshots, group):
    """Return the accounts by the snapshots and the events behind the commits; and those events."""
    accounts, done = load(snapshots)
    with KafkaConsumer(**config, group_id=group) as consumer:
        tail = read(events, start={each: consumer.committed(each) for each in partitions_of(events)})
    for record in tail:
        if record.offset >= done.get(record.key.decode(), 0):
            book(accounts, record, apply)
    return accounts, tail

tidy = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": 0.01, "segment.ms": 1}
snapshots = cluster.create_topic("account-snapshots", partitions=3, config=tidy)
group = cluster.name("accounts")
print(run_process(keep_accounts, events, snapshots, group, kill_before="consumer.commit(", nth=5))
print(run_process(keep_accounts, events, snapshots, group))
restored, tail = restart(snapshots, group)
wrong = sum(restored[customer] != account for customer, account in accounts.items())
guess.compare(choices[0 if not wrong else 2 if wrong == len(accounts) else 1])
cluster.lag(group)

# %% [markdown]
# None. Among what the second start read were the 100 events that are in the snapshots of the fifth round. It left them
# out, since they lie before the offset that these snapshots stand for. So snapshots may be *ahead* of the commit, and
# that does no harm. The other way round it would: had the program committed first and died then, no later start would
# read those events. (A transaction would keep both in step, as in [Delivery guarantees](05_delivery_guarantees.ipynb).
# Here the offset in the state is enough: it makes it harmless to read again.)
#
# The lag in the table is the **tail**: what follows the last snapshots. A restart reads that, and the snapshots. Each
# round wrote many, and compaction leaves the last one of each account. Only the active segment is never compacted; ours
# begins anew with each round (`segment.ms`), so that you need not wait.

# %%
def segments_of(topic):
    return {f"partition {number}": cluster.log(topic, number) for number in range(3)}

def compacted(logs):
    return all(
        each["active"].tolist() == [False, True] and each["segment"].iloc[0] == 0
        for each in logs.values()
    )

picture = segment_map(wait_until(lambda: segments_of(snapshots), compacted, what="compacted snapshots"))
show(picture.figure, picture.alt)
kept, (restored, tail) = read(snapshots), restart(snapshots, group)
print("the same accounts as by a full replay:", restored == replay(log, apply))
print("records read:", len(kept), "snapshots and", len(tail), "events, instead of", len(log), "events")

# %% [markdown]
# And the log may grow for years: what a restart reads stays about as long, for it hangs on the number of accounts and on
# how often snapshots are written.
#
# **Exercise 2.** Write snapshots of the *orders* to a compacted topic with three partitions (a new one in each try, as
# above): the order as the key, and as the value what status it has at the end of the log and the offset that this
# stands for, in JSON: `{"status": "delivered", "offset": 600}`. A fresh reader must be able to go on from there in each
# partition. Keep the topic's name in `order_snapshots`. Stuck? `hint("25.order-snapshots")`

# %% exercise="25.order-snapshots"
order_snapshots = ...
### BEGIN SOLUTION
compact = {"cleanup.policy": "compact"}
name = f"order-snapshots-{len(cluster.topics())}"  # new in each run
order_snapshots = cluster.create_topic(name, partitions=3, config=compact)
home = {record.key.decode(): record.partition for record in log}
ends = {record.partition: record.offset + 1 for record in log}
with KafkaProducer(**config) as producer:
    for customer, account in replay(log, apply).items():
        partition = home[customer]
        for order, (status, _) in account["orders"].items():
            value = json.dumps({"status": status, "offset": ends[partition]}).encode()
            producer.send(order_snapshots, value, key=order.encode(), partition=partition)
### END SOLUTION

# %%
check("25.order-snapshots", cluster, events=events, order_snapshots=order_snapshots)

# %% [markdown]
# ## A mistake found by replay
# The shop's web page has its own copy of the balances, made by a program of somebody else: `web_apply`. Its author
# wanted to be safe from payments that are read twice. Customer C000003 complains: the page says she owes 23.99, and she
# has paid.
#
# In a table that was changed in place, the trail would end here. But the log is still there, and both programs can read
# it again, side by side.
#
# **Predict.** Which of her events does the page book wrongly?

# %%
def web_apply(account, event):
    """As apply, but no payment is booked a second time."""
    order, paid = event["order_id"], account.get("paid", [])
    if "payment_id" not in event:
        return apply(account, event) | {"paid": paid}
    return account if order in paid else apply(account, event) | {"paid": [*paid, order]}

# %%
choices = ("an order that was cancelled", "a payment after a refusal", "a payment that was read twice")
guess = predict("What does the page book wrongly?", choices, guess=...)
guess

# %%
ours, theirs = (history(log, "C000003", rule, NEW) for rule in (apply, web_apply))
both = ours.assign(page=theirs["balance"]).drop(columns=["time_ms", "reached_ms", "by"])
place = int((both["balance"] != both["page"]).idxmax())
causes = {"cancelled": 0, "captured": 1}
guess.compare(choices[causes[both["event"][place]] if ours["offset"].is_unique else 2])
picture = balance_history({"replayed": ours, "on the page": theirs}, "The account of C000003")
show(picture.figure, picture.alt)
ours, theirs, parted = {}, {}, {}
for record in log:
    customer, _ = book(ours, record, apply), book(theirs, record, web_apply)
    if ours[customer]["balance"] != theirs[customer]["balance"]:
        parted.setdefault(customer, json.loads(record.value)["event"])
print("all accounts that part, by the event:", dict(sorted(Counter(parted.values()).items())))
both.loc[place - 3 : place + 1]

# %% [markdown]
# They part at one event, and the trail says which: the payment was *declined*, a second attempt was *captured*, and the
# page left it out, since it had seen a payment of that order before. Its author took the wrong thing for the identity
# of an event. (A record that is read twice has the same partition and offset. One that its *producer* may have sent
# twice needs an id of its own.)
#
# And she is not the only one: the line above counts all accounts that part, by the first event at which they do.
# Refunds are left out as well: they are a second payment of their order, too.
#
# Nothing in the log has to change, for nothing in it is wrong: the *program* is repaired, reads everything again into a
# new topic or table, and then the page takes that one. (Were an *event* wrong, say, a refund to the wrong account, one
# would not change it either, but append another that puts it right. Book-keepers have done so for centuries.)
#
# **Exercise 3.** `pieces_sold` counts how many pieces of each product customers have bought and kept, one more view of
# the same log. It has a mistake: find and repair it. The cell publishes the numbers, with the product as the key. The
# check tells of a product whose number is wrong, and of an order to look at: `as_table(log).query("order == '100001'")`
# shows the events of one. Stuck? `hint("25.pieces-sold")`

# %% exercise="25.pieces-sold"
def pieces_sold(records):
    sold, items = Counter(), {}
    for event in (json.loads(record.value) for record in records):
        order = event["order_id"]
        if event["event"] == "placed":
            items[order] = {line["sku"]: line["quantity"] for line in event["items"]}
        if event["event"] == "paid":
            sold.update(items[order])
        if event["event"] == "returned":
            sold.subtract(items[order])
        ### BEGIN SOLUTION
        if event["reason"] == "customer_request":
            sold.subtract(items[order])
        ### END SOLUTION
    return sold

name = f"pieces-{len(cluster.topics())}"  # new in each run
published_pieces = cluster.create_topic(name, partitions=3)
with KafkaProducer(**config) as producer:
    for product, pieces in pieces_sold(log).items():
        producer.send(published_pieces, b"%d" % pieces, key=product.encode())

# %%
check("25.pieces-sold", cluster, events=events, sold=published_pieces)

# %% [markdown]
# ## What you have seen
# - The **log of events** is the truth, and a state is what they add up to. So its topic must lose nothing and forget
#   nothing, and what has to stay in order needs one topic and one key.
# - A replay of a part gives the state as of then. **As of an offset** is what was known; **as of a time** is what was
#   true, and late events lie behind. `offsets_for_times` finds where to begin. Where to end, it tells only if you know
#   how late an event may be.
# - Each version of an account has its offset, time and cause: the **audit trail** is the log itself.
# - A **snapshot** is a state with the offset it stands for. Store it first, commit then, and leave out what is in it.
# - A program that was wrong is repaired and reads the past again.
#
# | topic | key, and why | written by | read by |
# |---|---|---|---|
# | `shop-events`, kept for ever | customer: orders and payments of an account in one order | both services | each view, for itself |
# | `account-snapshots`, compacted | customer: the last state of each account, in the partition of its events | `keep_accounts` | its next start |
#
# Only `keep_accounts` needs a group, `accounts`: it has to know after a crash how far it was. A full replay begins at the
# beginning anyway.
#
# What Kafka does *not* do for you: it does not refuse an event because of the state (two services may both append what
# only one of them should have), and it has no index by key. So let one writer decide for each account, and keep
# views to ask. And a log that is kept for ever keeps all that is in it: what somebody may want deleted, such as an
# address, belongs elsewhere.

# %%
cluster.stop()
progress("25")
