// Stored values to grey, or to a colour map: the modality transform and the VOI window (PS3.3 C.11.1, C.11.2) in one step.
import { OPAQUE, colourTable, rgba } from "./colours.js";

// The presets in order: {name, center, width, table}; where it is a number, `table` is of the stack's VOI tables, and centre and
// width are what the table spans.
export function presetsOf({ windows, voi_tables }) {
  const told = (name) => name.replace(/^file (\d+)$/, (_, which) => (windows.length > 1 ? `As stored, ${which}` : "As stored"));
  const own = windows.map(([center, width, name]) => ({ name: told(name), center, width, table: null }));
  for (const [table, { name, first, greys, place }] of [...voi_tables.entries()].reverse()) {
    const width = bytesOf(greys).length;
    own.splice(place, 0, { name, center: first + width / 2, width, table });
  }
  return own;
}

export function bytesOf(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

// A function from a stored value to 0..255. `table` is {first, greys} (C.11.2.1.1), `curve` what the window's function is.
export function grayOf(meta, { center, width, invert, table, curve }) {
  const { slope, intercept } = meta;
  const flip = invert !== (meta.photometric === "MONOCHROME1");
  if (table) {
    const { first, greys } = table;
    return (stored) => {
      const place = Math.min(Math.max(Math.round(stored * slope + intercept) - first, 0), greys.length - 1);
      return flip ? 255 - greys[place] : greys[place];
    };
  }
  const ramp = rampOf(meta, center, width, curve ?? meta.voi_function);
  return (stored) => {
    const share = ramp(stored * slope + intercept);
    const level = share <= 0 ? 0 : share >= 1 ? 255 : Math.floor(share * 255 + 0.5);
    return flip ? 255 - level : level;
  };
}

// LINEAR counts from half a value below the centre and spans width - 1 (C.11.2.1.2.1): right for whole numbers only.
function rampOf(meta, center, width, curve) {
  if (curve === "SIGMOID") return (value) => 1 / (1 + Math.exp((-4 * (value - center)) / width));
  const whole = curve === "LINEAR" && !meta.dtype.startsWith("float") && width > 1;
  const [middle, span] = whole ? [center - 0.5, width - 1] : [center, width];
  return (value) => (value - middle) / span + 0.5;
}

// Paints stored values into 32-bit pixels; through a table wherever a value has at most 16 bits.
export function painterOf(meta, window) {
  if (meta.samples === 3) return colourPainter(meta);
  const gray = grayOf(meta, window);
  const [low, high] = meta.padding ?? [1, 0];
  const colours = colourTable(window.colours);
  const extra = supplementOf(meta);
  const pixelOf = (stored) => {
    if (!(stored === stored) || (stored >= low && stored <= high)) return OPAQUE;
    if (extra && stored >= extra.first) return extra.pixels[Math.min(stored - extra.first, extra.pixels.length - 1)];
    return colours[gray(stored)];
  };
  if (!/^u?int(8|16)$/.test(meta.dtype)) {
    return (values, pixels) => {
      for (let i = 0; i < values.length; i++) pixels[i] = pixelOf(values[i]);
    };
  }
  const [Signed, Unsigned] = meta.dtype.endsWith("8") ? [Int8Array, Uint8Array] : [Int16Array, Uint16Array];
  const table = new Uint32Array(Unsigned === Uint8Array ? 256 : 65536);
  const stored = meta.dtype.startsWith("u") ? new Unsigned(1) : new Signed(1);
  for (let i = 0; i < table.length; i++) {
    stored[0] = i;
    table[i] = pixelOf(stored[0]);
  }
  return (values, pixels) => {
    const bits = new Unsigned(values.buffer, values.byteOffset, values.length);
    for (let i = 0; i < bits.length; i++) pixels[i] = table[bits[i]];
  };
}

// Colours of stored values from the first on, which no window changes (C.7.6.19); null where there are none.
export function supplementOf({ supplemental }) {
  if (!supplemental) return null;
  const bytes = bytesOf(supplemental.colours);
  const pixels = Uint32Array.from({ length: bytes.length / 3 }, (_, n) => rgba(bytes.subarray(3 * n, 3 * n + 3), 255));
  return { first: supplemental.first, pixels };
}

// Samples of more than 8 bits are brought to 8 by the first window, or else by the range of their type.
function colourPainter(meta) {
  const [center, width] = meta.windows[0] ?? [];
  const white = meta.dtype === "uint8" ? 255 : width ? center + width / 2 : 65535;
  const share = white === 255 ? (value) => value : (value) => Math.min((value * 255) / white, 255) & 255;
  return (values, pixels) => {
    for (let i = 0, k = 0; i < pixels.length; i++, k += 3) {
      pixels[i] = OPAQUE | (share(values[k + 2]) << 16) | (share(values[k + 1]) << 8) | share(values[k]);
    }
  };
}

// A window that spans what one plane holds, without the rarest hundredth at either end.
export function windowOf(meta, values) {
  const [low, high] = meta.padding ?? [1, 0];
  const some = [];
  const step = Math.max(1, Math.floor(values.length / 20000));
  for (let i = 0; i < values.length; i += step) {
    const stored = values[i];
    if (stored === stored && !(stored >= low && stored <= high)) some.push(stored * meta.slope + meta.intercept);
  }
  if (!some.length) return { center: 0.5, width: 1 };
  some.sort((a, b) => a - b);
  const [dark, bright] = [0.01, 0.99].map((share) => some[Math.round(share * (some.length - 1))]);
  const width = bright > dark ? bright - dark : Math.max(Math.abs(bright), 1);
  return { center: tidy((dark + bright) / 2, width), width: tidy(width, width) };
}

// A number as finely as a window of that width deserves.
export function tidy(number, width) {
  const digits = width >= 50 ? 0 : Math.min(12, 2 - Math.floor(Math.log10(Math.max(width, 1e-9))));
  return Number(number.toFixed(digits));
}
