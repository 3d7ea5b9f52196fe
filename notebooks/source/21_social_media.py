# %% [markdown]
# # 21 Social media brand monitoring
#
# **40 minutes.** Social platforms report what people do, and several teams read it, each for itself. You see which
# topics, keys and groups that takes, and why; lose a broker in the minute in which a post goes viral; measure how far
# an analysis of sentiment can be trusted; repair the partition that the viral post fills, and see what the better key
# costs, and whom; and add a team and a platform without touching anyone.
#
# You should know keys, groups and replicas: [Partitions and topic design](02_partitions.ipynb), [Consumer
# groups](03_consumer_groups.ipynb) and [Replication and failover](04_replication.ipynb) show them.
#
# Many cells make a topic or send records, and so run only once. To see one again, select it and choose *Kernel >
# Restart Kernel and Run up to Selected Cell*.

# %%
import json
from collections import Counter, defaultdict
from contextlib import suppress
from itertools import groupby, islice
from threading import Event, Thread
from time import monotonic
import pandas as pd
from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.errors import CommitFailedError, RebalanceInProgressError
from kafka.partitioner import murmur2
from kafkalab import Cluster, faults
from kafkalab.apps import Application, Received, as_frame
from kafkalab.apps.social import APPLICATIONS, Engagement, Mentions, Opinion, Spike, confusion, hit_rates
from kafkalab.courseware import check, hint, predict, progress, show, solution
from kafkalab.ledger import Ledger
from kafkalab.observe.plots import partition_skew
from kafkalab.observe.plots.social import mention_curves, opinion_map
from kafkalab.simulation.social import Social
from kafkalab.waiting import wait_until

cluster = Cluster(brokers=3).start()

# %% [markdown]
# ## What happens on the platforms
# An agency watches twelve brands. The events are simulated: people post, like, comment, share, and mention a brand,
# which moves others to do the same, and in minute 8 an angry post goes viral. So the truth is known: which post that
# is, and how each text is meant. No consumer is told.
#
# We sort the events by the minute in which they happen, and look at one of each kind: its key, and the fields of its
# value.

# %%
MINUTE = 60_000  # in milliseconds, as Kafka's timestamps
network = Social(seed=21, rate=5, users=2000, reaction_s=30, viral_after_s=480, viral_size=6000)

def minute_of(record):
    return (record.timestamp_ms - network.start_ms) // MINUTE

later = iter(range(15, 75, 3))  # minutes for exercise 2
minutes = {number: list(of) for number, of in groupby(network.records(30_000), minute_of)}
examples = {record.topic: record for record in minutes[1]}
for name, record in sorted(examples.items()):
    print(f"{name:15} key {record.key.decode():8}", ", ".join(json.loads(record.value)))
print("a comment:", json.loads(examples["social-comments"].value)["text"])

# %% [markdown]
# ## Topics and keys
# | topics | key | why this key |
# |---|---|---|
# | `social-posts`, `social-likes`, `social-comments`, `social-shares` | the post | what is done about a post is in one partition, in order |
# | `social-mentions` | the brand | who counts mentions finds all those of a brand in one partition |
#
# **One topic for each kind of event**: a team that counts mentions does not want to read likes. Not one for each
# platform: the teams ask *what* happened, and each new platform would be new topics that every team has to be told of.
# *Where* it happened is a field of the value. There are six partitions each, so that up to six members of a group can
# share the work.
#
# **Each platform is a producer**, with a session of its own in the **ledger**, which notes what was sent and
# acknowledged. Three platforms take part at first; what happens on the fourth is left out for now. `publish` sends,
# `settle` waits for every acknowledgement. (With `settings` a client finds its way quickly when a broker dies. With
# `linger_ms` a producer waits a moment, to send many records in one request.)

# %%
topics = {name: cluster.create_topic(name, partitions=6) for name in network.topics}
settings = cluster.client_config() | {
    "reconnect_backoff_max_ms": 200, "retry_backoff_ms": 50, "metadata_max_age_ms": 500
}
platforms = ("chirper", "photofeed", "clipstream")
sending = {**settings, "acks": "all", "linger_ms": 50}
producers = {name: KafkaProducer(**sending, client_id=name) for name in platforms}
ledger, published, on_the_way = Ledger(), defaultdict(list), []
sessions = {name: ledger.session() for name in platforms}

