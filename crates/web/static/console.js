// Keeps open pages up to date: listens for changes, fetches the page again, and swaps what is marked `data-live`. Shows
// instants on the reader's own clock. Pages work without it, then in UTC. It has no state of its own, and stops when
// nobody looks at the page.
(() => {
  "use strict";

  const badge = document.getElementById("live");
  const zone = new Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
  const clock = new Intl.DateTimeFormat("en-US", {
    day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZone: zone,
  });
  const utc = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "long", timeZone: "UTC" });
  const seen = new Map();
  let source = null;
  let busy = false;
  let again = false;
  let ended = false;

  const regions = () => document.querySelectorAll("[data-live][id]");
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));

  // `23 Nov 14:05:09`, as the server writes it, but where the reader is.
  const local = (at) => {
    const part = Object.fromEntries(clock.formatToParts(at).map(({ type, value }) => [type, value]));
    return `${part.day} ${part.month} ${part.hour}:${part.minute}:${part.second}`;
  };

  // Instants in the reader's own zone; UTC stays as their title.
  const localise = (root) => {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      time.title = utc.format(at);
      time.textContent = local(at);
    }
  };

  const show = (state, text) => {
    if (!badge) return;
    badge.hidden = false;
    badge.dataset.state = state;
    badge.querySelector(".live-text").textContent = text;
  };

  // Remembers what has the focus, and gives it back to the same thing after a swap.
  const focusOf = (region) => {
    const had = document.activeElement;
    if (!had || had === region || !region.contains(had)) return () => {};
    const fold = had.closest("details");
    const key = (el) => [el.id, el.getAttribute("href") || "", (el.closest("details") || {}).id || ""].join(" ");
    const want = key(had);
    const tag = had.tagName;
    const nth = [...region.querySelectorAll(tag)].filter((el) => key(el) === want).indexOf(had);
    return () => {
      const now = [...region.querySelectorAll(tag)].filter((el) => key(el) === want)[nth];
      const fallback = fold && document.getElementById(fold.id);
      const to = now || (fallback && fallback.querySelector("summary"));
      if (to) to.focus({ preventScroll: true });
    };
  };

  // Keeps what somebody is writing, and where, for the same field after a swap.
  const writingIn = (region) => {
    const fields = [...region.querySelectorAll("textarea[id]")].filter((field) => field.value !== "");
    const kept = fields.map((field) => [field.id, field.value, field === document.activeElement, field.selectionStart, field.selectionEnd]);
    return () => {
      for (const [id, value, here, start, end] of kept) {
        const field = document.getElementById(id);
        if (!field) continue;
        field.value = value;
        if (here) field.setSelectionRange(start, end);
      }
    };
  };

  const swapOne = (region, html) => {
    const open = [...region.querySelectorAll("details[open][id]")].map((fold) => fold.id);
    const scrolled = [...region.querySelectorAll("pre[id]")].map((pre) => [pre.id, pre.scrollTop, pre.scrollLeft]);
    const giveBack = focusOf(region);
    const putBack = writingIn(region);
    region.innerHTML = html;
    for (const id of open) {
      const fold = document.getElementById(id);
      if (fold) fold.open = true;
    }
    for (const [id, top, left] of scrolled) {
      const pre = document.getElementById(id);
      if (pre) [pre.scrollTop, pre.scrollLeft] = [top, left];
    }
    putBack();
    localise(region);
    giveBack();
  };

  const selecting = (region) => {
    const selection = document.getSelection();
    return selection && !selection.isCollapsed && region.contains(selection.anchorNode);
  };

  const swap = (fresh) => {
    for (const region of regions()) {
      const next = fresh.getElementById(region.id);
      if (!next || seen.get(region.id) === next.innerHTML) continue;
      // Somebody is about to copy this; the next change brings it.
      if (selecting(region)) continue;
      seen.set(region.id, next.innerHTML);
      swapOne(region, next.innerHTML);
    }
  };

  const refresh = async () => {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    try {
      do {
        again = false;
        const answer = await fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin" });
        if (answer.redirected && new URL(answer.url).pathname === "/signin") {
          stop("Signed out");
          return;
        }
        if (answer.ok) swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
        await pause(1000);
      } while (again && !document.hidden);
    } catch {
      // The next change tries again.
    } finally {
      busy = false;
    }
  };

  const disconnect = () => {
    if (source) source.close();
    source = null;
  };

  const stop = (text) => {
    ended = true;
    disconnect();
    show("off", text);
  };

  // Browsers allow few connections to one host, so a page that nobody sees gives its own back.
  const connect = () => {
    if (source || ended || document.hidden || regions().length === 0) return;
    source = new EventSource("/live");
    source.addEventListener("open", () => show("on", "Live"));
    source.addEventListener("change", refresh);
    source.addEventListener("error", () => {
      if (!source) return;
      if (source.readyState === EventSource.CLOSED) stop("Not live");
      else show("off", "Reconnecting");
    });
  };

  // Counts while somebody writes: asks for the same page with the draft, and swaps what is counted.
  const count = (form) => {
    let timer = 0;
    let turn = 0;
    const ask = async () => {
      turn += 1;
      const mine = turn;
      try {
        const answer = await fetch(`${form.action}?${new URLSearchParams(new FormData(form))}`, { headers: { Accept: "text/html" }, credentials: "same-origin" });
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(form.dataset.counter);
        const shown = document.getElementById(form.dataset.counter);
        // An answer that a later one has overtaken is about other words.
        if (answer.ok && mine === turn && fresh && shown) shown.innerHTML = fresh.innerHTML;
      } catch {
        // The next letter tries again.
      }
    };
    form.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(ask, 250);
    });
  };

  for (const region of regions()) seen.set(region.id, region.innerHTML);
  for (const form of document.querySelectorAll("form[data-counter]")) count(form);
  localise(document);
  const which = document.getElementById("zone");
  if (which && zone !== "UTC") which.textContent = `Times are in your own zone, ${zone}; each says the same in UTC as its title.`;
  // Rows that scroll by themselves show what is chosen.
  for (const chosen of document.querySelectorAll(".choices [aria-current], .nav [aria-current]")) {
    const row = chosen.parentElement;
    row.scrollLeft = chosen.offsetLeft - row.offsetLeft - (row.clientWidth - chosen.offsetWidth) / 2;
  }
  document.addEventListener("visibilitychange", () => (document.hidden ? disconnect() : connect()));
  window.addEventListener("pagehide", disconnect);
  window.addEventListener("pageshow", connect);
  connect();
})();
