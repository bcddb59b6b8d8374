// Files from where people drop or choose them, to any depth; each with its path, which never leaves this page.
const LITTER = new Set([".ds_store", "thumbs.db", "desktop.ini"]);

export class Gathered {
  constructor() {
    this.files = []; // of { file, path }
    this.bytes = 0;
    this.litter = 0; // what an operating system left behind
    this.directories = 0; // DICOMDIR files: they only list others
  }

  add(file, path) {
    const name = file.name.toLowerCase();
    if (LITTER.has(name) || name.startsWith("._") || path.includes("__MACOSX/")) this.litter += 1;
    else if (name === "dicomdir") this.directories += 1;
    else {
      this.files.push({ file, path });
      this.bytes += file.size;
    }
  }
}

export function fromInput(input) {
  const found = new Gathered();
  for (const file of input.files) found.add(file, file.webkitRelativePath || file.name);
  return found;
}

// What a drop holds can be asked for only while the event lasts; what is below, afterwards.
export function fromDrop(transfer, counted) {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const entries = items.map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile()).filter(Boolean);
  return walk(entries, counted);
}

async function walk(entries, counted) {
  const found = new Gathered();
  const waiting = [...entries].reverse();
  while (waiting.length) {
    const entry = waiting.pop();
    if (entry instanceof File) found.add(entry, entry.name);
    else if (entry.isFile) found.add(await new Promise((yes, no) => entry.file(yes, no)), entry.fullPath.replace(/^\//, ""));
    else waiting.push(...(await children(entry)).reverse());
    counted(found.files.length);
  }
  return found;
}

async function children(folder) {
  const reader = folder.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((yes, no) => reader.readEntries(yes, no)); // a hundred at a time
    if (!some.length) return found.sort((a, b) => (a.name < b.name ? -1 : 1));
    found.push(...some);
  }
}
