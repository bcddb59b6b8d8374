// What lies over the images: which overlays there are, which are shown and how, and their planes as they come.
import { contourPaths, cssOf, edgesOf, fractionPainter, inside, isFractional, labelPainter } from "./labels.js";
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
      const first = this.list.find(({ kind, tooLarge }) => kind !== "dose" && !tooLarge) ?? this.list[0];
      if (first && !first.tooLarge) first.on = true;
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

  // The parts of one overlay on one plane: {values, layer} or {contours}; null where one is not here yet.
  parts(item, axis, index, ahead = false) {
    const sop = item.sop_instance_uid;
    const now = ahead ? null : this.holding(axis, index);
    if (item.kind === "structures" && axis === 0) {
      const found = this.get(`${sop}|contours|${index}`, now, () => this.loadContours(sop, index));
      return found && [{ contours: found.paths }].filter(({ contours }) => contours);
    }
    const layers = layersOf(item).map((layer) => {
      const values = this.get(`${sop}|${layer}|${axis}|${index}`, now, () => this.loadPlane(sop, layer, axis, index));
      return values && { values, layer };
    });
    return layers.every(Boolean) ? layers.filter(({ values }) => values !== NOTHING) : null;
  }

  holding(axis, index) {
    if (this.now[axis]?.index !== index) this.now[axis] = { index, found: new Map() };
    return this.now[axis].found;
  }

  get(key, now, load) {
    const found = now?.get(key) ?? this.held.get(key) ?? null;
    if (!found) this.queue.add(key, load, now === null);
    else now?.set(key, found);
    return found;
  }

  async loadPlane(sop, layer, axis, index) {
    const bytes = await this.frames.overlay(sop, layer, axis, index);
    if (!bytes.byteLength) return NOTHING;
    const [rows, columns] = this.sizeOf(axis);
    const Kind = NUMBERS[bytes.byteLength / (rows * columns)];
    if (!Kind) throw new Error("a plane of another size");
    return new Kind(bytes);
  }

  async loadContours(sop, index) {
    const bytes = await this.frames.contours(sop, index);
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
    const sop = key.split("|")[0];
    const item = this.list.find(({ sop_instance_uid }) => sop_instance_uid === sop);
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
    const found = shown.map((item) => [item, this.parts(item, axis, painted.index)]);
    const here = found.filter(([, parts]) => parts);
    const whole = here.length === shown.length;
    const state = [painted.index, this.version, here.length, whole].join("|");
    if (cover.drawn !== state) {
      if (here.length) this.compose(pane, here, whole ? `${painted.index}|${this.version}` : "", state);
      else cover.clear();
    }
    if (whole && axis === 0) this.ahead(pane, shown);
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
      if (next >= 0 && next < this.meta.shape[0]) for (const item of shown) this.parts(item, 0, next, true);
    }
  }

  // -- what lies under a place of a plane, in words

  at(pane, index, place) {
    const [rowAxis, columnAxis] = IN_PLANE[pane.axis];
    const columns = this.meta.shape[columnAxis];
    const pixel = index[rowAxis] * columns + index[columnAxis];
    return this.shown().flatMap((item) => {
      const parts = this.parts(item, pane.axis, index[pane.axis]) ?? [];
      return parts.flatMap((part) => wordsOfPart(item, part, pixel, place));
    });
  }

  close() {
    this.queue.close();
  }
}

// The layers that are asked for; of fractions only those that are shown.
function layersOf(item) {
  const all = Array.from({ length: item.layers }, (_, layer) => layer);
  return isFractional(item) ? all.filter((layer) => !item.hidden.has(item.segments[layer]?.number)) : all;
}

function painterOfPart(item, { values, layer, contours }) {
  if (item.kind === "dose") return washPainter(values, item);
  if (contours || item.style === "outline" || item.opacity === 0) return null;
  return values instanceof Float32Array ? fractionPainter(values, item, item.segments[layer]) : labelPainter(values, item);
}

function linesOfPart(item, { values, contours }, rows, columns) {
  if (item.kind === "dose" || values instanceof Float32Array) return [];
  const outlined = item.style !== "fill";
  if (!contours && !outlined) return [];
  const paths = contours ?? edgesOf(values, rows, columns);
  const opacity = item.style === "outline" ? 0 : item.opacity;
  const drawn = item.segments.filter(({ number }) => paths.has(number) && !item.hidden.has(number));
  return drawn.map(({ number, colour }) => {
    const { path, area } = contours ? paths.get(number) : { path: paths.get(number) };
    return { path: outlined ? path : null, area, opacity, colour: cssOf(colour) };
  });
}

function wordsOfPart(item, { values, layer, contours }, pixel, place) {
  if (item.kind === "dose") return values[pixel] === values[pixel] ? [doseText(values[pixel], item.unit)] : [];
  const segments = item.segments.filter(({ number }) => !item.hidden.has(number));
  if (contours) return segments.filter(({ number }) => contours.has(number) && inside(contours.get(number).area, place)).map(nameOf);
  if (values instanceof Float32Array) {
    const segment = item.segments[layer];
    const seen = segment && !item.hidden.has(segment.number) && values[pixel] > 0;
    return seen ? [`${nameOf(segment)} ${Number(values[pixel].toPrecision(3))}`] : [];
  }
  return segments.filter(({ number }) => number === values[pixel] && number).map(nameOf);
}

export function nameOf({ label, number }) {
  return label || `Segment ${number}`;
}
