// The page requests the calls from the server every two seconds and updates only the changed parts. A row stays as long
// as its call is listed and is never rebuilt, so its player continues and focus stays.
"use strict";

const PAGE_SIZE = 50;
const INTERVAL = 2_000;
const LONGEST_INTERVAL = 30_000;
const TIMEOUT = 10_000;

const element = (id) => document.getElementById(id);

/** Sets a node's text only if it differs, because a live region reads out every write. */
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function setAttribute(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

function make(tag, text, className) {
  const node = document.createElement(tag);
  node.textContent = text;
  if (className) node.className = className;
  return node;
}

function wrap(tag, className, ...children) {
  const node = make(tag, "", className);
  node.append(...children);
  return node;
}

// MARK: Formatting

const dayAndTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const timeOnly = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

function instant(format, text) {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? String(text) : format.format(date);
}

const caller = (call) => call.from || "unknown caller";
const callee = (call) => call.to || "unknown number";

function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds || 0));
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

function length(seconds) {
  return seconds > 0 && seconds < 1 ? `${Math.max(seconds, 0.01).toFixed(2)}\u00a0s` : clock(seconds);
}

function size(bytes) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let [value, unit] = [bytes, 0];
  while (value >= 999.5 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit && value < 9.95 ? value.toFixed(1) : Math.round(value)}\u00a0${units[unit]}`;
}

function audioFormat({ sampleRate, channels }) {
  const layout = { 1: "mono", 2: "stereo" }[channels] || `${channels} channels`;
  return sampleRate ? `${sampleRate / 1000}\u00a0kHz ${layout}` : "";
}

function fileName(file) {
  const type = String(file.type || "file").toUpperCase();
  return file.sink && file.sink !== file.type ? `${type} (${file.sink})` : type;
}

const callCount = (count) => `${count || "No"} live ${count === 1 ? "call" : "calls"}`;

/** Returns the path of a recording's file on this server, also behind a path prefix; null for any other text. */
function recordingURL(text) {
  if (typeof text !== "string" || !text.startsWith("/api/recordings/")) return null;
  const base = new URL(".", document.baseURI);
  const url = new URL(text.slice(1), base);
  return url.origin === base.origin && url.pathname.startsWith(`${base.pathname}api/recordings/`) ? url.pathname : null;
}

// MARK: Rows

/** The rows of one list by call id. `patch(parts, item, node)` updates a row. */
class Rows {
  constructor(list, template, patch) {
    Object.assign(this, { list, template, patch, rows: new Map() });
  }

  show(items) {
    const wanted = new Map(items.map((item) => [item.id, item]));
    for (const [id, { node }] of this.rows) {
      if (wanted.has(id) || isInUse(node)) continue;
      node.remove();
      this.rows.delete(id);
    }
    let next = this.list.firstElementChild;
    for (const [id, item] of wanted) {
      const { node, parts } = this.rows.get(id) || this.add(id);
      this.patch(parts, item, node);
      while (next && !wanted.has(next.dataset.id)) next = next.nextElementSibling;
      // Moving a player in the document would stop it, so a row in use stays in its place.
      if (node !== next && !(node.isConnected && isInUse(node))) this.list.insertBefore(node, next);
      next = node.nextElementSibling;
    }
  }

  add(id) {
    const node = this.template.content.firstElementChild.cloneNode(true);
    const parts = {};
    for (const part of node.querySelectorAll("[data-part]")) parts[part.dataset.part] = part;
    node.dataset.id = id;
    this.rows.set(id, { node, parts });
    return this.rows.get(id);
  }
}

/** Returns true if the user is using this row: focus is in it, or its player has begun. */
function isInUse(node) {
  const audio = node.querySelector("audio");
  const begun = audio && !audio.ended && (!audio.paused || audio.currentTime > 0);
  return begun || node.contains(document.activeElement);
}

function patchParties(parts, call) {
  setText(parts.from, caller(call));
  setText(parts.to, callee(call));
  setText(parts.format, audioFormat(call));
  setAttribute(parts.start, "datetime", String(call.startedAt));
}

function patchProblems(list, problems) {
  patchList(list, problems.map((problem) => `⚠ Problem: ${problem}`));
}

function patchList(list, texts) {
  if (texts.join("\n") === [...list.children].map((item) => item.textContent).join("\n")) return;
  list.replaceChildren(...texts.map((text) => make("li", text)));
}

function patchLive(parts, call) {
  patchParties(parts, call);
  setText(parts.start, instant(timeOnly, call.startedAt));
  const sinks = call.sinks || [];
  const isTrouble = ({ state }) => ["failed", "stalled", "lagging"].includes(state);
  const healthy = sinks.filter((sink) => !isTrouble(sink));
  setText(parts.sinks, healthy.map(({ name, state }) => `${name} ${state}`).join(", "));
  const exceptions = call.stillRecording || [];
  const paused = call.paused ? [`The recording is ${call.resuming ? "about to resume" : "paused"}.`] : [];
  if (exceptions.length) paused.push(`Not paused, because of onPause: ${exceptions.join(", ")}.`);
  patchProblems(parts.problems, [...paused, ...sinks.filter(isTrouble).map(({ name, state }) => `${name}: ${state}`)]);
  clocks.set(parts.clock, { seconds: call.seconds || 0, at: performance.now() });
}

function patchRecording(parts, recording, node) {
  const state = JSON.stringify(recording);
  if (node.state === state) return;
  node.state = state;
  patchParties(parts, recording);
  setText(parts.start, instant(dayAndTime, recording.startedAt));
  setText(parts.length, length(recording.seconds));
  setAttribute(parts.length, "datetime", `PT${Number(recording.seconds) || 0}S`);
  setText(parts.end, recording.endReason || "");
  patchProblems(parts.problems, recording.problems || []);
  patchPlayer(parts, recording);
  patchFiles(parts.files, recording);
}

/** Returns the files that this browser can play: for each sink, the addresses of its parts in order. */
function playableSources(files) {
  const player = document.createElement("audio");
  const sources = new Map();
  for (const file of files) {
    const url = recordingURL(file.url);
    if (!url || !player.canPlayType(file.mediaType)) continue;
    if (!sources.has(file.sink)) sources.set(file.sink, []);
    sources.get(file.sink).push(url);
  }
  return [...sources.values()];
}

function patchPlayer({ audio, hint, parts }, recording) {
  const files = recording.files || [];
  const sources = playableSources(files);
  let [source, part] = [0, 0];
  const load = () => {
    const urls = sources[source] || [];
    if (urls[part]) setAttribute(audio, "src", urls[part]);
    parts.hidden = urls.length < 2;
    const shown = urls.length < 2 ? [] : urls;
    parts.replaceChildren(
      ...shown.map((_, index) => partItem(index, urls.length, index === part, () => go(index))));
  };
  /** Plays another part. Moves focus to its button, because the buttons are rebuilt. */
  const go = (index) => {
    const hadFocus = parts.contains(document.activeElement);
    part = index;
    load();
    if (hadFocus) parts.children[part].firstElementChild.focus();
    audio.play().catch(() => {});
  };
  // The current file keeps playing when another file appears.
  const current = audio.getAttribute("src");
  const known = sources.findIndex((urls) => urls.includes(current));
  if (known >= 0) [source, part] = [known, sources[known].indexOf(current)];
  load();
  audio.hidden = sources.length === 0;
  setAttribute(audio, "aria-label", `Call from ${caller(recording)}, ${instant(dayAndTime, recording.startedAt)}`);
  audio.onended = () => { if (part + 1 < sources[source].length) go(part + 1); };
  audio.onplaying = () => setText(hint, "");
  audio.onerror = () => {
    // The browser may be able to play another sink's file.
    if (source + 1 < sources.length) {
      [source, part] = [source + 1, Math.min(part, sources[source + 1].length - 1)];
      return load();
    }
    setText(hint, "This file cannot be played here. Download it instead.");
  };
  const elsewhere = files.length && files.every((file) => !recordingURL(file.url));
  const unplayable = elsewhere
    ? "The files are in another directory."
    : "Not playable in a browser. Download it instead.";
  const why = files.length ? unplayable : "No file was written.";
  setText(hint, sources.length ? "" : why);
}

function partItem(index, count, isCurrent, play) {
  const button = make("button", `${index + 1}`);
  button.setAttribute("aria-label", `Play part ${index + 1} of ${count}`);
  button.setAttribute("aria-current", String(isCurrent));
  button.addEventListener("click", play);
  return wrap("li", "", button);
}

function patchFiles(list, recording) {
  const state = JSON.stringify([recording.files, recording.name, recording.from]);
  if (list.state === state) return;
  list.state = state;
  const manifest = recordingURL(recording.manifestURL);
  const details = manifest ? [detailsItem(manifest, recording)] : [];
  list.replaceChildren(...(recording.files || []).map((file) => fileItem(file, recording)), ...details);
}

function fileItem(file, recording) {
  const url = recordingURL(file.url);
  const name = url ? fileName(file) : file.path || fileName(file);
  const words = [make("bdi", name), " ", make("span", size(file.bytes || 0), "size")];
  if (!url) return wrap("li", "", wrap("span", "plain", ...words));
  const after = make("span", `, call from ${caller(recording)}`, "unseen");
  const link = wrap("a", "download", make("span", "Download ", "unseen"), ...words, after);
  link.href = url;
  link.download = "";
  return wrap("li", "", link);
}

function detailsItem(url, recording) {
  const link = wrap("a", "details", "Details", make("span", ` of the call from ${caller(recording)}`, "unseen"));
  link.href = url;
  return wrap("li", "", link);
}

// MARK: Live clocks

const clocks = new Map();

function tick() {
  for (const [node, base] of clocks) {
    if (!node.isConnected) {
      clocks.delete(node);
      continue;
    }
    if (isLost()) continue;
    const seconds = base.seconds + (performance.now() - base.at) / 1000;
    // Network jitter must not move a clock back by a second.
    const shown = node.shown || 0;
    node.shown = shown > seconds && shown - seconds < 1.5 ? shown : Math.floor(seconds);
    setText(node, clock(node.shown));
  }
}

// MARK: The page

const liveRows = new Rows(element("live-list"), element("live-row"), patchLive);
const recordingRows = new Rows(element("recording-list"), element("recording-row"), patchRecording);

function show(
  { live = [], total = 0, indexing = false, answerURL = null, testCommand = null, obstacles = [], warnings = [] },
  recordings,
) {
  const notices = [
    ...obstacles.map((text) => `⚠ New calls are refused: ${text}`),
    ...warnings.map((text) => `⚠ ${text}`),
  ];
  patchList(element("notices"), notices);
  const isEmpty = recordings.length === 0;
  liveRows.show(live);
  recordingRows.show(recordings);
  tick();
  setText(element("live-count"), callCount(live.length));
  document.title = live.length ? `(${live.length} live) Callreel` : "Callreel";
  setText(element("total"), total ? String(total) : "");
  setText(element("indexing"), indexing ? "Callreel is still reading older recordings. They will appear here." : "");
  element("answers").hidden = answerURL === null;
  setText(element("command"), testCommand || "");
  setText(element("answer"), answerURL || "");
  element("live").hidden = live.length === 0;
  element("recordings").hidden = isEmpty && live.length === 0 && !indexing;
  element("soon").hidden = !isEmpty || live.length === 0;
  element("start").hidden = !isEmpty || live.length > 0 || indexing;
  element("older").hidden = total <= recordings.length;
}

async function copy({ currentTarget: button }) {
  const source = element(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
    setText(element("said"), "Copied.");
  } catch {
    // Without HTTPS, browsers give pages no clipboard. The text stays selected instead.
    getSelection().selectAllChildren(source);
    setText(element("said"), "Selected. Copy it with your keyboard.");
  }
  setTimeout(() => setText(element("said"), ""), 4_000);
}

// MARK: Asking the server

let pagesShown = 1;
let older = { key: null, recordings: [] };
let failures = 0;
let timer = null;
let request = null;
let focusAfter = null;

const isLost = () => failures > 0;

async function fetchPage(index, signal) {
  // Browsers refuse requests to an address with a user and password, and the page's own address may have them.
  const url = new URL(`api/calls?limit=${PAGE_SIZE}&offset=${index * PAGE_SIZE}`, document.baseURI);
  url.username = url.password = "";
  const answer = await fetch(url, { signal, cache: "no-store" })
    .catch(() => { throw new Error("Connection lost"); });
  if (!answer.ok) throw new Error(`The server answered ${answer.status}`);
  return answer.json().catch(() => { throw new Error("The server's answer was cut off"); });
}

/** Returns the recordings behind "show older". Requests them again only if the first page or the total has changed. */
async function fetchOlder(first, signal) {
  const key = JSON.stringify([pagesShown, first.total, first.recordings.map(({ id }) => id)]);
  if (older.key === key) return older.recordings;
  const recordings = [];
  for (let page = 1; page < pagesShown; page += 1) recordings.push(...(await fetchPage(page, signal)).recordings);
  older = { key, recordings };
  return recordings;
}

async function refresh() {
  pause();
  const mine = (request = new AbortController());
  const timeout = setTimeout(() => mine.abort(), TIMEOUT);
  try {
    const first = await fetchPage(0, mine.signal);
    const rest = await fetchOlder(first, mine.signal);
    if (mine !== request) return;
    failures = 0;
    const recordings = [...first.recordings, ...rest];
    show(first, recordings);
    setText(element("note"), "");
    focusFirstOlder(recordings);
  } catch (error) {
    if (mine !== request) return;
    failures += 1;
    setText(element("note"), `${error.message}, trying again.`);
  } finally {
    clearTimeout(timeout);
  }
  document.body.classList.toggle("lost", isLost());
  timer = setTimeout(refresh, Math.min(INTERVAL * 2 ** failures, LONGEST_INTERVAL));
}

/** Stops the requests and discards a pending answer. */
function pause() {
  clearTimeout(timer);
  if (request) request.abort();
  request = null;
}

function showOlder() {
  focusAfter = pagesShown * PAGE_SIZE;
  pagesShown += 1;
  refresh();
}

/** Moves focus to the first older recording, because the button moves down or disappears. */
function focusFirstOlder(recordings) {
  if (focusAfter === null) return;
  const row = recordings[focusAfter] && recordingRows.rows.get(recordings[focusAfter].id);
  if (row) row.node.focus();
  focusAfter = null;
}

// "play" does not bubble, so this listens in the capture phase.
document.addEventListener("play", ({ target }) => {
  for (const audio of document.querySelectorAll("audio")) if (audio !== target) audio.pause();
}, true);
document.addEventListener("visibilitychange", () => (document.hidden ? pause() : refresh()));
window.addEventListener("online", () => { if (!document.hidden) refresh(); });
for (const button of document.querySelectorAll("[data-copy]")) button.addEventListener("click", copy);
element("older").addEventListener("click", showOlder);
setInterval(tick, 250);
if (!document.hidden) refresh();
