// One upload in the tray: what it is, how far, and what can be done about it.
import { button, make, many, redraw } from "./elements.js";
import { duration, gathered, outcome, refusals, size } from "./words.js";

const TITLES = {
  staged: "Ready to upload",
  waiting: "Waiting for the one before",
  sending: "Uploading",
  paused: "Paused",
  stopped: "The upload stopped",
  importing: "Taking in",
  failed: "It could not be taken in",
  done: "Upload finished",
};

export class Card {
  constructor(job, collections, acts) {
    Object.assign(this, { job, collections, acts, rate: 0, seen: null });
    this.collection = make("input", { type: "text", maxlength: 200, autocomplete: "off", list: "collections", placeholder: "None", "data-focus": "collection" });
    this.collection.addEventListener("keydown", (event) => event.key === "Enter" && this.start());
    this.bar = make("progress", { max: 1 });
    this.how = make("p", { class: "how" });
    this.el = make("article", { class: "card", tabindex: -1 });
    this.update();
  }

  start() {
    this.acts.start(this.job, this.collection.value.trim());
  }

  update() {
    const { job } = this;
    this.el.dataset.state = job.state;
    const title = make("h3", {}, TITLES[job.state] ?? "");
    const held = this.el.matches(":focus-within");
    redraw(this.el, title, ...(this[job.state] ?? this.progress).call(this));
    if (held && !this.el.matches(":focus-within")) this.el.focus({ preventScroll: true }); // what had the focus is gone
    this.tick();
  }

  // What moves while bytes do, and nothing else: a button is not drawn anew under somebody's finger.
  tick() {
    const { job } = this;
    const share = job.bytes ? job.sent / job.bytes : 1;
    if (job.state === "importing") this.bar.removeAttribute("value");
    else this.bar.value = share;
    this.bar.setAttribute("aria-label", TITLES[job.state] ?? "");
    this.how.textContent = job.state === "importing" ? this.takingIn() : this.sentSoFar();
  }

  takingIn() {
    const { objects, problem } = this.job;
    return problem || (objects ? `${many(objects, "object")} so far` : "Reading what has arrived…");
  }

  sentSoFar() {
    const { job } = this;
    const words = [`${size(job.sent)} of ${size(job.bytes)}`, `${job.done.files.toLocaleString("en")} of ${many(job.files.length, "file")}`];
    const rate = job.state === "sending" ? this.speed() : 0;
    if (rate > 0) words.push(`${size(rate)}/s`, `about ${duration((job.bytes - job.sent) / rate)} left`);
    return words.join(" · ");
  }

  // Bytes a second, the last seconds counting most.
  speed() {
    const now = performance.now();
    const { sent } = this.job;
    if (!this.seen || sent < this.seen.sent) this.seen = { at: now, sent };
    const passed = (now - this.seen.at) / 1000;
    if (passed > 0.5) {
      const present = (sent - this.seen.sent) / passed;
      this.rate = this.rate ? 0.7 * this.rate + 0.3 * present : present;
      this.seen = { at: now, sent };
    }
    return this.rate;
  }

  act(words, act, name, kind = "plain") {
    return button(words, act, { class: kind, "data-focus": name });
  }

  staged() {
    const { what, left } = gathered(this.job.gathered);
    const options = make("datalist", { id: "collections" }, this.collections().map((name) => make("option", { value: name })));
    const field = make("label", { class: "field" }, make("span", {}, "Collection ", make("small", {}, "optional: a name to find them by")), this.collection, options);
    const start = this.act("Upload", () => this.start(), "start", "main");
    const drop = this.act("Discard", () => this.acts.drop(this.job), "drop");
    return [make("p", { class: "what" }, what), left && make("p", { class: "left" }, left), field, make("div", { class: "acts" }, drop, start)];
  }

  progress() {
    const cancel = this.act(this.job.state === "importing" ? "Stop" : "Cancel", () => this.acts.drop(this.job), "drop");
    const pause = this.job.state === "sending" && this.act("Pause", () => this.job.pause(), "pause");
    return [this.bar, this.how, make("div", { class: "acts" }, cancel, pause)];
  }

  paused() {
    return this.halted("Go on");
  }

  stopped() {
    return this.halted("Try again");
  }

  failed() {
    return this.halted("Try again");
  }

  halted(words) {
    const { problem, hint } = this.job;
    const said = problem && make("p", { class: "problem", role: "alert" }, make("b", {}, `${sentence(problem)}.`), hint ? ` ${sentence(hint)}.` : "");
    const on = this.act(words, () => this.acts.goOn(this.job), "on", "main");
    const drop = this.act("Cancel", () => this.acts.drop(this.job), "drop");
    return [said, this.bar, this.how, make("div", { class: "acts" }, drop, on)];
  }

  done() {
    const { report, files, without } = this.job;
    const lines = outcome(report).map(([kind, words]) => make("li", { "data-kind": kind }, words));
    const bad = refusals(report, files, without);
    const count = bad.reduce((sum, reason) => sum + reason.count, 0);
    const refused = bad.length && [make("h4", {}, `${many(count, "file")} not taken in`), make("div", { class: "reasons" }, bad.map(reasonOf))];
    const show = report.chosen && make("a", { href: `browse?chosen=${report.chosen}`, class: "main", "data-focus": "show" }, "Show what arrived");
    const close = this.act("Close", () => this.acts.drop(this.job), "drop");
    return [make("ul", { class: "outcome" }, lines), ...(refused || []), make("div", { class: "acts" }, close, show)];
  }
}

function reasonOf({ reason, count, examples }) {
  const rows = examples.map(([name, detail]) => make("li", {}, make("span", { class: "name", title: name }, name), detail ? make("span", { class: "detail" }, detail) : null));
  const more = count > examples.length && make("li", { class: "rest" }, `and ${(count - examples.length).toLocaleString("en")} more`);
  return make("details", {}, make("summary", {}, make("span", {}, sentence(reason)), make("span", { class: "count" }, count.toLocaleString("en"))), make("ul", {}, rows, more || null));
}

function sentence(words) {
  return words.charAt(0).toUpperCase() + words.slice(1);
}
