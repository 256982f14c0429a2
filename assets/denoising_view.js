// The page's live view of a run: reads the messages of app/trace/messages.py and draws text, replay, candidates, map.
// Gradio runs this once, when the component is mounted, with `element`, `props`, `watch` and `server` in scope.
// All text is set through textContent, because what users type and models write is data.

const parts = Object.fromEntries([...element.querySelectorAll("[data-part]")].map((each) => [each.dataset.part, each]));
const part = (name) => parts[name];
const NATS = 24; // an entropy byte divided by this is in nats, as in app/trace/messages.py
const TOP_NATS = 6; // the map's full scale for entropy

// `ending` is the run's latest status, `ended` the status on screen, which follows once the last state is shown.
const run = { name: null, opening: null, frames: [], latest: 0, ending: "", ended: "", text: "" };
const over = new Set(); // runs that ended or were replaced; messages of theirs that arrive late are ignored
const BEHIND = 24; // up to this many states behind, show one state per frame; further behind, several
let shown = 0; // the state on screen
let following = true; // show every new state as it arrives
let place = -1; // the position whose candidates are shown
let layout = ""; // key of the layout that the slots were built for
let slots = [];
let believed = new Map(); // step -> promise of the candidates at all positions
let player = 0;
let scheduled = false;
let width = 0; // of the map's column
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

// ---- messages -------------------------------------------------------------------------------------------------------

const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

// `when` is the step that committed each position, 0 if it is masked; a committed position keeps the `confidence` of
// its commit. So every frame can be painted without the others.
function frameOf(message, step, pieces) {
  const { nfe, calls, seconds, notes } = message;
  const frame = { pieces, nfe, calls, seconds, notes: notes || {} };
  frame.masks = pieces.filter((piece) => piece === null).length;
  frame.remask = message.remask || [];
  for (const score of ["when", "confidence", "entropy"]) frame[score] = new Uint8Array(pieces.length);
  if (!step) return frame;
  frame.when = bytes(message.when);
  frame.confidence = bytes(message.confidence);
  const entropies = bytes(message.entropy).values(); // one per position asked about, from left to right
  for (let at = 0; at < pieces.length; at++) if (asked(frame, step, at)) frame.entropy[at] = entropies.next().value;
  return frame;
}

// Returns whether the step asked the model about a position, that is, whether it was masked before the step.
const asked = (frame, step, at) =>
  step > 0 && !pinned(frame, at) && (frame.when[at] === 0 || frame.when[at] === Math.min(step, 255));

// Returns whether the visitor pinned a position: then it has a piece that no step committed.
const pinned = (frame, at) => frame.pieces[at] !== null && frame.when[at] === 0;

function receive(message) {
  if (!message || typeof message !== "object" || !message.run) return;
  if (message.ended === "running" && over.has(message.run)) return;
  if (message.ended !== "running") over.add(message.run);
  if (message.run !== run.name) {
    over.add(run.name);
    const replayed = Boolean(message.states);
    Object.assign(run, { name: message.run, opening: null, frames: [], latest: 0, ended: "running", text: "" });
    shown = replayed ? message.step : 0;
    believed = new Map();
    endAnnounced = false;
    following = true;
    place = -1;
    layout = "";
    pause();
  }
  if (message.opening) run.opening = message.opening;
  else if (!run.opening && run.asked !== run.name) {
    const name = (run.asked = run.name);
    ask("opening").then(({ opening }) => {
      if (name !== run.name) return;
      run.opening ??= opening;
      layout = "";
      refresh();
    });
  }
  if (message.states) {
    let pieces = Array(message.length).fill(null);
    run.frames = message.states.map((state, step) => {
      pieces = pieces.slice();
      for (const [at, piece] of Object.entries(state.changes)) pieces[at] = piece;
      return frameOf(state, step, pieces);
    });
    run.text = message.text;
  } else run.frames[message.step] = frameOf(message, message.step, message.pieces);
  run.ending = message.ended;
  run.latest = message.step;
  refresh();
}

