// The live view's page: draws what the kernel sees. Elements are kept and changed in place, so that the keyboard's
// focus and a screen reader's place stay where they are while the numbers move.

const BUTTONS = {
  running: ["kill", "pause"],
  paused: ["kill", "resume"],
  stopped: ["start", "pause"], // pause is shown, and disabled: buttons do not jump about
};
const MARKS = { running: "●", paused: "◐", stopped: "○" };
const TITLES = {
  kill: "End the process at once (SIGKILL), as a power cut would",
  pause: "Freeze the process (SIGSTOP): its connections stay open, and nothing is answered",
  resume: "Let the frozen process go on (SIGCONT)",
  start: "Start the process again, on its old data and port",
};
const KEPT_EVENTS = 4;

function render({ model, el }) {
  const page = Math.random().toString(36).slice(2);
  const view = new View(model, el);
  const draw = () => view.draw(model.get("state"));
  model.on("change:state", draw);
  draw();
  model.send({ do: "open", page });
  return () => {
    model.off("change:state", draw);
    model.send({ do: "close", page });
  };
}

class View {
  constructor(model, el) {
    this.model = model;
    this.asked = new Map(); // node id -> the state in which a button of it was pressed
    this.before = null;
    this.events = [];
    this.root = make("section", "kafkalab-live", { "aria-label": "Live view of the Kafka cluster" });
    const header = add(this.root, "header");
    this.title = add(header, "span", "kl-title");
    this.pulse = add(header, "span", "kl-pulse");
    this.key = add(header, "span", "kl-key", { "aria-hidden": "true" });
    for (const role of ["leader", "in sync", "out of sync"]) {
      const item = add(this.key, "span");
      add(item, "i").dataset.role = role;
      item.append(role);
    }
    this.notice = add(this.root, "p", "kl-notice", { role: "alert" });
    const body = add(this.root, "div", "kl-body");
    this.nodes = add(body, "ul", "kl-nodes", { "aria-label": "Brokers" });
    this.partitions = new Table(body, "Partitions");
    this.groups = new Table(body, "Consumer groups");
    const events = add(this.root, "div", "kl-events", { role: "log", "aria-label": "What changed" });
    this.list = add(events, "ol");
    el.append(this.root);
  }

  draw(state) {
    if (!state.nodes) return;
    this.root.classList.toggle("kl-ended", state.ended);
    write(this.title, state.title);
    write(this.pulse, state.ended ? "the cluster is stopped" : "live");
    this.notice.hidden = !state.notice;
    write(this.notice, state.notice);
    this.drawNodes(state);
    this.drawPartitions(state);
    this.drawGroups(state);
    this.tell(state);
    this.before = state;
  }

  drawNodes(state) {
    const led = count(state.partitions, (partition) => [partition.leader]);
    const kept = count(state.partitions, (partition) => partition.replicas);
    keep(this.nodes, state.nodes, (node) => node.id, () => this.makeNode(), (item, node) => {
      item.dataset.state = node.state;
      item.dataset.node = node.id;
      write(item.querySelector(".kl-name"), `${node.kind} ${node.id}`);
      const condition = node.note === "joining" ? "joining" : node.condition;
      write(item.querySelector(".kl-state"), `${MARKS[node.state]} ${condition}`);
      write(item.querySelector(".kl-about"), about(node, led.get(node.id) ?? 0, kept.get(node.id) ?? 0));
      this.drawButtons(item, node, state);
    });
  }

  makeNode() {
    const item = make("li", "kl-node");
    const head = add(item, "div");
    add(head, "span", "kl-name");
    add(head, "span", "kl-state");
    add(item, "div", "kl-about");
    const buttons = add(item, "div", "kl-buttons");
    for (let i = 0; i < 2; i++) {
      const button = add(buttons, "button", "", { type: "button" });
      button.addEventListener("click", () => this.press(button));
    }
    return item;
  }

