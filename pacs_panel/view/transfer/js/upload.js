// A button, a page that files can be dropped on, and a tray in which uploads are followed.
import { Card } from "./card.js";
import { button, make, redraw } from "./elements.js";
import { fromDrop, fromInput } from "./gather.js";
import { Sending } from "./sending.js";

const CALM = 200; // ms between two drawings of progress
const BUSY = new Set(["sending", "waiting", "importing", "paused", "stopped"]);
const SAID = { sending: "Uploading", importing: "All has been sent and is being taken in", done: "Upload finished", stopped: "The upload stopped", failed: "The upload could not be taken in", paused: "Upload paused" };

class Tray {
  constructor(model) {
    this.model = model;
    this.cards = new Map();
    this.live = make("p", { class: "unseen", role: "status" });
    this.body = make("div", { class: "body" });
    this.opener = button("Upload…", () => this.turn(), { class: "plain opener", "aria-expanded": "false" });
    this.inputs = { files: this.input({}), folder: this.input({ webkitdirectory: true }) };
    this.veil = make("div", { class: "veil", popover: "manual" }, make("p", {}, "Drop files or folders to upload them"));
    this.tray = make("section", { class: "tray", popover: "manual", "aria-label": "Uploads" }, this.head(), this.body, ...Object.values(this.inputs));
    this.tray.addEventListener("keydown", (event) => event.key === "Escape" && this.close());
    this.el = make("div", { class: "upload" }, this.opener, this.tray, this.veil, this.live);
    this.draw();
  }

  head() {
    return make("header", {}, make("h2", {}, "Upload"), button("×", () => this.close(), { class: "close", "aria-label": "Close the uploads", title: "Close; uploads go on" }));
  }

  input(how) {
    const made = make("input", { type: "file", multiple: true, hidden: true, ...how });
    made.addEventListener("change", () => {
      this.stage(fromInput(made));
      made.value = "";
    });
    return made;
  }

  // -- opening and closing ------------------------------------------------------------------------------------------------

  turn() {
    if (this.tray.matches(":popover-open")) this.close();
    else this.open();
  }

  open() {
    this.tray.showPopover();
    this.opener.setAttribute("aria-expanded", "true");
    this.tray.querySelector("input[data-focus], button:not(.close)")?.focus({ preventScroll: true });
  }

  close() {
    this.tray.hidePopover();
    this.opener.setAttribute("aria-expanded", "false");
    this.opener.focus({ preventScroll: true });
  }

  // -- dropping -----------------------------------------------------------------------------------------------------------

  listen(target) {
    const ending = new AbortController();
    const on = (name, act) => target.addEventListener(name, act, { signal: ending.signal });
    const mine = (event) => event.dataTransfer?.types.includes("Files");
    on("dragenter", (event) => mine(event) && (event.preventDefault(), this.veil.showPopover?.call(this.veil)));
    on("dragover", (event) => mine(event) && (event.preventDefault(), (event.dataTransfer.dropEffect = "copy")));
    on("dragleave", (event) => event.relatedTarget === null && this.veil.hidePopover());
    on("drop", (event) => mine(event) && (event.preventDefault(), this.dropped(event.dataTransfer)));
    on("beforeunload", (event) => [...this.cards.keys()].some(({ state }) => state === "sending" || state === "paused") && event.preventDefault());
    return () => ending.abort();
  }

  async dropped(transfer) {
    this.veil.hidePopover();
    const reading = fromDrop(transfer, (count) => this.count(count));
    this.open();
    try {
      this.stage(await reading);
    } catch {
      this.say("What was dropped cannot be read on this computer.");
    }
  }

  count(files) {
    this.say(`Reading the folder… ${files.toLocaleString("en")} files`);
  }

  // -- uploads ------------------------------------------------------------------------------------------------------------

  stage(gathered) {
    if (!gathered.files.length) {
      this.say("There are no files in it that could be images.");
      return;
    }
    this.words = "";
    const acts = { start: (job, name) => this.start(job, name), goOn: (job) => this.later(job, () => job.goOn()), drop: (job) => this.drop(job) };
    const job = new Sending(gathered, (one, moved) => this.changed(one, moved));
    this.cards.set(job, new Card(job, () => this.model.shown.collections ?? [], acts));
    this.draw();
    this.open();
    this.cards.get(job).collection.focus();
  }

  start(job, collection) {
    job.collection = collection;
    this.later(job, () => job.start());
  }

  // One after another: each has all of the line to itself.
  later(job, act) {
    const before = [...this.cards.keys()].some((other) => other !== job && other.state === "sending");
    job.next = before ? act : null;
    if (before) job.turn("waiting");
    else act();
  }

  changed(job, moved = false) {
    const card = this.cards.get(job);
    if (!card) return;
    if (moved) card.tick();
    else card.update();
    if (!moved) this.live.textContent = SAID[job.state] ?? "";
    this.ticking();
    if (job.state === "done") this.model.send_msg({ kind: "arrived", chosen: job.report.chosen ?? "", accepted: job.report.accepted });
    if (!moved && job.state !== "sending" && job.state !== "waiting") this.next();
    this.label();
  }

  next() {
    if ([...this.cards.keys()].some(({ state }) => state === "sending")) return;
    const waiting = [...this.cards.keys()].find(({ state, next }) => state === "waiting" && next);
    const act = waiting?.next;
    if (act) {
      waiting.next = null;
      act();
    }
  }

  ticking() {
    const sending = [...this.cards].filter(([{ state }]) => state === "sending");
    if (!sending.length || this.timer) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      for (const [, card] of sending) card.tick();
      this.ticking();
      this.label();
    }, CALM);
  }

  drop(job) {
    if (BUSY.has(job.state) || job.state === "failed") job.cancel();
    this.cards.delete(job);
    this.next();
    this.draw();
    this.label();
    (this.tray.querySelector("input[data-focus], button:not(.close)") ?? this.opener).focus({ preventScroll: true });
  }

  // -- drawing ------------------------------------------------------------------------------------------------------------

  say(words) {
    this.words = words;
    this.live.textContent = words;
    this.draw();
  }

  draw() {
    const choose = (words, name) => button(words, () => this.inputs[name].click(), { class: "plain", "data-focus": name });
    const note = make("p", {}, this.words || "Drop files, folders or zips anywhere on this page, or choose them:");
    const drop = make("div", { class: this.cards.size ? "drop more" : "drop" }, this.cards.size && !this.words ? null : note, make("div", { class: "ways" }, choose("Choose files…", "files"), choose("Choose a folder…", "folder")));
    redraw(this.body, ...[...this.cards.values()].map(({ el }) => el), drop);
  }

  // The button tells how far it is while the tray is closed.
  label() {
    const jobs = [...this.cards.keys()];
    const sending = jobs.filter(({ state }) => state === "sending");
    const [sent, all] = sending.reduce(([a, b], { sent: x, bytes }) => [a + x, b + bytes], [0, 0]);
    const importing = jobs.some(({ state }) => state === "importing");
    this.opener.textContent = sending.length ? `Uploading ${Math.floor((100 * sent) / (all || 1))} %` : importing ? "Taking in…" : "Upload…";
  }
}

export function render({ model }) {
  const tray = new Tray(model);
  const leave = tray.listen(window);
  model.on("remove", leave);
  return tray.el;
}
