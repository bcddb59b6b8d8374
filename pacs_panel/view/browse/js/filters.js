// What the list is narrowed by: words, dates, and values with their counts.
import { button, make, redraw } from "./elements.js";

const PAUSE = 250; // ms without a key after which words are looked for
const FEW = 8;

class Filters {
  constructor(model) {
    this.model = model;
    this.whole = new Set();
    this.text = make("input", { type: "search", placeholder: "Name, ID, description, …", "aria-label": "Search words", autocomplete: "off", spellcheck: "false" });
    this.text.addEventListener("input", () => this.soon());
    this.text.addEventListener("keydown", (event) => event.key === "Enter" && this.say("text", this.text.value));
    this.since = this.date("since", "From");
    this.until = this.date("until", "Until");
    this.facets = make("div", { class: "facets" });
    const dates = make("fieldset", { class: "dates" }, make("legend", {}, "Study date"), this.since.parentNode, this.until.parentNode);
    this.el = make("search", { class: "filters" }, this.text, dates, this.facets);
    this.update();
  }

  date(name, words) {
    const input = make("input", { type: "date", "aria-label": `${words} study date`, min: "1890-01-01", max: "9999-12-31" });
    input.addEventListener("change", () => input.validity.valid && this.say(name, input.value));
    make("label", {}, words, input);
    return input;
  }

  soon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.say("text", this.text.value), PAUSE);
  }

  say(name, value) {
    clearTimeout(this.timer);
    this.model.send_msg({ kind: "set", name, value });
  }

  update() {
    const { text, since, until, facets } = this.model.shown;
    const typing = this.el.getRootNode().activeElement;
    for (const [input, value] of [[this.text, text], [this.since, since], [this.until, until]]) {
      if (input !== typing || value === "") input.value = value ?? "";
    }
    redraw(this.facets, facets?.length ? facets.map((facet) => this.facet(facet)) : make("p", { class: "counting" }, "Counting…"));
  }

  facet({ keyword, words, values }) {
    const all = this.whole.has(keyword);
    const shown = values.filter(({ chosen }, place) => all || chosen || place < FEW);
    const title = make("h3", {}, words);
    const list = make("ul", {}, shown.map((value) => make("li", {}, this.value(keyword, value))));
    const more = values.length > FEW && button(all ? "Show fewer" : `Show all ${values.length}`, () => this.turn(keyword), { class: "more", "data-focus": `${keyword} more` });
    return make("section", { "data-facet": keyword }, title, list, more);
  }

  value(keyword, { value, words, count, chosen }) {
    const box = make("input", { type: "checkbox", checked: chosen, "data-focus": `${keyword}|${value}` });
    box.checked = chosen;
    box.addEventListener("change", () => this.model.send_msg({ kind: "toggle", keyword, value }));
    const name = make("span", { class: value === null ? "name none" : "name", title: words }, words);
    return make("label", {}, box, name, make("span", { class: "count" }, count.toLocaleString("en")));
  }

  turn(keyword) {
    if (!this.whole.delete(keyword)) this.whole.add(keyword);
    this.update();
  }
}

export function render({ model }) {
  const filters = new Filters(model);
  model.on("shown", () => filters.update());
  return filters.el;
}
