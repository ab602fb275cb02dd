// The page renews itself: it asks for itself again and changes only what differs, so that nothing flickers,
// a selection stays, and there is one place that knows how a number is written: the controller.
"use strict";
(() => {
  const EVERY = 2000; // ms between two looks
  const SILENT = 6000; // ms without an answer before it is said
  const POINTS = 150; // of the sparkline: five minutes
  const rates = [];
  let heard = Date.now();
  let timer = 0;

  // ── bringing an element up to date ──────────────────────────────────────────────────────────
  const alike = (one, other) => one.nodeType === other.nodeType && one.nodeName === other.nodeName && one.id === other.id;
  const renew = (old, fresh) => {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
      return;
    }
    if (old.hasAttribute("data-mine")) return; // drawn here, not there
    for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
    for (const { name, value } of fresh.attributes)
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    let at = old.firstChild;
    for (const child of [...fresh.childNodes]) {
      const same = child.id ? [...old.children].find((other) => other.id === child.id) : null;
      if (same && same !== at) old.insertBefore(same, at);
      const mine = same || at;
      if (!mine || !alike(mine, child)) {
        old.insertBefore(child, at);
        continue;
      }
      at = mine.nextSibling;
      renew(mine, child);
    }
    while (at) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
  };

  // ── moments as the reader's clock has them ──────────────────────────────────────────────────
  const here = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const localise = (root) => {
    for (const time of root.querySelectorAll("time[datetime]")) {
      time.title = time.textContent;
      time.textContent = here.format(new Date(time.dateTime));
    }
  };

  // ── the rate, drawn ─────────────────────────────────────────────────────────────────────────
  const draw = () => {
    const said = document.querySelector("#rate");
    const path = document.querySelector(".sparkline path");
    if (!said || !path) return;
    rates.push(Number(said.value));
    if (rates.length > POINTS) rates.shift();
    const top = Math.max(...rates, 1e-9);
    const step = 100 / Math.max(rates.length - 1, 30);
    const at = (rate, i) => `${(100 - (rates.length - 1 - i) * step).toFixed(1)},${(29 - (28 * rate) / top).toFixed(1)}`;
    path.setAttribute("d", rates.length > 1 ? `M${rates.map(at).join("L")}` : "");
  };

  // ── when nobody answers ─────────────────────────────────────────────────────────────────────
  const silence = document.querySelector("#silence");
  const complain = (why) => {
    const since = Math.round((Date.now() - heard) / 1000);
    if (since * 1000 < SILENT) return;
    silence.hidden = false;
    if (silence.firstElementChild.textContent !== why) silence.firstElementChild.textContent = why; // read out once
    silence.lastElementChild.textContent = ` What you see is ${since} s old.`;
  };

  const look = async () => {
    clearTimeout(timer);
    try {
      const answer = await fetch(location.origin + location.pathname, { cache: "no-store", signal: AbortSignal.timeout(10000) });
      if (answer.status === 401) throw new Error("The password is not accepted any more; open the page anew.");
      if (!answer.ok) throw new Error(`The controller does not answer (${answer.status}).`);
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      localise(fresh);
      renew(document.querySelector("header"), fresh.querySelector("header"));
      renew(document.querySelector("main"), fresh.querySelector("main"));
      renew(document.querySelector("footer"), fresh.querySelector("footer"));
      if (document.title !== fresh.title) document.title = fresh.title;
      heard = Date.now();
      silence.hidden = true;
      draw();
    } catch (error) {
      complain(/^The /.test(error.message) ? error.message : "The controller does not answer.");
    }
    if (!document.hidden) timer = setTimeout(look, EVERY);
  };

  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (!document.hidden) look();
  });
  localise(document);
  draw();
  timer = setTimeout(look, EVERY);
})();
