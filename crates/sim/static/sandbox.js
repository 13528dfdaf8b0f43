// The sandbox's page: asks for the state once a second while somebody looks at it, and shows it. It keeps what it saw
// of each phone and decides nothing; every text is put in as text, never as markup, and nothing is replaced that
// somebody may be typing into.
"use strict";

const LATEST = 200;
// Beyond the bank. A shop with hundreds of customers would make a row that nobody scrolls through.
const MOST_OTHERS = 40;
const MOST_ITEMS = 200;
const SILENT = "The sandbox does not answer. It is asked again every second.";

// Every fault in plain words: its group, what it does, and what kind of a control it has.
const KNOBS = {
  vendor_latency_ms: ["Vendor", "Takes this long to answer", "ms"],
  refuse_permille: ["Vendor", "Turns the call away", "chance"],
  credentials_revoked: ["Vendor", "Takes our credentials for wrong", "switch"],
  throttle_permille: ["Vendor", "Answers “too many requests”", "chance"],
  server_error_permille: ["Vendor", "Fails, and the text is not taken", "chance"],
  server_error_after_accept_permille: ["Vendor", "Fails, though the text is taken", "chance"],
  hang_after_accept_permille: ["Vendor", "Takes the text and never answers", "chance"],
  callback_duplicate_permille: ["Receipts", "Come twice", "chance"],
  callback_reorder_permille: ["Receipts", "Come in reverse order", "chance"],
  callback_delay_ms_max: ["Receipts", "Are late by up to", "ms"],
  quick_receipts: ["Receipts", "Come at once instead of after seconds", "switch"],
  webhooks_paused: ["Webhooks", "Wait until this is off", "switch"],
  invalid_hooks_permille: ["Webhooks", "Come with a forged copy", "chance"],
  crm_down: ["CRM", "Is down", "switch"],
  crm_slow_ms: ["CRM", "Takes this long to answer", "ms"],
  crm_conflict_permille: ["CRM", "Reports a conflict", "chance"],
  crm_throttle_permille: ["CRM", "Answers “too many requests”", "chance"],
  crm_error_permille: ["CRM", "Fails, and the record is not written", "chance"],
  crm_lie_permille: ["CRM", "Says that it wrote the record, and did not", "chance"],
};

const byId = (id) => document.getElementById(id);
const phones = new Map();
let state = null;
let credentials = null;
let started = null;
let shown = "";
let snippet = "python";

