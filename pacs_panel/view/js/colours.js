// Colour maps: 256 pixels, as a canvas holds them (little-endian RGBA).

export const OPAQUE = 0xff000000;

const ANCHORS = {
  grey: [[0, 0, 0], [255, 255, 255]],
  wash: [[0, 0, 200], [0, 170, 230], [0, 190, 90], [235, 220, 0], [235, 120, 0], [215, 0, 0]],
};

// Hot Iron, one of the palettes of PS3.6 B.1.
const hotIron = (i) => [Math.min(2 * i, 255), Math.max(0, 2 * (i - 128)), Math.max(0, 4 * (i - 192))];

const made = new Map();

export function colourTable(name) {
  if (!made.has(name)) made.set(name, Uint32Array.from({ length: 256 }, (_, i) => rgba(colourAt(name, i), 255)));
  return made.get(name);
}

function colourAt(name, i) {
  if (name === "hot") return hotIron(i);
  const anchors = ANCHORS[name] ?? ANCHORS.grey;
  const at = (i / 255) * (anchors.length - 1);
  const first = Math.min(Math.floor(at), anchors.length - 2);
  return anchors[first].map((from, k) => Math.round(from + (at - first) * (anchors[first + 1][k] - from)));
}

export function rgba([red, green, blue], alpha) {
  return ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

export function withAlpha(pixel, alpha) {
  return ((alpha << 24) | (pixel & 0xffffff)) >>> 0;
}

// The map as CSS, for a legend.
export function gradientOf(name) {
  const stops = [...colourTable(name)].filter((_, i) => i % 15 === 0);
  return `linear-gradient(to right, ${stops.map((p) => `rgb(${p & 255}, ${(p >> 8) & 255}, ${(p >> 16) & 255})`).join(", ")})`;
}
