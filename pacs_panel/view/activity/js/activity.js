// What goes on: how much comes, what waits, what failed, and who brought it.
import { make, many, redraw } from "./elements.js";

const HEADS = ["Door", "Peer", "Collection", "Began (UTC)", "State", "Accepted", "Duplicates", "New versions", "Refused", "Size"];
const FIRST_NUMBER = 5;

export function render({ model }) {
  const root = make("div", { class: "activity" });
  const update = () => redraw(root, ...(model.shown.state === "shown" ? drawAll(model.shown) : [drawNone(model.shown)]));
  model.on("shown", update);
  update();
  return root;
}

function drawNone({ title = "Loading…", words = "" }) {
  return make("div", { class: "empty", role: "status" }, make("h1", {}, title), make("p", {}, words));
}

function drawAll({ cards, used, failed, quarantined, refused, sessions }) {
  const told = refused.reduce((sum, [, count]) => sum + count, 0);
  return [
    make("h1", {}, "Activity"),
    make("dl", { class: "cards" }, cards.map(([name, main, more]) => drawCard(name, main, more, name === "Disk" ? used : null))),
    make("div", { class: "reasons" }, drawReasons("Could not be built", failed, "series", "Every series of images is built, or waits for it."), drawReasons("Refused", refused, "file", "Nothing lies in quarantine.", quarantined - told)),
    make("h2", {}, "Arrivals"),
    sessions.length ? drawSessions(sessions) : make("p", { class: "quiet none" }, "Nothing has come yet. Upload in Browse, import at the command line, or send over the DICOM network."),
  ];
}

function drawCard(name, main, more, used) {
  const bar = used !== null && make("dd", {}, make("progress", { value: used, max: 1, "aria-label": "Part of the disk that is used" }));
  return make("div", { class: "card", "data-card": name }, make("dt", {}, name), make("dd", { class: "main" }, main), make("dd", { class: "sub" }, more), bar);
}

function drawReasons(title, reasons, unit, none, before = 0) {
  const list = reasons.map(([reason, count]) => make("li", {}, make("b", {}, many(count, unit, unit === "series" ? unit : undefined)), make("span", {}, reason)));
  return make("section", { class: "card", "data-card": title }, make("h2", {}, title), list.length ? make("ul", {}, list) : make("p", { class: "quiet" }, none), before > 0 && make("p", { class: "quiet" }, `${many(before, unit)} more, before these.`));
}

function drawSessions(sessions) {
  const head = make("tr", {}, HEADS.map((words, n) => make("th", { scope: "col", class: n >= FIRST_NUMBER ? "number" : null }, words)));
  return make("div", { class: "wide", tabindex: 0, role: "region", "aria-label": "Arrivals", "data-focus": "arrivals" }, make("table", {}, make("thead", {}, head), make("tbody", {}, sessions.map(drawSession))));
}

function drawSession({ key, door, peer, collection, began, state, accepted, duplicates, new_versions, refused, size }) {
  const words = [door, peer || "–", collection || "–", began];
  const counts = [accepted, duplicates, new_versions, refused].map((count) => count.toLocaleString("en"));
  return make(
    "tr",
    { "data-session": key },
    words.map((each) => make("td", {}, each)),
    make("td", {}, make("span", { class: "badge", "data-state": state }, state)),
    [...counts, size].map((each) => make("td", { class: "number" }, each)),
  );
}
