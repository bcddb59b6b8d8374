// Which columns there are, in which order, and how many rows to a page.
import { button, make, redraw } from "./elements.js";

const CHOSEN = "pacs_panel columns";

export class Columns {
  constructor(model, changed) {
    this.model = model;
    this.changed = changed;
    this.local = {};
    this.button = button("Columns", () => this.turn(), { class: "plain", "aria-expanded": "false", "aria-haspopup": "true" });
    this.menu = make("div", { class: "menu", hidden: true, role: "group", "aria-label": "Columns and rows" });
    this.el = make("div", { class: "menus" }, this.button, this.menu);
    this.el.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || this.menu.hidden) return;
      event.preventDefault(); // which would clear the selection, too
      this.close(true);
    });
    this.outside = (event) => !event.composedPath().includes(this.el) && this.close(false);
  }

  turn() {
    if (!this.menu.hidden) return this.close(true);
    this.menu.hidden = false;
    this.button.setAttribute("aria-expanded", "true");
    document.addEventListener("pointerdown", this.outside);
    this.draw();
    this.menu.querySelector("input")?.focus();
  }

  close(focus) {
    if (this.menu.hidden) return;
    this.menu.hidden = true;
    this.button.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", this.outside);
    if (focus) this.button.focus();
  }

  // Names of the columns shown: what the address says, else what was chosen here before, else the usual ones.
  names() {
    const { level, columns, heads = [] } = this.model.shown;
    const known = new Set(heads.map(({ name }) => name));
    const said = this.local[level] ?? (columns?.length ? columns : stored(level));
    const names = (said ?? []).filter((name) => known.has(name));
    return names.length ? names : heads.filter(({ first }) => first).map(({ name }) => name);
  }

  shown() {
    const heads = new Map((this.model.shown.heads ?? []).map((head) => [head.name, head]));
    return this.names().map((name) => heads.get(name));
  }

  choose(names) {
    const { level } = this.model.shown;
    if (names.length) localStorage.setItem(`${CHOSEN} ${level}`, JSON.stringify(names));
    else localStorage.removeItem(`${CHOSEN} ${level}`);
    this.local[level] = names;
    this.model.send_msg({ kind: "columns", columns: names });
    this.draw();
    this.changed();
  }

  forget() {
    this.local = {};
  }

  draw() {
    if (this.menu.hidden) return;
    const { heads = [], size, sizes = [] } = this.model.shown;
    const names = this.names();
    const words = new Map(heads.map((head) => [head.name, head.words]));
    const others = heads.map(({ name }) => name).filter((name) => !names.includes(name));
    const line = (name, place) => make("li", {}, this.box(name, words.get(name), names), place === undefined ? null : this.moves(name, words.get(name), names, place));
    const rows = make("label", { class: "size" }, "Rows a page", this.sizes(size, sizes));
    const reset = button("Usual columns", () => this.choose([]), { class: "plain", "data-focus": "reset" });
    redraw(this.menu, make("ul", {}, names.map(line)), others.length ? make("ul", { class: "others" }, others.map((name) => line(name))) : null, make("div", { class: "foot" }, rows, reset));
  }

  box(name, words, names) {
    const on = names.includes(name);
    const box = make("input", { type: "checkbox", checked: on, disabled: on && names.length === 1, "data-focus": `column ${name}` });
    box.addEventListener("change", () => this.choose(box.checked ? [...names, name] : names.filter((one) => one !== name)));
    return make("label", {}, box, words);
  }

  moves(name, words, names, place) {
    const to = (by, sign, says) => {
      const swap = () => this.choose(names.map((one, at) => (at === place ? names[place + by] : at === place + by ? name : one)));
      return button(sign, swap, { class: "move", "aria-label": `Move ${words} ${says}`, disabled: !names[place + by], "data-focus": `${says} ${name}` });
    };
    return make("span", { class: "moves" }, to(-1, "↑", "up"), to(1, "↓", "down"));
  }

  sizes(size, sizes) {
    const choice = make("select", { "data-focus": "rows" }, sizes.map((number) => make("option", { value: number, selected: number === size }, String(number))));
    choice.addEventListener("change", () => this.model.send_msg({ kind: "rows", rows: Number(choice.value) }));
    return choice;
  }
}

function stored(level) {
  try {
    return JSON.parse(localStorage.getItem(`${CHOSEN} ${level}`));
  } catch {
    return null;
  }
}
