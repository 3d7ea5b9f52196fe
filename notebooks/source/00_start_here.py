# %% [markdown]
# # 00 Start here: the first record
#
# **15 minutes.** You start a real Apache Kafka cluster of three brokers, send records into it, read them with
# two programs that know nothing of each other, look at the files on disk, and kill a broker.
#
# Run the cells from top to bottom with Shift+Enter. Nothing leaves this computer, and all of it is removed at
# the end. You need a little Python; you need no knowledge of Kafka.

# %%
from itertools import islice
from matplotlib import pyplot as plt
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafkalab import Cluster
from kafkalab.courseware import check, hint, predict, progress, show, solution

# %% [markdown]
# Two libraries, and it matters which is which. `kafka` is **kafka-python**: what it does here, your own program
# can do with any Kafka cluster. `kafkalab` belongs to this course: it starts a cluster, breaks it on purpose and
# looks inside.
#
# ## A cluster
# The next cell starts three **brokers**. A broker is a server program that takes records in, keeps them on its
# disk, and hands them out. Brokers that work together are a **cluster**.

# %%
cluster = Cluster(brokers=3).start()
cluster

# %% [markdown]
# These are three processes of Apache Kafka on your computer, not a simulation. Each also carries the second role,
# `controller`: together they keep track of which broker is alive and what is stored where.
#
# ## A topic
# Records of one kind go into one **topic**. A topic is cut into **partitions**; one is enough for now. Imagine a
# café whose till sends a record for every order.

# %%
orders = cluster.create_topic("orders", partitions=1, replication_factor=3)
cluster.partitions(orders)

# %% [markdown]
# `replicas` names the brokers that keep a copy of the partition: all three. One of them is the **leader**, here
# broker 1: clients write to it and, unless told otherwise, read from it. The others copy from the leader. `isr`,
# the *in-sync replicas*, names those that keep up.
#
# ## The first record
# A **producer** is a client that sends records. A **record** has a *value*, and often a *key* that says what it is
# about, and *headers* with remarks. To Kafka all of them are just bytes.

# %%
producer = KafkaProducer(**cluster.client_config(), acks="all")
future = producer.send(orders, key=b"table 4", value=b"2 espresso", headers=[("waiter", b"Ada")])
metadata = future.get(timeout=10)
print(f"topic {metadata.topic}, partition {metadata.partition}, offset {metadata.offset}")

# %% [markdown]
# `client_config()` only says where the cluster is. `acks="all"` asks the leader to answer when all in-sync
# replicas have the record, and `get` waits for that answer: the record is **acknowledged**.
#
# The answer holds the record's **offset**, its place in the partition: 0, 1, 2 and so on. A partition is a
# **log**, a list to which records are only ever added at the end.

# %%
for table, order in [(b"table 7", b"1 tea"), (b"table 4", b"3 cocoa")]:
    metadata = producer.send(orders, key=table, value=order).get(timeout=10)
    print(order.decode(), "has offset", metadata.offset)

# %% [markdown]
# ## The first consumer
# A **consumer** is a client that reads records. This one belongs to the **consumer group** `kitchen`: Kafka
# remembers for each group how far it has read. `earliest` means: a group that has read nothing yet starts at the
# oldest record. (`cluster.name("kitchen")` is just `"kitchen"` here; on a cluster that a class shares, it adds a
# prefix of your own.)

# %%
def read(group, count):
    """Read the next `count` records of the group; give up when none comes for 30 seconds."""
    settings = {"auto_offset_reset": "earliest", "consumer_timeout_ms": 30_000}
    with KafkaConsumer(orders, **cluster.client_config(), group_id=group, **settings) as consumer:
        return list(islice(consumer, count))

kitchen = cluster.name("kitchen")
for record in read(kitchen, 3):
    print(record.offset, record.key.decode(), "-", record.value.decode(), record.headers)

# %% [markdown]
# The kitchen gets the records in the order of their offsets, with key, value and headers as they were sent.
# `islice(consumer, count)` ends the loop: a consumer by itself would wait for more, for ever. When the `with`
# block closes the consumer, it **commits**: it tells Kafka the offset at which its group will go on.
#
# ## A second program, added later
# The kitchen has closed, and two more orders come in.

# %%
for order in [b"1 espresso", b"4 tea"]:
    producer.send(orders, key=b"table 9", value=order).get(timeout=10)

