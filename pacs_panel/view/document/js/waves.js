// Channels on one axis of time: as paper does it where they are voltages, each in its own range otherwise.
import { el, svg } from "./parts.js";
import { nice, pathOf, spanOf } from "./trace.js";

const ROW = 58;
const LEFT = 76;
const AXIS = 24;
const MILLIVOLT = { mV: 1, "µV": 1000 };
const PAPER = { time: [0.04, 0.2], volt: [0.1, 0.5] }; // s and mV between thin and thick lines

export class Waves {
  constructor(group) {
    Object.assign(this, { group, first: 0, last: group.samples, width: 0, held: null, asked: 0 });
    this.paper = group.channels.every(({ unit }) => MILLIVOLT[unit]);
    this.height = group.channels.length * ROW;
    this.svg = svg("svg", { role: "img", tabindex: 0, "aria-label": `${group.title}: ${group.channels.map(({ label }) => label).join(", ")}`, height: this.height + AXIS });
    this.told = el("output", { class: "told" }, group.note);
    const say = (words, name, act) => {
      const made = el("button", { type: "button", title: name, "aria-label": name }, words);
      made.addEventListener("click", act);
      return made;
    };
    const buttons = [say("−", "Show more time", () => this.zoom(2)), say("+", "Show less time", () => this.zoom(0.5)), say("All", "Show all", () => this.show(0, group.samples))];
    this.el = el("div", { class: "waves" }, el("div", { class: "tools" }, buttons, this.told), this.svg);
    this.listen();
    new ResizeObserver(() => this.resize()).observe(this.el);
  }

