// What was used last, and what is asked for next.

// Holds what was used last, up to a number of bytes.
export class Recent {
  constructor(limit) {
    this.limit = limit;
    this.bytes = 0;
    this.held = new Map();
  }

  has(key) {
    return this.held.has(key);
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

// Runs some loads at once. What is needed now comes before what may be needed soon, the newest first, and of what waits
// too long the oldest is forgotten: it is asked for again where it is still needed.
export class Queue {
  constructor(atOnce, most, done, failed) {
    Object.assign(this, { atOnce, most, done, failed, waiting: [], running: new Set(), closed: false });
  }

  add(key, load, ahead = false) {
    if (this.running.has(key)) return;
    this.waiting = this.waiting.filter((task) => task.key !== key);
    if (ahead) this.waiting.push({ key, load });
    else this.waiting.unshift({ key, load });
    this.waiting.length = Math.min(this.waiting.length, this.most);
    this.next();
  }

  async next() {
    if (this.closed || this.running.size >= this.atOnce || !this.waiting.length) return;
    const { key, load } = this.waiting.shift();
    this.running.add(key);
    try {
      const loaded = await load();
      if (!this.closed) this.done(key, loaded);
    } catch (error) {
      if (!this.closed) this.failed(key, error);
    } finally {
      this.running.delete(key);
      this.next();
    }
  }

  close() {
    this.closed = true;
    this.waiting = [];
  }
}
