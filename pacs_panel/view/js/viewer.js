// The viewer of one stack: its state, and what every gesture makes of it.
import { Bar } from "./bar.js";
import { Cine } from "./cine.js";
import { make, minus } from "./dom.js";
import { HttpFrames, MessageFrames } from "./frames.js";
import { bytesOf, painterOf, presetsOf, supplementOf, tidy, windowOf } from "./gray.js";
import { keyed } from "./keys.js";
import { indexAt } from "./matrix.js";
import { Overlays } from "./overlays.js";
import { Pane } from "./pane.js";
import { listen } from "./pointer.js";
import { Presentations } from "./presentations.js";
import { Readout } from "./readout.js";
import { Store } from "./store.js";

const PAUSE = 120; // ms without a change after which a plane is refined
const TELL = 60; // ms at least between two words to Python of what is looked at; the last one is always told
const PATIENT = 80; // ms for which the last full slice stays rather than a coarse one
const QUIET = 400; // ms at one place of an extra dimension after which its whole levels are loaded
const AHEAD = 8;
const FLAT = { name: "image", axis: 0, flip_rows: false, flip_columns: false, transpose: false, labels: {} };

class Viewer {
  constructor(model) {
    const { look, transport, base } = model.scene;
    const meta = drawnOf(model.scene.meta);
    Object.assign(this, { model, meta, tool: meta.samples === 1 ? "window" : "pan", auto: false, timers: {} });
    const frames = transport === "message" ? new MessageFrames(model) : new HttpFrames(base, meta);
    this.store = new Store(frames, meta, { arrived: (axis, index) => this.arrived(axis, index), failed: (error) => this.fail(error) });
    const views = meta.views.length ? meta.views : [{ ...FLAT, spacing: meta.spacing.slice(1) }];
    this.linked = views.length > 1;
    this.panes = views.map((view) => new Pane(meta, view, views));
    this.presets = presetsOf(meta);
    this.supplement = supplementOf(meta);
    this.tables = meta.voi_tables.map(({ name, first, greys }) => ({ name, first, greys: bytesOf(greys) }));
    this.look = this.start(look);
    this.active = this.panes[0];
    this.heading = { which: null, by: 1 }; // along slices, or along an extra dimension; and which way
    this.cine = new Cine(this);
    this.readout = new Readout(this);
    this.overlays = model.scene.overlays ? new Overlays(this, frames) : null;
    this.states = model.scene.presentations ? new Presentations(this, frames) : null;
    this.bar = new Bar(this);
    this.el = this.build();
    this.hear = (message) => message?.look && this.adopt(message.look);
    model.on("msg:custom", this.hear);
    this.observer = new ResizeObserver((entries) => this.resize(entries));
    for (const pane of this.panes) this.observer.observe(pane.el);
    this.update();
  }

  start(look) {
    const { shape, dimensions } = this.meta;
    const { center, width, table } = this.presets[0] ?? { center: null, width: null, table: null };
    const within = (at, size) => Math.min(Math.max(at, 0), size - 1);
    return {
      colours: "grey",
      speed: null,
      ...look,
      index: shape.map((size, axis) => within(look.index ? look.index[axis] : size >> 1, size)),
      extra: dimensions.map(({ values }, which) => within(look.extra[which] ?? 0, values.length)),
      center: look.width ? look.center : center,
      width: look.width ?? width,
      table: look.width ? (this.tables[look.table] ? look.table : null) : table,
      layout: this.panes.some(({ name }) => name === look.layout) ? look.layout : "planes",
    };
  }

  build() {
    const note = make("span", { class: "research" }, "Research use only \u2013 not for diagnosis");
    const planes = make("div", { class: "planes", role: "group", "aria-label": "Images" }, ...this.panes.map(({ el }) => el));
    const root = make("div", { class: "viewer", tabindex: 0, role: "application", "aria-label": "Image viewer" });
    const body = make("div", { class: "body" }, planes, ...(this.overlays ? [this.overlays.panel.el] : []));
    root.append(this.bar.el, body, make("div", { class: "foot" }, this.readout.el, note));
    for (const pane of this.panes) listen(pane, this);
    root.addEventListener("keydown", (event) => keyed(this, event));
    return root;
  }

  // -- drawing

  update() {
    const { look, linked, panes } = this;
    this.states?.follow();
    this.el.dataset.layout = linked ? look.layout : "image";
    for (const pane of panes) pane.el.classList.toggle("shown", this.shows(pane));
    for (const pane of panes) if (this.shows(pane)) this.draw(pane);
    this.bar.update();
    this.states?.update();
    this.tellPage();
    this.readout.again();
  }

  // A slice, which may be ahead of what is looked at, or a whole level (without an axis).
  arrived(axis, index) {
    if (axis === undefined || this.look.index[axis] === index) this.update();
  }