function make(tag, properties, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

function clock(instant, seconds) {
  return new Date(instant).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", ...(seconds ? { second: "2-digit" } : {}) });
}

function setText(node, text) {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}

function complain(text) {
  setText(byId("problem"), text);
  byId("problem").hidden = text === "";
}

// What an answer with a problem says, with what to do about it.
function reason(text) {
  try {
    const { error, fix } = JSON.parse(text);
    return fix ? `${error}: ${fix}.` : error;
  } catch {
    return text || "The sandbox refused it without a word.";
  }
}

async function send(method, path, body) {
  try {
    const answer = await fetch(path, { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
    const text = await answer.text();
    complain(answer.ok ? "" : reason(text));
    return answer.ok;
  } catch {
    complain(SILENT);
    return false;
  } finally {
    await look();
  }
}

async function ask(path) {
  const answer = await fetch(path);
  if (!answer.ok) {
    throw new Error(reason(await answer.text()));
  }
  return answer.json();
}

// What stands below a phone's name.
function marks(number, about, stopped) {
  return [about.name ? number : "", about.kind, stopped ? "unsubscribed" : ""].filter(Boolean).join(" · ");
}

// A phone of the row: its facts, what was seen on it, and the nodes that change.
function addPhone(number, about = {}) {
  const name = about.name ?? number;
  const id = `phone-${phones.size}`;
  const list = make("ol", {});
  const empty = make("p", { className: "empty", textContent: "No texts yet." });
  const screen = make("div", { className: "screen", tabIndex: 0, role: "group", ariaLabel: `Texts on the phone of ${name}` }, list, empty);
  const time = make("span", { className: "clock", textContent: "--:--" });
  const unread = make("span", { className: "unread", hidden: true });
  const mark = make("p", { textContent: marks(number, about, false) });
  const input = make("input", { autocomplete: "off", maxLength: 1600, required: true, placeholder: "Text", ariaLabel: `Text from ${name}` });
  const to = make("select", { ariaLabel: `To which sender ${name} replies`, hidden: true });
  const form = make("form", {}, to, make("div", { className: "field" }, input), make("button", { className: "main", textContent: "Send", ariaLabel: `Send from ${name}` }));
  const words = make("div", { className: "words", role: "group", ariaLabel: `Keywords from ${name}` });
  const phone = { number, about, items: new Map(), unread: 0, whole: false, view: { list, empty, screen, time, unread, mark, input, to } };
  for (const word of ["STOP", "START", "HELP"]) {
    const button = make("button", { type: "button", textContent: word, ariaLabel: `${word} from ${name}` });
    button.addEventListener("click", () => reply(phone, word));
    words.append(button);
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = input.value;
    if ((await reply(phone, body)) && input.value === body) {
      input.value = "";
    }
  });
  const who = make("div", { className: "who" }, make("h3", { id, textContent: name }), mark);
  const face = make("div", { className: "face" }, who, screen, form, words);
  const article = make("article", { className: "phone" }, make("div", { className: "bar" }, time, unread), face);
  article.setAttribute("aria-labelledby", id);
  article.addEventListener("focusin", () => see(phone));
  article.addEventListener("click", () => see(phone));
  const item = make("li", {}, article, make("p", { className: "what", textContent: about.what ?? "" }));
  byId("phones").append(item);
  phones.set(number, phone);
  phone.item = item;
  return phone;
}

// Somebody looks at a phone: nothing on it is unread, and the first time the whole of it is fetched.
async function see(phone) {
  phone.unread = 0;
  phone.view.unread.hidden = true;
  if (phone.whole) {
    return;
  }
  phone.whole = true;
  try {
    const screen = await ask(`/sandbox/phones/${encodeURIComponent(phone.number)}?latest=${MOST_ITEMS}`);
    const before = phone.items.size;
    for (const item of screen.shown) {
      note(phone, item, item.kind === "reply");
    }
    phone.unread = 0;
    if (phone.items.size !== before) {
      showPhone(phone);
    }
  } catch {
    phone.whole = false;
  }
}

// Remembers a text of a phone; whether it is new.
function note(phone, item, mine) {
  if (phone.items.has(item.vendor_id)) {
    return false;
  }
  phone.items.set(item.vendor_id, { at: new Date(item.at), body: item.body, sender: item.sender, mine, own: item.vendor_own === true, attempt: item.attempt ?? "" });
  if (!mine && !phone.item.contains(document.activeElement)) {
    phone.unread += 1;
  }
  return true;
}

async function reply(phone, body) {
  const { to } = phone.view;
  const last = [...phone.items.values()].filter((item) => !item.mine).at(-1);
  const sender = to.hidden ? (last?.sender ?? state?.senders[0] ?? "") : to.value;
  return send("POST", `/sandbox/phones/${encodeURIComponent(phone.number)}/reply`, { to: sender, body });
}

function showPhone(phone) {
  const { list, empty, screen, unread, to } = phone.view;
  const atEnd = screen.scrollHeight - screen.scrollTop - screen.clientHeight < 60;
  const items = [...phone.items].sort(([, a], [, b]) => a.at - b.at);
  for (const [id] of items.splice(0, items.length - MOST_ITEMS)) {
    phone.items.delete(id);
  }
  list.replaceChildren(
    ...items.map(([, item]) => {
      const who = item.mine ? `to ${item.sender}` : item.own ? `${item.sender}, the vendor itself` : item.sender;
      const meta = make("small", { textContent: `${clock(item.at, true)} · ${who}`, title: item.attempt });
      return make("li", { className: item.mine ? "mine" : item.own ? "own" : "" }, make("div", { className: "text", textContent: item.body }), meta);
    }),
  );
  empty.hidden = items.length > 0;
  unread.hidden = phone.unread === 0;
  setText(unread, `${phone.unread} unread`);
  if (to.options.length !== state.senders.length) {
    to.replaceChildren(...state.senders.map((sender) => make("option", { textContent: sender })));
    to.hidden = state.senders.length < 2;
  }
  if (atEnd) {
    screen.scrollTop = screen.scrollHeight;
  }
}

// The phones whose last keyword was a STOP, as far as the vendor understood it.
function unsubscribed() {
  const said = new Map();
  for (const choice of [...state.opt_outs.map((c) => ({ ...c, stop: true })), ...state.opt_ins]) {
    const before = said.get(choice.phone);
    if (choice.by_vendor && (!before || new Date(before.at) <= new Date(choice.at))) {
      said.set(choice.phone, choice);
    }
  }
  return new Set([...said].filter(([, choice]) => choice.stop).map(([phone]) => phone));
}

function showPhones(first) {
  const changed = new Set();
  const news = new Set();
  let missed = 0;
  const take = (item, mine) => {
    let phone = phones.get(item.phone);
    if (!phone && [...phones.values()].filter((known) => !known.about.number).length >= MOST_OTHERS) {
      missed += 1;
      return;
    }
    phone ??= addPhone(item.phone);
    if (note(phone, item, mine)) {
      changed.add(phone);
      if (!mine) {
        news.add(phone.about.name ?? phone.number);
      }
    }
  };
  state.texts.forEach((text) => take(text, false));
  state.replies.forEach((item) => take(item, true));
  const stopped = unsubscribed();
  for (const phone of phones.values()) {
    setText(phone.view.mark, marks(phone.number, phone.about, stopped.has(phone.number)));
    if (first || changed.has(phone)) {
      showPhone(phone);
    }
  }
  if (!first && news.size > 0) {
    setText(byId("news"), `New texts for ${[...news].slice(0, 5).join(", ")}`);
  }
  byId("phones-loading").hidden = true;
  byId("phones-more").hidden = missed === 0;
  setText(byId("phones-more"), missed === 0 ? "" : "More phones have texts than fit here: open one by its number.");
}

function showCounts() {
  const { totals, hooks, pending } = state;
  const counts = { "texts on phones": totals.texts, replies: totals.replies, orders: totals.orders, "CRM records": totals.crm, "hooks answered": hooks.answered, waiting: pending, "given up": hooks.given_up };
  byId("counts").replaceChildren(...Object.entries(counts).map(([name, n]) => make("div", {}, make("dt", { textContent: name }), make("dd", { textContent: n }))));
}

// Rebuilds a list of rows with buttons, and puts the focus back where it was.
function rebuild(list, rows) {
  const key = list.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  list.replaceChildren(...rows);
  if (key) {
    list.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
  }
}

function showOrders() {
  const rows = state.orders.toReversed().map((order) => {
    const shipped = order.shipment_event_ids.length;
    const cancelled = order.cancel_event_id !== null;
    const act = (word, path, disabled) => {
      const button = make("button", { type: "button", textContent: word, disabled, ariaLabel: `${word} ${order.name}` });
      button.dataset.key = `${order.id} ${path}`;
      button.addEventListener("click", () => send("POST", `/sandbox/shop/${path}`, { order_id: order.id }));
      return button;
    };
    const states = [shipped ? "shipped" : "", cancelled ? "cancelled" : ""].filter(Boolean).map((word) => `, ${word}`);
    const label = `${order.name} ${order.customer.first_name}, ${order.customer.phone ?? "no phone"}${states.join("")}`;
    return make("li", {}, make("span", { textContent: label, title: order.placed_at }), act(shipped ? "Ship again" : "Ship", "shipments", false), act("Cancel", "cancellations", cancelled));
  });
  rebuild(byId("orders"), rows);
  byId("orders-empty").hidden = rows.length > 0;
}

function showCrm() {
  const rows = Object.entries(state.crm).map(([key, record]) => make("li", {}, make("strong", { textContent: key }), make("pre", { textContent: JSON.stringify(record, null, 2) })));
  setText(byId("crm-count"), `(${state.totals.crm})`);
  byId("crm").replaceChildren(...rows);
  byId("crm-empty").hidden = rows.length > 0;
  byId("crm-box").hidden = rows.length === 0;
}

function knob(name, value) {
  const [group, label, kind] = KNOBS[name] ?? ["Other", name, typeof value === "boolean" ? "switch" : "ms"];
  const input = make("input", { name });
  const row = make("label", { className: kind === "switch" ? "knob switch" : "knob" }, label, input);
  if (kind === "switch") {
    input.type = "checkbox";
  } else if (kind === "chance") {
    Object.assign(input, { type: "range", min: 0, max: 1000, step: 5 });
    const output = make("output", {});
    row.append(output);
    input.addEventListener("input", () => setText(output, percent(input.value)));
  } else {
    Object.assign(input, { type: "number", min: 0, max: 600000, step: 1, required: true });
    row.append(make("span", { className: "unit", textContent: "ms" }));
  }
  return [group, row];
}

function percent(permille) {
  return `${Number(permille) / 10} %`;
}

function showFaults() {
  const form = byId("faults");
  if (form.childElementCount === 0) {
    const groups = new Map();
    for (const [name, value] of Object.entries(state.faults)) {
      const [group, row] = knob(name, value);
      if (!groups.has(group)) {
        groups.set(group, make("fieldset", {}, make("legend", { textContent: group })));
      }
      groups.get(group).append(row);
    }
    form.append(...groups.values());
    byId("faults-loading").hidden = true;
  }
  for (const input of form.querySelectorAll("input")) {
    const value = state.faults[input.name];
    if (input === document.activeElement) {
      continue;
    }
    if (input.type === "checkbox") {
      input.checked = value;
    } else {
      input.value = value;
    }
    const output = input.parentElement.querySelector("output");
    if (output) {
      setText(output, percent(value));
    }
  }
}

function snippets() {
  const { account_sid: account, auth_token: token, senders } = credentials;
  const [base, from, to] = [location.origin, senders[0] ?? "", "+14155550123"];
  return {
    python: `from twilio.rest import Client\n\nclient = Client("${account}", "${token}")\nclient.api.base_url = "${base}"\nmessage = client.messages.create(to="${to}", from_="${from}", body="Hello")\nprint(message.sid, message.status)`,
    node: `import twilio from "twilio";\n\nconst client = twilio("${account}", "${token}");\nclient.api.baseUrl = "${base}";\nconst message = await client.messages.create({ to: "${to}", from: "${from}", body: "Hello" });\nconsole.log(message.sid, message.status);`,
    curl: `curl -u ${account}:${token} \\\n  ${base}/2010-04-01/Accounts/${account}/Messages.json \\\n  --data-urlencode To=${to} \\\n  --data-urlencode From=${from} \\\n  --data-urlencode Body=Hello`,
  };
}

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    setText(byId("news"), "Copied");
    button.textContent = "Copied";
  } catch {
    button.textContent = "Select it by hand";
  }
  setTimeout(() => (button.textContent = "Copy"), 1500);
}

