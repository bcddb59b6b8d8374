// A dimension beyond space, as a slider with its value in words.
import { make } from "./dom.js";

export class Extra {
  constructor(viewer, { title, values, words }, which) {
    Object.assign(this, { viewer, which, words });
    const hint = which === viewer.meta.dimensions.length - 1 ? `${title} (, and .)` : title;
    const last = values.length - 1;
    this.range = make("input", { type: "range", min: 0, max: last, step: 1, "aria-label": title, title: hint });
    this.text = make("output");
    this.range.addEventListener("input", () => viewer.moveExtra(which, Number(this.range.value)));
    this.range.addEventListener("change", () => viewer.el.focus({ preventScroll: true }));
    this.el = make("label", { class: "extra", "data-extra": which }, make("span", {}, title), this.range, this.text);
  }

  update() {
    const at = this.viewer.look.extra[this.which];
    this.range.value = at;
    const place = `${at + 1}/${this.words.length}`;
    this.text.textContent = `${place} \u00b7 ${this.words[at]}`;
    this.range.setAttribute("aria-valuetext", this.text.textContent);
  }
}