const ask = (what, step = 0) =>
  server[what]({ run: run.name, step }).catch(() => ({ error: "the server did not answer" }));

function refresh() {
  if (scheduled) return;
  scheduled = true;
  const paintOnce = () => { if (scheduled) { scheduled = false; paint(); } };
  requestAnimationFrame(paintOnce);
  if (document.hidden) setTimeout(paintOnce, 0);
}

// ---- states ---------------------------------------------------------------------------------------------------------

// A dropped message leaves a hole, shown as the state before it until the closing message fills it.
function frameAt(number) {
  while (number > 0 && !run.frames[number]) number--;
  return run.frames[number];
}

const percent = (share) => `${Math.round(share * 100)}%`;

// Positions are counted across all gaps; `gapOf` returns the gap's number and the position in that gap, both from 0.
function gapOf(at) {
  let gap = 0;
  for (const length of run.opening?.gaps ?? []) {
    if (at < length) break;
    at -= length;
    gap++;
  }
  return [gap, at];
}
const several = () => (run.opening?.gaps.length ?? 1) > 1;
const named = (at) => (several() ? `gap ${gapOf(at)[0] + 1}, position ${gapOf(at)[1] + 1}` : `position ${at + 1}`);
const capital = (text) => text[0].toUpperCase() + text.slice(1);
const visible = (piece) => piece.replace(/ /g, "␣").replace(/\n/g, "↵").replace(/\t/g, "⇥");

// ---- text -----------------------------------------------------------------------------------------------------------

// During a run all slots have the same width; afterwards each is as wide as its last token. So no step moves the text.
function build() {
  const frame = frameAt(run.latest);
  const joined = run.ended !== "running";
  // While the number of masks is being chosen, the opening changes too.
  const wanted = [run.name, joined, frame.pieces.length, run.opening?.gaps, run.opening?.notices].join();
  if (wanted === layout) return;
  layout = wanted;
  const box = part("text");
  const hadFocus = box.contains(document.activeElement);
  box.replaceChildren();
  box.classList.toggle("dv-joined", joined);
  const opening = run.opening || { given: ["", ""], spaces: [""], gaps: [frame.pieces.length], notices: [] };
  const give = (gap) => {
    const given = document.createElement("span");
    given.className = "dv-given";
    given.textContent = opening.given[gap] + (joined && gap < opening.gaps.length ? spaces(frame, opening, gap) : "");
    box.append(given);
  };
  let word = null;
  slots = frame.pieces.map((last, at) => {
    const [gap, within] = gapOf(at);
    if (!within) {
      give(gap);
      word = null;
    }
    const slot = document.createElement("span");
    slot.className = "dv-slot";
    slot.tabIndex = at === Math.max(0, place) ? 0 : -1;
    slot.setAttribute("role", "button");
    slot.setAttribute("aria-describedby", "dv-about");
    slot.dataset.place = at;
    const size = document.createElement("span");
    size.className = "dv-size";
    size.setAttribute("aria-hidden", "true");
    const text = document.createElement("span");
    text.className = "dv-token";
    const bar = document.createElement("span");
    bar.className = "dv-bar";
    const when = document.createElement("span");
    when.className = "dv-when";
    slot.append(size, text, bar, when);
    const starts = last === null || /^\s/.test(last);
    const spaced = last === null || /^\s+\S/.test(last);
    if (joined) size.textContent = last === null ? "" : bare(last) || "·";
    if (!word || starts || !joined) {
      if (joined && spaced) box.append(" ");
      word = document.createElement("span");
      word.className = "dv-word";
      box.append(word);
    }
    word.append(slot);
    return { slot, text, bar, when, last, painted: "" };
  });
  give(opening.gaps.length);
  // All widths are read before anything is written: alternating would lay out the page once per slot.
  const widths = slots.map(({ slot }) => slot.clientWidth);
  slots.forEach((entry, at) => { entry.width = widths[at]; });
  const notices = opening.notices || [];
  part("notices").hidden = !notices.length;
  part("notices").textContent = notices.join(" ");
  if (hadFocus && slots.length) focusSlot(Math.max(0, place));
}

