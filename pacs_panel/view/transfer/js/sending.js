// One upload: files to requests, some at once, again where the network failed, then the import and its report.
import { Answered, ask, asJson } from "./request.js";

const AT_ONCE = 4; // requests
const SMALL = 4 << 20; // bytes up to which files share a request
const BATCH = 8 << 20; // bytes of one such request
const MOST = 200; // files of one
const SLICE = 16 << 20; // bytes of a large file in one request
const PAUSES = [500, 1000, 2000, 4000, 8000]; // ms before the next attempt
const POLL = 400; // ms between two looks at an import

const wait = (time) => new Promise((done) => setTimeout(done, time));

export class Sending {
  constructor(gathered, changed) {
    const large = ({ file }) => file.size > SMALL;
    this.files = [...gathered.files.filter((one) => !large(one)), ...gathered.files.filter(large)];
    Object.assign(this, { gathered, changed, state: "staged", problem: "", hint: "", objects: 0, report: null });
    this.bytes = gathered.bytes;
    this.restart();
  }

  restart() {
    this.session = null;
    this.units = [...batches(this.files)];
    this.without = new Map(); // number of a file that cannot be sent, and why
    this.done = { bytes: 0, files: 0 };
    this.under = new Map(); // bytes that are on their way, by unit
  }

