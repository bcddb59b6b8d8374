// Small dialogs: one form, its answer in words, and the help.
import { button, make, redraw } from "./elements.js";

const KEYS = [
  ["j ↓", "next row"],
  ["k ↑", "row before"],
  ["Enter", "open the row, or unfold the study"],
  ["→ ←", "unfold and fold a study"],
  ["x", "select the row; with Shift, all rows up to it"],
  ["n p", "next page, page before"],
  ["/", "search"],
  ["Esc", "leave the search; clear the selection"],
  ["?", "this help"],
];

export class Dialog {
  constructor() {
    this.el = make("dialog", { "aria-labelledby": "dialog-title" });
    this.el.addEventListener("click", (event) => event.target === this.el && this.el.close());
  }

  get open() {
    return this.el.open;
  }

  show(title, ...content) {
    this.title = title;
    this.fill(...content);
    if (!this.el.open) this.el.showModal();
    (this.el.querySelector("[autofocus]") ?? this.el.querySelector("button"))?.focus();
  }

  fill(...content) {
    redraw(this.el, make("h2", { id: "dialog-title" }, this.title), ...content);
  }

  close() {
    this.el.close();
  }

  help() {
    const rows = KEYS.map(([keys, words]) => [make("dt", {}, keys.split(" ").map((key) => make("kbd", {}, key))), make("dd", {}, words)]);
    this.show("Keys", make("dl", { class: "keys" }, rows.flat()), this.foot());
  }

  foot(...buttons) {
    return make("div", { class: "buttons" }, button(buttons.length ? "Cancel" : "Close", () => this.close(), { class: "plain" }), ...buttons);
  }

  // A name is asked for; `act` is told it and what was ticked.
  ask({ title, words, does, label, names = [], tick }, act) {
    const input = make("input", { type: "text", name: "name", required: true, maxlength: 100, autofocus: true, autocomplete: "off", spellcheck: "false", list: "dialog-names" });
    const list = make("datalist", { id: "dialog-names" }, names.map((name) => make("option", { value: name })));
    const box = tick && make("input", { type: "checkbox", name: "tick" });
    this.offer = (more) => list.replaceChildren(...more.map((name) => make("option", { value: name })));
    this.failure = make("p", { class: "failure", role: "alert" });
    this.go = make("button", { type: "submit", class: "strong" }, does);
    const form = make("form", {}, make("p", {}, words), make("label", { class: "field" }, make("span", {}, label), input), list, tick && make("label", { class: "tick" }, box, tick), this.failure, this.foot(this.go));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.busy(true);
      act(input.value, box?.checked ?? false);
    });
    this.show(title, form);
  }

  busy(on) {
    this.el.toggleAttribute("aria-busy", on);
    if (this.go) this.go.disabled = on;
    if (on && this.failure) this.failure.textContent = "";
  }

  fail(error, hint) {
    this.busy(false);
    if (!this.open || !this.failure?.isConnected) return this.show("That did not work", make("p", { class: "failure", role: "alert" }, error), make("p", {}, hint), this.foot());
    this.failure.textContent = `${error} ${hint}`;
  }
}
