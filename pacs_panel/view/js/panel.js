// The list of what lies over the images, beside the planes: what is shown, in which colour, how strongly.
import { gradientOf } from "./colours.js";
import { make } from "./dom.js";
import { cssOf, isFractional } from "./labels.js";
import { doseText, fullDose } from "./wash.js";

const MANY = 8; // segments from which there is something to filter
const STYLES = { both: "Fill and outline", fill: "Fill", outline: "Outline" };
const NAMES = { segmentation: "segmentation", structures: "structure set", dose: "dose", planes: "planes" };
const KINDS = { segmentation: "segment", structures: "structure", planes: "plane" };

export class OverlayPanel {
  constructor(overlays) {
    this.overlays = overlays;
    this.cards = [];
    this.el = make("div", { class: "overlays", role: "group", "aria-label": "Overlays", hidden: "" });
  }

  get open() {
    return !this.el.hidden;
  }

  show(open) {
    this.el.hidden = !open;
    this.overlays.viewer.bar.update();
  }

  fill() {
    const { list, viewer } = this.overlays;
    this.cards = list.map((item) => new Card(this.overlays, item));
    this.el.replaceChildren(...this.cards.map(({ el }) => el));
    this.update();
    if (list.length && viewer.el.clientWidth > 900) this.show(true);
  }

  update() {
    for (const card of this.cards) card.update();
  }
}

class Card {
  constructor(overlays, item) {
    Object.assign(this, { overlays, item, rows: [] });
    const { kind, segments, title } = item;
    this.on = make("input", { type: "checkbox" });
    this.on.disabled = item.tooLarge || Boolean(item.reason);
    this.on.addEventListener("change", () => this.set({ on: this.on.checked }));
    const count = item.reason ? NAMES[kind] : kind === "dose" ? "dose" : `${segments.length} ${KINDS[kind] ?? "part"}${segments.length === 1 ? "" : "s"}`;
    const called = title || (item.reason ? "Cannot be shown" : kind);
    const head = make("label", { class: "head" }, this.on, make("b", { title: called }, called), make("span", {}, count));
    this.trouble = make("p", { class: "trouble", role: "status" });
    if (item.reason) {
      this.el = make("section", { class: "card without", "data-kind": kind, "data-sop": item.sop_instance_uid }, head, make("div", { class: "body" }, ...this.makeNotes()));
      return;
    }
    this.body = make("div", { class: "body" }, this.makeStyle(), ...(kind === "dose" ? this.makeDose() : this.makeSegments()), ...this.makeNotes());
    this.el = make("section", { class: "card", "data-kind": kind, "data-sop": item.sop_instance_uid }, head, this.trouble, this.body);
  }

  set(change) {
    Object.assign(this.item, change);
    if (change.on) this.overlays.away = false;
    this.overlays.changed();
  }

  makeStyle() {
    this.opacity = make("input", { type: "range", min: 0, max: 1, step: 0.05, "aria-label": "Opacity" });
    this.opacity.addEventListener("input", () => this.set({ opacity: Number(this.opacity.value) }));
    this.opacityText = make("output");
    const row = make("div", { class: "row" }, make("span", {}, "Opacity"), this.opacity, this.opacityText);
    if (this.item.kind === "dose" || isFractional(this.item)) return row;
    const options = Object.entries(STYLES).map(([value, words]) => make("option", { value }, words));
    this.style = make("select", { "aria-label": "Drawn as" }, ...options);
    this.style.addEventListener("change", () => this.set({ style: this.style.value }));
    return make("div", {}, row, make("div", { class: "row" }, make("span", {}, "Drawn as"), this.style));
  }

  makeDose() {
    this.threshold = make("input", { type: "range", min: 0, max: 100, step: 1, "aria-label": "Threshold" });
    this.threshold.addEventListener("input", () => this.set({ threshold: Number(this.threshold.value) }));
    this.thresholdText = make("output", { class: "wide" });
    this.ends = ["0", "", ""].map((text) => make("span", {}, text));
    const ramp = make("i", { style: `background: ${gradientOf("wash")}` });
    this.cut = make("b");
    return [
      make("div", { class: "row" }, make("span", {}, "From"), this.threshold, this.thresholdText),
      make("div", { class: "legend", "aria-label": "Dose" }, make("div", {}, ramp, this.cut), make("p", {}, ...this.ends)),
    ];
  }