def publish(records):
    for record in records:
        topic, platform = topics[record.topic], json.loads(record.value)["platform"]
        if platform in producers:
            entry = sessions[platform].enter(topic, record.key, record.value, monotonic())
            sent = {"key": record.key, "value": record.value, "timestamp_ms": record.timestamp_ms}
            on_the_way.append((entry, producers[platform].send(topic, **sent, headers=entry.headers)))
            published[record.topic].append(record)

def settle():
    for entry, future in on_the_way:
        stored = future.get(timeout=60)
        entry.acknowledged(stored.partition, stored.offset, monotonic())
    on_the_way.clear()

# %% [markdown]
# The first five minutes are quiet. The brand Auralis is talked about on all three platforms.
#
# **Predict.** In how many of the six partitions of `social-mentions` do its mentions lie? And its likes, in
# `social-likes`?

# %%
choices = ("1 and 1", "1 and 6", "3 and 3", "3 and 6")
guess = predict("Partitions with mentions, and with likes, of Auralis?", choices, guess=...)
guess

# %%
def stored(name):
    """Return all records of a topic: the fields of the value, and partition and key."""
    found = cluster.messages(topics[name], limit=20_000)
    fields = pd.DataFrame([json.loads(value) for value in found["value"]])
    return fields.join(found[["partition", "key"]])

for number in range(5):
    publish(minutes[number])
    settle()
mentions, likes = stored("social-mentions"), stored("social-likes")
mentions, likes = mentions[mentions["brand"] == "Auralis"], likes[likes["brand"] == "Auralis"]
guess.compare(f"{mentions['partition'].nunique()} and {likes['partition'].nunique()}")
pd.crosstab(mentions["platform"], mentions["partition"])

# %% [markdown]
# The key decides, and not the producer: all three write to the same partition for the same brand. It keeps the order in
# which records *arrive*, and between producers that is a race.
#
# And the key says **who can share work**. Mentions can be counted by six members of a group, each with a partition, and
# none has to ask another. The likes of a brand's posts are everywhere: who adds them up has to read all six.
#
# ## Three teams
# | group | reads | its task | writes |
# |---|---|---|---|
# | `brand-monitor` | mentions | mentions per minute; an alert when there are suddenly many | `brand-alerts` |
# | `marketing-team` | likes, comments, shares | engagement of each campaign | a table, for people |
# | `sentiment-analysis` | posts, comments, mentions | is a text for or against the brand? | `brand-sentiment` |
#
# Each team is a **group of its own**, so each gets every record of its topics, whatever the others do. What they write
# has the brand as its key. Alerts are rare: for them one partition will do.
#
# What the teams compute is in `kafkalab.apps.social`, and knows nothing of Kafka. What stands between it and Kafka is
# here. First some helpers: `decoded` turns what a consumer got into what applications take, `send` sends what they give
# out and waits until it is stored, `wait_for` waits until teams have read all that was published, and `leave` has them
# go then. Below them stands the team, with the loop that every consumer has: **read, work, send, commit**. (Usually a
# team is a program of its own. Here it is a thread, so that all are in one notebook.)

# %%
def decoded(polled, names):
    return [Received(names[record.topic], record.partition, record.offset, record.key.decode(),
                     json.loads(record.value), record.timestamp)
            for batch in polled.values() for record in batch]

def send(outputs, outbox, topics):
    records = [output.record() for output in outputs if output.topic]
    futures = [outbox.send(topics[record.topic], key=record.key, value=record.value,
                           timestamp_ms=record.timestamp_ms) for record in records]
    for future in futures:
        future.get(timeout=60)

def wait_for(*teams):
    left = lambda: [sum(len(published[name]) for name in team.names.values())
                    + team.application.counts["redelivered"] - team.read for team in teams]
    wait_until(left, lambda records: not any(records), what="teams that have read all", timeout=60)

def leave(*teams):
    wait_for(*teams)
    for team in teams:
        team.leaving.set()
        team.join()

