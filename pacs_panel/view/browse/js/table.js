// The list: a bar to search by, what was found, and what can be done with it.
import { button, make, many, redraw } from "./elements.js";
import { Actions } from "./actions.js";
import { Columns } from "./menus.js";
import { Dialog } from "./dialogs.js";
import { Place } from "./place.js";
import { Selection } from "./selection.js";
import { drawBelow, drawRow, mark } from "./row.js";
import { Keys } from "./keys.js";

const PAUSE = 220; // ms without a key after which words are looked for
const LEVELS = [["series", "Series"], ["study", "Studies"]];
const MATCHING = [["any", "Any series matches"], ["all", "All series match"]];

class Table {
  constructor(model) {
    this.model = model;
    this.unfolded = new Set();
    this.selection = new Selection(() => this.marks());
    this.dialog = new Dialog();
    this.actions = new Actions(model, this.selection, this.dialog);
    this.menu = new Columns(model, () => this.update());
    this.top = make("div", { class: "top" });
    this.sheet = make("div", { class: "sheet", tabindex: -1 });
    this.pages = make("nav", { class: "pages", "aria-label": "Pages of the list" });
    const foot = make("div", { class: "foot" }, this.actions.el, this.pages);
    this.el = make("div", { class: "results" }, make("h1", { class: "hidden" }, "Browse"), this.bar(), this.top, this.sheet, foot, this.dialog.el);
    this.keys = new Keys(this);
    this.place = new Place(model, (lost) => (this.lost = lost));
    this.update();
  }

  bar() {
    this.text = make("input", { type: "search", class: "search", placeholder: "Search name, ID, description…", "aria-label": "Search words", "aria-keyshortcuts": "/", autocomplete: "off", spellcheck: "false" });
    this.text.addEventListener("input", () => this.soon());
    this.text.addEventListener("keydown", (event) => event.key === "Enter" && this.search(false));
    this.levels = make("div", { class: "levels", role: "group", "aria-label": "Rows are" });
    const help = button("?", () => this.dialog.help(), { class: "plain round", "aria-label": "Keys", title: "Keys (?)" });
    return make("search", { class: "bar" }, this.text, this.levels, this.menu.el, help);
  }

