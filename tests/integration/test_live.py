"""The live view without a page: what it shows, what its buttons do, and how it ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from kafkalab import Cluster
from kafkalab.errors import NotRunning
from kafkalab.observe import LiveView, live
from kafkalab.observe.looking import Looker
from kafkalab.waiting import wait_until

pytestmark = pytest.mark.integration
THREAD = "kafkalab live view"
WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(brokers=3, controllers=1) as running:
        orders = running.create_topic("orders", partitions=3)
        producer = running.producer()
        for number in range(90):
            producer.send(orders, b"order", partition=number % 3)
        producer.flush()
        consumer = running.consumer(orders, group_id="readers", auto_offset_reset="earliest")
        wait_until(lambda: consumer.poll(500), what="some orders")
        for partition in consumer.assignment():
            consumer.seek(partition, 10)  # commit() leaves out a partition whose position is not known yet
        consumer.commit()
        consumer.close()
        yield running


@pytest.fixture
def view(cluster: Cluster) -> Iterator[LiveView]:
    """A view as a page shows it."""
    view = live(cluster)
    view._told(view, {"do": "open", "page": "one"}, [])
    in_time(view, is_told, "all there is to show")
    yield view
    view.close()
    assert refreshing() == 0


def refreshing() -> int:
    return sum(thread.name == THREAD for thread in threading.enumerate())


def press(view: LiveView, action: str, node: int) -> None:
    view._told(view, {"do": action, "node": node}, [])


def states(view: LiveView) -> list[str]:
    return [node["state"] for node in view.state["nodes"]]


def in_time(view: LiveView, accept: Any, what: str) -> None:
    wait_until(lambda: view.state, accept, what=what, timeout=30)


def is_told(state: dict[str, Any]) -> bool:
    """Whether the cluster has answered: what it does not tell a new view within a second is empty for now."""
    return (
        all(node["state"] == "running" and not node["note"] for node in state["nodes"])
        and [partition["end"] >= 0 for partition in state["partitions"]] == [True] * 3
        and [(group["members"] >= 0, len(group["lag"])) for group in state["groups"]] == [(True, 3)]
    )


def text_of(view: LiveView) -> str:
    """Return the text of a view that was told everything."""
    told = wait_until(lambda: (repr(view), view.state), lambda seen: is_told(seen[1]), what="all there is to show")
    return told[0]


def whole(state: dict[str, Any]) -> bool:
    return all(len(p["isr"]) == 3 for p in state["partitions"]) and not any(n["note"] for n in state["nodes"])


def test_it_shows_the_cluster_as_its_tables_do(cluster: Cluster, view: LiveView) -> None:
    columns = ["topic", "partition", "leader", "replicas", "isr"]
    wait_until(
        lambda: (
            [tuple(partition[name] for name in columns) for partition in view.state["partitions"]],
            [tuple(row) for row in cluster.partitions()[columns].itertuples(index=False)],
        ),
        lambda both: both[0] == both[1],  # the view is up to half a second old
        what="the same rows",
    )
    assert [partition["end"] for partition in view.state["partitions"]] == [30, 30, 30]
    (group,) = view.state["groups"]
    assert (group["group"], group["state"], group["members"], group["total"]) == ("readers", "Empty", 0, 60)
    assert [(node["kind"], node["id"]) for node in view.state["nodes"]] == [
        ("broker", 1), ("broker", 2), ("broker", 3), ("controller", 101)]  # fmt: skip


def test_it_follows_a_broker_through_death_and_return(cluster: Cluster, view: LiveView) -> None:
    first = view.state["partitions"][0]["leader"]
    press(view, "kill", first)
    assert states(view)[first - 1] == "stopped"
    in_time(view, lambda state: state["partitions"][0]["leader"] not in {first, -1}, "another leader")
    in_time(view, lambda state: all(p["isr"] and first not in p["isr"] for p in state["partitions"]), "a smaller ISR")
    press(view, "start", first)
    in_time(view, whole, "the whole ISR")
    assert [partition["end"] for partition in view.state["partitions"]] == [30, 30, 30]


def test_it_goes_on_while_a_broker_is_frozen(cluster: Cluster, view: LiveView) -> None:
    leader = view.state["partitions"][0]["leader"]
    press(view, "pause", leader)
    assert states(view)[leader - 1] == "paused"
    in_time(view, lambda state: state["partitions"][0]["leader"] not in {leader, -1}, "another leader")
    press(view, "resume", leader)
    assert states(view)[leader - 1] == "running"
    in_time(view, whole, "the whole ISR")


def test_a_refusal_is_shown_and_goes_with_the_next_button(view: LiveView) -> None:
    press(view, "start", 2)
    assert view.state["notice"] == "cannot start <broker 2: running>: it runs already."
    press(view, "kill", 7)
    assert view.state["notice"].startswith("there is no controller 7")
    assert view.state["acting"] == []
    press(view, "pause", 101)
    assert view.state["notice"] == ""
    press(view, "resume", 101)
    in_time(view, whole, "the whole ISR")


def test_it_rests_while_no_page_shows_it(view: LiveView) -> None:
    view._told(view, {"do": "open", "page": "two"}, [])
    view._told(view, {"do": "close", "page": "one"}, [])
    assert refreshing() == 1
    view._told(view, {"do": "close", "page": "two"}, [])
    assert refreshing() == 0
    view._told(view, {"do": "open", "page": "three"}, [])
    assert refreshing() == 1


def test_the_text_twin_needs_no_page(cluster: Cluster) -> None:
    view = live(cluster)
    text = text_of(view)
    assert text == repr(view) == text_of(live(cluster))
    assert text.splitlines()[0] == "Kafka cluster, 3 brokers"
    assert "  readers  Empty  0        60" in text.splitlines()
    assert refreshing() == 0


def test_what_a_notebook_keeps_is_the_whole_text(cluster: Cluster) -> None:
    view = live(cluster)
    text = text_of(view)
    bundle = view._repr_mimebundle_()
    assert bundle is not None
    assert bundle[0]["text/plain"] == text == repr(view)
    assert WIDGET in bundle[0]
    view.close()
    assert refreshing() == 0


def test_only_so_many_partitions_are_looked_at(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kafkalab.observe.looking.MOST_PARTITIONS", 2)
    looker = Looker(cluster)
    seen = wait_until(looker.look, lambda seen: bool(seen.partitions), what="the partitions")
    looker.close()
    assert [partition.partition for partition in seen.partitions] == [0, 1]
    assert seen.hidden_partitions == 1


def test_a_borrowed_cluster_has_no_buttons(cluster: Cluster) -> None:
    with Cluster.connect(cluster.bootstrap_servers) as guest:
        view = live(guest)
        assert text_of(view).splitlines()[1] == "  broker 1  running"
        assert not view.state["controls"]
        assert [partition["end"] for partition in view.state["partitions"]] == [30, 30, 30]
        press(view, "kill", 1)
        assert cluster.broker(1).state == "running"


def test_it_ends_with_its_cluster() -> None:
    with Cluster(brokers=1) as cluster:
        view = live(cluster)
        assert view._repr_mimebundle_() is not None
        assert refreshing() == 1
    assert refreshing() == 0
    assert view.state["ended"]
    assert repr(view).splitlines()[-1] == "  the cluster is stopped"
    with pytest.raises(NotRunning):
        live(cluster)


def test_a_notebook_without_a_page_shows_the_text_and_nothing_else() -> None:
    first, second = executed(), executed()
    assert [cell.outputs for cell in first] == [cell.outputs for cell in second]
    kinds = [output.output_type for cell in first for output in cell.outputs]
    assert kinds == ["execute_result", "stream"]
    (shown,) = first[1].outputs
    text = shown.data["text/plain"]
    assert text.splitlines()[0] == "Kafka cluster, 1 broker"
    assert "orders-0" in text


# What a new view is not told within a second is empty, and a log end that it is not told is "?".
LIVE_CELL = """
from kafkalab import Cluster, observe
from kafkalab.waiting import wait_until
cluster = Cluster(1).start()
orders = cluster.create_topic("orders")
view = observe.live(cluster)
text = wait_until(lambda: repr(view), lambda text: "orders-0" in text and "?" not in text, what="orders-0")
"""


def executed() -> list[Any]:
    cells = [
        LIVE_CELL,
        "view",
        "cluster.add_broker()\ncluster.stop()\nprint('done')",
    ]
    notebook = nbformat.v4.new_notebook()  # type: ignore[no-untyped-call]
    notebook.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]  # type: ignore[no-untyped-call]
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    for cell in notebook.cells:
        for output in cell.outputs:
            output.get("data", {}).pop(WIDGET, None)  # its id is chance, and nbval does not compare it
    return list(notebook.cells)
