// How many series there are, by what they are narrowed, and where to go with them.
import { button, make, many, redraw } from "./elements.js";

class Summary {
  constructor(model) {
    this.model = model;
    this.asking = false;
    this.name = make("input", { type: "text", "aria-label": "Name of the cohort", placeholder: "Name of the cohort", maxlength: "200", autocomplete: "off", "data-focus": "name" });
    this.form = make("form", { class: "freeze" }, this.name, make("button", { type: "submit", class: "plain" }, "Freeze"), button("Cancel", () => this.ask(false), { class: "quiet" }));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.name.value.trim()) this.say("freeze", { name: this.name.value.trim() });
    });
    this.form.addEventListener("keydown", (event) => event.key === "Escape" && this.ask(false));
    this.el = make("div", { class: "line" });
    this.update();
  }

  say(kind, more = {}) {
    this.model.send_msg({ kind, ...more });
  }

  ask(asking) {
    this.asking = asking;
    this.update();
    if (asking) this.name.focus();
  }

  update() {
    const { state, frozen } = this.model.shown;
    if (frozen && frozen !== this.frozen) this.asking = false;
    this.frozen = frozen;
    this.el.setAttribute("aria-busy", String(state === "loading"));
    redraw(this.el, make("h1", { class: "hidden" }, "Charts"), state === "shown" ? this.told() : state === "loading" ? this.loading() : this.message());
  }

  told() {
    const { count, whole, base, brushes, browse, freezes, frozen, said, stale } = this.model.shown;
    const total = count === whole ? many(whole, "series", "series") : `${count.toLocaleString("en")} of ${many(whole, "series", "series")}`;
    return [
      make(
        "div",
        { class: "top" },
        make("p", { class: "total", role: "status" }, total),
        make("div", { class: "chips" }, base.map((words) => make("span", { class: "fixed" }, words)), brushes.map((brush) => this.chip(brush))),
        brushes.length ? button("Clear all", () => this.say("clear"), { class: "quiet", "data-focus": "clear" }) : null,
        make(
          "div",
          { class: "ways" },
          stale ? button("The archive has changed: count again", () => this.say("again"), { class: "plain", "data-focus": "again" }) : null,
          browse && count ? make("a", { href: browse, class: "plain", "data-focus": "browse" }, "Show these series in Browse") : null,
          freezes && count && !this.asking ? button("Freeze as cohort…", () => this.ask(true), { class: "plain", "data-focus": "ask" }) : null,
        ),
      ),
      this.asking ? this.form : null,
      said ? make("p", { class: "said", role: "alert" }, said) : null,
      frozen ? make("p", { class: "said", role: "status" }, "Frozen as ", make("a", { href: `cohorts?name=${encodeURIComponent(frozen)}` }, frozen), ".") : null,
      brushes.length || !this.model.shown.hint ? null : make("p", { class: "hint" }, this.model.shown.hint),
    ];
  }

  chip({ keyword, words }) {
    return button([make("b", {}, words), make("span", { "aria-hidden": "true" }, "×")], () => this.say("drop", { keyword }), { class: "chip", "data-focus": `chip ${keyword}`, "aria-label": `No longer narrowed by ${words}`, title: words });
  }

  loading() {
    return [
      make("div", { class: "top" }, make("p", { class: "total", role: "status" }, "Counting…")),
      make("div", { class: "bones", "aria-hidden": "true" }, Array.from({ length: 6 }, () => make("i", {}))),
    ];
  }

  message() {
    const { title, words, link, again } = this.model.shown;
    return make(
      "div",
      { class: "empty", role: "status" },
      make("h2", {}, title ?? ""),
      make("p", {}, words ?? ""),
      again ? button("Try again", () => this.say("again"), { class: "plain" }) : null,
      link ? make("a", { href: link[0], class: "plain" }, link[1]) : null,
    );
  }
}

export function render({ model }) {
  const summary = new Summary(model);
  model.on("shown", () => summary.update());
  return summary.el;
}