# %%
class Team(Thread):
    def __init__(self, group, task, topics):
        super().__init__(name=group, daemon=True)
        self.topics, self.names = topics, {topics[name]: name for name in task.reads}
        self.application = Application(task, dict.fromkeys(task.reads, 6), disorder_ms=MINUTE)
        self.read, self.outputs, self.leaving = 0, [], Event()
        self.start()

    def run(self):
        done, group = False, {"group_id": cluster.name(self.name), "enable_auto_commit": False}
        consumer = KafkaConsumer(*self.names, **settings, **group, auto_offset_reset="earliest")
        list(map(consumer.partitions_for_topic, self.names))  # so that it knows them when it joins
        with consumer, KafkaProducer(**sending) as outbox:
            while not done:
                done = self.leaving.is_set()
                records = decoded(consumer.poll(timeout_ms=200), self.names)
                outputs = self.application.process(records) + (self.application.finish() if done else [])
                send(outputs, outbox, self.topics)
                offsets = {TopicPartition(self.topics[name], number): OffsetAndMetadata(offset, "", -1)
                           for (name, number), offset in self.application.positions().items()}
                with suppress(CommitFailedError, RebalanceInProgressError):  # the next one says it again
                    if records or done:
                        consumer.commit(offsets)
                self.outputs += outputs
                self.read += len(records)

# %% [markdown]
# Look at three things.
#
# - **Send, then commit.** What is committed has been sent; a crash in between sends it again. (A commit that falls into
#   a rebalance is refused. The next one says all of it anew.)
# - **`disorder_ms`.** Several producers write to a partition, so its records are not in the order of their times. The
#   application sorts them, and keeps each back for a minute of *event time*, the time in the records: an alert comes a
#   minute later for it. One minute is enough because here no platform begins a minute before all have settled the last.
# - **`positions()`** are the offsets to go on from: what is kept back for sorting is not committed. What has been
#   counted for a minute that is not over is in memory only. A team that has to survive a crash keeps that as well,
#   `application.state()`, and restores it.
#
# The teams get the topics they write to, and start, five minutes late.

# %%
topics["brand-sentiment"] = cluster.create_topic("brand-sentiment", partitions=6)
topics["brand-alerts"] = cluster.create_topic("brand-alerts", partitions=1)
monitor, marketing, sentiment = (Team(group, task, topics) for group, task in APPLICATIONS.items())
wait_for(monitor, marketing, sentiment)
cluster.groups()[["group", "state", "members", "partitions"]]

# %% [markdown]
# They came late and have missed nothing: the records were there, and a new group with `auto_offset_reset="earliest"`
# begins with the first. Each group has all partitions of its topics. The brand monitor and the sentiment analysis both
# read the mentions, and do not know of each other.
#
# ## Break it: the broker of the viral post dies
# In minute 8 the post goes viral. With half of that minute's records handed to the producers, and the last of them
# still on their way, the broker is killed that leads the partition of the post's likes. The platforms go on sending,
# the teams go on reading. Later the broker comes back. What will the ledger say? (`where_possible()` leaves the kill
# out on a borrowed cluster, whose brokers are not ours.)

# %%
def run(numbers):
    for number in numbers:
        publish(minutes[number])
        settle()

run(range(5, 8))
post, half = network.viral["post_id"].item(), len(minutes[8]) // 2
hot = (murmur2(b"%d" % post) & 0x7FFFFFFF) % 6  # the post's partition, as the producers compute it
publish(minutes[8][:half])
target = faults.leader(topics["social-likes"], hot)
with faults.kill(target).where_possible().on(cluster) as kill:
    publish(minutes[8][half:])
    settle()
run(range(9, 15))
cluster.wait_for_isr(topics["social-likes"], 3)
print(f"brokers killed: {len(kill.targets)} ({target})")
ledger.verify(cluster)

# %% [markdown]
# Nothing is missing, nothing is doubled, nothing changed places. A platform that got no answer sent again, to the new
# leader, once there was one, and the idempotent producer kept that from doubling anything. What platforms and teams
# noticed was a pause.
#
# ## The brand monitor
# The teams read to the end, and leave. `finish` tells an application that nothing more will come, so that it gives out
# what it has kept back.

# %%
leave(monitor, marketing, sentiment)
counts, alerts = (as_frame(kind, monitor.outputs) for kind in (Mentions, Spike))
picture = mention_curves(counts, alerts, network.start_ms)
show(picture.figure, picture.alt)
print("the truth:", network.viral[["brand", "platform"]].to_dict("records"))

