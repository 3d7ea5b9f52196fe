# %% [markdown]
# # 20 Stock market
#
# **45 minutes.** Two exchanges and a news agency write to three topics, and three applications make charts, signals and
# decisions of them. You watch the rush at the open, kill a broker in the middle of the session, add a reader that
# nobody had planned, and let a third exchange in.
#
# You should know keys, partitions and committed offsets: [Partitions](02_partitions.ipynb) and
# [Consumer groups](03_consumer_groups.ipynb) show them.

# %%
import json
from collections import Counter
from contextlib import suppress
from itertools import islice
from threading import Event, Thread
from time import monotonic
import pandas as pd
from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.errors import RetriableError, UnknownBrokerIdError
from kafkalab import Cluster, faults
from kafkalab.apps import Application, Received, as_frame
from kafkalab.apps.stocks import Analyst, Candle, DecisionMaker, Signal, Trade, TradingAlgorithm
from kafkalab.apps.stocks import on_paper, portfolio
from kafkalab.courseware import check, hint, predict, progress, show, solution
from kafkalab.errors import InvalidArgument
from kafkalab.ledger import Ledger
from kafkalab.observe.plots.stocks import candle_chart, journeys, latency_distribution, rate_and_lag
from kafkalab.simulation import Stocks
from kafkalab.waiting import wait_until

cluster = Cluster(brokers=3).start()

# %% [markdown]
# ## Topics: one for each kind of event
# The market is invented, and so are its companies. The same seed gives the same market on every machine. We take the
# last hour of a Monday, and Tuesday from the open at 09:30 on. `origin` says who reports a record: the exchange where
# its symbol is listed, or the news agency, here called `WIRE`.

# %%
def at(moment):
    return int(pd.Timestamp(f"2023-01-{moment}Z").timestamp() * 1000)

def between(begin, end):
    return [record for record in records if at(begin) <= record.timestamp_ms < at(end)]

def origin(record):
    return "WIRE" if record.topic == "news-sentiment" else json.loads(record.value)["exchange"]

start = "2023-01-02T15:00Z"
market = Stocks(seed=6, start=start, symbols=6, trades_per_session=700, news_per_session=12)
records = list(market.records(8_000))
monday = between("02 15:00", "03 09:30")
opening, session = between("03 09:30", "03 10:10"), between("03 10:10", "03 11:10")
feed = monday + opening + session
for topic in market.topics:
    print(f"{topic}:", next(record.value.decode() for record in feed if record.topic == topic))
reports = pd.DataFrame([(origin(record), record.topic) for record in feed], columns=["from", "to"])
pd.crosstab(reports["from"], reports["to"])

# %% [markdown]
# Why three topics and not one? Each **kind of event** has its own fields, its own load and its own readers: who draws
# charts wants every price and no headline. And why not a topic for each exchange? Because readers ask for prices, and
# not for places: a new exchange should change nothing for them.
#
# The **key** of every record is its symbol: all prices of a symbol go to one partition, and stay in order there. (With
# the exchange as the key they would be in order too. But it has two values, and so two partitions at the most would do
# all the work.)
#
# ## Producers: one for each origin
# In real life each origin is a program of its own, in a building of its own. Here it is a `KafkaProducer` of its own,
# and one loop plays the market: it sends each record when it is due. With `speed=600` it is 600 times as fast as a real
# market, ten minutes of it in a second; Monday is sent as fast as it goes. A **ledger** notes what is sent and what
# Kafka acknowledges.
#
# **Predict.** A symbol's prices come from an exchange, its news from the agency. In how many *different* partition
# numbers do one symbol's records lie, in all three topics together?

# %%
guess = predict("Partition numbers of one symbol, in three topics?", choices=(1, 2, 3), guess=...)
guess

# %%
topics = {name: cluster.create_topic(name, partitions=3) for name in market.topics}
quick = {"reconnect_backoff_max_ms": 200, "retry_backoff_ms": 50, "metadata_max_age_ms": 500}
broker_gone = (RetriableError, UnknownBrokerIdError)
producers = {name: KafkaProducer(**cluster.client_config(), **quick, acks="all", client_id=name)
             for name in ("EAST", "WEST", "WIRE")}  # fmt: skip
