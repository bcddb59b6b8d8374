// The series that were found: one page of them.
import { button, make, many, redraw } from "./elements.js";

const COLUMNS = [
  { name: "image", words: "" },
  { name: "patient", words: "Patient", sort: "PatientName" },
  { name: "date", words: "Study date", sort: "StudyDate" },
  { name: "modality", words: "Modality", sort: "Modality" },
  { name: "part", words: "Body part", sort: "BodyPartExamined" },
  { name: "description", words: "Series", sort: "SeriesDescription" },
  { name: "images", words: "Images" },
  { name: "state", words: "Shown as" },
  { name: "collection", words: "Collection" },
];

class Table {
  constructor(model) {
    this.model = model;
    this.el = make("div", { class: "results" });
    this.update();
  }

  say(message) {
    this.el.setAttribute("aria-busy", "true");
    this.model.send_msg(message);
  }

  update() {
    const { rows = [], error, stamp } = this.model.shown;
    this.el.removeAttribute("aria-busy");
    const body = error ? this.failed(error) : rows.length ? this.table(rows) : this.none();
    redraw(this.el, this.top(), body, rows.length && !error ? this.foot(rows) : null);
    this.el.dataset.stamp = stamp;
  }

  top() {
    const { total, chips = [] } = this.model.shown;
    const count = make("p", { class: "total", role: "status" }, total === null || total === undefined ? "Counting…" : many(total, "series", "series"));
    const drops = chips.map(({ name, value, words }) => {
      const drop = button(words, () => this.say({ kind: "drop", name, value }), { class: "chip", title: "No longer narrow by this", "data-focus": `chip ${name}|${value}` });
      drop.append(make("span", { "aria-hidden": "true" }, "×"));
      return drop;
    });
    const clear = chips.length > 1 && button("Clear all", () => this.say({ kind: "clear" }), { class: "clear", "data-focus": "clear" });
    return make("div", { class: "top" }, count, make("div", { class: "chips" }, drops, clear));
  }

  table(rows) {
    const head = make("thead", {}, make("tr", {}, COLUMNS.map((column) => this.heading(column))));
    const body = make("tbody", {}, rows.map((row) => this.row(row)));
    return make("table", {}, make("caption", {}, "Series, one a row; open one with Enter"), head, body);
  }

  heading({ name, words, sort }) {
    const [keyword, direction] = this.model.shown.order ?? [];
    if (!sort) return make("th", { scope: "col", class: name }, words);
    const mine = keyword === sort;
    const sorts = button(words, () => this.say({ kind: "sort", keyword: sort }), { "data-focus": `sort ${sort}` });
    sorts.append(make("span", { class: "arrow", "aria-hidden": "true" }, mine ? (direction === "asc" ? "↑" : "↓") : ""));
    const sorted = mine ? (direction === "asc" ? "ascending" : "descending") : "none";
    return make("th", { scope: "col", class: name, "aria-sort": sorted }, sorts);
  }

  row(row) {
    const title = make("a", { href: row.href, "data-focus": row.key }, row.description || "No description");
    const verdict = make("span", { class: "badge", "data-state": row.state, title: row.kind }, row.words);
    const cells = {
      image: this.image(row),
      patient: [make("div", { class: "main" }, row.name || "No name"), make("div", { class: "sub" }, row.id || "no ID")],
      date: row.date || "–",
      modality: row.modality || "–",
      part: row.part || "–",
      description: [make("div", { class: "main" }, title), make("div", { class: "sub" }, row.kind)],
      images: row.images.toLocaleString("en"),
      state: verdict,
      collection: row.collection || "–",
    };
    const drawn = make("tr", { "data-key": row.key }, COLUMNS.map(({ name }) => make("td", { class: name }, cells[name])));
    drawn.addEventListener("click", (event) => {
      const marking = this.el.getRootNode().getSelection?.().toString() || document.getSelection().toString();
      if (!marking && !event.composedPath().includes(title)) location.assign(row.href);
    });
    return drawn;
  }

  image({ thumbnail, modality }) {
    if (thumbnail) return make("img", { src: thumbnail, alt: "", loading: "lazy", width: 56, height: 56 });
    return make("div", { class: "noimage", "aria-hidden": "true" }, (modality || "?").slice(0, 8));
  }

  foot(rows) {
    const { first, more, total } = this.model.shown;
    const last = first + rows.length - 1;
    const turn = (words, by, able, name) => button(words, () => this.say({ kind: "page", by }), { class: "plain", disabled: !able, "data-focus": name });
    const place = make("span", { class: "place" }, `${first.toLocaleString("en")}–${last.toLocaleString("en")}${typeof total === "number" ? ` of ${total.toLocaleString("en")}` : ""}`);
    return make("nav", { class: "pages", "aria-label": "Pages" }, place, turn("Previous", -1, first > 1, "previous"), turn("Next", 1, more, "next"));
  }

  none() {
    const { chips = [], total, help } = this.model.shown;
    if (total === undefined) return make("div", { class: "empty" }, "Loading…");
    if (chips.length) {
      const clear = button("Clear all filters", () => this.say({ kind: "clear" }), { class: "plain" });
      return make("div", { class: "empty" }, make("h2", {}, "Nothing matches"), make("p", {}, "No series meets all of these filters."), clear);
    }
    return make("div", { class: "empty" }, make("h2", {}, "The archive is empty"), make("p", {}, "Take something in, and it shows up here by itself:"), make("code", {}, help));
  }

  failed(error) {
    const again = button("Try again", () => this.say({ kind: "page", by: 0 }), { class: "plain" });
    return make("div", { class: "empty", role: "alert" }, make("h2", {}, "The list could not be read"), make("p", {}, error), again);
  }
}

export function render({ model }) {
  const table = new Table(model);
  model.on("shown", () => table.update());
  return table.el;
}
