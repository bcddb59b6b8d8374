// Pulling: a form that asks a peer, what it has and what of it is here, and how far the pulls are. What is typed stays
// in the form, which is drawn once, and goes into messages only.
import { button, make, many, redraw } from "./elements.js";

const FIELDS = [
  ["PatientName", "Patient’s name", { placeholder: "Doe*" }],
  ["PatientID", "Patient ID"],
  ["from", "Study date from", { type: "date" }],
  ["to", "Study date until", { type: "date" }],
  ["Modality", "Modality", { placeholder: "CT" }],
  ["AccessionNumber", "Accession number"],
];
const HEADS = ["Patient", "Study date", "Modality", "Description", "Accession", "Objects", "Here"];
const STATES = { waiting: "waits", running: "running", done: "done", failed: "not complete" };

class Pull {
  constructor(model) {
    this.model = model;
    this.picked = new Set();
    this.number = 0;
    this.only = false;
    this.results = make("div", { class: "results" });
    this.pulls = make("div", { class: "pulls" });
    this.el = make("div", { class: "pull" }, make("h1", {}, "Pull"), make("p", { class: "quiet lead" }, "Ask a peer of the settings what it has, and take in what is not here yet."), this.form(), this.results, this.pulls);
    this.update();
  }

  say(kind, more = {}) {
    this.model.send_msg({ kind, ...more });
  }

  update() {
    const { finding, found } = this.model.shown;
    if (found && found.number !== this.number) {
      this.number = found.number;
      this.picked.clear();
      this.only = Boolean(found.modality);
    }
    this.ask.disabled = finding;
    redraw(this.results, ...this.answer());
    redraw(this.pulls, ...this.running());
  }

  // -- the form

  form() {
    const field = (words, input) => make("label", { class: "field" }, make("span", {}, words), input);
    this.peer = make("select", { name: "peer" }, this.model.shown.peers.map((name) => make("option", { value: name }, name)));
    this.inputs = Object.fromEntries(FIELDS.map(([name, , more = {}]) => [name, make("input", { type: "text", name, maxlength: 64, autocomplete: "off", spellcheck: "false", ...more })]));
    this.ask = make("button", { type: "submit", class: "strong" }, "Find");
    const fields = FIELDS.map(([name, words]) => field(words, this.inputs[name]));
    const form = make("form", { autocomplete: "off", "aria-label": "What to ask for" }, field("Peer", this.peer), fields, make("div", { class: "go" }, this.ask, make("span", { class: "sub" }, "* stands for anything")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.find();
    });
    return form;
  }

  find() {
    const { from, to, ...others } = this.inputs;
    const asked = Object.fromEntries(Object.entries(others).map(([name, input]) => [name, input.value]));
    const [first, last] = [from, to].map((input) => input.value.replaceAll("-", ""));
    asked.StudyDate = first || last ? `${first}-${last}` : "";
    this.say("find", { peer: this.peer.value, asked });
  }

  // -- what was found

  answer() {
    const { finding, trouble, found } = this.model.shown;
    const drawn = [trouble ? make("p", { class: "trouble", role: "alert" }, trouble) : null];
    if (finding) drawn.push(make("p", { class: "quiet", role: "status" }, "Asking…"));
    if (found) drawn.push(...(found.studies.length ? this.table(found) : [make("p", { class: "quiet none", role: "status" }, `${found.peer} has nothing that matches.`)]));
    return drawn;
  }

  table({ peer, studies, more, modality }) {
    const open = studies.filter(({ all }) => !all);
    const every = open.length > 0 && open.every(({ uid }) => this.picked.has(uid));
    const title = make("h2", {}, more ? `The first ${many(studies.length, "study", "studies")} of ${peer}; ask for less to see the others` : `${many(studies.length, "study", "studies")} at ${peer}`);
    const box = this.tick("every", every, "Select all that is not here", () => open.forEach(({ uid }) => (every ? this.picked.delete(uid) : this.picked.add(uid))), !open.length);
    const head = make("tr", {}, make("td", { class: "pick" }, box), HEADS.map((words) => make("th", { scope: "col", class: style(words) }, words)));
    const table = make("table", {}, make("thead", {}, head), make("tbody", {}, studies.map((study) => this.study(study))));
    return [make("div", { role: "status" }, title), make("div", { class: "wide", tabindex: 0, role: "region", "aria-label": "Studies", "data-focus": "studies" }, table), this.foot(modality)];
  }