ledger = Ledger()
sessions, clock = {name: ledger.session() for name in producers}, Event()

def note(entry, stored):
    entry.acknowledged(stored.partition, stored.offset, monotonic())

def play(records, speed):
    """Send each record from its origin when it is due; return when that began, once all is sent."""
    if records[:1] != feed[ledger.counts.sent :][:1]:
        raise InvalidArgument("these were sent already: restart the kernel, and run up to this cell.")
    began, first = monotonic(), records[0].timestamp_ms
    for record in records:
        clock.wait(max(0, began + (record.timestamp_ms - first) / 1000 / speed - monotonic()))
        name, topic, key, value = origin(record), topics[record.topic], record.key, record.value
        entry = sessions[name].enter(topic, key, value, monotonic())
        sent = {"key": key, "timestamp_ms": record.timestamp_ms, "headers": entry.headers}
        producers[name].send(topic, value, **sent).add_callback(note, entry)
    for producer in producers.values():
        producer.flush(timeout=60)
    return began

# %%
play(monday, speed=1e9)
found = pd.concat([cluster.messages(topic).assign(topic=name) for name, topic in topics.items()])
found["symbol"] = found["key"].map(bytes.decode)
guess.compare(int(found.groupby("symbol")["partition"].nunique().max()))
found.groupby(["symbol", "topic"])["partition"].unique().unstack(fill_value="none yet")

# %% [markdown]
# One. The producer computes the partition from the key and the *number of partitions*; neither the topic nor the sender
# counts. Topics with the same key and the same number of partitions are **co-partitioned**: whoever reads partition 0
# of the prices and partition 0 of the news has all there is about its symbols, and can join the two without asking
# anybody. With four partitions in one of the topics, or a producer with another rule, that would be over. (librdkafka,
# the library under many other clients, has another rule by default: its setting is `partitioner`.)
#
# Nobody reads yet, and no producer noticed that.
#
# **Exercise 1.** The exchanges want to publish **quotes** as well: what is bid and asked for a symbol. Make a topic for
# them, and send the quotes of the list `book`, in its order, so that each symbol's stay in order and could be joined
# with its prices, as the news can. Any of the `producers` may send them. (For another try give the topic another name.)
# Stuck? `hint("20.quotes")`

# %% exercise="20.quotes"
prices = [json.loads(record.value) for record in monday if record.topic == "stock-prices"]
book = [{"number": number, "symbol": each["symbol"], "exchange": each["exchange"],
         "bid": round(each["price"] - 0.02, 2), "ask": round(each["price"] + 0.02, 2)}
        for number, each in enumerate(prices)]  # fmt: skip
quotes = ...
### BEGIN SOLUTION
quotes = cluster.create_topic("quotes", partitions=3)
for quote in book:
    producers["EAST"].send(quotes, json.dumps(quote).encode(), key=quote["symbol"].encode())
producers["EAST"].flush(timeout=60)
### END SOLUTION

# %%
check("20.quotes", cluster, prices=topics["stock-prices"], quotes=quotes, book=book)

# %% [markdown]
# ## Consumers: one group for each application
# Three applications read. Each is a **group** of its own, and so gets every record of its topics, at its own pace:
#
# | group | reads | makes |
# |---|---|---|
# | `analyst` | `stock-prices` | candles, moving average, volatility |
# | `trading-algorithm` | `stock-prices`, `news-sentiment` | `trading-signals`: buy, hold or sell |
# | `decisions` | `stock-prices`, `trading-signals` | `portfolio-trades`, `portfolio-alerts` |
#
# What they calculate is imported from `kafkalab.apps.stocks`, and knows nothing of Kafka. How they *read* is the same
# for all three, and stands below: poll, let the application work, send what it gives out, commit.
#
# *A timestamp orders records* is wrong. A partition is in the order of arrival, and two exchanges write to it. An
# `Application` puts what it is given into the order of the timestamps, and so keeps a record until all its partitions
# have come as far. `disorder_ms` is how much later than its successors a record may come: an hour of the market, six
# seconds of yours.
#
# So not all that was read is worked on. `positions()` says what to commit: in each partition the first record that the
# application still needs. The commit comes after the work: **at least once**. (What it remembers of earlier records, as
# the minute that is not over yet, is its `state()`. A program that may crash has to keep that too.)
#
# In real life each reader is such a program. Here they are threads, so that you see all of them.

