// The frames at hand: single slices of full resolution, and whole levels out of which any plane is cut at once.
import { IN_PLANE } from "./matrix.js";

const MIB = 1 << 20;
const WHOLE_LEVEL = 64 * MIB;
const QUICK_LEVEL = 4 * MIB;
const SLICES = 128 * MIB;
const VOLUMES = 256 * MIB;
const AT_ONCE = 4;
const AHEAD = 8;

const ARRAYS = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  float32: Float32Array,
  float64: Float64Array,
};

// Holds what was used last, up to a number of bytes.
class Recent {
  constructor(limit) {
    this.limit = limit;
    this.bytes = 0;
    this.held = new Map();
  }

  get(key) {
    const values = this.held.get(key);
    if (values) {
      this.held.delete(key);
      this.held.set(key, values);
    }
    return values;
  }

  set(key, values) {
    this.bytes += values.byteLength - (this.held.get(key)?.byteLength ?? 0);
    this.held.delete(key);
    this.held.set(key, values);
    for (const [old, gone] of this.held) {
      if (this.bytes <= this.limit || old === key) break;
      this.held.delete(old);
      this.bytes -= gone.byteLength;
    }
  }
}

export class Store {
  constructor(frames, meta, { arrived, failed }) {
    Object.assign(this, { frames, meta, arrived, failed });
    this.slices = new Recent(SLICES);
    this.volumes = new Recent(VOLUMES);
    this.cuts = [null, null, null];
    this.running = new Set();
    this.queue = [];
    this.filling = null;
    this.closed = false;
  }

  // The best that is here of one plane, or null: {values, rows, columns, level, factors}. The same object for as long as
  // nothing better has come, so that a plane is neither cut nor painted twice.
  plane(axis, index, extra) {
    const key = keyOf(axis, index, extra);
    const single = this.slices.get(key);
    const level = single ? 0 : this.meta.levels.findIndex((_, n) => this.volumes.get(keyOf(n, extra)));
    if (level < 0) return null;
    const last = this.cuts[axis];
    if (last?.key === key && last.plane.level === level) return last.plane;
    const values = single ?? this.across(this.volumes.get(keyOf(level, extra)), level, axis, index);
    const plane = this.cut(values, level, axis);
    this.cuts[axis] = { key, plane };
    return plane;
  }

  cut(values, level, axis) {
    const [rowAxis, columnAxis] = IN_PLANE[axis];
    const { shape, factors } = this.meta.levels[level];
    return {
      values,
      level,
      rows: shape[rowAxis],
      columns: shape[columnAxis],
      factors: [factors[rowAxis], factors[columnAxis]],
    };
  }

  across(volume, level, axis, fine) {
    const { shape, factors } = this.meta.levels[level];
    const [slices, rows, columns] = shape;
    const index = Math.min(Math.floor(fine / factors[axis]), shape[axis] - 1);
    const size = rows * columns * this.meta.samples;
    if (axis === 0) return volume.subarray(index * size, (index + 1) * size);
    const values = new volume.constructor(slices * (axis === 1 ? columns : rows));
    for (let slice = 0; slice < slices; slice++) {
      if (axis === 1) {
        const first = (slice * rows + index) * columns;
        values.set(volume.subarray(first, first + columns), slice * columns);
      } else {
        const first = slice * rows * columns + index;
        for (let row = 0; row < rows; row++) values[slice * rows + row] = volume[first + row * columns];
      }
    }
    return values;
  }

  // Ask for a plane at full resolution; `arrived(axis, index)` is called when it is here.
  want(axis, index, extra) {
    this.queue = this.queue.filter((task) => !task.ahead);
    this.enqueue(axis, index, extra, false);
  }

  // Ask for those that scrolling on would show next.
  ahead(axis, index, direction, extra) {
    const size = this.meta.shape[axis];
    for (let step = 1; step <= AHEAD; step++) {
      const next = index + step * (direction || 1);
      if (next >= 0 && next < size) this.enqueue(axis, next, extra, true);
    }
  }

  enqueue(axis, index, extra, ahead) {
    const key = keyOf(axis, index, extra);
    if (this.slices.get(key) || this.running.has(key) || this.volumes.get(keyOf(0, extra))) return;
    this.queue = this.queue.filter((task) => task.key !== key);
    const task = { key, axis, index, extra, ahead };
    if (ahead) this.queue.push(task);
    else this.queue.unshift(task);
    this.next();
  }

  async next() {
    if (this.closed || this.running.size >= AT_ONCE || !this.queue.length) return;
    const { key, axis, index, extra } = this.queue.shift();
    this.running.add(key);
    try {
      const bytes = await this.frames.slice(0, axis, index, extra);
      if (this.closed) return;
      this.slices.set(key, this.typed(bytes));
      this.arrived(axis, index);
    } catch (error) {
      if (!this.closed) this.failed(error);
    } finally {
      this.running.delete(key);
      this.next();
    }
  }

  // Load whole levels in the background, a coarse one for a quick look first.
  async fill(extra) {
    const wanted = extra.join(",");
    if (this.filling === wanted) return;
    this.filling = wanted;
    for (const level of this.worthFilling()) {
      if (this.volumes.get(keyOf(level, extra))) continue;
      try {
        const bytes = await this.frames.volume(level, extra);
        if (this.closed || this.filling !== wanted) return;
        this.volumes.set(keyOf(level, extra), this.typed(bytes));
        this.arrived();
      } catch (error) {
        if (!this.closed) this.failed(error);
        return;
      }
    }
  }

  worthFilling() {
    const { levels, dtype, samples } = this.meta;
    const bytes = levels.map(({ shape }) => shape[0] * shape[1] * shape[2] * samples * ARRAYS[dtype].BYTES_PER_ELEMENT);
    const small = levels.map((_, level) => level).filter((level) => bytes[level] <= WHOLE_LEVEL);
    const quick = small.find((level) => bytes[level] <= QUICK_LEVEL);
    return small.filter((level) => quick === undefined || level <= quick).reverse();
  }

  typed(bytes) {
    return new ARRAYS[this.meta.dtype](bytes);
  }

  close() {
    this.closed = true;
    this.queue = [];
    this.frames.close();
  }
}

function keyOf(...parts) {
  return parts.flat().join("|");
}
