// What a page has more where scripts run: parts that stay up to date, and keys. Nothing needs it.
"use strict";

const EVERY_MS = 3000;
const LONGEST_MS = 20000;

document.documentElement.classList.add("scripted");

// -- live parts: the same page is fetched again, and what is marked `data-live` is put in place of the old ---------

let fetching = false;
let lastGood = new Date();

function inUse(part) {
  return part.contains(document.activeElement) && document.activeElement !== document.body
    || (getSelection().type === "Range" && part.contains(getSelection().anchorNode));
}

function openDetails(part) {
  return new Set([...part.querySelectorAll("details[open][id]")].map((each) => each.id));
}

function putInPlace(old, fresh) {
  if (inUse(old) || old.innerHTML === fresh.innerHTML) return;
  const open = openDetails(old);
  const row = rows().indexOf(rowAt());
  old.replaceChildren(...fresh.childNodes);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (row >= 0) rows()[row]?.classList.add("at");
}

// Whether the page is as the gateway is: what is not has to look so.
function tellAge(isFresh) {
  if (isFresh) lastGood = new Date();
  document.documentElement.classList.toggle("stale", !isFresh);
  const text = isFresh ? "" : `not up to date since ${lastGood.toISOString().slice(11, 16)} UTC`;
  const age = document.getElementById("age");
  if (age.textContent !== text) age.textContent = text;
}

async function fetchPage() {
  const signal = AbortSignal.timeout(LONGEST_MS);
  const answer = await fetch(location.href, { headers: { "x-live": "1" }, redirect: "error", signal });
  if (!answer.ok) throw new Error(answer.status);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

async function refresh() {
  const parts = [...document.querySelectorAll("[data-live]")];
  if (fetching || document.hidden || parts.length === 0) return;
  fetching = true;
  try {
    const page = await fetchPage();
    for (const part of parts) {
      const fresh = page.getElementById(part.id);
      if (fresh !== null) putInPlace(part, fresh);
    }
    tellAge(true);
    document.documentElement.dataset.refreshed = Number(document.documentElement.dataset.refreshed ?? 0) + 1;
  } catch {
    tellAge(false); // the gateway is away, or somebody logged out: the next time will tell
  } finally {
    fetching = false;
  }
}

if (document.querySelector("[data-live]") !== null) {
  setInterval(refresh, EVERY_MS);
  document.addEventListener("visibilitychange", refresh);
}

// -- keys ------------------------------------------------------------------------------------------

const PAGES = { o: "/", e: "/events", l: "/deliveries", p: "/endpoints", d: "/dead", i: "/inbox", r: "/routes", n: "/planned", t: "/register", a: "/audit" };
let going = false;

function rows() {
  return [...document.querySelectorAll("tr[data-row]")];
}

function rowAt() {
  return document.querySelector("tr.at");
}

function move(step) {
  const all = rows();
  if (all.length === 0) return;
  const at = all.indexOf(rowAt());
  const next = all[Math.min(Math.max(at + step, 0), all.length - 1)];
  all[at]?.classList.remove("at");
  next.classList.add("at");
  next.scrollIntoView({ block: "nearest" });
}

function isTyping(target) {
  return target instanceof HTMLElement && target.closest("input, select, textarea") !== null;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (isTyping(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (going && event.key in PAGES) location.assign(PAGES[event.key]);
  going = event.key === "g";
  if (event.key === "/") {
    const field = document.querySelector("form[role=search] input, form[role=search] select");
    if (field !== null) {
      event.preventDefault();
      field.focus();
    }
  } else if (event.key === "j") move(1);
  else if (event.key === "k") move(-1);
  else if (event.key === "Enter" && event.target === document.body) rowAt()?.querySelector("a")?.click();
});