// The spaces that were typed before a gap are put back; the fill's first token may carry the first of them.
function spaces(frame, opening, gap) {
  const first = frame.pieces[startOf(opening, gap)];
  return first === null ? "" : first.startsWith(" ") ? opening.spaces[gap].slice(1) : opening.spaces[gap];
}
const startOf = (opening, gap) => opening.gaps.slice(0, gap).reduce((sum, length) => sum + length, 0);

// The text with the fills so far; `masked` is written for every masked position.
const assembled = (frame, opening, masked) => opening.given.map((part, gap) => {
  if (gap === opening.gaps.length) return part;
  const start = startOf(opening, gap);
  const pieces = frame.pieces.slice(start, start + opening.gaps[gap]);
  return part + spaces(frame, opening, gap) + pieces.map((piece) => piece ?? masked).join("");
}).join("");

// A token without its leading space, which the layout puts between words; a line break is made visible.
const bare = (piece) => (/^\s+$/.test(piece) ? piece : piece.replace(/^\s+/, "")).replace(/\n/g, "↵");

const ruler = document.createElement("canvas").getContext("2d");
let font = "";
function narrowing(text, width) {
  if (!font) font = getComputedStyle(part("text")).font;
  if (ruler.font !== font) ruler.font = font;
  const needed = ruler.measureText(text).width;
  return needed > width && width > 0 ? width / needed : 1;
}

function paintText(frame) {
  slots.forEach((entry, at) => {
    const piece = frame.pieces[at];
    const step = frame.when[at];
    const fresh = step > 0 && asked(frame, shown, at);
    const given = pinned(frame, at);
    const taken = frame.remask.includes(at);
    const sure = frame.confidence[at] / 255;
    const painted = [piece, fresh, taken, sure, step, at === place, given].join("\u0000");
    if (painted === entry.painted) return;
    entry.painted = painted;
    const { slot, text, bar, when } = entry;
    const words = piece === null ? "" : bare(piece) || "·";
    text.textContent = words;
    const same = piece !== null && piece === entry.last && run.ended !== "running";
    const scale = same ? 1 : narrowing(words, entry.width);
    text.style.transform = scale < 1 ? `scaleX(${scale.toFixed(3)})` : "";
    slot.classList.toggle("dv-masked", piece === null);
    slot.classList.toggle("dv-fresh", fresh);
    slot.classList.toggle("dv-taken", taken);
    slot.classList.toggle("dv-chosen", at === place);
    slot.classList.toggle("dv-pinned", given);
    slot.title = given ? "given: you pinned this word" : "";
    bar.style.transform = `scaleX(${given ? 0 : sure.toFixed(3)})`;
    when.textContent = given ? "given" : step || "";
    slot.setAttribute("aria-label", `${named(at)}: ` + (piece === null
      ? `masked${sure ? `, draft at ${percent(sure)}` : ""}`
      : given ? `${visible(piece)}, given` : `${visible(piece)}, committed in step ${step} at ${percent(sure)}`));
  });
}

// ---- map ------------------------------------------------------------------------------------------------------------