# %% [markdown]
# One alert, about the brand of the viral post, at the end of the minute in which it was sent, and none about another
# brand. The monitor knows no posts. It compares a brand's mentions in a minute with those in the calm minutes before:
# an alert takes ten or more, and more than their mean and five standard deviations. A pause of some seconds, as when a
# broker dies, cannot mislead it: it goes by the times in the records, and not by the clock.
#
# ## The marketing team
# It adds up what people do with the posts of each campaign. Campaigns come in three styles. Below are the six with most
# engagement.

# %%
engagement = as_frame(Engagement, marketing.outputs)
sums = engagement.groupby("campaign")[["likes", "comments", "shares", "engagement"]].sum()
styles = network.campaigns.set_index("campaign")["style"]
sums.join(styles).nlargest(6, "engagement")

# %% [markdown]
# A question gets comments, a giveaway is shared, a discount is liked. The viral post belongs to no campaign, and is not
# in here.
#
# ## The sentiment analysis
# It counts words: "good" is for the brand, "broke" against it, and "not" turns round what follows. It cannot know what
# is *meant*. We can, in a simulation, and count how often it was right: with plain texts, with negated ones, with
# ironic ones such as "Best support ever: two hours of music, then the line was cut", and with loaded ones, which use
# strong words without taking sides: "Is it any good?"
#
# **Predict.** How many of the ironic texts does it get right?

# %%
choices = ("nearly all", "about half", "less than a third")
guess = predict("How many of the ironic texts are classified rightly?", choices, guess=...)
guess

# %%
opinions, truth = as_frame(Opinion, sentiment.outputs), network.truth(20_000)
rates = hit_rates(opinions, truth).set_index("figure")["right"]
picture = opinion_map(confusion(opinions, truth), hit_rates(opinions, truth))
show(picture.figure, picture.alt)
guess.compare(choices[sum(rates["ironic"] < limit for limit in (2 / 3, 1 / 3))])

# %% [markdown]
# How good is that? To be honest about such figures:
#
# - **Compare with doing nothing.** Who says "negative" to every text is right as often as the caption tells.
# - **Errors are not spread evenly.** Irony is mostly taken by its words. Of the angry texts that are missed, more are
#   taken for praise than for neutral ones: in a crisis, that is the wrong side to err on.
# - **Doubt what is perfect.** Every negated text is right, because the texts were invented together with the list of
#   negations. Your customers have not read that list. Figures of made-up texts are an upper limit: measure with texts
#   of your own, judged by people.
#
# ## One more team, and nobody notices
# Customer care asks which brands have the most unhappy customers. It comes late, and does not even read what the
# platforms send, but what another team has written.

# %%
def committed():
    return {group: cluster.lag(cluster.name(group)) for group in APPLICATIONS}

before, group = committed(), cluster.name("customer-care")
reading = {"auto_offset_reset": "earliest", "enable_auto_commit": False, "consumer_timeout_ms": 30_000}
with KafkaConsumer(topics["brand-sentiment"], **settings, **reading, group_id=group) as care:
    rows = [json.loads(record.value) for record in islice(care, len(opinions))]
    care.commit()
print("lag of customer care:", cluster.lag(group)["lag"].sum())
print("the others noticed nothing:", all(before[name].equals(now) for name, now in committed().items()))
said = pd.DataFrame(rows)
pd.crosstab(said["brand"], said["sentiment"]).nlargest(4, "negative")

# %% [markdown]
# No producer was told, no team was asked, and the committed offsets of the others are what they were. That is what a
# log between programs is for: **decoupling**. A new group costs its own reading.
#
# ## The viral post is a hot key
# Each team had one member, and that was enough for a quarter of an hour of this size. With more to do, members would
# share the partitions. Would they share the work?
#
# **Predict.** In how many of the platforms' five topics does one of the six partitions have more than half of the
# records?

# %%
guess = predict("In how many of the five topics?", choices=(0, 1, 4, 5), guess=...)
guess

# %%
kept = {name: stored(name) for name in network.topics}
shares = {name: of["partition"].value_counts(normalize=True) for name, of in kept.items()}
guess.compare(sum(share.max() > 0.5 for share in shares.values()))
fullest = {name: (share.idxmax(), share.max().round(2)) for name, share in shares.items()}
pd.DataFrame.from_dict(fullest, orient="index", columns=["fullest partition", "share"])

