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

function holdsFocus(part) {
  return part.contains(document.activeElement) && document.activeElement !== part;
}

async function refresh() {
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
      if (!next || next.isEqualNode(part) || holdsFocus(part)) continue;
      const before = Array.from(part.querySelectorAll("b"), (b) => b.textContent);
      const scrolled = Array.from(part.querySelectorAll(".scroll"), (s) => s.scrollLeft);
      const node = document.importNode(next, true);
      part.replaceWith(node);
      node.querySelectorAll(".scroll").forEach((s, i) => { s.scrollLeft = scrolled[i] || 0; });
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
