// What a presentation state draws over a plane: figures in its pixels, texts and points in those of the screen, and shutters.
import { makeSvg } from "./dom.js";
import { apply } from "./matrix.js";

const MARK_COLOUR = [255, 224, 102]; // of layers that recommend none
const POINT_SIZE = 5; // px
const FAR = 1e6; // px of an image
const MARGIN = 4;

export class Marks {
  constructor() {
    this.covered = makeSvg("g");
    this.figures = makeSvg("g");
    this.flat = makeSvg("g");
    this.shutter = makeSvg("svg", { class: "shutter", "aria-hidden": "true" }, this.covered);
    this.el = makeSvg("svg", { class: "marks" }, this.figures, this.flat);
    this.texts = [];
    this.drawn = "";
  }

  // Draw what a state says of one plane; nothing where there is no state.
  draw(state, number, meta) {
    const drawn = state ? `${state.sop_instance_uid}|${number}` : "";
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    const here = ({ planes }) => planes.includes(number);
    const shows = state !== null && here(state);
    this.covered.replaceChildren(...(shows && state.shutter ? shuttersOf(state.shutter, meta) : []));
    this.figures.replaceChildren(...(shows ? state.figures.filter(here).map(figureOf).filter(Boolean) : []));
    this.texts = shows ? state.texts.filter(here).map((text) => ({ ...text, ...labelOf(text) })) : [];
    this.flat.replaceChildren(...this.texts.flatMap(({ line, label }) => [line, label]));
    this.el.dataset.marks = drawn;
  }

  arrange(matrix, [width, height]) {
    for (const group of [this.covered, this.figures]) group.setAttribute("transform", `matrix(${matrix.join(" ")})`);
    for (const text of this.texts) placeText(text, (point) => apply(matrix, point), width, height);
  }
}

function placeText({ anchor, box, pointing, line, label }, toScreen, width, height) {
  const corners = box?.map(toScreen);
  const target = anchor && toScreen(anchor);
  const start = corners ? [0, 1].map((k) => Math.min(corners[0][k], corners[1][k])) : [target[0] + 8, target[1] - 8];
  for (const row of label.children) row.setAttribute("x", start[0]);
  label.setAttribute("y", start[1] + (corners ? 13 : 0));
  const { x, y, width: wide, height: high } = label.getBBox();
  const within = (from, length, room) => Math.min(0, room - MARGIN - from - length) || Math.max(0, MARGIN - from);
  const [dx, dy] = [within(x, wide, width), within(y, high, height)];
  label.setAttribute("transform", `translate(${dx} ${dy})`);
  const shown = target && (pointing || !corners);
  const from = [x + dx, y + dy + high / 2];
  line.setAttribute("d", shown ? `M${target.join(" ")}h0${corners ? `M${target.join(" ")}L${from.join(" ")}` : ""}` : "");
}

function labelOf({ text, colour }) {
  const rows = text.split("\n").map((words, n) => makeSvg("tspan", { dy: n ? "1.25em" : 0 }, words || "\u00a0"));
  const css = colourOf(colour);
  return { label: makeSvg("text", { fill: css }, ...rows), line: makeSvg("path", { class: "pointer", stroke: css }) };
}

function figureOf({ shape, points, filled, colour }) {
  const css = colourOf(colour);
  const look = { "data-shape": shape, stroke: css, fill: filled ? css : "none", "vector-effect": "non-scaling-stroke" };
  if (shape === "POINT") return makeSvg("path", { ...look, class: "point", "stroke-width": POINT_SIZE, d: `M${points[0].join(" ")}h0` });
  if (shape === "POLYLINE") return makeSvg("path", { ...look, d: `M${points.map((point) => point.join(" ")).join("L")}` });
  if (shape === "INTERPOLATED") return makeSvg("path", { ...look, d: curveThrough(points) });
  const [centre, along, across] = (shape === "CIRCLE" ? axesOfCircle : axesOfEllipse)(points);
  const matrix = [...along, ...across, ...centre].join(" ");
  return makeSvg("circle", { ...look, r: 1, transform: `matrix(${matrix})` });
}

function axesOfCircle([centre, edge]) {
  const radius = Math.hypot(edge[0] - centre[0], edge[1] - centre[1]);
  return [centre, [radius, 0], [0, radius]];
}

function axesOfEllipse([left, right, top, bottom]) {
  const half = (from, to) => [(to[0] - from[0]) / 2, (to[1] - from[1]) / 2];
  return [[(left[0] + right[0]) / 2, (left[1] + right[1]) / 2], half(left, right), half(top, bottom)];
}

// A smooth line through all points (Catmull and Rom); closed where it ends where it begins.
function curveThrough(points) {
  const last = points.length - 1;
  const closed = last > 1 && points[0].join() === points[last].join();
  const at = (n) => (closed ? points[(n + last) % last] : points[Math.min(Math.max(n, 0), last)]);
  const near = (from, before, after, by) => from.map((value, k) => value + (by * (after[k] - before[k])) / 6);
  let d = `M${points[0].join(" ")}`;
  for (let n = 0; n < last; n++) {
    const [one, other] = [near(at(n), at(n - 1), at(n + 1), 1), near(at(n + 1), at(n), at(n + 2), -1)];
    d += `C${[one, other, points[n + 1]].map((point) => point.join(" ")).join(" ")}`;
  }
  return d;
}

// Over all of the image that lies outside of one of the shapes.
function shuttersOf({ rectangle, circle, polygon, grey }, { spacing, shape }) {
  const around = `M${-FAR} ${-FAR}H${FAR}V${FAR}H${-FAR}Z`;
  const inner = [];
  if (rectangle) inner.push(`M${rectangle[0]} ${rectangle[1]}H${rectangle[2]}V${rectangle[3]}H${rectangle[0]}Z`);
  if (circle) {
    const [x, y, radius] = circle;
    const tall = (radius * spacing[2]) / spacing[1];
    inner.push(`M${x - radius} ${y}a${radius} ${tall} 0 1 0 ${2 * radius} 0a${radius} ${tall} 0 1 0 ${-2 * radius} 0Z`);
  }
  if (polygon.length) inner.push(`M${polygon.map((point) => point.join(" ")).join("L")}Z`);
  const look = { fill: `rgb(${grey}, ${grey}, ${grey})`, "fill-rule": "evenodd" };
  const drawn = inner.map((path) => makeSvg("path", { ...look, d: around + path }));
  return [makeSvg("svg", { width: shape[2], height: shape[1] }, ...drawn)]; // which cuts them off at the image's edge
}

function colourOf(colour) {
  return `rgb(${(colour ?? MARK_COLOUR).join(", ")})`;
}