  shows({ name }) {
    return !this.linked || this.look.layout === "planes" || this.look.layout === name;
  }

  draw(pane) {
    const { look, store } = this;
    const index = look.index[pane.axis];
    const plane = store.plane(pane.axis, index, look.extra);
    const full = plane && plane.level <= store.finest[pane.axis];
    if (full) this.forget(`coarse ${pane.name}`);
    if (plane && (full || pane.axis !== 0 || !pane.painted)) this.paint(pane, plane, index);
    else if (plane) this.later(`coarse ${pane.name}`, PATIENT, () => this.paintWhatIsHere(pane), true);
    if (full) this.forget(`refine ${pane.name}`);
    else if (!plane || pane.axis === 0) this.fetch(pane, index);
    else this.later(`refine ${pane.name}`, PAUSE, () => this.fetch(pane, index));
    store.ahead(pane.axis, this.upcoming(pane, index));
    pane.window.textContent = this.windowText();
    pane.arrange(look);
  }

  paint(pane, plane, index) {
    if (this.look.width === null && this.meta.samples === 1) this.useAuto(plane.values);
    pane.paint(plane, index, this.look.extra, this.painter());
    pane.tellCoarse(this.store.finest[pane.axis]);
    pane.arrange(this.look);
    this.overlays?.load();
    this.overlays?.draw(pane);
    this.states?.load();
    this.states?.draw(pane);
    if (this.meta.shape[0] === 1) return;
    if (this.heading.which === null) this.store.fill(this.look.extra);
    else this.later("fill", QUIET, () => this.store.fill(this.look.extra));
  }

  // What may be looked at next, the nearest first: [index, extra].
  upcoming(pane, index) {
    const { extra } = this.look;
    const { which, by } = this.heading;
    if (which === null && pane.axis !== 0) return [];
    const size = which === null ? this.meta.shape[0] : extra.length && this.meta.dimensions[which].values.length;
    const steps = Array.from({ length: Math.min(AHEAD, size - 1) }, (_, n) => (n + 1) * by);
    if (which === null) return steps.map((step) => [index + step, extra]).filter(([next]) => next >= 0 && next < size);
    const moved = (step) => extra.map((at, n) => (n === which ? (((at + step) % size) + size) % size : at));
    return steps.map((step) => [index, moved(step)]);
  }

  paintWhatIsHere(pane) {
    const index = this.look.index[pane.axis];
    const plane = this.store.plane(pane.axis, index, this.look.extra);
    if (plane) this.paint(pane, plane, index);
  }

  fetch(pane, index) {
    if (!pane.painted) pane.note.textContent = "Loading\u2026";
    this.store.want(pane.axis, index, this.look.extra);
  }

  // The painter changes with the window only, so that a pane can tell whether it is painted already.
  painter() {
    const { center, width, invert, colours } = this.look;
    const voi = this.voi();
    const key = [center, width, invert, colours, voi.key].join();
    if (this.painterKey !== key) {
      this.painterKey = key;
      this.lastPainter = painterOf(this.meta, { ...this.look, ...voi });
    }
    return this.lastPainter;
  }

  // Which table, if any, and which function make greys of values.
  voi() {
    const { table } = this.look;
    return this.states?.voi() ?? { key: table, table: table === null ? null : this.tables[table], curve: this.meta.voi_function };
  }

  // Which image of the stack a plane of axis 0 is.
  planeNumber(slice, extra) {
    const position = extra.reduce((number, at, n) => number * this.meta.dimensions[n].values.length + at, 0);
    return position * this.meta.shape[0] + slice;
  }

  useAuto(values) {
    Object.assign(this.look, windowOf(this.meta, values), { table: null });
    this.auto = true;
  }

  windowText() {
    const { center, width, zoom } = this.look;
    const { table } = this.voi();
    const shown = table ? `Table ${table.name}  ` : `C ${minus(center)}  W ${width}  `;
    const window = this.meta.samples === 1 && width !== null ? shown : "";
    return `${window}\u00d7${zoom.toFixed(zoom < 10 ? 2 : 1)}`;
  }

  tellPage() {
    const { series_key, revision, stack } = this.meta;
    const shown = this.panes.filter((pane) => pane.painted && this.shows(pane));
    if (!shown.length) return;
    const planes = shown.map(({ name, painted }) => [name, { slice: painted.index, level: painted.level }]);
    const window = [this.look.center, this.look.width];
    this.el.dataset.painted = JSON.stringify({ series: series_key, revision, stack, window, planes: Object.fromEntries(planes) });
  }

  resize(entries) {
    for (const { target, contentRect } of entries) {
      const pane = this.panes.find(({ el }) => el === target);
      pane.size = [contentRect.width, contentRect.height];
      pane.arrange(this.look);
    }
  }

  fail(error) {
    this.cine.stop();
    for (const pane of this.panes) {
      if (this.shows(pane) && pane.painted?.index !== this.look.index[pane.axis]) {
        pane.note.textContent = `This image could not be loaded: ${error.message}.`;
      }
    }
  }