  listen() {
    this.svg.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      this.zoom(event.deltaY > 0 ? 1.25 : 0.8, this.sampleAt(event));
    });
    this.svg.addEventListener("dblclick", () => this.show(0, this.group.samples));
    this.svg.addEventListener("pointerdown", (event) => {
      this.drag = { x: event.clientX, first: this.first };
      this.svg.setPointerCapture(event.pointerId);
    });
    this.svg.addEventListener("pointerup", () => (this.drag = null));
    this.svg.addEventListener("pointercancel", () => (this.drag = null));
    this.svg.addEventListener("pointermove", (event) => (this.drag ? this.pan(event) : this.tell(event)));
    this.svg.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    const step = (this.last - this.first) / 10;
    const act = { ArrowLeft: () => this.move(-step), ArrowRight: () => this.move(step), "+": () => this.zoom(0.5), "-": () => this.zoom(2) }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  resize() {
    const width = Math.floor(this.el.clientWidth);
    if (width === this.width || width <= LEFT) return;
    this.width = width;
    this.svg.setAttribute("width", width);
    this.show(this.first, this.last);
  }

  sampleAt(event) {
    const x = event.clientX - this.svg.getBoundingClientRect().left - LEFT;
    return this.first + (Math.max(0, x) / (this.width - LEFT)) * (this.last - this.first);
  }

  pan(event) {
    const moved = ((this.drag.x - event.clientX) / (this.width - LEFT)) * (this.last - this.first);
    this.move(this.drag.first + moved - this.first);
  }

  move(by) {
    const size = this.last - this.first;
    const first = Math.min(Math.max(0, this.first + by), this.group.samples - size);
    this.show(first, first + size);
  }

  zoom(by, about = (this.first + this.last) / 2) {
    const size = Math.min(this.group.samples, Math.max(16, (this.last - this.first) * by));
    const share = (about - this.first) / (this.last - this.first);
    const first = Math.min(Math.max(0, about - share * size), this.group.samples - size);
    this.show(first, first + size);
  }

  show(first, last) {
    [this.first, this.last] = [Math.round(first), Math.round(last)];
    this.draw();
    clearTimeout(this.wait);
    this.wait = setTimeout(() => this.load(), this.held ? 120 : 0);
  }

  async load() {
    const { first, last, group } = this;
    const mine = ++this.asked;
    try {
      const answer = await fetch(`${group.href}?first=${first}&last=${last}&parts=${Math.max(64, this.width - LEFT)}`);
      if (!answer.ok) throw new Error((await answer.json()).what ?? "the samples cannot be read");
      const values = new Float32Array(await answer.arrayBuffer());
      if (mine !== this.asked) return;
      this.held = { first, last, values, points: values.length / group.channels.length };
      this.scales ??= this.scale();
      this.draw();
    } catch (error) {
      this.told.textContent = error.message;
    }
  }

  // Value in the middle of each row, and values a pixel: one for all channels where paper is drawn.
  scale() {
    const spans = this.group.channels.map(({ unit }, channel) => {
      const { values, points } = this.held;
      const one = spanOf(values.subarray(channel * points, (channel + 1) * points));
      return { ...one, per: this.paper ? MILLIVOLT[unit] : 1 };
    });
    const widest = Math.max(...spans.map(({ low, high, per }) => (high - low) / per));
    return spans.map(({ low, high, middle, per }) => ({
      middle: this.paper ? middle : (low + high) / 2,
      perPixel: this.paper ? (per * (widest || 1)) / (ROW * 1.4) : (high - low || 1) / (ROW * 0.86),
    }));
  }

  draw() {
    const { group, held, scales } = this;
    const parts = [this.grid()];
    group.channels.forEach(({ label, unit }, channel) => {
      const middle = channel * ROW + ROW / 2;
      parts.push(svg("text", { x: 4, y: middle - 2, class: "label" }, label.length > 11 ? `${label.slice(0, 10)}…` : label, svg("title", {}, label)), svg("text", { x: 4, y: middle + 12, class: "unit" }, unit));
      if (!held || !scales) return;
      const row = held.values.subarray(channel * held.points, (channel + 1) * held.points);
      const at = (index) => this.x(held.first + (held.points === held.last - held.first ? index : ((index + 0.5) / held.points) * (held.last - held.first)));
      const y = (value) => middle - (value - scales[channel].middle) / scales[channel].perPixel;
      parts.push(svg("path", { class: "trace", "data-channel": label, d: pathOf(row, at, y, LEFT, this.width) }));
    });
    this.cursor = svg("line", { class: "cursor", y1: 0, y2: this.height, x1: -9, x2: -9 });
    this.svg.replaceChildren(...parts, this.cursor);
    this.svg.dataset.loaded = held ? `${held.first}-${held.last}` : "";
  }

  x(sample) {
    return LEFT + ((sample - this.first) / Math.max(1, this.last - this.first)) * (this.width - LEFT);
  }

  grid() {
    const { frequency, start } = this.group;
    const second = ((this.width - LEFT) * frequency) / Math.max(1, this.last - this.first);
    const [thin, thick] = this.paper ? PAPER.time : [0, 0];
    const labelled = Math.max(nice(70 / second), thick);
    const lines = (step, from, to) => Array.from({ length: Math.max(0, Math.floor(to / step) - Math.ceil(from / step) + 1) }, (_, n) => (Math.ceil(from / step) + n) * step);
    const [from, to] = [start + this.first / frequency, start + this.last / frequency];
    const across = (step) => (step * second < 5 ? "" : lines(step, from, to).map((t) => `M${this.x((t - start) * frequency).toFixed(1)} 0V${this.height}`).join(""));
    const drawn = [];
    if (this.paper && this.scales) {
      const along = (volt) => this.along(volt);
      drawn.push(svg("path", { class: "thin", d: across(thin) + along(PAPER.volt[0]) }), svg("path", { class: "thick", d: (across(thick) || across(labelled)) + along(PAPER.volt[1]) }));
    } else drawn.push(svg("path", { class: "thin", d: across(labelled) }));
    const digits = Math.max(0, Math.min(4, -Math.floor(Math.log10(labelled) + 1e-9)));
    const fits = lines(labelled, from, to).filter((t) => this.x((t - start) * frequency) < this.width - 18);
    const times = fits.map((t) => svg("text", { class: "time", x: this.x((t - start) * frequency), y: this.height + 16 }, `${t.toFixed(digits)} s`));
    return svg("g", {}, drawn, times);
  }

  along(volt) {
    const { unit } = this.group.channels[0];
    const step = (volt * MILLIVOLT[unit]) / this.scales[0].perPixel;
    if (step < 5) return "";
    return Array.from({ length: Math.floor(this.height / step) + 1 }, (_, n) => `M${LEFT} ${(n * step).toFixed(1)}H${this.width}`).join("");
  }

  tell(event) {
    const { held, group } = this;
    if (!held || event.clientX - this.svg.getBoundingClientRect().left < LEFT) return;
    const sample = Math.round(this.sampleAt(event));
    const channel = Math.min(group.channels.length - 1, Math.max(0, Math.floor((event.clientY - this.svg.getBoundingClientRect().top) / ROW)));
    const index = Math.floor(((sample - held.first) / (held.last - held.first)) * held.points);
    const value = held.values[channel * held.points + Math.min(held.points - 1, Math.max(0, index))];
    const { label, unit } = group.channels[channel];
    const exact = held.points === held.last - held.first ? "" : "about ";
    this.told.textContent = `${(group.start + sample / group.frequency).toFixed(3)} s · ${label}: ${Number.isFinite(value) ? `${exact}${Number(value.toPrecision(4))} ${unit}` : "no value"}`;
    for (const end of ["x1", "x2"]) this.cursor.setAttribute(end, this.x(sample));
  }
}
