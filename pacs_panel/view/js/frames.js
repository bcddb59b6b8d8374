// Where frames come from, and what lies over them. Two transports with the same methods, which give bytes:
// slice(level, axis, index, extra), volume(level, extra), overlays(), overlay(sop, layer, axis, index), contours(sop, index), presentations().

const NO_UID = "planes"; // what lies in the images themselves has no UID of its own

export class HttpFrames {
  constructor(base, meta) {
    this.root = `${base}/frames/${meta.series_key}/${meta.revision}/${meta.stack}`;
  }

  slice(level, axis, index, extra) {
    return this.get(`${level}/${axis}/${index}`, extra);
  }

  volume(level, extra) {
    return this.get(`${level}/volume`, extra);
  }

  overlays() {
    return this.get("overlays.json");
  }

  presentations() {
    return this.get("presentations.json");
  }

  overlay(sop, layer, axis, index) {
    return this.get(`overlay/${sop || NO_UID}/${layer}/${axis}/${index}`);
  }

  contours(sop, index) {
    return this.get(`contours/${sop || NO_UID}/${index}.json`);
  }

  async get(path, extra = []) {
    const query = extra.length ? `?extra=${extra.join(",")}` : "";
    const response = await fetch(`${this.root}/${path}${query}`);
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    return response.arrayBuffer();
  }

  close() {}
}

const PATIENCE = 1000;
const MOST_PATIENCE = 32000;

// Large answers come part by part. A message may be lost on the way (Jupyter drops what is too much at once, and a server may
// hold one back until it sends the next), and a kernel may be busy for long: a request is repeated until it is answered, after
// twice as long each time.
export class MessageFrames {
  constructor(model) {
    this.model = model;
    this.token = Math.random().toString(36).slice(2);
    this.waiting = new Map();
    this.count = 0;
    this.hear = (answer) => this.waiting.get(answer?.id)?.(answer);
    model.on("msg:custom", this.hear);
  }

  slice(level, axis, index, extra) {
    return this.whole({ kind: "slice", level, axis, index, extra });
  }

  volume(level, extra) {
    return this.whole({ kind: "volume", level, extra });
  }

  overlays() {
    return this.whole({ kind: "overlays" });
  }

  presentations() {
    return this.whole({ kind: "presentations" });
  }

  overlay(sop, layer, axis, index) {
    return this.whole({ kind: "overlay", sop, layer, axis, index });
  }

  contours(sop, index) {
    return this.whole({ kind: "contours", sop, index });
  }

  async whole(request) {
    let answer = await this.ask({ ...request, offset: 0 });
    if (answer.bytes.byteLength >= answer.total) return answer.bytes;
    const content = new Uint8Array(answer.total);
    let filled = 0;
    for (;;) {
      content.set(new Uint8Array(answer.bytes), filled);
      filled += answer.bytes.byteLength;
      if (filled >= content.length) return content.buffer;
      answer = await this.ask({ ...request, offset: filled });
    }
  }

  ask(request) {
    const id = `${this.token}-${this.count++}`;
    let again = null;
    const send = (patience) => {
      this.model.send_msg({ ...request, id });
      again = setTimeout(send, patience, Math.min(2 * patience, MOST_PATIENCE));
    };
    return new Promise((resolve, reject) => {
      this.waiting.set(id, (answer) => {
        clearTimeout(again);
        this.waiting.delete(id);
        if (!answer) return;
        if (answer.error) reject(new Error(answer.error));
        else resolve(answer);
      });
      send(PATIENCE);
    });
  }

  close() {
    this.model.off("msg:custom", this.hear);
    for (const forget of [...this.waiting.values()]) forget(null);
  }
}