# %%
def member(group, *names):
    """Return a member of the group: it reads on where the group was, a new one from the beginning."""
    consumer = KafkaConsumer(
        *[topics[name] for name in names], **cluster.client_config(), **quick,
        group_id=cluster.name(group), auto_offset_reset="earliest", enable_auto_commit=False,
        consumer_timeout_ms=30_000,  # a loop over it ends when nothing has come for so long
    )
    for topic in consumer.subscription():
        consumer.partitions_for_topic(topic)  # so that it knows its topics when it joins
    return consumer

# %%
HOUR = 3_600_000

def place(record):
    return record.topic, record.partition, record.offset

def received(record):
    key, value = record.key and record.key.decode(), json.loads(record.value)
    return Received(names[record.topic], record.partition, record.offset, key, value, record.timestamp)

def publish(producer, outputs):
    """Send those outputs that have a topic; return all, when the brokers have them."""
    for sent in (output.record() for output in outputs if output.topic):
        producer.send(topics[sent.topic], sent.value, key=sent.key, timestamp_ms=sent.timestamp_ms)
    producer.flush(timeout=60)
    return outputs

def to_commit(application):
    return {TopicPartition(topics[name], partition): OffsetAndMetadata(offset, "", -1)
            for (name, partition), offset in application.positions().items()}  # fmt: skip

# %%
class Reader(Thread):
    """An application, and the only member of the group of its name: reads for it until it is closed."""

    def __init__(self, name, task):
        super().__init__(name=name, daemon=True)
        self.task, self.seconds, self.outputs, self.done_at, self.closed = task, 0, [], {}, Event()
        self.application = Application(task, dict.fromkeys(task.reads, 3), disorder_ms=HOUR)

    def run(self):
        producer = KafkaProducer(**cluster.client_config(), **quick, acks="all")
        with producer, member(self.name, *self.task.reads) as consumer:
            while not self.closed.is_set():
                batch = []
                with suppress(*broker_gone):  # it will find the next one
                    polled = consumer.poll(timeout_ms=100, max_records=200)
                    batch = [record for records in polled.values() for record in records]
                self.closed.wait(self.seconds * len(batch))  # so long it thinks about them
                self.outputs += publish(producer, self.application.process(map(received, batch)))
                done = dict.fromkeys(map(place, batch), monotonic())
                if batch:
                    with suppress(*broker_gone):
                        consumer.commit(to_commit(self.application))
                self.done_at = done | self.done_at
            self.outputs += publish(producer, self.application.finish())

# %%
def stored(*names):
    """Return how many records lie in these topics, as the leaders of their partitions say."""
    leaders = [cluster.replicas(topics[name]).query("role == 'leader'") for name in names]
    return int(pd.concat(leaders)["high_watermark"].sum())

def behind(reader):
    """Return how many records of its topics it has not worked on."""
    return stored(*reader.task.reads) - len(reader.done_at)

def caught_up(*readers):
    for each in readers:
        what = f"the end of {each.name}'s work (records left)"
        wait_until(lambda: behind(each), lambda left: not left, what=what, timeout=60)

topics |= {name: cluster.create_topic(name, partitions=3)
           for name in ("trading-signals", "portfolio-trades", "portfolio-alerts")}  # fmt: skip
names = {topic: name for name, topic in topics.items()}
analyst, algorithm = Reader("analyst", Analyst), Reader("trading-algorithm", TradingAlgorithm)
decisions = Reader("decisions", DecisionMaker)
for reader in (analyst, algorithm, decisions):
    reader.start()
caught_up(analyst, algorithm, decisions)
cluster.groups()

# %% [markdown]
# ## The open
# Orders have piled up overnight, and at 09:30 on Tuesday they come all at once. The trading algorithm is thorough: it
# thinks about each record for five milliseconds, and so manages 200 a second.
#
# **Predict.** In the first minutes there are far more. `decisions` gets its signals later, of course. Who else has to
# wait for the algorithm?