# %% [markdown]
# Only the posts are spread evenly: there every record has a key of its own. The likes, comments and shares of the viral
# post lie in the partition of *the same number*, for the key, the hash and the number of partitions are the same. So
# in each topic one broker, the leader of that partition, has to take most of the records in. And in a group of six that
# reads all three topics, one member gets this partition of each (the `range` assignor, kafka-python's default, hands
# them out so), and most of the work with it. More partitions would not help, for all of a key is in one.
#
# ## A better key
# What must stay in order? A like, and its being taken back: what *one user* does. So the likes get the user as their
# key. The platforms send them once more, to a topic of their own, and again each minute is flushed before the next.
#
# Then we look what that costs. `event_id` numbers all events as they happened, so it shows whether the likes of the
# viral post are in order, all together and for each user. And the marketing team's program reads the new topic in place
# of the old one, as another group.

# %%
def send_again(name):
    """Send what was sent to a topic to another one, with the user as the key."""
    topics[f"{name}-by-user"] = cluster.create_topic(f"{name}-by-user", partitions=6)
    for _, of_minute in groupby(published[name], minute_of):
        for record in of_minute:
            value = json.loads(record.value)
            sent = {"key": value["user"].encode(), "value": record.value}
            producer = producers[value["platform"]]
            producer.send(topics[f"{name}-by-user"], **sent, timestamp_ms=record.timestamp_ms)
        for producer in producers.values():
            producer.flush(timeout=60)
    return stored(f"{name}-by-user")

by_user = send_again("social-likes")
for key, likes in {"post": kept["social-likes"], "user": by_user}.items():
    print("key:", key)
    picture = partition_skew(likes, partitions=6)
    show(picture.figure, picture.alt)

# %%
def again(group, name):
    """Let a team's program read the topic by user in place of a topic; return its outputs."""
    own = {name: topics[f"{name}-by-user"], "brand-alerts": cluster.create_topic(f"{group}-alerts")}
    leave(team := Team(f"{group}-by-user", APPLICATIONS[group], topics | own))
    return team.outputs

def order_of(likes):
    viral = likes[likes["post_id"] == post]
    return {"partitions with the post": viral["partition"].nunique(),
            "whole post in order": viral["event_id"].is_monotonic_increasing,
            "each user in order": viral.groupby("user")["event_id"].is_monotonic_increasing.all()}

new = as_frame(Engagement, again("marketing-team", "social-likes"))
print("the marketing team's table is the same:", engagement.equals(new))
pd.DataFrame({"key: post": order_of(kept["social-likes"]), "key: user": order_of(by_user)}).T

# %% [markdown]
# **The order for each post is given up.** Who needs it? Not the marketing team: a sum needs no order, and it reads all
# partitions anyway. Not the sentiment analysis, which judges each text by itself, nor the brand monitor, which reads no
# likes. But a page that shows a conversation, answers below comments, does: it wants posts and comments with the post
# as their key. (A running topic can change its key, too. What was sent before stays where it is, which does no harm to
# sums. Where an order hangs on the key, move to a new topic.)
#
# The mentions have a hot key, too: the brand of the viral post. Would the user be a better key there?
#
# **Predict.** The mentions get the user as their key. How many alerts does the brand monitor, unchanged, raise?

# %%
guess = predict("How many alerts?", choices=("none", "one", "several"), guess=...)
guess

# %%
send_again("social-mentions")
alerts = as_frame(Spike, again("brand-monitor", "social-mentions")).sort_values("count")
guess.compare(("none", "one", "several")[min(len(alerts), 2)])
alerts[["brand", "count"]].reset_index(drop=True)