# %% [markdown]
# **Predict.** Now somebody writes a program for the accounts: a new group, `accounts`, which counts cups. How many
# of the five orders will it find? Put your guess in place of `...`.

# %%
guess = predict("How many orders does the new group find?", choices=(0, 2, 5), guess=...)
guess

# %%
accounts = cluster.name("accounts")
found = read(accounts, 5)
guess.compare(len(found))
print("cups sold:", sum(int(record.value.split()[0]) for record in found))

# %% [markdown]
# All five. **Reading does not remove a record**: it stays in the log for whoever comes later. And look at what we
# did *not* do: we changed neither the producer nor the kitchen, and told neither of them that `accounts` exists.
# This is why Kafka is used between programs: they are **decoupled**.
#
# The picture shows the log and the two groups' committed offsets, as Kafka has them.

# %%
log = [record.value.decode() for record in found]
figure, axes = plt.subplots(figsize=(8, 2.6))
axes.bar(range(5), 1, width=0.9, color="#56B4E9", edgecolor="black")
for offset, text in enumerate(log):
    axes.text(offset, 0.5, text, ha="center", va="center")
for group, height in [(kitchen, 1.5), (accounts, 2.2)]:
    position = cluster.lag(group)["committed"].item()
    axes.annotate(f"{group} goes on at {position}", (position, 1.05), (position, height),
                  arrowprops={"arrowstyle": "->"}, ha="center")
axes.set(xlabel="offset in partition 0 of topic orders", xlim=(-0.7, 6.2), ylim=(0, 2.6), yticks=[])
show(figure, alt="A log of five orders, offsets 0 to 4. Group kitchen goes on at offset 3, group accounts at 5.")

# %% [markdown]
# The difference between the log's end and a group's committed offset is the group's **lag**: the kitchen has two
# orders to catch up with. It opens again and asks for them.

# %%
print("lag before:", cluster.lag(kitchen)["lag"].item())
for record in read(kitchen, 2):
    print(record.offset, record.value.decode())
print("lag after:", cluster.lag(kitchen)["lag"].item())

# %% [markdown]
# It is a new consumer object, and still it went on at offset 3. Who remembered?
#
# ## The coordinator
# For each group one broker is the **coordinator**: it knows the group's members, divides the partitions among them
# and stores the offsets they commit. A third kind of client, the **admin client**, asks each broker which groups
# it coordinates.

# %% tags=["nbval-ignore-output"]
coordinated = {}
with KafkaAdminClient(**cluster.client_config()) as admin:
    for broker in cluster.brokers:
        coordinated[broker.id] = [group["group_id"] for group in admin.list_groups(broker_ids=[broker.id])]
        print(f"broker {broker.id} coordinates:", *coordinated[broker.id])

# %%
for group in (kitchen, accounts):
    coordinators = [broker_id for broker_id, groups in coordinated.items() if group in groups]
    print(f"coordinators of {group}:", len(coordinators))
    assert len(coordinators) == 1
print("partitions of __consumer_offsets:", len(cluster.partitions("__consumer_offsets")))

# %% [markdown]
# Each group has one coordinator; which broker that is may differ when you run the lesson again. The offsets lie
# where Kafka stores everything: in a topic, a hidden one named `__consumer_offsets`. (Five partitions are a setting
# of this course; Kafka's default is 50.)

# %% [markdown]
# ## Where the files lie
# No database is hidden behind a broker. Each partition is a folder, and its records are appended to files called
# **segments**. Here is that folder on each broker, with the files whose names begin with a number.

# %%
folders = [cluster.data_folder(broker.id) / f"{orders}-0" for broker in cluster.brokers]
for broker, folder in zip(cluster.brokers, folders):
    print(f"broker {broker.id}: {folder.name}/ has", *sorted(file.name for file in folder.glob("0*")))
segments = [(folder / "00000000000000000000.log").read_bytes() for folder in folders]
print("the three copies are the same, byte for byte:", len(set(segments)) == 1)
print("'2 espresso' stands in the file as plain text:", b"2 espresso" in segments[0])

# %% [markdown]
# The `.log` file is the segment; its name is the offset of its first record. The two `index` files help to find an
# offset, or a time, without reading it all. Three brokers hold the same bytes: that is what
# `replication_factor=3` and `acks="all"` bought. Let us see what it is worth.
#
# ## Break it
# **Predict.** We kill broker 1, the leader, as a power cut would, and wait until two replicas are left in sync. How
# many of the five orders can still be read?