  soon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.search(true), PAUSE);
  }

  search(typing) {
    clearTimeout(this.timer);
    this.timer = null;
    if (this.text.value !== (this.model.shown.text ?? "")) this.say({ kind: "set", name: "text", value: this.text.value, typing });
  }

  say(message) {
    this.sheet.setAttribute("aria-busy", "true");
    if (!["page", "sort", "rows"].includes(message.kind) && this.selection.all) this.selection.clear();
    this.model.send_msg(message);
  }

  // -- drawing --------------------------------------------------------------------------------------------------------

  update() {
    const { rows = [], error, stamp, text, waiting } = this.model.shown;
    this.sheet.removeAttribute("aria-busy");
    if (!this.timer) this.text.value = text ?? "";
    this.drawLevels();
    this.drawTop();
    this.menu.draw();
    const first = rows[0]?.key !== this.firstKey;
    this.firstKey = rows[0]?.key;
    redraw(this.sheet, this.notice(), waiting ? this.skeleton() : error ? this.failed(error) : rows.length ? this.table(rows) : this.none());
    if (first) this.sheet.scrollTop = 0;
    this.drawFoot();
    this.actions.draw();
    this.el.dataset.stamp = stamp;
  }

  drawLevels() {
    const { level } = this.model.shown;
    const one = ([name, words]) => button(words, () => this.say({ kind: "level", level: name }), { "aria-pressed": String(level === name), "data-focus": `level ${name}` });
    redraw(this.levels, LEVELS.map(one));
  }

  drawTop() {
    const { chips = [], level, error } = this.model.shown;
    const { total } = this.model;
    const found = typeof total === "number" ? (level === "study" ? many(total, "study", "studies") : many(total, "series", "series")) : error ? "Not counted" : "Counting…";
    const drops = chips.map(({ name, value, words }) => {
      const drop = button("", () => this.say({ kind: "drop", name, value }), { class: "chip", title: "No longer narrow by this", "data-focus": `chip ${name}|${value}` });
      drop.append(make("span", { class: "words" }, words), make("span", { class: "cross", "aria-hidden": "true" }, "×"), make("span", { class: "hidden" }, ", remove"));
      return drop;
    });
    const { matching } = this.model.shown;
    const choice = ([name, words]) => button(words, () => this.say({ kind: "matching", matching: name }), { "aria-pressed": String(matching === name), "data-focus": `matching ${name}` });
    const choose = level === "study" && chips.length > 0 && make("div", { class: "levels matching", role: "group", "aria-label": "Studies of which" }, MATCHING.map(choice));
    const clear = chips.length > 1 && button("Clear all", () => this.say({ kind: "clear" }), { class: "clear", "data-focus": "clear" });
    const save = this.model.can.organise && chips.length > 0 && matching === "any" && button("Save…", () => this.actions.save(), { class: "clear", title: "Keep this search under a name", "data-focus": "save" });
    redraw(this.top, make("p", { class: "total", role: "status" }, found), make("div", { class: "chips" }, drops, clear, save), choose);
  }

  table(rows) {
    const columns = this.menu.shown();
    const all = make("input", { type: "checkbox", class: "pick", "aria-label": "Select all rows of this page", "data-focus": "pick all" });
    all.addEventListener("change", () => this.selection.put(rows, all.checked));
    const head = make("thead", {}, make("tr", {}, make("th", { class: "pick" }, make("label", {}, all)), columns.map((column) => this.heading(column))));
    const body = make("tbody", {}, rows.flatMap((row) => [drawRow(this, row, columns), ...(this.unfolded.has(row.key) ? drawBelow(this, row, columns.length) : [])]));
    const drawn = make("table", {}, make("caption", {}, "What was found, one a row; open one with Enter"), head, body);
    this.all = all;
    this.marks(drawn, false);
    return drawn;
  }

  heading({ name, words, sort, number }) {
    const classes = `${name}${number ? " number" : ""}`;
    const [keyword, direction] = this.model.shown.order ?? [];
    if (!sort) return make("th", { scope: "col", class: classes }, name === "image" ? make("span", { class: "hidden" }, words) : words);
    const mine = keyword === sort;
    const sorts = button(words, () => this.say({ kind: "sort", keyword: sort }), { "data-focus": `sort ${sort}` });
    sorts.append(make("span", { class: "arrow", "aria-hidden": "true" }, mine ? (direction === "asc" ? "↑" : "↓") : ""));
    return make("th", { scope: "col", class: classes, "aria-sort": mine ? (direction === "asc" ? "ascending" : "descending") : "none" }, sorts);
  }

  drawFoot() {
    const { first = 1, more, rows = [], error } = this.model.shown;
    const { total } = this.model;
    this.pages.hidden = !rows.length || Boolean(error);
    if (this.pages.hidden) return redraw(this.pages);
    const last = first + rows.length - 1;
    const turn = (words, by, able, name) => button(words, () => this.turn(by), { class: "plain", disabled: !able, "data-focus": name });
    const place = make("span", { class: "place" }, `${first.toLocaleString("en")}–${last.toLocaleString("en")}${typeof total === "number" ? ` of ${total.toLocaleString("en")}` : ""}`);
    redraw(this.pages, place, first > 1 ? turn("First", "first", true, "first") : null, turn("Previous", -1, first > 1, "previous"), turn("Next", 1, more, "next"));
  }

  skeleton() {
    const line = (_, number) => make("div", { class: "bone", style: `--wide: ${62 + ((number * 17) % 35)}%` }, make("span"), make("span"), make("span"), make("span"));
    return make("div", { class: "bones", role: "status", "aria-label": "Loading" }, Array.from({ length: 12 }, line));
  }

  notice() {
    if (!this.lost || this.model.shown.chips?.some(({ name }) => name === "text")) return null;
    const close = button("Understood", () => ((this.lost = false), this.update()), { class: "plain" });
    return make("div", { class: "notice", role: "status" }, make("p", {}, "Words that were searched for are not part of an address, so that no patient's name travels in a link. They stay in the tab in which they were typed; all else of the address is shown."), close);
  }

  none() {
    const { chips = [], help } = this.model.shown;
    if (chips.length) {
      const clear = button("Clear all filters", () => this.say({ kind: "clear" }), { class: "plain" });
      return make("div", { class: "empty" }, make("h2", {}, "Nothing matches"), make("p", {}, "No series meets all of these filters."), clear);
    }
    return make("div", { class: "empty" }, make("h2", {}, "The archive is empty"), make("p", {}, "Take something in, and it shows up here by itself:"), make("code", {}, help));
  }

  failed(error) {
    const { gone } = this.model.shown;
    const way = gone ? button("Show everything", () => this.say({ kind: "clear" }), { class: "plain" }) : button("Try again", () => this.say({ kind: "page", by: 0 }), { class: "plain" });
    return make("div", { class: "empty", role: "alert" }, make("h2", {}, gone ? "This selection is gone" : "The list could not be read"), make("p", {}, error), way);
  }

  // -- doing ----------------------------------------------------------------------------------------------------------

  turn(by) {
    this.say({ kind: "page", by });
  }

  open(row) {
    if (row.level === "study") this.unfold(row);
    else location.assign(row.href);
  }

  unfold(row, open = !this.unfolded.has(row.key)) {
    if (open === this.unfolded.has(row.key)) return;
    this.unfolded[open ? "add" : "delete"](row.key);
    if (open && !this.model.below[row.key]) this.model.send_msg({ kind: "unfold", key: row.key });
    this.update();
  }

  // Rows were read anew: what is unfolded is, too.
  reread() {
    if (this.model.shown.level !== "study") this.unfolded.clear();
    const here = new Set((this.model.shown.rows ?? []).map(({ key }) => key));
    for (const key of this.unfolded) {
      if (!here.has(key)) this.unfolded.delete(key);
      else if (!this.model.below[key]) this.model.send_msg({ kind: "unfold", key });
    }
    this.update();
  }

  // Rows as they are drawn, those of unfolded studies among them.
  drawn() {
    return (this.model.shown.rows ?? []).flatMap((row) => [row, ...(this.unfolded.has(row.key) ? (this.model.below[row.key]?.rows ?? []) : [])]);
  }

  pick(row, on, through) {
    this.selection.pick(row, on, this.drawn(), through);
  }

  marks(root = this.sheet, bar = true) {
    for (const drawn of root.querySelectorAll("tr[data-key]")) mark(drawn, this.selection.has({ level: drawn.dataset.level, key: drawn.dataset.key }));
    const rows = this.model.shown.rows ?? [];
    const picked = rows.filter((row) => this.selection.has(row)).length;
    if (this.all) {
      this.all.checked = picked > 0 && picked === rows.length;
      this.all.indeterminate = picked > 0 && picked < rows.length;
    }
    if (bar) this.actions.draw();
  }

  end() {
    this.keys.end();
    this.place.end();
  }
}

export function render({ model }) {
  const table = new Table(model);
  model.on("shown", () => table.reread());
  model.on("below", () => table.update());
  model.on("can", () => table.actions.draw());
  model.on("total", () => {
    table.drawTop();
    table.drawFoot();
  });
  model.on("remove", () => table.end());
  return table.el;
}
