// What is linked, above the series that are compared.
import { make, redraw } from "./elements.js";

class LinkBar {
  constructor(model) {
    this.model = model;
    this.el = make("header", { class: "linkbar" });
    this.keys = (event) => this.keyed(event);
    document.addEventListener("keydown", this.keys);
    this.update();
  }

  update() {
    const { title, links = [], notes = [] } = this.model.shown;
    const back = make("a", { class: "back", href: "browse" }, "← Browse");
    const switches = links.length > 0 && make("fieldset", { class: "links" }, make("legend", {}, "Linked"), links.map((link) => this.link(link)));
    const said = notes.map((words) => make("p", { class: "note", role: "status" }, words));
    redraw(this.el, back, make("h1", {}, title ?? ""), switches, ...said);
  }

  link({ name, words, about, on, able, key }) {
    const box = make("input", { type: "checkbox", disabled: !able, "data-focus": name, "aria-keyshortcuts": key });
    box.checked = on && able;
    box.addEventListener("change", () => this.model.send_msg({ kind: "link", name, on: box.checked }));
    const hint = key && make("kbd", { "aria-hidden": "true" }, key);
    return make("label", { class: able ? "" : "unable", title: about }, box, make("span", {}, words), about && make("small", {}, about), hint);
  }

  keyed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.composedPath()[0].tagName)) return;
    const link = (this.model.shown.links ?? []).find(({ key, able }) => able && key?.toLowerCase() === event.key.toLowerCase());
    if (link) this.model.send_msg({ kind: "link", name: link.name, on: !link.on });
  }

  close() {
    document.removeEventListener("keydown", this.keys);
  }
}

export function render({ model }) {
  const bar = new LinkBar(model);
  model.on("shown", () => bar.update());
  model.on("remove", () => bar.close());
  return bar.el;
}