# %%
guess = predict("How many orders can still be read?", choices=(0, 3, 5), guess=...)
guess

# %%
cluster.broker(1).kill()
cluster.wait_for_isr(orders, 2)

# %%
auditors = cluster.name("auditors")
guess.compare(len(read(auditors, 5)))
cluster

# %% [markdown]
# All five. The controllers saw that broker 1 was gone and made another in-sync replica the leader; the table
# above shows it. The new consumer was given the addresses of all three brokers by `client_config()`, and one that
# answers is enough to learn the rest. When broker 1 comes back, it copies what it missed and is in sync again.

# %%
cluster.broker(1).start()
cluster.wait_for_isr(orders, 3)

# %% [markdown]
# ## Your turn
# Three exercises. Write your code in place of `...`, run the cell, then run the check below it. A check looks at
# the cluster, not at your text, and says what it saw.
#
# If you are stuck, type `hint("00.first-topic")` in a new cell: press Esc, then B. Run it again for a stronger hint;
# `solution("00.first-topic")` shows the answer.
#
# **1.** Make a topic with three partitions, each kept by three brokers.

# %% exercise="00.first-topic"
# Name it as you like. Keep the name that create_topic returns.
my_topic = ...
### BEGIN SOLUTION
my_topic = cluster.create_topic("messages", partitions=3, replication_factor=3)
### END SOLUTION

# %%
check("00.first-topic", cluster, my_topic=my_topic)

# %% [markdown]
# **2.** Send one record with a key, a value and a header to your topic, and keep its metadata.

# %% exercise="00.first-record"
# `sent` is to be what get(timeout=10) returns.
sent = ...
### BEGIN SOLUTION
note = [("language", b"en")]
sent = producer.send(my_topic, key=b"Ada", value=b"Hello", headers=note).get(timeout=10)
### END SOLUTION

# %%
check("00.first-record", cluster, my_topic=my_topic, sent=sent)

# %% [markdown]
# **3.** Read your topic with two consumers that belong to two different groups. Each must read at least one record.

# %% exercise="00.two-readers"
# Write the consumers out, as in read() above, but on my_topic. cluster.name("...") makes a group's name.
first_group = ...
second_group = ...
### BEGIN SOLUTION
first_group, second_group = cluster.name("readers"), cluster.name("archive")
for group in (first_group, second_group):
    with KafkaConsumer(
        my_topic, **cluster.client_config(), group_id=group,
        auto_offset_reset="earliest", consumer_timeout_ms=10_000,
    ) as consumer:
        print(group, "read", [record.value for record in islice(consumer, 1)])
### END SOLUTION

# %%
check("00.two-readers", cluster, my_topic=my_topic, first_group=first_group, second_group=second_group)

# %% [markdown]
# ## The same by hand today
# You need none of this for the course. (Instructions that start ZooKeeper first are old: since version 4.0 Kafka
# runs without it.) A broker from the official image, a topic, and a producer that sends what you type take three
# commands:
#
# ```sh
# docker run -d --name broker -p 9092:9092 apache/kafka:4.3.1
# docker exec broker /opt/kafka/bin/kafka-topics.sh --bootstrap-server localhost:9092 --create --topic orders
# docker exec -it broker /opt/kafka/bin/kafka-console-producer.sh --bootstrap-server localhost:9092 --topic orders
# ```
#
# A broker from the unpacked release takes three as well, and Java 17 or newer:
#
# ```sh
# id=$(bin/kafka-storage.sh random-uuid)
# bin/kafka-storage.sh format --standalone -t "$id" -c config/server.properties
# bin/kafka-server-start.sh config/server.properties
# ```
#
# A client then reaches it with that address as `bootstrap_servers`, in place of `**cluster.client_config()`; all
# else stays as above.
#
# ## What you have seen
# - **Brokers** keep **records** in **topics**; a topic's **partitions** are logs, each kept by several brokers.
# - A **producer** appends and gets an **offset** back. A **consumer** reads; the record stays.
# - Each **group** has its own committed offset, kept by its **coordinator**, and goes on where it stopped.
# - Programs that share a topic need not know each other.
# - An acknowledged record survived the death of its partition's leader.
#
# Next: [Producers](01_producers.ipynb). The last cell ends the three brokers and removes their files.

# %%
producer.close()
cluster.stop()
progress("00")