function showClient() {
  const facts = {
    "Base URL": location.origin,
    "Account SID": credentials.account_sid,
    "Auth token": credentials.auth_token,
    Sender: credentials.senders.join(", "),
    "Messaging service": credentials.messaging_service ?? "none",
    "Texts from people go to": credentials.inbound_url,
  };
  byId("facts").replaceChildren(
    ...Object.entries(facts).map(([name, value]) => {
      const button = make("button", { type: "button", textContent: "Copy", ariaLabel: `Copy: ${name}` });
      button.addEventListener("click", () => copy(value, button));
      return make("div", {}, make("dt", { textContent: name }), make("dd", { textContent: value }), make("dd", {}, button));
    }),
  );
  setText(byId("snippet"), snippets()[snippet]);
}

function show(first) {
  showCounts();
  showPhones(first);
  showOrders();
  showCrm();
  showFaults();
}

// Who is in the bank and what a client needs: neither changes, so both are asked for once.
async function begin() {
  const [bank, known] = await Promise.all([ask("/sandbox/phones"), ask("/sandbox/credentials")]);
  credentials = known;
  for (const phone of bank.phones.filter(({ number }) => !phones.has(number))) {
    addPhone(phone.number, phone);
  }
  showClient();
}

async function look() {
  try {
    started ??= begin();
    await started.catch((problem) => {
      started = null;
      throw problem;
    });
    const next = await ask(`/sandbox/state?latest=${LATEST}`);
    // Fewer than before: it was started anew, and what was seen is gone.
    if (state && next.totals.texts + next.totals.replies < state.totals.texts + state.totals.replies) {
      location.reload();
      return;
    }
    const first = state === null;
    state = next;
    if (byId("problem").textContent === SILENT) {
      complain("");
    }
    const now = JSON.stringify({ ...state, now: null });
    if (now !== shown) {
      shown = now;
      show(first);
    }
    for (const phone of phones.values()) {
      setText(phone.view.time, clock(state.now, false));
    }
  } catch {
    complain(SILENT);
  }
}