  get sent() {
    return this.done.bytes + [...this.under.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  turn(state, error = null) {
    this.state = state;
    this.problem = error?.message ?? "";
    this.hint = error?.hint ?? "";
    this.changed(this);
  }

  // -- sending ----------------------------------------------------------------------------------------------------------

  async start(collection = this.collection) {
    this.collection = collection;
    this.stopping = new AbortController();
    this.turn("sending");
    try {
      await this.begin();
      await Promise.all(Array.from({ length: AT_ONCE }, () => this.work()));
      await this.finish();
    } catch (error) {
      this.stopping.abort();
      if (["paused", "cancelled"].includes(this.state)) return;
      if (error.status === 404 || error.more?.missing) this.restart(); // the server knows nothing of it any more
      this.turn("stopped", error);
    }
  }

  async begin() {
    if (this.session) return;
    const { session } = await ask("POST", "upload", asJson({ bytes: this.bytes, collection: this.collection }));
    this.session = session;
    if (this.state === "cancelled") await this.discard(); // while the server answered
  }

  async work() {
    const { units } = this;
    while (units.length) {
      const unit = units.shift();
      try {
        await this.persist(unit);
      } catch (error) {
        units.unshift(unit);
        throw error;
      } finally {
        this.under.delete(unit);
      }
    }
  }

  async persist(unit) {
    for (let attempt = 0; ; attempt += 1) {
      try {
        await this.put(unit);
        return;
      } catch (error) {
        if (this.stopping.signal.aborted || error.name === "AbortError") throw error;
        if (error.status === 413 && this.leaveOut(unit, error.message)) return;
        const unreadable = error instanceof Answered ? [] : await unreadableOf(unit);
        if (unreadable.length) {
          this.split(unit, unreadable);
          return;
        }
        const again = !(error instanceof Answered) || error.status === 409 || (error.status >= 500 && error.status !== 507);
        if (!again || attempt === PAUSES.length) throw error;
        await wait(PAUSES[attempt]);
        if (unit.files.length === 1 && unit.offset) await this.look(unit);
      }
    }
  }

  async put(unit) {
    const { first, files } = unit;
    const lengths = files.map(({ size }) => size).join(",");
    const whole = files.length > 1 ? new Blob(files) : files[0];
    do {
      const slice = whole.slice(unit.offset, files.length > 1 ? whole.size : unit.offset + SLICE);
      const headers = { "Upload-Lengths": lengths, "Upload-Offset": unit.offset, "Content-Type": "application/octet-stream" };
      const from = unit.offset;
      const sent = (bytes) => this.under.set(unit, from + Math.min(bytes, slice.size));
      await ask("PUT", `upload/${this.session}/${first}`, { body: slice, headers, sent, signal: this.stopping.signal });
      unit.offset += slice.size;
      this.under.set(unit, unit.offset);
    } while (unit.offset < whole.size);
    this.under.delete(unit);
    this.done.bytes += whole.size;
    this.done.files += files.length;
  }

  // Where a large file broke off.
  async look(unit) {
    const { offset, whole } = await ask("GET", `upload/${this.session}/${unit.first}`);
    unit.offset = whole ? 0 : offset;
  }

  leaveOut({ first, files }, why) {
    if (files.length > 1) return false;
    this.without.set(first, why);
    this.bytes -= files[0].size;
    return true;
  }

  // A batch without those of its files that this computer cannot read any more.
  split(unit, unreadable) {
    for (const place of unreadable) {
      this.leaveOut({ first: unit.first + place, files: [unit.files[place]] }, "it cannot be read on this computer any more");
    }
    const rest = unit.files.map((file, place) => ({ first: unit.first + place, files: [file], offset: 0 }));
    this.units.unshift(...rest.filter((_, place) => !unreadable.includes(place)));
  }

  // -- the import -------------------------------------------------------------------------------------------------------

  async finish() {
    if (this.without.size === this.files.length) {
      await ask("DELETE", `upload/${this.session}`);
      this.report = { accepted: 0, duplicates: 0, new_versions: 0, alternative_encodings: 0, series: 0, reasons: [] };
      this.turn("done");
      return;
    }
    await ask("POST", `upload/${this.session}/finish`, asJson({ files: this.files.length, without: [...this.without.keys()] }));
    this.turn("importing");
    await this.follow();
  }

  async follow() {
    for (let silent = 0; this.state === "importing"; ) {
      await wait(POLL);
      try {
        const told = await ask("GET", `upload/${this.session}`);
        silent = 0;
        this.objects = told.objects;
        if (told.state === "failed") return this.turn("failed", { message: told.problem });
        if (told.state === "done") {
          this.report = told.report;
          return this.turn("done");
        }
      } catch (error) {
        silent += 1;
        if (error instanceof Answered) return this.lost();
        this.problem = silent > 3 ? "The server does not answer; still asking." : "";
      }
      this.changed(this, true);
    }
  }

  lost() {
    this.restart();
    this.turn("stopped", { message: "the server was restarted while it took this in", hint: "send it again: what is there already is not kept twice" });
  }

  // -- what its user decides --------------------------------------------------------------------------------------------

  pause() {
    this.turn("paused");
    this.stopping.abort();
  }

  async goOn() {
    if (this.state === "failed") return this.again();
    try {
      if (this.session) await Promise.all(this.units.filter((unit) => unit.offset).map((unit) => this.look(unit)));
    } catch {
      // it is found out when the next bytes are sent
    }
    return this.start();
  }

  async again() {
    try {
      await this.finish();
    } catch (error) {
      this.turn("failed", error);
    }
  }

  async cancel() {
    this.turn("cancelled");
    this.stopping?.abort();
    if (this.session) await this.discard();
  }

  async discard() {
    await ask("DELETE", `upload/${this.session}`).catch(() => {});
  }
}

function* batches(files) {
  let unit = null;
  let size = 0;
  for (const [number, { file }] of files.entries()) {
    if (!unit || unit.files.length === MOST || size + file.size > BATCH || file.size > SMALL) {
      if (unit) yield unit;
      unit = { first: number, files: [], offset: 0 };
      size = 0;
    }
    unit.files.push(file);
    size += file.size;
  }
  if (unit) yield unit;
}

async function unreadableOf({ files }) {
  const found = [];
  for (const [place, file] of files.entries()) {
    try {
      await file.slice(0, 1).arrayBuffer();
    } catch {
      found.push(place);
    }
  }
  return found;
}