  makeSegments() {
    const { segments } = this.item;
    this.rows = segments.map((segment) => this.makeRow(segment));
    const list = make("ul", { class: "segments" }, ...this.rows.map(({ el }) => el));
    if (segments.length < 2) return [list];
    const all = make("button", { type: "button" }, "All");
    const none = make("button", { type: "button" }, "None");
    all.addEventListener("click", () => this.showListed(true));
    none.addEventListener("click", () => this.showListed(false));
    this.filter = make("input", { type: "search", placeholder: "Filter", "aria-label": "Filter the list" });
    this.filter.addEventListener("input", () => this.update());
    this.count = make("output");
    return [make("div", { class: "row" }, ...(segments.length > MANY ? [this.filter] : []), all, none, this.count), list];
  }

  makeRow(segment) {
    const box = make("input", { type: "checkbox" });
    box.addEventListener("change", () => this.showSegments([segment], box.checked));
    const label = segment.label || `Segment ${segment.number}`;
    const words = [label, segment.meaning, segment.method].filter(Boolean);
    const swatch = make("i", { style: `background: ${cssOf(segment.colour)}` });
    const row = make("label", { title: words.join("\n") }, box, swatch, make("span", {}, label));
    const text = `${segment.number} ${words.join(" ")}`.toLowerCase();
    return { el: make("li", { "data-segment": segment.number }, row), box, segment, text };
  }

  makeNotes() {
    const { matched, missing, notes, tooLarge } = this.item;
    const lines = [sentence(this.item.reason), sentence(matched), ...notes];
    if (missing.length) lines.push(`Refers to ${missing.length} object${missing.length === 1 ? "" : "s"} not here.`);
    if (tooLarge) lines.push("Not drawn: the image is too large.");
    return lines.filter(Boolean).map((line) => make("p", { class: "quiet" }, line));
  }

  listed() {
    const sought = this.filter?.value.trim().toLowerCase() ?? "";
    return this.rows.filter(({ text }) => text.includes(sought));
  }

  // All or none of those that the filter lists.
  showListed(visible) {
    this.showSegments(this.listed().map(({ segment }) => segment), visible);
  }

  showSegments(segments, visible) {
    for (const { number } of segments) {
      if (visible) this.item.hidden.delete(number);
      else this.item.hidden.add(number);
    }
    this.set(visible ? { on: true } : {});
  }

  update() {
    const { item, overlays } = this;
    if (item.reason) return; // it stays as it is
    this.on.checked = item.on && !overlays.away;
    this.el.classList.toggle("off", !this.on.checked);
    this.opacity.value = item.opacity;
    this.opacityText.textContent = `${Math.round(item.opacity * 100)} %`;
    if (this.style) this.style.value = item.style;
    const { failed, elsewhere } = item;
    this.trouble.textContent = failed ? "Part of it could not be loaded, and is not drawn." : elsewhere ? "Does not belong to the images that are shown." : "";
    if (item.kind === "dose") this.updateDose();
    const listed = new Set(this.listed());
    for (const row of this.rows) {
      row.el.hidden = !listed.has(row);
      row.box.checked = !item.hidden.has(row.segment.number);
    }
    if (this.count) this.count.textContent = `${item.segments.length - item.hidden.size} / ${item.segments.length}`;
  }

  updateDose() {
    const { threshold, unit } = this.item;
    const full = fullDose(this.item);
    const of = (percent) => doseText((full * percent) / 100, unit);
    this.threshold.value = threshold;
    this.thresholdText.textContent = full ? `${threshold} % \u00b7 ${of(threshold)}` : `${threshold} %`;
    this.cut.style.width = `${threshold}%`;
    [this.ends[1].textContent, this.ends[2].textContent] = full ? [of(50), of(100)] : ["50 %", "100 %"];
  }
}

// Words as a sentence: they come from errors and tables in small letters.
function sentence(words) {
  const text = words.charAt(0).toUpperCase() + words.slice(1);
  return text && !/[.!?]$/.test(text) ? `${text}.` : text;
}
