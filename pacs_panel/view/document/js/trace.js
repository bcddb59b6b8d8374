// Numbers of a plot: round steps, the span of values, and the path of a trace.
export function nice(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= least * (1 - 1e-9));
}

export function spanOf(values) {
  const known = values.filter(Number.isFinite).sort();
  if (!known.length) return { low: 0, high: 0, middle: 0 };
  return { low: known[0], high: known[known.length - 1], middle: known[known.length >> 1] };
}

// Where there is no value, the line breaks.
export function pathOf(values, x, y, left, right) {
  const parts = [];
  let pen = "M";
  for (let index = 0; index < values.length; index += 1) {
    const at = x(index);
    if (!Number.isFinite(values[index]) || at < left - 1 || at > right + 1) {
      pen = "M";
      continue;
    }
    parts.push(`${pen}${at.toFixed(1)} ${y(values[index]).toFixed(1)}`);
    pen = "L";
  }
  return parts.join("");
}