  // -- state

  set(change) {
    Object.assign(this.look, change);
    this.update();
    this.later("tell", TELL, () => this.model.send_msg({ kind: "look", look: this.look }), true);
  }

  adopt(look) {
    if ("width" in look || "center" in look) {
      look = { table: null, ...look };
      this.states?.leave();
    }
    this.look = this.start({ ...this.look, ...look });
    this.update();
  }

  later(name, wait, act, keep = false) {
    if (keep && this.timers[name]) return;
    this.forget(name);
    this.timers[name] = setTimeout(() => {
      delete this.timers[name];
      act();
      this.tellPage();
    }, wait);
  }

  forget(name) {
    clearTimeout(this.timers[name]);
    delete this.timers[name];
  }

  scroll(pane, steps) {
    const index = [...this.look.index];
    index[pane.axis] = Math.min(Math.max(index[pane.axis] + steps, 0), this.meta.shape[pane.axis] - 1);
    this.heading = { which: null, by: Math.sign(steps) };
    if (index[pane.axis] !== this.look.index[pane.axis]) this.set({ index });
  }

  cut(pane, at) {
    const index = indexAt(pane.frame, pane.view, this.look.index, pane.under(...at));
    if (index && this.linked) this.set({ index });
  }

  windowBy(from, dx, dy) {
    const width = Math.max(from.width * Math.exp(dx / 250), this.meta.dtype.startsWith("float") ? 1e-6 : 1);
    this.auto = false;
    this.useWindow({ width: tidy(width, width), center: tidy(from.center + (dy * from.width) / 300, width) });
  }

  preset(which) {
    this.auto = which < 0;
    if (this.presets[which]) this.useWindow(this.presets[which]);
    else if (this.auto && this.active.painted) this.useWindow(windowOf(this.meta, this.active.painted.values));
  }

  useWindow({ center, width, table = null }) {
    this.states?.leave();
    this.set({ center, width, table });
  }

  panBy(pane, dx, dy) {
    pane.pan = [pane.pan[0] + dx, pane.pan[1] + dy];
    pane.arrange(this.look);
  }

  // What is under the pointer stays under it.
  zoomAt(pane, by, [x, y]) {
    const zoom = Math.min(Math.max(this.look.zoom * by, 0.1), 64);
    const ratio = zoom / this.look.zoom;
    const [middleX, middleY] = pane.size.map((length) => length / 2);
    const [fromX, fromY] = [x - middleX - pane.pan[0], y - middleY - pane.pan[1]];
    pane.pan = [pane.pan[0] + fromX * (1 - ratio), pane.pan[1] + fromY * (1 - ratio)];
    this.set({ zoom });
  }

  moveExtra(which, at, by = Math.sign(at - this.look.extra[which]) || 1) {
    this.heading = { which, by };
    this.set({ extra: this.look.extra.map((old, n) => (n === which ? at : old)) });
  }

  maximise(pane) {
    if (this.linked) this.set({ layout: this.look.layout === pane.name ? "planes" : pane.name });
  }

  reset() {
    this.states?.choose(null);
    for (const pane of this.panes) pane.pan = [0, 0];
    Object.assign(this.look, { zoom: 1, invert: false, colours: "grey" });
    if (this.meta.samples === 1) this.preset(this.presets.length ? 0 : -1);
    else this.set({});
  }

  useTool(tool) {
    this.tool = tool;
    this.el.dataset.tool = tool;
    this.bar.update();
  }

  activate(pane, focus = true) {
    this.active = pane;
    for (const other of this.panes) other.el.classList.toggle("active", other === pane);
    this.cine.update();
    if (focus) this.el.focus({ preventScroll: true });
  }

  stepExtra(by) {
    const last = this.meta.dimensions.length - 1;
    if (last < 0) return;
    const size = this.meta.dimensions[last].values.length;
    this.moveExtra(last, (this.look.extra[last] + by + size) % size, by);
  }

  hover(pane, at) {
    this.readout.show(pane, at);
  }

  close() {
    this.observer.disconnect();
    this.model.off("msg:custom", this.hear);
    Object.values(this.timers).forEach(clearTimeout);
    this.cine.close();
    this.overlays?.close();
    this.store.close();
  }
}

// A mean of values of which some stand for colours would be of another colour, so coarser levels are never drawn of those.
function drawnOf(meta) {
  return meta.supplemental ? { ...meta, levels: meta.levels.slice(0, 1) } : meta;
}

export function render({ model }) {
  const host = make("div", { class: "host" });
  let viewer = null;
  const show = () => {
    viewer?.close();
    viewer = new Viewer(model);
    host.replaceChildren(viewer.el);
  };
  model.on("scene", show);
  model.on("remove", () => viewer.close());
  show();
  return host;
}