# %% [markdown]
# Each partition has some of the brand's mentions, and is counted by itself, as by six members of the group. None knows
# the whole: there are five alerts, each with a part of the spike, and the sixth partition had seen too little of the
# brand before to have anything to compare with. A smaller spike would stay below ten everywhere, and be missed. So the
# mentions keep the brand as their key: **something hangs on it**. (Were they too many for one partition, it would take
# two steps: count by user, send each minute's counts to another topic with the brand as the key, and add them up there.
# Counts are few, whatever goes viral.)
#
# **Exercise 1.** The comments have the hot key of the viral post, too. Six moderators will share them, in one group,
# and block people who write too much, *whatever post it is about*: each user's comments must be in one partition, in
# order, and no partition may have more than a quarter of all. For that they get a topic of their own, beside the one
# with the post as the key. Write `better_key`: it gets a comment as a dictionary, with the fields you saw at the
# beginning, and returns its key, in bytes. Stuck? `hint("21.hot-key")`

# %% exercise="21.hot-key"
def better_key(comment):
    ...
    ### BEGIN SOLUTION
    return comment["user"].encode()
    ### END SOLUTION

moderated = cluster.create_topic(f"moderated-{len(cluster.topics())}", partitions=6)  # new in each run
for record in published["social-comments"]:
    sent = {"key": better_key(json.loads(record.value)), "value": record.value}
    producers["chirper"].send(moderated, **sent, timestamp_ms=record.timestamp_ms)
producers["chirper"].flush(timeout=60)

# %%
check("21.hot-key", cluster, topic=moderated, comments=published["social-comments"])

# %% [markdown]
# **Exercise 2.** The fourth platform, townsquare, joins. `events` is what it reports of three minutes, each with its
# `kind` (post, like, comment, share or mention), `at`, its time in milliseconds, and its `body`, the fields. Send each
# as the other platforms would, so that no team has to change anything: to which topic, under which key, with which
# timestamp? The value is the body as JSON. Stuck? `hint("21.add-platform")`

# %% exercise="21.add-platform"
first = next(later)  # three more minutes in each run
events = [
    {"kind": record.topic[len("social-"):-1], "at": record.timestamp_ms, "body": body}
    for number in range(first, first + 3) for record in minutes[number]
    if (body := json.loads(record.value))["platform"] == "townsquare"
]
with KafkaProducer(**settings, client_id="townsquare") as townsquare:
    ...
    ### BEGIN SOLUTION
    for event in events:
        key = event["body"]["brand"] if event["kind"] == "mention" else str(event["body"]["post_id"])
        sent = {"value": json.dumps(event["body"]).encode(), "timestamp_ms": event["at"]}
        townsquare.send(topics[f"social-{event['kind']}s"], key=key.encode(), **sent)
    ### END SOLUTION

# %%
check("21.add-platform", cluster, topics=topics, events=events)

# %% [markdown]
# **Exercise 3.** The press office asks how many mentions there were on each platform, since the first. Write its
# consumer: it reads every mention and commits what it has read, and no other team notices. Keep the name of its group
# in `press`, and in `per_platform` a dictionary that gives each platform its number. Stuck? `hint("21.press-office")`

# %% exercise="21.press-office"
before = committed()
press, per_platform = ..., ...
### BEGIN SOLUTION
press = cluster.name("press-office")
with KafkaConsumer(topics["social-mentions"], **settings, **reading, group_id=press) as consumer:
    mentions = islice(consumer, len(stored("social-mentions")))
    per_platform = dict(Counter(json.loads(record.value)["platform"] for record in mentions))
    consumer.commit()
### END SOLUTION

# %%
asked = {"topic": topics["social-mentions"], "before": before}
check("21.press-office", cluster, **asked, press=press, per_platform=per_platform)

# %% [markdown]
# ## What you have seen
# - **Topics** by the kind of event, not by who sends it: a new platform is a new producer, and changes no topic.
# - **Keys** by what has to be together: the post for a conversation, the brand for its mentions, the user for what one
#   person does.
# - **Groups** by team: each gets every record of its topics, and a new one disturbs nobody. What a team writes is a
#   topic for the next one.
# - Several producers to one partition: records in the order of arrival. Sort by event time, and say how long you wait.
# - A broker's death, with `acks="all"`, is a pause. Nothing was lost or doubled.
# - A **hot key** fills one partition, the same in each topic with that key. A finer key shares the load and gives up
#   what hung on the old one: ask every reader first.
# - What an analysis is worth depends on the texts it was measured with.
#
# In a terminal, `kafkalab run social` runs platforms and teams at full speed.

# %%
for producer in producers.values():
    producer.close()
cluster.stop()
progress("21")