const cells = document.createElement("canvas");
let mapped = "";
function paintMap() {
  const canvas = part("map");
  const count = slots.length;
  // During a run there is a row for every step that it may take, so that the map does not grow.
  const rows = Math.max(1, run.latest, run.ended === "running" ? run.opening?.steps ?? 0 : 0);
  const score = part("score").value;
  const dark = document.body.classList.contains("dark");
  const wanted = [run.name, run.latest, run.ended, shown, place, width, score, dark].join();
  if (!count || !width || wanted === mapped) return;
  mapped = wanted;
  const cell = Math.max(2, Math.min(22, Math.floor(width / count)));
  const row = Math.max(2, Math.min(14, Math.floor(220 / rows)));
  const ratio = window.devicePixelRatio || 1;
  canvas.style.width = `${cell * count}px`;
  canvas.style.height = `${row * rows}px`;
  canvas.width = cell * count * ratio;
  canvas.height = row * rows * ratio;
  canvas.dataset.cell = cell;
  canvas.dataset.row = row;
  cells.width = count;
  cells.height = rows;
  const pen = cells.getContext("2d");
  const image = pen.createImageData(count, rows);
  for (let step = 1; step <= rows; step++) {
    const frame = run.frames[step];
    if (!frame) continue;
    for (let at = 0; at < count; at++) {
      if (!asked(frame, step, at)) continue;
      const share = score === "confidence"
        ? frame.confidence[at] / 255
        : Math.min(1, frame.entropy[at] / NATS / TOP_NATS);
      const level = dark ? 45 + 205 * share : 238 - 205 * share;
      image.data.set([level * 0.92, level * 0.92, dark ? Math.min(255, level * 1.1) : Math.min(255, level + 30), 255],
        4 * ((step - 1) * count + at));
    }
  }
  pen.putImageData(image, 0, 0);
  const ink = canvas.getContext("2d");
  ink.scale(ratio, ratio);
  ink.imageSmoothingEnabled = false;
  ink.drawImage(cells, 0, 0, cell * count, row * rows);
  const dot = Math.max(1, Math.min(cell, row) * 0.24);
  run.frames.forEach((frame, step) => {
    if (!step || !frame) return;
    for (let at = 0; at < count; at++) {
      if (!frame.when[at] || !asked(frame, step, at)) continue;
      ink.beginPath();
      ink.arc((at + 0.5) * cell, (step - 0.5) * row, dot, 0, 2 * Math.PI);
      ink.fillStyle = "#fff";
      ink.strokeStyle = "#000";
      ink.fill();
      ink.stroke();
    }
  });
  ink.strokeStyle = dark ? "#ffd166" : "#b3261e";
  ink.lineWidth = 1.5;
  if (shown) ink.strokeRect(0.75, (shown - 1) * row + 0.75, cell * count - 1.5, row - 1.5);
  ink.fillStyle = dark ? "#fff" : "#000";
  for (let gap = 1; gap < (run.opening?.gaps.length ?? 1); gap++) {
    ink.fillRect(startOf(run.opening, gap) * cell - 0.5, 0, 1, row * rows); // border between two gaps
  }
  if (place >= 0) ink.strokeRect(place * cell + 0.75, 0.75, cell - 1.5, row * rows - 1.5);
}

// ---- candidates -----------------------------------------------------------------------------------------------------

// Shows what the model believed about the chosen position at the step on screen, or at the step that committed it.
let wanted = ""; // key of the candidates to show; answers may come late and in any order
async function paintCandidates(frame) {
  const about = part("about");
  const table = part("table");
  const at = place;
  const step = at < 0 ? 0 : asked(frame, shown, at) ? shown : frame.when[at];
  const given = at >= 0 && pinned(frame, at);
  const mine = [run.name, at, step, frame.pieces[at]].join("\u0000");
  if (mine === wanted) return;
  wanted = mine;
  table.hidden = true;
  if (!step) {
    about.textContent = at < 0
      ? "Hover over, tap or focus a position in a gap to see what the model believed there."
      : given
        ? `${capital(named(at))}: “${visible(frame.pieces[at])}”, given; the model reads it and never changes it.`
        : `${capital(named(at))}: masked; no forward pass yet.`;
    return;
  }
  const source = run.frames[step];
  const piece = frame.pieces[at];
  const facts = source
    ? ` The model was ${percent(source.confidence[at] / 255)} sure of its draft;`
      + ` entropy ${(source.entropy[at] / NATS).toFixed(2)} nats.`
    : "";
  about.textContent = `${capital(named(at))} in step ${step}: `
    + (piece === null ? "still masked." : `“${visible(piece)}”, committed in step ${frame.when[at]}.`) + facts;
  if (!believed.has(step)) believed.set(step, ask("candidates", step));
  const answer = await believed.get(step);
  if (answer.error) believed.delete(step);
  if (mine !== wanted) return;
  if (answer.error) {
    about.textContent += ` The candidates could not be loaded: ${answer.error}.`;
    return;
  }
  part("rows").replaceChildren(...answer.candidates[at].map(([text, probability]) => {
    const row = document.createElement("tr");
    const token = document.createElement("th");
    token.scope = "row";
    token.textContent = visible(text);
    token.classList.toggle("dv-written", text === piece);
    const share = document.createElement("td");
    const bar = document.createElement("span");
    bar.className = "dv-bar";
    bar.style.transform = `scaleX(${probability})`;
    const number = document.createElement("span");
    number.textContent = `${(probability * 100).toFixed(1)}%`;
    share.append(bar, number);
    row.append(token, share);
    return row;
  }));
  table.hidden = false;
}

