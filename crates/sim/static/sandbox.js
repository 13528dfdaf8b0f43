// The sandbox's page: asks for the state once a second and shows it. It keeps nothing and decides nothing; every
// text is put in as text, never as markup.
"use strict";

const LATEST = 400;
const LABELS = {
  vendor_latency_ms: "Vendor answers after (real ms)",
  throttle_permille: "Vendor throttles",
  server_error_permille: "Vendor fails, text not taken",
  server_error_after_accept_permille: "Vendor fails, text taken",
  hang_after_accept_permille: "Vendor takes the text, never answers",
  refuse_permille: "Vendor turns the call away",
  callback_duplicate_permille: "Callback comes twice",
  callback_reorder_permille: "Callbacks come in reverse",
  callback_delay_ms_max: "Callbacks are late by up to (ms)",
  crm_down: "CRM is down",
  crm_slow_ms: "CRM answers after (real ms)",
  crm_conflict_permille: "CRM reports a conflict",
  crm_throttle_permille: "CRM throttles",
};

const byId = (id) => document.getElementById(id);
let state = null;
let shown = "";
let chosen = null;

function make(tag, properties, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

function clock(instant) {
  return new Date(instant).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

function complain(text) {
  byId("problem").textContent = text;
  byId("problem").hidden = text === "";
}

async function send(method, path, body) {
  try {
    const answer = await fetch(path, { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
    const text = await answer.text();
    complain(answer.ok ? "" : reason(text));
    return answer.ok;
  } catch {
    complain("The sandbox does not answer.");
    return false;
  } finally {
    await look();
  }
}

function reason(text) {
  try {
    return JSON.parse(text).error;
  } catch {
    return text;
  }
}

// Phones, most recent first: number -> its texts, oldest first.
function conversations() {
  const phones = new Map();
  const add = (phone, item) => phones.set(phone, [...(phones.get(phone) ?? []), item]);
  for (const text of state.texts) {
    add(text.phone, { at: text.at, body: text.body, sender: text.sender, own: text.vendor_own, note: text.attempt ?? "" });
  }
  for (const reply of state.replies) {
    add(reply.phone, { at: reply.at, body: reply.body, sender: reply.sender, mine: true, note: "" });
  }
  for (const items of phones.values()) {
    items.sort((a, b) => new Date(a.at) - new Date(b.at));
  }
  if (chosen && !phones.has(chosen)) {
    phones.set(chosen, []);
  }
  const last = (items) => new Date(items.at(-1)?.at ?? state.now);
  return new Map([...phones].sort(([, a], [, b]) => last(b) - last(a)));
}

function showCounts() {
  const { totals, hooks, pending } = state;
  const counts = { "texts on phones": totals.texts, replies: totals.replies, orders: totals.orders, "CRM records": totals.crm, "hooks answered": hooks.answered, waiting: pending, "given up": hooks.given_up };
  byId("counts").replaceChildren(...Object.entries(counts).map(([name, n]) => make("div", {}, make("dt", { textContent: name }), make("dd", { textContent: n }))));
}

function showPhones(phones) {
  const rows = [...phones].map(([phone, items]) => {
    const button = make("button", { type: "button" }, phone, make("small", { textContent: items.at(-1)?.body ?? "No texts yet" }));
    button.dataset.phone = phone;
    button.setAttribute("aria-current", String(phone === chosen));
    button.addEventListener("click", () => choose(phone));
    return make("li", {}, button);
  });
  const focused = document.activeElement?.dataset?.phone;
  byId("phones").replaceChildren(...(rows.length ? rows : [make("li", { className: "empty", textContent: "No phone has a text yet. Place an order." })]));
  if (focused) {
    byId("phones").querySelector(`[data-phone="${CSS.escape(focused)}"]`)?.focus();
  }
}

function showTalk(items) {
  const list = byId("talk");
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  byId("talk-title").textContent = chosen ?? "No phone chosen";
  byId("compose").hidden = chosen === null;
  list.replaceChildren(
    ...items.map((item) => {
      const who = item.mine ? `to ${item.sender}` : item.own ? `${item.sender}, the vendor's own answer` : `${item.sender} ${item.note}`;
      const meta = make("small", { textContent: `${clock(item.at)} · ${who}`, title: item.at });
      return make("li", { className: item.mine ? "mine" : item.own ? "own" : "" }, make("div", { className: "text", textContent: item.body }), meta);
    }),
  );
  if (atEnd) {
    list.scrollTop = list.scrollHeight;
  }
  const to = byId("compose-to");
  if (to.options.length !== state.senders.length) {
    to.replaceChildren(...state.senders.map((sender) => make("option", { textContent: sender })));
  }
}

function showOrders() {
  const rows = state.orders.toReversed().map((order) => {
    const shipped = order.shipment_event_ids.length;
    const button = make("button", { type: "button", textContent: shipped ? "Ship again" : "Ship" });
    button.addEventListener("click", () => send("POST", "/sandbox/shop/shipments", { order_id: order.id }));
    const label = `${order.name} ${order.customer.first_name}, ${order.customer.phone ?? "no phone"}${shipped ? ", shipped" : ""}`;
    return make("li", {}, make("span", { textContent: label, title: order.placed_at }), button);
  });
  byId("orders").replaceChildren(...rows);
}

function showCrm() {
  byId("crm-count").textContent = `(${state.totals.crm})`;
  const rows = Object.entries(state.crm).map(([key, record]) => make("li", {}, make("strong", { textContent: key }), make("pre", { textContent: JSON.stringify(record, null, 2) })));
  byId("crm").replaceChildren(...rows);
}

function showFaults() {
  const form = byId("faults");
  if (form.childElementCount === 0) {
    for (const [name, value] of Object.entries(state.faults)) {
      const input = make("input", { name, type: typeof value === "boolean" ? "checkbox" : "number" });
      if (input.type === "number") {
        Object.assign(input, { min: 0, step: 1, max: name.endsWith("_permille") ? 1000 : 600000, required: true });
      }
      form.append(make("label", {}, LABELS[name] ?? name, input));
    }
  }
  for (const input of form.elements) {
    if (input === document.activeElement) {
      continue;
    }
    if (input.type === "checkbox") {
      input.checked = state.faults[input.name];
    } else {
      input.value = state.faults[input.name];
    }
  }
}

function show() {
  const phones = conversations();
  if (chosen === null && phones.size > 0) {
    chosen = phones.keys().next().value;
  }
  showCounts();
  showPhones(phones);
  showTalk(phones.get(chosen) ?? []);
  showOrders();
  showCrm();
  showFaults();
}

function choose(phone) {
  chosen = phone;
  show();
  byId("talk").scrollTop = byId("talk").scrollHeight;
}

async function look() {
  const answer = await fetch(`/sandbox/state?latest=${LATEST}`).catch(() => null);
  if (!answer?.ok) {
    complain("The sandbox does not answer.");
    return;
  }
  if (byId("problem").textContent === "The sandbox does not answer.") {
    complain("");
  }
  state = await answer.json();
  const now = JSON.stringify({ ...state, now: null });
  if (now !== shown) {
    shown = now;
    show();
  }
}

async function watch() {
  await look().catch(() => complain("The sandbox does not answer."));
  setTimeout(watch, document.hidden ? 5000 : 1000);
}

byId("open-phone").addEventListener("submit", (event) => {
  event.preventDefault();
  const phone = byId("other-phone").value.replace(/[^+\d]/g, "");
  byId("other-phone").value = "";
  if (state) {
    choose(phone);
  }
});

async function text(body) {
  return send("POST", `/sandbox/phones/${encodeURIComponent(chosen)}/reply`, { to: byId("compose-to").value, body });
}

byId("compose").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (await text(byId("compose-body").value)) {
    byId("compose-body").value = "";
  }
});

for (const button of document.querySelectorAll("[data-word]")) {
  button.addEventListener("click", () => text(button.dataset.word));
}

byId("order").addEventListener("submit", (event) => {
  event.preventDefault();
  const value = (id) => byId(id).value.trim();
  // The same phone is the same customer: the id is made of its digits.
  const id = Number(value("order-phone").replace(/\D/g, "") || "1");
  const customer = { id, first_name: value("order-first"), last_name: value("order-last"), phone: value("order-phone") || null, locale: value("order-locale"), country: value("order-country") };
  send("POST", "/sandbox/shop/orders", { customer, copies: Number(value("order-copies")) });
});

byId("faults").addEventListener("change", () => {
  const form = byId("faults");
  if (!form.reportValidity()) {
    return;
  }
  const faults = {};
  for (const input of form.elements) {
    faults[input.name] = input.type === "checkbox" ? input.checked : Number(input.value);
  }
  send("PUT", "/sandbox/faults", faults);
});

byId("faults").addEventListener("submit", (event) => event.preventDefault());

watch();
