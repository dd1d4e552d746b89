// Keeps an open page up to date: on a change it asks for the page again and replaces the parts that differ. All text
// comes escaped from the service; nothing is built from strings here.

"use strict";

const events = document.body.dataset.events;
const live = document.getElementById("live");
let asking = false;
let again = false;

function show(on) {
  if (!live) return;
  live.hidden = false;
  live.classList.toggle("off", !on);
  live.querySelector(".word").textContent = on ? "Live" : "Not live";
}

// The parts as the service sent them: times and copy buttons are added later, and do not count as a change.
const sent = new WeakMap();

function remember() {
  for (const part of document.querySelectorAll("[data-live]")) {
    if (!sent.has(part)) sent.set(part, part.cloneNode(true));
  }
}

function holdsFocus(part) {
  return part.contains(document.activeElement) && document.activeElement !== part;
}

// Rows that a person has ticked stay as they are until the form is sent.
function hasChoice(part) {
  return part.querySelector("td.pick input:checked") !== null;
}

async function refresh() {
  // A page that a form sent has nothing to replace, and its address shows something else.
  if (!document.querySelector("[data-live]")) return;
  if (asking) {
    again = true;
    return;
  }
  asking = true;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" }, redirect: "error" });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-live]")) {
      const next = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
      if (!next || next.isEqualNode(sent.get(part) || part) || holdsFocus(part) || hasChoice(part)) continue;
      const before = Array.from(part.querySelectorAll("b"), (b) => b.textContent);
      const scrolled = Array.from(part.querySelectorAll(".scroll"), (s) => s.scrollLeft);
      const node = document.importNode(next, true);
      part.replaceWith(node);
      node.querySelectorAll(".scroll").forEach((s, i) => { s.scrollLeft = scrolled[i] || 0; });
      dress();
      node.querySelectorAll("b").forEach((b, i) => {
        if (b.textContent !== before[i] && b.parentElement) b.parentElement.classList.add("changed");
      });
    }
  } catch {
    // The stream tells when the service is back.
  } finally {
    asking = false;
    if (again) {
      again = false;
      refresh();
    }
  }
}

// A page that a form sent is not asked for again: that would send nothing, and show something else.
if (events) {
  const stream = new EventSource(events);
  stream.addEventListener("hello", () => show(true));
  stream.addEventListener("change", refresh);
  stream.addEventListener("error", () => show(false));
  addEventListener("pagehide", () => stream.close());
}

// Keys, copying and choosing rows: conveniences. Every page does without them.

const keys = [
  ["/", "search"],
  ["j, k", "next and previous row"],
  ["Enter", "open the row"],
  ["x", "choose the row"],
  ["[, ]", "previous and next page or device"],
  ["?", "these keys"],
];

function rows() {
  return Array.from(document.querySelectorAll("table.devices tbody tr, [data-rows] tbody tr"));
}

function currentRow() {
  return document.activeElement ? document.activeElement.closest("tbody tr") : null;
}

function move(step) {
  const all = rows();
  const at = all.indexOf(currentRow());
  const next = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + step, 0), all.length - 1)];
  const link = next && next.querySelector("th a, a");
  if (!link) return;
  link.focus();
  next.scrollIntoView({ block: "nearest" });
}

function element(name, text, parent) {
  const made = document.createElement(name);
  made.textContent = text;
  if (parent) parent.append(made);
  return made;
}

function showKeys() {
  let dialog = document.getElementById("keys");
  if (!dialog) {
    dialog = document.createElement("dialog");
    dialog.id = "keys";
    dialog.className = "keys";
    dialog.setAttribute("aria-labelledby", "keys-title");
    element("h2", "Keys", dialog).id = "keys-title";
    const list = element("dl", "", dialog);
    for (const [key, what] of keys) {
      element("kbd", key, element("dt", "", list));
      element("dd", what, list);
    }
    const form = element("form", "", dialog);
    form.method = "dialog";
    element("button", "Close", form);
    document.body.append(dialog);
  }
  dialog.showModal();
}

function follow(rel) {
  const link = document.querySelector(`main a[rel="${rel}"]`);
  if (link) link.click();
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
  const target = event.target;
  const ticks = target.matches && target.matches("input[type=checkbox], input[type=radio]");
  if (!ticks && target.closest && target.closest("input, textarea, select, dialog, [contenteditable]")) return;
  const row = currentRow();
  const box = row && row.querySelector("input[type=checkbox]");
  const does = {
    "/": () => { const q = document.getElementById("q"); if (q) { q.focus(); q.select(); } },
    "?": showKeys,
    j: () => move(1),
    k: () => move(-1),
    x: () => { if (box) box.click(); },
    "[": () => follow("prev"),
    "]": () => follow("next"),
    Enter: () => { const link = row && ticks && row.querySelector("th a"); if (link) link.click(); },
  }[event.key];
  if (!does || (event.key === "Enter" && !(row && ticks))) return;
  event.preventDefault();
  does();
});

