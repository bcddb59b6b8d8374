// Label planes and contours: what they are painted in, where their edges run, and what lies under a place.
import { rgba } from "./colours.js";

export const cssOf = ([red, green, blue]) => `rgb(${red}, ${green}, ${blue})`;

// Only fractions have a unit; each layer of them is one segment.
export const isFractional = ({ kind, unit }) => kind === "segmentation" && unit !== "";

// Numbers of segments to pixels; hidden ones, and those that nobody has described, are not there at all.
export function tableOfLabels({ segments, hidden, opacity }, size) {
  const table = new Uint32Array(size);
  const alpha = Math.round(opacity * 255);
  for (const { number, colour } of segments) {
    if (number > 0 && number < size && !hidden.has(number)) table[number] = rgba(colour, alpha);
  }
  return table;
}

export function labelPainter(values, item) {
  const table = tableOfLabels(item, values.BYTES_PER_ELEMENT === 1 ? 256 : 65536);
  return (pixels) => {
    for (let i = 0; i < pixels.length; i++) pixels[i] = table[values[i]];
  };
}

// A fraction of one segment, 0 to 1: the more, the less transparent.
export function fractionPainter(values, item, segment) {
  const visible = segment && !item.hidden.has(segment.number);
  return (pixels) => {
    if (!visible) return;
    for (let i = 0; i < pixels.length; i++) {
      const share = values[i] > 0 ? Math.min(values[i], 1) : 0;
      if (share) pixels[i] = rgba(segment.colour, Math.round(share * item.opacity * 255));
    }
  };
}

const edges = new WeakMap();

// By segment number, the path round its pixels, in voxel edges. Straight runs are one line each.
export function edgesOf(values, rows, columns) {
  if (!edges.has(values)) edges.set(values, findEdges(values, rows, columns));
  return edges.get(values);
}

function findEdges(values, rows, columns) {
  const paths = new Map();
  const line = (number, x0, y0, x1, y1) => {
    if (!number) return;
    if (!paths.has(number)) paths.set(number, new Path2D());
    const path = paths.get(number);
    path.moveTo(x0, y0);
    path.lineTo(x1, y1);
  };
  const at = (row, column) => (row < 0 || column < 0 || row >= rows || column >= columns ? 0 : values[row * columns + column]);
  const follow = (across, along, sides, draw) => {
    for (let i = 0; i <= across; i++) {
      let [from, one, other] = [0, 0, 0];
      for (let k = 0; k <= along; k++) {
        const [a, b] = k < along ? sides(i, k) : [0, 0];
        if (a === one && b === other) continue;
        if (one !== other) for (const number of [one, other]) draw(number, i, from, k);
        [from, one, other] = [k, a, b];
      }
    }
  };
  follow(rows, columns, (y, x) => [at(y - 1, x), at(y, x)], (number, y, from, to) => line(number, from, y, to, y));
  follow(columns, rows, (x, y) => [at(y, x - 1), at(y, x)], (number, x, from, to) => line(number, x, from, x, to));
  return paths;
}

// Contours as they are given, in voxel centres, brought to voxel edges: of each number and the places where it holds,
// {number, places, path, areas}. Points are small crosses. Areas are {how, area}, put together in their order: all that are
// "xor", as they are unless they say otherwise, are one path, for what lies inside an even number of those is outside.
export function contourPaths(contours) {
  const found = new Map();
  for (const { number, closed, points, how = "xor", places = [] } of contours) {
    const key = JSON.stringify([number, places]);
    if (!found.has(key)) found.set(key, { number, places, path: new Path2D(), areas: [] });
    const { path, areas } = found.get(key);
    trace(path, points, closed);
    if (!closed) continue;
    if (how !== "xor" || areas.at(-1)?.how !== "xor") areas.push({ how, area: new Path2D() });
    trace(areas.at(-1).area, points, closed);
  }
  return [...found.values()];
}

function trace(path, points, closed) {
  if (points.length === 1) {
    const [x, y] = [points[0][0] + 0.5, points[0][1] + 0.5];
    for (const [dx, dy] of [[1, 0], [0, 1]]) {
      path.moveTo(x - dx, y - dy);
      path.lineTo(x + dx, y + dy);
    }
    return;
  }
  points.forEach(([x, y], n) => (n ? path.lineTo(x + 0.5, y + 0.5) : path.moveTo(x + 0.5, y + 0.5)));
  if (closed) path.closePath();
}

const probe = document.createElement("canvas").getContext("2d");

// Whether a place, in voxel edges, is inside the areas together.
export function inside(areas, [x, y]) {
  return areas.reduce((within, { how, area }) => {
    const hit = probe.isPointInPath(area, x, y, "evenodd");
    if (how === "xor") return within !== hit;
    return how === "add" ? within || hit : within && !hit;
  }, false);
}

// Whether something holds at a place along the extra dimensions. Where no places are named, it holds at all.
export const holdsAt = (places, extra) => !places?.length || places.some((place) => place.every((at, which) => (extra[which] ?? at) === at));