// Once a second, and not at all while nobody can see it.
async function watch() {
  if (!document.hidden) {
    await look();
  }
  setTimeout(watch, 1000);
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) {
    look();
  }
});

byId("open-phone").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const screen = await ask(`/sandbox/phones/${encodeURIComponent(byId("other-phone").value.trim())}?latest=1`);
    const phone = phones.get(screen.number) ?? addPhone(screen.number);
    byId("other-phone").value = "";
    complain("");
    if (state) {
      showPhone(phone);
    }
    phone.view.input.focus();
    phone.item.scrollIntoView({ block: "nearest", inline: "center" });
  } catch (problem) {
    complain(problem instanceof TypeError ? SILENT : problem.message);
  }
});

byId("order").addEventListener("submit", (event) => {
  event.preventDefault();
  const value = (id) => byId(id).value.trim();
  // The same phone is the same customer: the id is made of its digits.
  const id = Number(value("order-phone").replace(/\D/g, "") || "1");
  const customer = { id, first_name: value("order-first"), last_name: value("order-last"), phone: value("order-phone") || null, locale: value("order-locale"), country: value("order-country") };
  send("POST", "/sandbox/shop/orders", { customer, copies: Number(value("order-copies")) });
});

byId("faults").addEventListener("submit", (event) => event.preventDefault());
byId("faults").addEventListener("change", ({ target }) => {
  if (target.reportValidity()) {
    send("PATCH", "/sandbox/faults", { [target.name]: target.type === "checkbox" ? target.checked : Number(target.value) });
  }
});
byId("faults-off").addEventListener("click", () => send("PUT", "/sandbox/faults", {}));

for (const button of document.querySelectorAll("[data-snippet]")) {
  button.addEventListener("click", () => {
    snippet = button.dataset.snippet;
    for (const other of document.querySelectorAll("[data-snippet]")) {
      other.setAttribute("aria-pressed", String(other === button));
    }
    if (credentials) {
      setText(byId("snippet"), snippets()[snippet]);
    }
  });
}
byId("copy-snippet").addEventListener("click", ({ currentTarget }) => copy(byId("snippet").textContent, currentTarget));

watch();