  drawButtons(item, node, state) {
    if (this.asked.get(node.id) !== node.state || state.notice) this.asked.delete(node.id);
    const busy = this.asked.has(node.id) || state.acting.includes(node.id);
    const box = item.querySelector(".kl-buttons");
    box.hidden = !state.controls || state.ended;
    BUTTONS[node.state].forEach((action, i) => {
      const button = box.children[i];
      button.dataset.action = action;
      button.dataset.node = node.id;
      button.dataset.state = node.state;
      write(button, action[0].toUpperCase() + action.slice(1));
      button.title = TITLES[action];
      button.setAttribute("aria-label", `${action} ${node.kind} ${node.id}`);
      // Not the attribute disabled, which would take the keyboard's focus away.
      const possible = node.state !== "stopped" || action === "start";
      button.setAttribute("aria-disabled", String(busy || !possible));
    });
  }

  press(button) {
    if (button.getAttribute("aria-disabled") === "true") return;
    const node = Number(button.dataset.node);
    this.asked.set(node, button.dataset.state);
    for (const each of button.parentElement.children) each.setAttribute("aria-disabled", "true");
    this.model.send({ do: button.dataset.action, node });
  }

  drawPartitions(state) {
    const brokers = state.nodes.filter((node) => node.kind === "broker");
    this.partitions.show(state.partitions.length, state.hidden.partitions, "partition");
    this.partitions.head([
      ["partition"],
      ...brokers.map((broker) => [`broker ${broker.id}`, "kl-broker"]),
      ["in-sync replicas"],
      ["log end", "kl-number"],
    ]);
    this.partitions.rows(state.partitions, nameOf, (row, partition) => {
      row.dataset.partition = nameOf(partition);
      row.dataset.leader = partition.leader;
      write(row.cell(0, "th"), nameOf(partition));
      brokers.forEach((broker, i) => drawReplica(row.cell(i + 1, "td", "kl-broker"), roleOf(partition, broker.id)));
      const short = partition.leader < 0 || partition.isr.length < partition.replicas.length;
      const isr = row.cell(brokers.length + 1, "td", "");
      const text = `${partition.isr.length} of ${partition.replicas.length}`;
      write(isr, partition.leader < 0 ? `${text}, no leader` : text);
      isr.classList.toggle("kl-alarm", short);
      write(row.cell(brokers.length + 2, "td", "kl-number"), partition.end < 0 ? "?" : grouped(partition.end));
    });
  }

  drawGroups(state) {
    this.groups.show(state.groups.length, state.hidden.groups, "group");
    this.groups.head([["group"], ["state"], ["members", "kl-number"], ["lag", "kl-number"], ["lag per partition"]]);
    this.groups.rows(state.groups, (group) => group.group, (row, group) => {
      row.dataset.group = group.group;
      write(row.cell(0, "th"), group.group);
      write(row.cell(1, "td"), group.state);
      write(row.cell(2, "td", "kl-number"), group.members < 0 ? "?" : String(group.members));
      write(row.cell(3, "td", "kl-number"), grouped(group.total));
      drawLags(row.cell(4, "td"), group.lag);
    });
  }

  // Changes of brokers and leaders in words, the newest first: read out, and there to read again.
  tell(state) {
    if (!this.before) return;
    const news = [...changedNodes(this.before, state), ...changedLeaders(this.before, state)];
    if (state.ended && !this.before.ended) news.push("the cluster is stopped");
    if (!news.length) return;
    this.events = [...news.reverse(), ...this.events].slice(0, KEPT_EVENTS);
    this.list.replaceChildren(...this.events.map((text) => make("li", "", {}, text)));
  }
}

class Table {
  constructor(parent, caption) {
    this.box = add(parent, "div", "kl-scroll");
    const table = add(this.box, "table", "kl-table");
    add(table, "caption", "", {}, caption);
    this.header = add(add(table, "thead"), "tr");
    this.body = add(table, "tbody");
    this.more = add(this.box, "p", "kl-more");
  }

  show(count, hidden, noun) {
    this.box.hidden = count === 0;
    this.more.hidden = !hidden;
    write(this.more, `and ${hidden} more ${noun}${hidden === 1 ? "" : "s"}`);
  }

