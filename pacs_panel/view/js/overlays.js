// What lies over the images: which overlays there are, which are shown and how, and their planes as they come.
import { contourPaths, cssOf, edgesOf, fractionPainter, holdsAt, inside, isFractional, labelPainter } from "./labels.js";
import { IN_PLANE } from "./matrix.js";
import { OverlayPanel } from "./panel.js";
import { Queue, Recent } from "./recent.js";
import { doseText, notePeak, washPainter } from "./wash.js";

const HELD = 128 << 20;
const AT_THE_SAME_TIME = 4;
const WAITING = 64;
const NEIGHBOURS = 3;
const TOO_LARGE = 1 << 25; // pixels of a plane
const FRACTIONS = 8; // segments of a fractional segmentation that are shown at first: each is a plane of its own
const NUMBERS = { 1: Uint8Array, 2: Uint16Array, 4: Float32Array };
const NOTHING = { byteLength: 1 }; // where a plane is here and empty

export class Overlays {
  constructor(viewer, frames) {
    Object.assign(this, { viewer, frames, meta: viewer.meta, list: [], version: 0, arrivals: 0, away: false, state: "" });
    this.held = new Recent(HELD);
    this.now = [null, null, null]; // by axis, what belongs to the plane that is shown: that much is never forgotten
    this.queue = new Queue(AT_THE_SAME_TIME, WAITING, (key, found) => this.arrive(key, found), (key) => this.arrive(key, NOTHING, key));
    this.failures = new Set();
    this.panel = new OverlayPanel(this);
  }

  // Ask what there is, once, when the first image is painted.
  async load() {
    if (this.state) return;
    this.tell("asked");
    try {
      const found = JSON.parse(new TextDecoder().decode(await this.frames.overlays()));
      this.list = found.map((overlay) => this.start(overlay));
      const first = this.list.find(({ kind, tooLarge, reason }) => kind !== "dose" && !tooLarge && !reason) ?? this.list[0];
      if (first && !first.tooLarge && !first.reason) first.on = true;
      this.tell(this.list.length ? "ready" : "none");
    } catch {
      this.tell("failed");
    }
    this.panel.fill();
    this.viewer.update();
  }

  tell(state) {
    this.state = this.viewer.el.dataset.overlays = state;
  }

  start(overlay) {
    const tooLarge = [0, 1, 2].some((axis) => {
      const [rows, columns] = this.sizeOf(axis);
      return this.viewer.panes.some((pane) => pane.axis === axis) && rows * columns > TOO_LARGE;
    });
    const dose = overlay.kind === "dose";
    const look = { on: false, style: dose ? "fill" : "both", opacity: dose ? 0.45 : 0.3, threshold: 20, hidden: new Set() };
    if (isFractional(overlay)) for (const { number } of overlay.segments.slice(FRACTIONS)) look.hidden.add(number);
    return { ...overlay, ...look, tooLarge };
  }

  sizeOf(axis) {
    return IN_PLANE[axis].map((k) => this.meta.shape[k]);
  }

  // Something about how they are shown has changed.
  changed() {
    this.version++;
    this.panel.update();
    this.viewer.update();
  }

  toggleAll() {
    this.away = !this.away;
    this.changed();
  }

  // What is shown, the lowest first: doses, then labels, then contours.
  shown() {
    const rank = { dose: 0, segmentation: 1, planes: 2, structures: 3 };
    return this.away ? [] : this.list.filter(({ on }) => on).sort((a, b) => rank[a.kind] - rank[b.kind]);
  }

  // -- planes

  // The parts of one overlay on one plane, of what holds at a place along the extra dimensions: {values, layer} or
  // {contours}; null where one is not here yet.
  parts(item, axis, index, extra, ahead = false) {
    const { name } = item;
    const now = ahead ? null : this.holding(axis, index, extra);
    if (item.kind === "structures" && axis === 0) {
      const found = this.get(`${name}|contours|${index}`, now, () => this.loadContours(name, index));
      return found && [{ contours: (found.paths ?? []).filter(({ places }) => holdsAt(places, extra)) }];
    }
    const layers = layersOf(item, extra).map((layer) => {
      const values = this.get(`${name}|${layer}|${axis}|${index}`, now, () => this.loadPlane(name, layer, axis, index));
      return values && { values, layer };
    });
    return layers.every(Boolean) ? layers.filter(({ values }) => values !== NOTHING) : null;
  }

  holding(axis, index, extra) {
    const place = [index, ...extra].join();
    if (this.now[axis]?.place !== place) this.now[axis] = { place, found: new Map() };
    return this.now[axis].found;
  }

  get(key, now, load) {
    const found = now?.get(key) ?? this.held.get(key) ?? null;
    if (!found) this.queue.add(key, load, now === null);
    else now?.set(key, found);
    return found;
  }

  async loadPlane(name, layer, axis, index) {
    const bytes = await this.frames.overlay(name, layer, axis, index);
    if (!bytes.byteLength) return NOTHING;
    const [rows, columns] = this.sizeOf(axis);
    const Kind = NUMBERS[bytes.byteLength / (rows * columns)];
    if (!Kind) throw new Error("a plane of another size");
    return new Kind(bytes);
  }

  async loadContours(name, index) {
    const bytes = await this.frames.contours(name, index);
    const paths = contourPaths(JSON.parse(new TextDecoder().decode(bytes)));
    return { paths, byteLength: 4 * bytes.byteLength + 1 };
  }

