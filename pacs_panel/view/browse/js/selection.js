// What is picked: series and studies by their keys, or all that match. The tab remembers it, so that one can look at a
// series and come back.
const PICKED = "pacs_panel picked";

export class Selection {
  constructor(changed) {
    this.changed = changed;
    this.series = new Set();
    this.study = new Set();
    this.all = false;
    this.last = null;
    try {
      const { series, study } = JSON.parse(sessionStorage.getItem(PICKED)) ?? {};
      this.series = new Set(series ?? []);
      this.study = new Set(study ?? []);
    } catch {
      sessionStorage.removeItem(PICKED);
    }
  }

  get size() {
    return this.series.size + this.study.size;
  }

  get empty() {
    return !this.all && this.size === 0;
  }

  has({ level, key }) {
    return this.all || this[level].has(key);
  }

  // Pick a row or no longer; with `through`, all rows between the one before and this one.
  pick(row, on, rows = [], through = false) {
    const before = rows.findIndex(({ key }) => key === this.last);
    const here = rows.findIndex(({ key }) => key === row.key);
    const reach = through && before >= 0 && here >= 0 ? rows.slice(Math.min(before, here), Math.max(before, here) + 1) : [row];
    this.put(reach, on);
    this.last = row.key;
  }

  put(rows, on) {
    this.all = false;
    for (const { level, key } of rows) this[level][on ? "add" : "delete"](key);
    this.tell();
  }

  pickAll() {
    this.clear(false);
    this.all = true;
    this.tell();
  }

  clear(tell = true) {
    this.all = false;
    this.series.clear();
    this.study.clear();
    this.last = null;
    if (tell) this.tell();
  }

  tell() {
    sessionStorage.setItem(PICKED, JSON.stringify({ series: [...this.series], study: [...this.study] }));
    this.changed();
  }

  said() {
    return this.all ? { all: true } : { all: false, series: [...this.series], studies: [...this.study] };
  }
}
