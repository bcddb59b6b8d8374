// A patient: who, the timeline, and each study with its series and what speaks of them.
import { button, make, many, picture, redraw } from "./elements.js";
import { Remarks } from "./remarks.js";
import { Timeline } from "./timeline.js";

const OPEN = 12; // studies that are unfolded from the start

class Patient {
  constructor(model) {
    this.model = model;
    this.folded = new Map();
    this.remarks = new Remarks(model);
    this.timeline = new Timeline((key) => this.go(key));
    this.known = make("datalist", { id: "known-tags" });
    this.head = make("div");
    this.list = make("div", { class: "studies" });
    this.el = make("div", { class: "patient" }, this.head, this.timeline.el, this.list, this.known);
    this.update();
  }

  update() {
    const { state, studies = [], known = [] } = this.model.shown;
    this.known.replaceChildren(...known.map((value) => make("option", { value })));
    if (state !== "shown") return this.none();
    redraw(this.head, this.who());
    const drawn = JSON.stringify(studies);
    if (drawn !== this.drawn) this.timeline.update(studies);
    this.drawn = drawn;
    this.drawStudies();
  }

  none() {
    const { title = "Loading…", words = "" } = this.model.shown;
    this.timeline.el.hidden = true;
    this.list.replaceChildren();
    redraw(this.head, make("div", { class: "empty", role: "status" }, make("h2", {}, title), make("p", {}, words), make("a", { href: "browse" }, "Back to Browse")));
  }

  // -- who

  who() {
    const { who, studies, differs = [], key } = this.model.shown;
    const series = studies.reduce((sum, { count }) => sum + count, 0);
    const facts = [...who.facts.map(([what, how]) => `${what} ${how}`), `${many(studies.length, "study", "studies")}, ${many(series, "series", "series")}`];
    return make(
      "header",
      { class: "who" },
      make("a", { class: "back", href: "browse" }, "← Browse"),
      make("h1", {}, who.name || "No name", make("span", {}, who.id || "no ID")),
      make("p", { class: "facts" }, facts.map((words) => make("span", {}, words))),
      differs.length ? this.differs(differs) : null,
      this.remarks.draw("patient", key, () => this.update()),
    );
  }

  differs(differs) {
    const lines = differs.map(({ what, values }) => make("div", {}, make("dt", {}, what), values.map(([value, where]) => make("dd", {}, make("b", {}, value), make("span", {}, where)))));
    return make("section", { class: "differs", "aria-label": "Differences" }, make("h2", { class: "small" }, "Studies differ in what they say of the patient"), make("dl", {}, lines));
  }

  // -- studies

  drawStudies() {
    const { studies } = this.model.shown;
    const none = make("div", { class: "empty" }, make("h2", {}, "No studies"), make("p", {}, "Nothing of this patient is here now."));
    redraw(this.list, studies.length ? studies.map((study, n) => this.study(study, n)) : none);
  }

  study(study, n) {
    const open = this.folded.get(study.key) ?? n < OPEN;
    const about = [study.age && `aged ${study.age}`, ...study.facts.map(([what, how]) => `${what} ${how}`), many(study.count, "series", "series")].filter(Boolean);
    const heading = button("", () => this.fold(study.key, !open), { class: "fold", "aria-expanded": String(open), "data-focus": `study ${study.key}` });
    heading.append(make("span", { class: "turn", "aria-hidden": "true" }, open ? "▾" : "▸"), make("b", {}, study.date || "No date"), make("span", { class: "title" }, study.title || "No description"), make("span", { class: "modalities" }, study.modalities.map(([name]) => name).join(", ")));
    const body = open && make("div", { class: "body" }, make("p", { class: "facts" }, about.map((words) => make("span", {}, words))), this.remarks.draw("study", study.key, () => this.drawStudies()), make("ul", { class: "series" }, study.series.map((line) => this.series(line))));
    return make("section", { class: "study", "data-study": study.key, tabindex: -1 }, make("h2", {}, heading), body);
  }

  fold(key, open) {
    this.folded.set(key, open);
    this.drawStudies();
  }

  series(line) {
    const { key, objects } = line;
    const beneath = objects?.length > 0 && make("ul", { class: "objects", "aria-label": "Objects that speak of it" }, objects.map((object) => this.series(object)));
    const title = make("a", { href: line.href, "data-focus": `series ${key}` }, line.description || line.kind || "No description");
    const images = line.state === "document" || line.state === "overlay" ? many(line.images, "object") : many(line.images, "image");
    const facts = [line.modality, line.part, line.description && line.kind, images].filter(Boolean);
    const badge = make("span", { class: "badge", "data-state": line.state }, line.words);
    const texts = make("div", { class: "texts" }, make("div", { class: "main" }, title, badge), make("p", { class: "facts" }, facts.map((words) => make("span", {}, words))));
    const row = make("div", { class: "line" }, picture(line, 52), texts, this.remarks.draw("series", key, () => this.drawStudies()));
    return make("li", { "data-series": key }, row, beneath || null);
  }

  // Unfold a study, bring it into sight, and put the keyboard there.
  go(key) {
    this.fold(key, true);
    const study = this.list.querySelector(`[data-study="${CSS.escape(key)}"]`);
    study?.scrollIntoView({ block: "start" });
    study?.querySelector(".fold").focus({ preventScroll: true });
    for (const other of this.list.querySelectorAll(".gone-to")) other.classList.remove("gone-to");
    study?.classList.add("gone-to");
  }

  close() {
    this.timeline.close();
  }
}

export function render({ model }) {
  const patient = new Patient(model);
  model.on("shown", () => patient.update());
  model.on("remove", () => patient.close());
  return patient.el;
}