  study({ uid, name, id, date, modalities, description, accession, objects, here, all }) {
    const pick = () => (this.picked.has(uid) ? this.picked.delete(uid) : this.picked.add(uid));
    const box = this.tick(`pick ${uid}`, this.picked.has(uid), `Select ${description || "study"} of ${date || "no date"}`, pick);
    const some = objects === null ? here.toLocaleString("en") : `${here.toLocaleString("en")} of ${objects.toLocaleString("en")}`;
    const state = all ? make("span", { class: "good" }, "all") : here ? make("span", { class: "warn" }, some) : make("span", { class: "sub" }, "–");
    const cells = [[make("div", {}, name || "No name"), make("div", { class: "sub" }, id || "no ID")], date || "–", modalities || "–", description || "–", accession || "–", objects === null ? "–" : objects.toLocaleString("en"), state];
    return make("tr", { "data-study": uid }, make("td", { class: "pick" }, box), cells.map((content, n) => make("td", { class: style(HEADS[n]) }, content)));
  }

  tick(focus, checked, label, act, disabled = false) {
    const box = make("input", { type: "checkbox", "aria-label": label, "data-focus": focus, disabled });
    box.checked = checked;
    box.addEventListener("change", () => (act(), this.update()));
    return box;
  }

  foot(modality) {
    const only = modality && this.tick("only", this.only, `Only series of ${modality}`, () => (this.only = !this.only));
    const pull = () => {
      this.say("pull", { number: this.number, uids: [...this.picked], only: Boolean(modality) && this.only });
      this.picked.clear();
      this.update();
    };
    const words = this.picked.size ? `Pull ${many(this.picked.size, "study", "studies")}` : "Pull";
    return make("div", { class: "foot" }, button(words, pull, { class: "strong", disabled: !this.picked.size, "data-focus": "pull" }), only && make("label", {}, only, `only series of ${modality}`), make("span", { class: "sub" }, "What is here already is not asked for again."));
  }

  // -- the pulls

  running() {
    const { pulls } = this.model.shown;
    return pulls.length ? [make("h2", {}, "Pulls since the server started"), make("ul", {}, pulls.map((each) => this.run(each)))] : [];
  }

  run({ key, peer, state, studies, expected, found, here, accepted, failed, refused, stopping, began, problem, href, reasons }) {
    const on = state === "waiting" || state === "running";
    const top = make("p", { class: "top" }, make("b", {}, peer), make("span", {}, many(studies, "study", "studies")), make("span", { class: "badge", "data-state": state }, stopping && on ? "stops" : STATES[state]), make("span", { class: "sub" }, began));
    const bar = on && make("progress", { max: expected || null, value: expected ? here + accepted : null, "aria-label": `Objects from ${peer}` });
    const counts = [[found, "found"], [here, "already here"], [accepted, "accepted"], [failed, "failed"], [refused, "refused: not asked for"]];
    const told = counts.filter(([count], n) => count || n < 3).map(([count, words]) => `${count.toLocaleString("en")} ${words}`);
    const again = problem || failed ? "Pull it again to go on: what came is not asked for again." : "";
    return make(
      "li",
      { "data-pull": key, "data-state": state },
      top,
      bar,
      make("p", { role: on ? null : "status" }, told.join(", ")),
      problem ? make("p", { class: "bad" }, problem) : null,
      reasons.map(([reason, count]) => make("p", { class: "bad" }, `${many(count, "object")}: ${reason}`)),
      !on && again ? make("p", { class: "sub" }, again) : null,
      make("p", { class: "acts" }, on && button("Stop", () => this.say("stop", { key }), { class: "plain", disabled: stopping, "data-focus": `stop ${key}` }), href && make("a", { href, "data-focus": `browse ${key}` }, "Show in Browse")),
    );
  }
}

function style(words) {
  return words === "Objects" ? "number" : words.toLowerCase().replaceAll(" ", "-");
}

export function render({ model }) {
  const pull = new Pull(model);
  model.on("shown", () => pull.update());
  return pull.el;
}