# %%
choices = ("the exchanges", "the analyst", "nobody")
guess = predict("Who else has to wait?", choices=choices, guess=...)
guess

# %%
algorithm.seconds = 0.005
began = play(opening, speed=600)
left_when_sent = behind(algorithm)
caught_up(analyst)
left_when_read = behind(algorithm)
algorithm.seconds = 0  # at 10:10 somebody gives it a faster machine
caught_up(algorithm)
guess.compare(choices[0 if not left_when_sent else 1 if not left_when_read else 2])

# %%
acknowledged = ledger.acknowledgements().query("sent_at >= @began and topic == @topics['stock-prices']")
at_the_open = journeys(acknowledged, {reader.name: reader.done_at for reader in (analyst, algorithm)})
picture = rate_and_lag(at_the_open)
show(picture.figure, picture.alt)

# %% [markdown]
# Nobody. When the exchanges had sent their last record, and the analyst had worked on it, the algorithm still had many
# before it. Above, you see the burst of the open, and how it fades. Below, the **lag**: prices that were sent and are
# not yet worked on. Two groups read the same records from the same brokers. One of them is late, until it gets its
# faster machine, and who does not read its signals cannot tell: its records wait *in the log*, not in the producers and not in the other
# readers. (With a line from the exchange to each application, a slow one would hold up the exchange, or lose prices.)
#
# What lag means for a price is its **end-to-end latency**: from its sending until a reader has worked on it.

# %%
picture = latency_distribution(at_the_open)
show(picture.figure, picture.alt)

# %% [markdown]
# An average would hide most of this, so look at the whole distribution, and at its end: the **99th percentile** is what
# one price in a hundred exceeds. And see where the time goes. Kafka's own part, over three brokers and with `acks=all`,
# is less than what the analyst's prices took; the rest is the queue before a reader that has too little time. (More
# members would help it too, up to one for each partition.)
#
# ## Break it: a broker dies in mid-session
# Broker 1 leads partition 0 of every topic. While the session goes on, it is killed with `kill -9`, and started again
# only when the session is over. `faults.Schedule` does that, 200 acknowledgements after the session's begin.
# (`where_possible()` leaves it out on a borrowed cluster, whose brokers are not ours to kill.)
#
# **Predict.** What does the ledger find, of all that was sent since Monday?

# %%
outcomes = ("prices are missing", "prices came twice", "neither")
guess = predict("What does the ledger find?", choices=outcomes, guess=...)
guess

# %%
kill = faults.kill(1).where_possible().when(acknowledged=ledger.counts.acknowledged + 200)
with (blow := faults.Schedule(kill)).running(cluster, lambda: ledger.counts):
    began = play(session, speed=600)
caught_up(analyst)
acknowledged = ledger.acknowledgements().query("sent_at >= @began and topic == @topics['stock-prices']")

# %%
picture = rate_and_lag(journeys(acknowledged, {analyst.name: analyst.done_at}), blow)
show(picture.figure, picture.alt)
verdict = ledger.verify(cluster)
guess.compare(outcomes[0 if verdict.lost else 1 if verdict.duplicated else 2])
verdict

# %% [markdown]
# For some seconds nothing comes through, in no partition: with `acks=all` a leader waits for every in-sync replica, and
# broker 1 was one everywhere until the cluster gave it up. The exchanges go on, and their producers keep what they
# cannot deliver. Then other brokers lead, everything follows at once, and the readers work it off: once each, nothing
# missing, each symbol in order. ([Replication and failover](04_replication.ipynb) looks closer.)
#
# ## A fourth reader, that nobody had planned
# The supervisory authority calls. It does not believe the volumes that the exchanges publish, and wants to compare them
# with the trades: minute by minute, all of Monday and Tuesday.
#
# **Predict.** So far nobody has read the topic `trading-volumes`, and Monday is long over. What has to be changed or
# stopped, so that the authority can read all of it?

# %%
choices = ("the exchanges", "the other readers", "nothing")
guess = predict("What has to be changed?", choices=choices, guess=...)
guess

