// A dose as a wash of colours, from a threshold up.
import { colourTable, withAlpha } from "./colours.js";

// What 100 % is: the largest value of the dose, or, where nobody tells it, of what has been seen of it.
export function fullDose(item) {
  return item.peak ?? item.seen ?? 0;
}

export function notePeak(item, values) {
  if (item.peak !== null && item.peak !== undefined) return;
  let most = item.seen ?? 0;
  for (let i = 0; i < values.length; i++) if (values[i] > most) most = values[i];
  item.seen = most;
}

export function washPainter(values, item) {
  const full = fullDose(item);
  const least = (full * item.threshold) / 100;
  const alpha = Math.round(item.opacity * 255);
  const table = colourTable("wash").map((pixel) => withAlpha(pixel, alpha));
  return (pixels) => {
    if (!(full > 0)) return;
    const scale = 255 / full;
    for (let i = 0; i < pixels.length; i++) {
      const value = values[i];
      if (value >= least && value > 0) pixels[i] = table[Math.min(Math.round(value * scale), 255)];
    }
  };
}

// A dose as people write it.
export function doseText(value, unit) {
  const text = Number(value.toPrecision(4)).toString().replace("-", "\u2212");
  return unit ? `${text} ${unit}` : text;
}
