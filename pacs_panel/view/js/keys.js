// What keys do. Fields keep those that they need themselves.

const STEPS = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -1e9, End: 1e9 };

export function keyed(viewer, event) {
  if (event.ctrlKey || event.metaKey || event.altKey || keptByField(event)) return;
  const acts = {
    r: () => viewer.reset(),
    i: () => viewer.set({ invert: !viewer.look.invert }),
    f: () => viewer.maximise(viewer.active),
    o: () => viewer.overlays?.toggleAll(),
    " ": () => viewer.cine.toggle(),
    "[": () => viewer.stepExtra(-1),
    ",": () => viewer.stepExtra(-1),
    "]": () => viewer.stepExtra(1),
    ".": () => viewer.stepExtra(1),
  };
  const { key } = event;
  const act = /^[0-9]$/.test(key) ? () => viewer.preset(Number(key) - 1) : acts[key.toLowerCase()];
  if (key in STEPS) viewer.scroll(viewer.active, STEPS[key]);
  else if (act) act();
  else return;
  event.preventDefault();
  event.stopPropagation();
}

function keptByField(event) {
  const { key } = event;
  const field = event.composedPath()[0];
  if (field.tagName === "BUTTON") return key === " " || key === "Enter";
  if (field.tagName === "SELECT") return true;
  if (field.tagName !== "INPUT") return false;
  if (field.type === "checkbox") return key === " ";
  return field.type !== "range" || key in STEPS;
}
