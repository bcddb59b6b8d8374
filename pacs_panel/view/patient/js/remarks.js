// What people said of something: tags, a rating, notes. What is being written is kept when the page is drawn anew.
import { button, make, many } from "./elements.js";

export class Remarks {
  constructor(model) {
    this.model = model;
    this.drafts = new Map();
    this.open = new Set();
  }

  say(kind, level, key, value) {
    this.model.send_msg({ kind, level, key, value });
  }

  draw(level, key, again) {
    const { remarks = {}, said = {} } = this.model.shown;
    const found = remarks[key];
    if (!found) return null;
    const trouble = said[key] && make("p", { class: "trouble", role: "alert" }, said[key]);
    const notes = this.open.has(key) && this.notes(level, key, found);
    const shown = this.open.has(key);
    const words = found.notes.length ? many(found.notes.length, "note") : "Add note";
    const more = button(words, () => this.turn(key, again), { class: "link", "aria-expanded": String(shown), "data-focus": `notes ${key}` });
    return make("div", { class: "remarks" }, make("div", { class: "row" }, this.tags(level, key, found), this.rating(level, key, found), more), trouble, notes);
  }

  turn(key, again) {
    if (!this.open.delete(key)) this.open.add(key);
    again();
  }

  tags(level, key, { tags }) {
    const chips = tags.map((tag) => {
      const chip = button(tag, () => this.say("untag", level, key, tag), { class: "chip", title: "Take this tag back", "aria-label": `Take back the tag ${tag}`, "data-focus": `tag ${key} ${tag}` });
      chip.append(make("span", { "aria-hidden": "true" }, "×"));
      return chip;
    });
    const input = this.field("input", `new tag ${key}`, { class: "tag", placeholder: "+ tag", "aria-label": "New tag", list: "known-tags", maxlength: 100, autocomplete: "off", spellcheck: "false", size: 8 });
    this.sends(input, () => this.say("tag", level, key, input.value.trim()));
    return make("div", { class: "tags" }, chips, input);
  }

  rating(level, key, { mine, ratings }) {
    const stars = [1, 2, 3, 4, 5].map((value) => {
      const star = button(value <= mine ? "★" : "☆", () => this.say("rate", level, key, value === mine ? 0 : value), { class: value <= mine ? "star on" : "star", "aria-label": `${many(value, "star")}${value === mine ? ", take back" : ""}`, "aria-pressed": String(value === mine), "data-focus": `star ${key} ${value}` });
      return star;
    });
    const others = ratings.length > 0 && make("span", { class: "others" }, ratings.map(([by, value]) => `${by} ${value}`).join(", "));
    return make("div", { class: "rating", role: "group", "aria-label": mine ? `Your rating: ${mine} of 5` : "Not rated by you" }, stars, others);
  }

  notes(level, key, { notes }) {
    const items = notes.map(({ id, text, by, at }) => make("li", {}, make("p", {}, text), make("span", {}, `${by}, ${at}`), button("Remove", () => this.say("unnote", level, key, id), { class: "link", "data-focus": `unnote ${id}` })));
    const area = this.field("textarea", `new note ${key}`, { rows: 2, placeholder: "A note for everyone who may read this", "aria-label": "New note", maxlength: 10000 });
    const add = () => area.value.trim() && this.send(area, () => this.say("note", level, key, area.value.trim()));
    area.addEventListener("keydown", (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && add());
    return make("div", { class: "notes" }, make("ul", {}, items), area, button("Add note", add, { class: "plain", "data-focus": `add ${key}` }));
  }

  field(tag, name, attributes) {
    const made = make(tag, { ...attributes, "data-focus": name });
    made.value = this.drafts.get(name) ?? "";
    made.addEventListener("input", () => this.drafts.set(name, made.value));
    return made;
  }

  sends(input, act) {
    input.addEventListener("keydown", (event) => event.key === "Enter" && input.value.trim() && this.send(input, act));
    // A tag that is chosen from the list is meant.
    input.addEventListener("input", (event) => event.inputType === "insertReplacementText" && input.value.trim() && this.send(input, act));
  }

  send(field, act) {
    act();
    this.drafts.delete(field.dataset.focus);
    field.value = "";
  }
}