// ---- painting -------------------------------------------------------------------------------------------------------

const ENDINGS = {
  running: "running…",
  complete: "complete",
  stopped: "stopped",
  "time limit": "stopped by the time limit",
};

function paint() {
  if (following && shown < run.latest) {
    shown += reducedMotion.matches ? run.latest - shown : Math.ceil((run.latest - shown) / BEHIND);
    if (shown < run.latest) refresh();
  }
  const frame = frameAt(shown);
  if (!frame) return;
  if (!following || shown === run.latest) run.ended = run.ending;
  build();
  part("step").textContent = shown;
  part("of").textContent = run.ended === "running" ? ` of at most ${run.opening?.steps ?? "…"}` : ` of ${run.latest}`;
  part("nfe").textContent = frame.nfe;
  part("calls").textContent = frame.calls === frame.nfe ? "" : ` in ${frame.calls} calls`;
  part("masks").textContent = frame.masks;
  part("seconds").textContent = frame.seconds.toFixed(2);
  part("ended").textContent = [run.opening?.strategy, ENDINGS[run.ended]].filter(Boolean).join(" · ");
  const scrubber = part("scrubber");
  scrubber.max = run.latest;
  scrubber.value = shown;
  scrubber.setAttribute("aria-valuetext", `step ${shown} of ${run.latest}, ${frame.masks} masks left`);
  part("notes").textContent = Object.entries(frame.notes).map(([name, value]) => `${name} ${value}`).join(" · ");
  part("copy").disabled = !run.opening;
  part("download").disabled = run.ended === "running";
  part("root").dataset.step = shown;
  part("root").dataset.ended = run.ended;
  paintText(frame);
  paintMap();
  paintCandidates(frame);
  announce(frame);
}

let spoken = 0;
let announced = "";
let endAnnounced = false;
function announce(frame) {
  const done = run.ended !== "running";
  const justEnded = done && !endAnnounced;
  endAnnounced ||= done;
  const text = justEnded || (done && following)
    ? `${capital(ENDINGS[run.ended])} after ${run.latest} steps. ${reading(frame)}`
    : `Step ${shown}, ${frame.masks} masks left.`;
  if (text === announced || (!done && Date.now() - spoken < 2000)) return;
  announced = text;
  spoken = Date.now();
  part("live").textContent = text;
}

function reading(frame) {
  if (several()) return `The text reads: ${assembled(frame, run.opening, " … ")}`;
  return `The gap reads: ${frame.pieces.map((piece) => piece ?? " … ").join("")}`;
}

// ---- the visitor's actions ------------------------------------------------------------------------------------------

function go(number) {
  shown = Math.max(0, Math.min(run.latest, number));
  following = shown === run.latest;
  refresh();
}

function setPlaying(playing) {
  part("play").classList.toggle("dv-playing", playing);
  part("play").setAttribute("aria-label", playing ? "Pause" : "Play");
}

function pause() {
  clearInterval(player);
  player = 0;
  setPlaying(false);
}

function play() {
  if (player) return pause();
  if (shown >= run.latest) go(0);
  setPlaying(true);
  player = setInterval(() => {
    if (!element.isConnected || (shown >= run.latest && run.ended !== "running")) return pause();
    go(shown + 1);
  }, 1000 / Number(part("speed").value));
}