// A box in the head of the table chooses all rows, and one row after another with Shift.
let lastBox = null;
addEventListener("click", (event) => {
  const box = event.target;
  if (!box.matches || !box.matches("td.pick input")) return;
  const all = Array.from(document.querySelectorAll("td.pick input"));
  const [from, to] = [all.indexOf(lastBox), all.indexOf(box)].sort((a, b) => a - b);
  if (event.shiftKey && from >= 0) all.slice(from, to + 1).forEach((other) => { other.checked = box.checked; });
  lastBox = box;
});

function addChooser() {
  const head = document.querySelector("th.pick");
  if (!head || head.querySelector("input")) return;
  const box = document.createElement("input");
  box.type = "checkbox";
  box.setAttribute("aria-label", "Choose all rows of this page");
  box.addEventListener("change", () => {
    document.querySelectorAll("td.pick input").forEach((other) => { other.checked = box.checked; });
  });
  head.append(box);
}

function addCopies() {
  if (!navigator.clipboard) return;
  for (const text of document.querySelectorAll("[data-copy]")) {
    if (text.nextElementSibling && text.nextElementSibling.matches(".copy")) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    // A block of commands follows its heading, and is too long for a name.
    if (!text.matches("pre")) button.setAttribute("aria-label", `Copy ${text.textContent}`);
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(text.textContent);
        button.textContent = "Copied";
      } catch {
        button.textContent = "Not copied";
      }
    });
    text.after(button);
  }
}

// Instants are in the reader's time zone, and in UTC on hover. A text that has no instant in UTC stays as it is.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const utc = /^(\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?) UTC$/;

function localTimes() {
  if (!zone || zone === "UTC" || zone === "Etc/UTC") return;
  for (const node of document.querySelectorAll("time[datetime]")) {
    const found = utc.exec(node.textContent.trim());
    const at = new Date(node.getAttribute("datetime"));
    if (!found || Number.isNaN(at.getTime())) continue;
    const parts = { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", timeZoneName: "short" };
    if (found[2]) parts.second = "2-digit";
    node.title = found[0];
    // Swedish writes dates as ISO 8601 does.
    node.textContent = new Intl.DateTimeFormat("sv-SE", parts).format(at);
  }
  const footer = document.querySelector("footer [data-zone]");
  if (footer) footer.textContent = `times in ${zone}, in UTC on hover`;
}

function dress() {
  remember();
  addChooser();
  addCopies();
  localTimes();
}

dress();

// The map: what is looked for stays clear and the rest gets faint; larger pictures scroll.
const tools = document.querySelector("[data-map-tools]");
if (tools) {
  const filter = tools.querySelector("input");
  let size = 100;
  tools.hidden = false;
  tools.addEventListener("submit", (event) => event.preventDefault());
  filter.addEventListener("input", () => {
    const word = filter.value.trim().toLowerCase();
    for (const part of document.querySelectorAll("[data-map]")) {
      const found = new Set();
      for (const node of part.querySelectorAll("tbody tr")) {
        const is = node.textContent.toLowerCase().includes(word);
        node.classList.toggle("faint", !is);
        if (is) found.add(node.dataset.network);
      }
      const routers = new Set();
      for (const line of part.querySelectorAll("path[data-network]")) {
        const is = found.has(line.dataset.network);
        line.classList.toggle("faint", !is);
        if (is) routers.add(line.dataset.router);
      }
      for (const box of part.querySelectorAll("a[data-network]")) {
        box.classList.toggle("faint", !found.has(box.dataset.network));
      }
      for (const box of part.querySelectorAll("a[data-router]")) {
        box.classList.toggle("faint", word !== "" && !routers.has(box.dataset.router));
      }
    }
  });
  for (const button of tools.querySelectorAll("button")) {
    button.addEventListener("click", () => {
      size = Math.min(400, Math.max(50, button.dataset.zoom === "in" ? size * 1.25 : size / 1.25));
      for (const picture of document.querySelectorAll("svg.map")) picture.setAttribute("width", `${size}%`);
    });
  }
}
