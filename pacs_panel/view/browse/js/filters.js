// What the list is narrowed by: values with their counts, and ranges with small histograms.
import { button, make, redraw } from "./elements.js";
import { Ranges } from "./ranges.js";

const FEW = 8; // values seen of a long facet
const LONG = 12; // values from which on one can look for them
const FOLDS = "pacs_panel folds";
const WAIT = 200;

class Filters {
  constructor(model) {
    this.model = model;
    this.whole = new Set();
    this.words = {};
    this.folds = stored();
    this.ranges = new Ranges((keyword, low, high) => this.say({ kind: "range", keyword, low, high }));
    this.facets = make("div", { class: "facets" });
    this.el = make("search", { class: "filters", "aria-label": "Filters" }, make("h2", { class: "hidden" }, "Filters"), this.facets);
    this.tellOpen();
    this.update();
  }

  say(message) {
    this.el.setAttribute("aria-busy", "true");
    this.model.send_msg(message);
  }

  isOpen({ keyword, open, ends, values }) {
    return this.folds[keyword] ?? (open || ends?.some(Boolean) || values?.some(({ chosen }) => chosen) || false);
  }

  tellOpen() {
    const said = Object.entries(this.folds);
    const open = (this.model.shown.facets ?? []).filter((facet) => this.isOpen(facet)).map(({ keyword }) => keyword);
    if (said.length) this.model.send_msg({ kind: "open", keywords: [...new Set([...open, ...said.filter(([, on]) => on).map(([keyword]) => keyword)])] });
  }

  update() {
    const { facets, named, failed } = this.model.shown;
    this.el.removeAttribute("aria-busy");
    this.counting();
    const told = failed ? make("p", { class: "failed", role: "alert" }, failed) : facets?.length ? null : this.bones();
    const typing = this.el.getRootNode().activeElement;
    const where = typing?.matches?.("input[type=search]") ? typing.selectionStart : null;
    redraw(this.facets, told, named?.length ? this.named(named) : null, facets?.map((facet) => this.facet(facet)));
    if (where !== null) this.el.getRootNode().activeElement?.setSelectionRange?.(where, where);
  }

  counting() {
    this.facets.toggleAttribute("data-counting", this.model.counting);
  }

  bones() {
    return make("div", { class: "bones", role: "status", "aria-label": "Counting" }, Array.from({ length: 5 }, () => make("div", { class: "bone" }, make("span"), make("span"), make("span"))));
  }

  // Collections by rule, and searches that were saved.
  named(named) {
    const look = ({ of, name }) => button(name, () => this.say({ kind: "look", of, name }), { class: "more look", "data-focus": `look ${of} ${name}` });
    const line = (one) => make("li", { class: "named" }, look(one), make("span", { class: "count" }, one.of === "rule" ? "by rule" : "search"));
    const head = make("summary", { "data-focus": "named fold" }, make("h3", {}, "Rules and saved searches"));
    const drawn = make("details", { "data-facet": "named", open: this.folds.named ?? true }, head, make("div", { class: "body" }, make("ul", {}, named.map(line))));
    drawn.addEventListener("toggle", () => {
      this.folds.named = drawn.open;
      localStorage.setItem(FOLDS, JSON.stringify(this.folds));
    });
    return drawn;
  }

  facet(facet) {
    const { keyword, words, kind, values, ends } = facet;
    const chosen = kind === "values" ? values.filter((value) => value.chosen).length : Number(ends.some(Boolean));
    const head = make("summary", { "data-focus": `${keyword} fold` }, make("h3", {}, words), chosen ? make("span", { class: "chosen", "aria-label": `${chosen} chosen` }, String(chosen)) : null);
    const drawn = make("details", { "data-facet": keyword, open: this.isOpen(facet) }, head, kind === "values" ? this.values(facet) : this.ranges.draw(facet));
    drawn.addEventListener("toggle", () => this.fold(keyword, drawn.open));
    return drawn;
  }

  fold(keyword, open) {
    const facet = this.model.shown.facets.find((one) => one.keyword === keyword);
    if (!facet || this.isOpen(facet) === open) return;
    this.folds[keyword] = open;
    localStorage.setItem(FOLDS, JSON.stringify(this.folds));
    this.tellOpen();
  }

  values(facet) {
    const { keyword, values, whole } = facet;
    const wanted = (this.words[keyword] ?? "").trim().toLowerCase();
    const all = this.whole.has(keyword);
    const found = wanted ? this.found(facet, wanted) : values.filter(({ chosen }, place) => all || chosen || place < FEW);
    const list = make("ul", {}, (found ?? []).map((value) => make("li", {}, this.value(keyword, value))));
    const none = wanted && found && !found.length ? make("p", { class: "nothing" }, "No such value") : wanted && !found ? make("p", { class: "nothing" }, "Looking…") : null;
    const more = !wanted && values.length > FEW && button(all ? "Show fewer" : `Show ${whole ? "all" : "the first"} ${values.length}`, () => this.turn(keyword), { class: "more", "data-focus": `${keyword} more` });
    const chosen = values.filter((value) => value.chosen).length;
    const clear = chosen > 1 && button("Clear", () => this.say({ kind: "none", keyword }), { class: "more", "data-focus": `${keyword} none` });
    return make("div", { class: "body" }, values.length > LONG || !whole ? this.search(facet) : null, list, none, make("div", { class: "mores" }, more, clear));
  }

  search({ keyword, words, whole }) {
    const input = make("input", { type: "search", placeholder: `Find in ${words.toLowerCase()}`, "aria-label": `Find in ${words}`, autocomplete: "off", spellcheck: "false", "data-focus": `${keyword} search` });
    input.value = this.words[keyword] ?? "";
    input.addEventListener("input", () => {
      this.words[keyword] = input.value;
      this.update();
      if (!whole && input.value.trim()) this.seek(keyword);
    });
    return input;
  }

  seek(keyword) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.model.send_msg({ kind: "seek", keyword, words: this.words[keyword].trim() }), WAIT);
  }

  // Values with the words in them; of a facet with more values than are here, those that were looked for.
  found({ keyword, values, whole }, wanted) {
    const { sought } = this.model;
    if (whole) return values.filter(({ words }) => words.toLowerCase().includes(wanted));
    if (sought.keyword !== keyword || sought.words.toLowerCase() !== wanted) return null;
    const chosen = new Set(values.filter((one) => one.chosen).map(({ value }) => value));
    return sought.values.map((one) => ({ ...one, chosen: chosen.has(one.value) }));
  }

  value(keyword, { value, words, count, chosen }) {
    const box = make("input", { type: "checkbox", checked: chosen, "data-focus": `${keyword}|${value}` });
    box.checked = chosen;
    box.addEventListener("change", () => this.say({ kind: "toggle", keyword, value }));
    const name = make("span", { class: value === null ? "name none" : "name", title: words }, words);
    return make("label", { class: count ? "" : "zero" }, box, name, make("span", { class: "count" }, count.toLocaleString("en")));
  }

  turn(keyword) {
    if (!this.whole.delete(keyword)) this.whole.add(keyword);
    this.update();
  }
}

function stored() {
  try {
    return JSON.parse(localStorage.getItem(FOLDS)) ?? {};
  } catch {
    return {};
  }
}

export function render({ model }) {
  const filters = new Filters(model);
  model.on("shown", () => filters.update());
  model.on("sought", () => filters.update());
  model.on("counting", () => filters.counting());
  return filters.el;
}