function choose(at) {
  if (at === place || at < 0 || at >= slots.length) return;
  place = at;
  slots.forEach(({ slot }, index) => { slot.tabIndex = index === at ? 0 : -1; });
  refresh();
}

function focusSlot(at) {
  choose(at);
  slots[at]?.slot.focus({ preventScroll: true });
}

const manual = (number) => { pause(); go(number); };
part("first").addEventListener("click", () => manual(0));
part("back").addEventListener("click", () => manual(shown - 1));
part("forward").addEventListener("click", () => manual(shown + 1));
part("last").addEventListener("click", () => manual(run.latest));
part("play").addEventListener("click", play);
part("speed").addEventListener("change", () => { if (player) { pause(); play(); } });
part("scrubber").addEventListener("input", (event) => manual(Number(event.target.value)));
part("score").addEventListener("change", refresh);

const slotOf = (event) => event.target.closest?.(".dv-slot");
for (const kind of ["pointerover", "focusin", "click"]) {
  part("text").addEventListener(kind, (event) => { if (slotOf(event)) choose(Number(slotOf(event).dataset.place)); });
}
part("text").addEventListener("keydown", (event) => {
  if (!slotOf(event) || event.altKey || event.ctrlKey || event.metaKey) return;
  const onwards = getComputedStyle(part("text")).direction === "rtl" ? -1 : 1;
  const moves = {
    ArrowLeft: () => focusSlot(Math.max(0, Math.min(slots.length - 1, place - onwards))),
    ArrowRight: () => focusSlot(Math.max(0, Math.min(slots.length - 1, place + onwards))),
    Home: () => focusSlot(0),
    End: () => focusSlot(slots.length - 1),
    ArrowUp: () => manual(shown - 1),
    ArrowDown: () => manual(shown + 1),
    " ": play,
  };
  if (!moves[event.key]) return;
  event.preventDefault();
  moves[event.key]();
});
part("map").addEventListener("click", (event) => {
  const { cell, row } = event.target.dataset;
  choose(Math.floor(event.offsetX / cell));
  manual(Math.floor(event.offsetY / row) + 1);
});

// Clears the status first, so that screen readers also speak a text that is repeated.
function showStatus(text) {
  part("status").textContent = "";
  setTimeout(() => { part("status").textContent = text; }, 50);
}
part("copy").addEventListener("click", async () => {
  const frame = frameAt(run.latest);
  const text = run.text || assembled(frame, run.opening, "");
  try {
    await navigator.clipboard.writeText(text);
  } catch { // no permission, or not https
    const box = document.createElement("textarea");
    box.value = text;
    element.append(box);
    box.select();
    document.execCommand("copy");
    box.remove();
  }
  showStatus("Text copied.");
});
part("download").addEventListener("click", async () => {
  const answer = await ask("recorded");
  if (answer.error) return showStatus(answer.error);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([answer.trace], { type: "application/json" }));
  link.download = "infill-trace.json";
  link.click();
  URL.revokeObjectURL(link.href);
  showStatus("Trace downloaded.");
});

new ResizeObserver(() => {
  const now = part("map").parentElement.clientWidth;
  if (now === width) return;
  width = now;
  font = "";
  layout = "";
  if (run.name) refresh();
}).observe(element);
// The class of the body changes with dark mode.
new MutationObserver(() => { if (run.name) refresh(); }).observe(document.body, { attributeFilter: ["class"] });
const WAITING = "waiting for the model…";
let before = ["", ""]; // the texts on screen when the button was pressed
window.addEventListener("fill-asked-for", () => {
  if (part("ended").textContent !== WAITING) before = [part("ended").textContent, part("live").textContent];
  part("ended").textContent = WAITING;
  part("live").textContent = "Waiting for the model.";
  part("status").textContent = "";
});
window.addEventListener("fill-refused", () => {
  if (part("ended").textContent === WAITING) [part("ended").textContent, part("live").textContent] = before;
});
watch("value", () => receive(props.value));
receive(props.value);