  arrive(key, found, failed) {
    this.held.set(key, found);
    this.arrivals++;
    if (failed) this.fail(failed);
    this.viewer.later("overlay", 0, () => this.viewer.panes.forEach((pane) => this.draw(pane)), true);
  }

  // What cannot be had is told beside its name, not only left out.
  fail(key) {
    const item = this.list.find(({ name }) => name === key.split("|")[0]);
    this.failures.add(key);
    item.failed = true;
    this.panel.update();
  }

  // -- drawing

  // Draw over a pane what belongs to the plane that is painted there. An overlay of which a part is still missing is not
  // drawn at all, and what was drawn over another plane is gone at once.
  draw(pane) {
    const { painted, cover, axis } = pane;
    if (!painted || !this.list.length) return;
    const shown = this.shown();
    const found = shown.map((item) => [item, this.parts(item, axis, painted.index, painted.extra)]);
    const here = found.filter(([, parts]) => parts);
    const whole = here.length === shown.length;
    const what = `${painted.index}|${this.version}|${painted.extra.join()}`;
    const state = [what, here.length, whole].join("|");
    if (cover.drawn !== state) {
      if (here.length) this.compose(pane, here, whole ? what : "", state);
      else cover.clear();
    }
    this.note(painted.extra);
    if (whole && axis === 0) this.ahead(pane, shown);
  }

  // What holds elsewhere only is said to, beside its name.
  note(extra) {
    for (const item of this.list) item.elsewhere = item.places.length > 0 && !item.places.some((places) => holdsAt(places, extra));
    if (this.noted === extra.join()) return;
    this.noted = extra.join();
    this.panel.update();
  }

  compose(pane, here, name, state) {
    for (const [item, parts] of here) if (item.kind === "dose") parts.forEach(({ values }) => notePeak(item, values));
    const [rows, columns] = this.sizeOf(pane.axis);
    const fills = here.flatMap(([item, parts]) => parts.map((part) => painterOfPart(item, part))).filter(Boolean);
    const lines = here.flatMap(([item, parts]) => parts.flatMap((part) => linesOfPart(item, part, rows, columns)));
    pane.cover.draw(name, columns, rows, fills, lines);
    pane.cover.drawn = state;
  }

  ahead(pane, shown) {
    const { heading, look } = this.viewer;
    if (heading.which !== null) return;
    for (let step = 1; step <= NEIGHBOURS; step++) {
      const next = look.index[0] + step * heading.by;
      if (next >= 0 && next < this.meta.shape[0]) for (const item of shown) this.parts(item, 0, next, look.extra, true);
    }
  }

  // -- what lies under a place of a plane, in words

  at(pane, index, place) {
    const [rowAxis, columnAxis] = IN_PLANE[pane.axis];
    const columns = this.meta.shape[columnAxis];
    const pixel = index[rowAxis] * columns + index[columnAxis];
    return this.shown().flatMap((item) => {
      const parts = this.parts(item, pane.axis, index[pane.axis], pane.painted.extra) ?? [];
      return parts.flatMap((part) => wordsOfPart(item, part, pixel, place));
    });
  }

  close() {
    this.queue.close();
  }
}

// The layers that are asked for: those that hold at a place; of fractions only those that are shown.
function layersOf(item, extra) {
  const all = Array.from({ length: item.layers }, (_, layer) => layer).filter((layer) => holdsAt(item.places[layer], extra));
  return isFractional(item) ? all.filter((layer) => !item.hidden.has(segmentOf(item, layer)?.number)) : all;
}

// The segment of a layer of fractions: where those hold at some places only, each place has a layer of each segment.
function segmentOf({ segments }, layer) {
  return segments[layer % segments.length];
}

function painterOfPart(item, { values, layer, contours }) {
  if (item.kind === "dose") return washPainter(values, item);
  if (contours || item.style === "outline" || item.opacity === 0) return null;
  return values instanceof Float32Array ? fractionPainter(values, item, segmentOf(item, layer)) : labelPainter(values, item);
}

function linesOfPart(item, { values, contours }, rows, columns) {
  if (item.kind === "dose" || values instanceof Float32Array) return [];
  const outlined = item.style !== "fill";
  if (!contours && !outlined) return [];
  const opacity = item.style === "outline" ? 0 : item.opacity;
  const shapes = contours ?? [...edgesOf(values, rows, columns)].map(([number, path]) => ({ number, path, areas: [] }));
  return item.segments.flatMap(({ number, colour }) => {
    const own = item.hidden.has(number) ? [] : shapes.filter((shape) => shape.number === number);
    return own.map(({ path, areas }) => ({ path: outlined ? path : null, areas, opacity, colour: cssOf(colour) }));
  });
}

function wordsOfPart(item, { values, layer, contours }, pixel, place) {
  if (item.kind === "dose") return values[pixel] === values[pixel] ? [doseText(values[pixel], item.unit)] : [];
  const segments = item.segments.filter(({ number }) => !item.hidden.has(number));
  if (contours) return segments.filter(({ number }) => contours.some((one) => one.number === number && inside(one.areas, place))).map(nameOf);
  if (values instanceof Float32Array) {
    const segment = segmentOf(item, layer);
    const seen = segment && !item.hidden.has(segment.number) && values[pixel] > 0;
    return seen ? [`${nameOf(segment)} ${Number(values[pixel].toPrecision(3))}`] : [];
  }
  return segments.filter(({ number }) => number === values[pixel] && number).map(nameOf);
}

export function nameOf({ label, number }) {
  return label || `Segment ${number}`;
}