  head(columns) {
    // A broker more or less moves what stands in each column: then the rows are made anew.
    if (this.header.children.length !== columns.length) this.body.replaceChildren();
    keep(this.header, columns, (column) => column[0], () => make("th", "", { scope: "col" }), (cell, column) => {
      cell.className = column[1] ?? "";
      write(cell, column[0]);
    });
  }

  rows(items, keyOf, draw) {
    keep(this.body, items, keyOf, makeRow, draw);
  }
}

function makeRow() {
  const row = make("tr");
  row.cell = (index, tag, className = "") => {
    const there = row.children[index];
    if (there) return there;
    return add(row, tag, className, tag === "th" ? { scope: "row" } : {});
  };
  return row;
}

function roleOf(partition, broker) {
  if (partition.leader === broker) return "leader";
  if (partition.isr.includes(broker)) return "in sync";
  return partition.replicas.includes(broker) ? "out of sync" : "";
}

function drawReplica(cell, role) {
  const mark = cell.firstChild ?? add(cell, "span", "kl-replica");
  if (mark.dataset.role === role) return;
  const isNew = role === "leader" && mark.dataset.role !== undefined;
  mark.dataset.role = role;
  write(mark, role);
  mark.classList.toggle("kl-new", isNew);
}

function drawLags(cell, lags) {
  const box = cell.firstChild ?? add(cell, "div", "kl-lags");
  if (!lags.length) return write(box, "nothing committed");
  if (box.firstChild && box.firstChild.nodeType !== Node.ELEMENT_NODE) box.replaceChildren();
  keep(box, lags, ([topic, partition]) => `${topic}-${partition}`, () => make("span"), (item, [topic, partition, n]) => {
    if (!item.firstChild) {
      add(item, "span", "kl-quiet", {}, `${topic}-${partition} `);
      add(item, "b");
    }
    write(item.lastChild, grouped(n));
  });
}

function about(node, led, kept) {
  if (node.kind !== "broker") return "votes in the metadata quorum";
  if (node.note === "not noticed yet") return "the cluster has not noticed yet";
  return `leads ${led} of its ${kept} replica${kept === 1 ? "" : "s"}`;
}

function changedNodes(before, now) {
  const old = new Map(before.nodes.map((node) => [node.id, node.condition]));
  return now.nodes
    .filter((node) => old.get(node.id) !== node.condition)
    .map((node) => `${node.kind} ${node.id}: ${old.get(node.id) ?? "new"} → ${node.condition}`);
}

function changedLeaders(before, now) {
  const old = new Map(before.partitions.map((partition) => [nameOf(partition), partition.leader]));
  return now.partitions
    .filter((partition) => old.has(nameOf(partition)) && old.get(nameOf(partition)) !== partition.leader)
    .map((p) => `${nameOf(p)}: leader ${orNone(old.get(nameOf(p)))} → ${orNone(p.leader)}`);
}

const nameOf = (partition) => `${partition.topic}-${partition.partition}`;
const orNone = (leader) => (leader < 0 ? "none" : leader);
const grouped = (number) => number.toLocaleString("en-US");

function count(partitions, idsOf) {
  const counts = new Map();
  for (const id of partitions.flatMap(idsOf)) counts.set(id, (counts.get(id) ?? 0) + 1);
  return counts;
}

// One child for each item, in their order; a child whose key is still there is kept.
function keep(parent, items, keyOf, create, draw) {
  const there = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  items.forEach((item, index) => {
    const key = String(keyOf(item));
    const child = there.get(key) ?? create();
    there.delete(key);
    child.dataset.key = key;
    if (parent.children[index] !== child) parent.insertBefore(child, parent.children[index] ?? null);
    draw(child, item);
  });
  for (const child of there.values()) child.remove();
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function make(tag, className = "", attributes = {}, text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text) element.textContent = text;
  return element;
}

function add(parent, ...rest) {
  const element = make(...rest);
  parent.append(element);
  return element;
}

export default { render };
