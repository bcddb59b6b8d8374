// The page's address: one step of the history for each deliberate change. What must not stand in an address, such as a
// name that is looked for, is kept by this tab under an id that tells nothing.
const KEPT = "pacs_panel words";
const MOST_KEPT = 200;

function namesKept() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT)) ?? [];
  } catch {
    return [];
  }
}

function keep(name, what) {
  const names = [...namesKept().filter((one) => one !== name), name];
  for (const old of names.splice(0, Math.max(0, names.length - MOST_KEPT))) sessionStorage.removeItem(`${KEPT} ${old}`);
  sessionStorage.setItem(KEPT, JSON.stringify(names));
  sessionStorage.setItem(`${KEPT} ${name}`, JSON.stringify(what));
}

function recall(query) {
  const name = new URLSearchParams(query).get("words");
  if (!name) return {};
  try {
    return JSON.parse(sessionStorage.getItem(`${KEPT} ${name}`));
  } catch {
    return null;
  }
}

export class Place {
  constructor(model, told) {
    this.model = model;
    this.told = told;
    this.heard = () => this.say();
    window.addEventListener("popstate", this.heard);
    model.on("place", () => this.write());
    if (model.shown.waiting) this.say();
  }

  say() {
    const query = location.search;
    const words = recall(query);
    this.told(words === null);
    this.model.send_msg({ kind: "address", query, private: words });
  }

  write() {
    const { query, push, name, private: words } = this.model.place;
    if (name) keep(name, words);
    const asked = query ? `?${query}` : location.pathname;
    if (asked === location.search || (!query && !location.search)) return;
    history[push ? "pushState" : "replaceState"]({}, "", asked);
  }

  end() {
    window.removeEventListener("popstate", this.heard);
  }
}