# %%
def committed():
    """Return how far each application has committed, partition by partition."""
    groups = [cluster.name(reader.name) for reader in (analyst, algorithm, decisions)]
    return {group: cluster.lag(group)["committed"].tolist() for group in groups}

def audit():
    """Return the volume of each symbol and minute, as its exchange reported it and as it was traded."""
    read, traded, reported = ("stock-prices", "trading-volumes"), Counter(), {}
    cluster.admin().delete_groups([cluster.name("authority")])  # if you run this cell again: from the beginning
    with member("authority", *read) as consumer:
        for record in islice(consumer, stored(*read)):
            value = json.loads(record.value)
            if record.topic == topics["trading-volumes"]:
                reported[value["symbol"], value["window_start_ms"]] = value["volume"]
            else:
                traded[value["symbol"], record.timestamp // 60_000 * 60_000] += value["size"]
        consumer.commit()
    return pd.DataFrame({"reported": reported, "traded": traded}).dropna(subset="reported")

caught_up(algorithm, decisions)
before, minutes = committed(), audit()
guess.compare("nothing" if committed() == before else "the other readers")
print(len(minutes), "minutes; right volumes in", int(minutes["reported"].eq(minutes["traded"]).sum()))
at_rest = "state == 'Stable' and members == 1 or state == 'Empty'"
wait_until(cluster.groups, lambda now: [*now.query(at_rest)["partitions"]] == [3, 0, 6, 6], what="rest")

# %% [markdown]
# Nothing. A new group reads what the log holds, however old, and neither producers nor other groups see it: that is
# **decoupling**. And the authority has proved the session a second time, with nothing but what a consumer sees: had the
# dead broker cost one trade, or doubled one, a minute would not add up.
#
# ## The close
# After the last record each application is told that nothing more will come, and gives out what it still kept. Did the
# dead broker change a decision? `on_paper` runs the same applications over the same records, without any Kafka.

# %%
for reader in (analyst, algorithm, decisions):
    caught_up(reader)
    reader.closed.set()
    reader.join()

paper = on_paper(feed)
for reader, kind in ((analyst, Candle), (algorithm, Signal), (decisions, Trade)):
    made, wanted = as_frame(kind, reader.outputs), as_frame(kind, paper)
    print(f"{reader.name}: {len(made)} x {kind.__name__}, as on paper: {made.equals(wanted)}")

# %% [markdown]
# Not one. The applications go by the records' own times, not by when or in which order they arrived. Now what the three
# have made of it, in one picture: the analyst's candles, the news, and what was bought and sold.

# %%
told = [record for record in feed if record.topic == "news-sentiment"]
news = pd.DataFrame([json.loads(item.value) | {"time_ms": item.timestamp_ms} for item in told])
candles = as_frame(Candle, analyst.outputs).query("time_ms >= @at('03 09:30')")
picture = candle_chart(candles, "COBS", news, trades := as_frame(Trade, decisions.outputs))
show(picture.figure, picture.alt)

# %% [markdown]
# A **candle** is what was traded in a minute: its body reaches from the first price to the last, its thin line from the
# lowest to the highest. The **moving average** is the mean of the last twenty closing prices, the **volatility** how
# much they move from one minute to the next. Triangles are news, crosses trades of the portfolio.
#
# The algorithm joins the two topics by symbol and time: after good news it bets that the price will follow, buys, and
# sells some minutes later. (In this market news does move prices that way, for a few minutes. Real ones are less kind.)
# Where broker 1 was dead there is no gap: the minutes are those of the market, not those of the arrival.
#
# What `decisions` made of it lies in Kafka too, for whoever wants to know. Its alerts, for example:

# %%
texts = [json.loads(value)["text"] for value in cluster.messages(topics["portfolio-alerts"])["value"]]
print(len(texts), "alerts, one of them about a loss:", *[text for text in texts if "lost" in text])
picture = candle_chart(candles, "EMBB", news, trades)
show(picture.figure, picture.alt)
portfolio(decisions.outputs).tail(1)[["cash", "shares", "equity", "profit"]]

# %% [markdown]
# Good news about EMBB, and its price fell: that agency was wrong. The algorithm said "buy" all the way down, until the
# day's loss reached the limit of `decisions`, which sold. The table is what all six accounts are worth in the end; each
# began with 10,000.
#
# ## A third exchange
# `NORTH` opens at noon, with two symbols of its own. The analyst opens again for the afternoon: the same group, the
# same code, and the state that it had at the close. `listing` has the trades of `NORTH`: symbol, value, and the time in
# milliseconds.

# %%
afternoon = Reader("analyst", Analyst)
afternoon.application.restore(analyst.application.state())
afternoon.start()
wider = Stocks(seed=21, start="2023-01-03T12:00Z", symbols=8).frame(3_000)
new = wider[(wider["topic"] == "stock-prices") & ~wider["symbol"].isin(market.symbols["symbol"])]
listing = []
for row in new[["symbol", "trade_id", "price", "size", "side", "timestamp_ms"]].to_dict("records"):
    symbol, time_ms = row["symbol"], row.pop("timestamp_ms")
    listing.append((symbol, json.dumps(row | {"exchange": "NORTH"}).encode(), time_ms))
print(len(listing), "trades; the first:", *listing[0])

# %% [markdown]
# **Exercise 2.** Let the producer `north` send these trades so that every reader of prices takes them like those of any
# other exchange. Do not touch the analyst. Stuck? `hint("20.exchange")`

# %% exercise="20.exchange"
north = KafkaProducer(**cluster.client_config(), **quick, acks="all", client_id="NORTH")
# Send the trades of the list `listing`.
### BEGIN SOLUTION
for symbol, value, time_ms in listing:
    north.send(topics["stock-prices"], value, key=symbol.encode(), timestamp_ms=time_ms)
north.flush(timeout=60)
### END SOLUTION

# %%
group = cluster.name("analyst")
check("20.exchange", cluster, prices=topics["stock-prices"], listing=listing, group=group)

# %% [markdown]
# **Exercise 3.** The press office wants to hear of bad news at once. Make a topic of alerts, and a group of its own
# that reads `news-sentiment` from its beginning to its end: it copies each item with a sentiment of -0.5 or less to
# your topic, with the same key and the same value, and commits. (For another try take another topic and another group.)
# Stuck? `hint("20.alerts")`

# %% exercise="20.alerts"
# Keep the topic's name in `alerts`, and the group's in `desk`.
alerts = ...
desk = ...
### BEGIN SOLUTION
alerts, desk = cluster.create_topic("alerts"), cluster.name("alert-desk")
with member("alert-desk", "news-sentiment") as consumer:
    for record in islice(consumer, stored("news-sentiment")):
        if json.loads(record.value)["sentiment"] <= -0.5:
            producers["WIRE"].send(alerts, record.value, key=record.key)
    producers["WIRE"].flush(timeout=60)
    consumer.commit()
### END SOLUTION

# %%
check("20.alerts", cluster, news=topics["news-sentiment"], alerts=alerts, desk=desk, others=list(before))

# %% [markdown]
# ## What you have seen
# | topic | who writes | who reads, each as a group |
# |---|---|---|
# | `stock-prices` | exchanges | `analyst`, `trading-algorithm`, `decisions`, `authority` |
# | `trading-volumes` | exchanges | `authority` |
# | `news-sentiment` | news agency | `trading-algorithm`, the press office's |
# | `trading-signals` | `trading-algorithm` | `decisions` |
# | `portfolio-trades`, `portfolio-alerts` | `decisions` | whoever wants to |
#
# - **A topic for each kind of event**, so that readers choose what they need, and a new exchange changes nothing.
# - **The symbol as key**: a symbol's records stay in order. The same key and the same number of partitions everywhere:
#   what belongs together lies in partitions of the same number, and can be joined there.
# - **A group for each application**: each gets everything, and if it is late, it is late for itself alone. A new one
#   reads what is there, from as long ago as the topic keeps.
# - A dead broker costs seconds, and with `acks=all` no record. Who goes by the records' own times decides the same.
#
# In a terminal, `kafkalab run stocks` plays the whole scenario at full speed.

# %%
for reader in (analyst, algorithm, decisions, afternoon):
    reader.closed.set()
    reader.join()
for client in (*producers.values(), north):
    client.close()
cluster.stop()
progress("20")
