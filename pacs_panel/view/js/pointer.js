// What hands do on a plane: wheel, drag, click, and what lies under the pointer.

const CLICK = 3; // px within which a press is no drag
const NOTCH = 50; // px of wheel from which one event is a step of its own
const NEAR = 12; // px about the crosshair's centre that take hold of it

export function listen(pane, viewer) {
  const { el } = pane;
  let rest = 0;
  let drag = null;

  el.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const pixels = event.deltaMode === 1 ? event.deltaY * 33 : event.deltaY;
      if (event.ctrlKey || event.metaKey) {
        viewer.zoomAt(pane, Math.exp(-pixels / 400), placeOf(event, el));
        return;
      }
      const large = Math.abs(pixels) >= NOTCH;
      rest = large ? 0 : rest + pixels;
      const steps = large ? Math.sign(pixels) * Math.max(1, Math.round(Math.abs(pixels) / 120)) : Math.trunc(rest / NOTCH);
      if (!large) rest -= steps * NOTCH;
      if (steps) viewer.scroll(pane, steps);
      viewer.hover(pane, placeOf(event, el));
    },
    { passive: false },
  );

  el.addEventListener("pointerdown", (event) => {
    if (drag) return;
    viewer.activate(pane);
    if (event.button === 1) event.preventDefault();
    el.setPointerCapture(event.pointerId);
    const from = placeOf(event, el);
    const tool = toolOf(event, pane, viewer, from);
    drag = { id: event.pointerId, tool, from, last: from, moved: false, look: { ...viewer.look } };
    if (tool === "cross") viewer.cut(pane, from);
  });

  el.addEventListener("pointermove", (event) => {
    const at = placeOf(event, el);
    if (drag?.id === event.pointerId) {
      drag.moved ||= Math.hypot(at[0] - drag.from[0], at[1] - drag.from[1]) > CLICK;
      if (drag.moved) move(pane, viewer, drag, at);
      drag.last = at;
    }
    viewer.hover(pane, at);
  });

  const end = (event) => {
    if (drag?.id !== event.pointerId) return;
    if (event.type === "pointerup" && !drag.moved && drag.tool === "window") viewer.cut(pane, drag.from);
    drag = null;
  };
  el.addEventListener("pointerup", end);
  el.addEventListener("pointercancel", end);
  el.addEventListener("pointerenter", () => viewer.activate(pane, false));
  el.addEventListener("pointerleave", () => viewer.hover(null));
  el.addEventListener("contextmenu", (event) => event.preventDefault());
  el.addEventListener("dblclick", () => viewer.maximise(pane));
}

function toolOf(event, pane, viewer, from) {
  if (event.button === 1 || event.shiftKey) return "pan";
  if (event.button === 2) return "zoom";
  const [x, y] = pane.centre(viewer.look.index);
  const held = viewer.linked && Math.hypot(x - from[0], y - from[1]) <= NEAR;
  return viewer.tool === "window" && held ? "cross" : viewer.tool;
}

function move(pane, viewer, drag, at) {
  const [dx, dy] = [at[0] - drag.from[0], at[1] - drag.from[1]];
  if (drag.tool === "window") viewer.windowBy(drag.look, dx, dy);
  else if (drag.tool === "pan") viewer.panBy(pane, at[0] - drag.last[0], at[1] - drag.last[1]);
  else if (drag.tool === "zoom") viewer.zoomAt(pane, Math.exp((drag.last[1] - at[1]) / 150), drag.from);
  else viewer.cut(pane, at);
}

function placeOf(event, el) {
  const box = el.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}
