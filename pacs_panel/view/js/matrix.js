// Where voxels are: in the patient (LPS, mm) and on screen. A point is an index [slice, row, column] of full resolution.
// A 2-D affine is [a, b, c, d, e, f] as in CSS: x' = a x + c y + e, y' = b x + d y + f.

// The array axes along the rows and the columns of a plane that is cut across axis 0, 1 or 2.
export const IN_PLANE = [
  [1, 2],
  [0, 2],
  [0, 1],
];

export function multiply(m, n) {
  return [
    m[0] * n[0] + m[2] * n[1],
    m[1] * n[0] + m[3] * n[1],
    m[0] * n[2] + m[2] * n[3],
    m[1] * n[2] + m[3] * n[3],
    m[0] * n[4] + m[2] * n[5] + m[4],
    m[1] * n[4] + m[3] * n[5] + m[5],
  ];
}

export function invert(m) {
  const det = m[0] * m[3] - m[1] * m[2];
  const [a, b, c, d] = [m[3] / det, -m[1] / det, -m[2] / det, m[0] / det];
  return [a, b, c, d, -(a * m[4] + c * m[5]), -(b * m[4] + d * m[5])];
}

export function apply(m, [x, y]) {
  return [m[0] * x + m[2] * y + m[4], m[1] * x + m[3] * y + m[5]];
}

// mm in the patient for one step along an array axis; upright millimetres where the place is not known.
export function stepAlong(meta, axis) {
  if (!meta.affine) return [0, 1, 2].map((k) => (k === 2 - axis ? meta.spacing[axis] : 0));
  return [0, 1, 2].map((k) => meta.affine[k][2 - axis]);
}

export function lpsOf(meta, [slice, row, column]) {
  if (!meta.affine) return null;
  const place = meta.positions.length > slice ? meta.positions[slice] : null;
  const [along, down, across] = [2, 1, 0].map((axis) => stepAlong(meta, axis));
  return [0, 1, 2].map((k) => {
    const first = place ? place[k] : meta.affine[k][3] + slice * across[k];
    return first + column * along[k] + row * down[k];
  });
}

const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

// How a plane lies on screen at 1 px a mm: the affine from its array (x along columns, y along rows, in voxel edges) and the
// size of what it covers. A sheared stack is drawn sheared, as it is, and not as the block that its array is.
export function planeFrame(meta, view) {
  const [rowAxis, columnAxis] = IN_PLANE[view.axis];
  const steps = [stepAlong(meta, columnAxis), stepAlong(meta, rowAxis)];
  const [right, down] = view.transpose ? [steps[1], steps[0]] : steps;
  const [signX, signY] = [view.flip_columns ? -1 : 1, view.flip_rows ? -1 : 1];
  const width = Math.hypot(...right);
  const lean = dot(right, down) / width;
  const height = Math.sqrt(Math.max(dot(down, down) - lean * lean, 0));
  const [onX, onY] = [
    [signX * width, 0],
    [signX * lean, signY * height],
  ];
  const [x, y] = view.transpose ? [onY, onX] : [onX, onY];
  const [rows, columns] = [meta.shape[rowAxis], meta.shape[columnAxis]];
  const linear = [x[0], x[1], y[0], y[1], 0, 0];
  const corners = [[0, 0], [columns, 0], [0, rows], [columns, rows]].map((corner) => apply(linear, corner));
  const [left, top] = [0, 1].map((k) => Math.min(...corners.map((corner) => corner[k])));
  const [end, bottom] = [0, 1].map((k) => Math.max(...corners.map((corner) => corner[k])));
  return {
    matrix: [...linear.slice(0, 4), -left, -top],
    size: [end - left, bottom - top],
    rows,
    columns,
    rowAxis,
    columnAxis,
  };
}

// The index under a place on the plane (voxel edges), or null beside the image.
export function indexAt(frame, view, at, [x, y]) {
  if (x < 0 || y < 0 || x >= frame.columns || y >= frame.rows) return null;
  const index = [...at];
  index[frame.columnAxis] = Math.floor(x);
  index[frame.rowAxis] = Math.floor(y);
  return index;
}
