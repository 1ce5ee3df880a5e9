// Everything on the page but the list: what stands around it, dialogs, the menu, copies and files, and what a screen reader is
// told.

import { clock, count, counted, rate, seconds } from "./format.js";
import { MENU, TABLE } from "./keys.js";
import { fill } from "./list.js";
import { countsText, news, pausedText, stateText, timeText } from "./model.js";
import { safeLine } from "./text.js";
import { isFollowing, keptHits } from "./viewport.js";

/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./records.js").Entry} Record */

/** What a screen reader is told at most once in this time, in ms. */
const SPOKEN = 5000;
/** The most characters that are put on the clipboard. */
const COPY_MAX = 1 << 20;
/** The most operations that are shown folded. */
const SHOWN = 4;
/** For so long a file that is saved can be read, in ms: a browser may ask first where to. */
const SAVED = 60_000;
const NAMES = new Map(Object.entries({ " ": "Space", ArrowDown: "↓", ArrowUp: "↑", PageDown: "PgDn", PageUp: "PgUp", Escape: "Esc" }));

/** @param {string} id */
export const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/**
 * Makes an element.
 * @param {string} name
 * @param {string} [text]
 */
function make(name, text = "") {
  const element = document.createElement(name);
  if (text) element.textContent = text;
  return element;
}

/** @param {string} where @param {string} text */
export const write = (where, text) => set(element(where), text);

/** @param {string} text @param {() => void} pressed */
function button(text, pressed) {
  const element = /** @type {HTMLButtonElement} */ (make("button", text));
  element.type = "button";
  element.addEventListener("click", pressed);
  return element;
}

/** @param {string} title @param {Node[]} parts @param {HTMLElement[]} buttons */
function open(title, parts, buttons) {
  const where = /** @type {HTMLDialogElement} */ (element("dialog"));
  const pressed = where.open ? document.activeElement?.textContent : undefined;
  write("dialog-title", safeLine(title));
  element("dialog-body").replaceChildren(...parts);
  element("dialog-buttons").replaceChildren(...buttons);
  if (!where.open) where.showModal();
  // Whoever goes on to the next message stays on the button for that.
  buttons.find((it) => it.textContent === pressed)?.focus();
}

/** @type {() => HTMLDialogElement[]} */
const openDialogs = () => [...document.querySelectorAll("dialog")].filter((it) => it.open);
export const isOpen = () => openDialogs().length > 0;
/** Closes whatever is open. */
export function close() {
  for (const it of openDialogs()) it.close();
}

/** @param {string[]} keys */
const named = (keys) => keys.map((it) => NAMES.get(it) ?? it).join(" ");

/** Lists the keys. */
export function help() {
  const list = make("dl");
  for (const { keys, does } of TABLE) {
    list.append(make("dt", named(keys)), make("dd", does));
  }
  open("Keys", [list], [button("Close", close)]);
}

/**
 * Shows one message whole.
 * @param {Model} model
 * @param {Record} record
 * @param {string} address of the page
 * @param {(text: string, what: string) => void} copy
 * @param {(by: number) => void} move shows the next one or the one before
 */
export function detail(model, record, address, copy, move) {
  const list = make("dl");
  /** @param {string} name @param {string | undefined} value */
  const add = (name, value) => {
    if (value) list.append(make("dt", name), make("dd", value));
  };
  const text = make("dd");
  fill(text, record, record.plain.length);
  list.append(make("dt", "message"), text);
  const message = record.message;
  add("level", record.level);
  add("operation", record.operation);
  if (message?.progress) {
    const { current, total, unit } = message.progress;
    const of = total === undefined ? "" : ` of ${total}`;
    add("progress", `${current}${of}${unit ? ` ${safeLine(unit)}` : ""}`);
  }
  add("outcome", message?.outcome);
  add("event", message?.event && safeLine(message.event));
  const lines = message?.fields ? JSON.stringify(message.fields, null, 2).split("\n") : [];
  add("fields", lines.map((it) => safeLine(it)).join("\n"));
  add("id", message && safeLine(message.id));
  if (record.time) add("sent", clock(record.time, model.offset));
  add("came", clock(model.began + record.arrived, model.offset));
  const buttons = [
    button("Previous", () => move(-1)),
    button("Next", () => move(1)),
    button("Copy text", () => copy(record.plain, "the message")),
  ];
  if (message) buttons.push(button("Copy JSON", () => copy(message.data, "the message as JSON")));
  if (message?.seq) buttons.push(button("Copy link", () => copy(`${address}/${message.seq}`, "the link to the message")));
  open("Message", [list], [...buttons, button("Close", close)]);
}

/**
 * Asks before something is asked of publishers, with the way out in focus.
 * @param {string} question
 * @param {string} yes
 * @param {string} no
 * @param {() => void} confirmed
 */
export function ask(question, yes, no, confirmed) {
  const go = () => {
    close();
    confirmed();
  };
  open(question, [], [button(no, close), button(yes, go)]);
}

/**
 * Asks for the server's token, and returns it; "" if none was given.
 * @param {string} reason why it is needed; "" if nobody has asked for it
 * @param {((id: string) => void) | undefined} watch takes the ID of another client instead
 * @returns {Promise<string>}
 */
export function token(reason, watch) {
  const where = /** @type {HTMLDialogElement} */ (element("token-dialog"));
  const [field, other] = ["token", "other"].map((id) => /** @type {HTMLInputElement} */ (element(id)));
  write("token-title", reason ? "This server asks for its token" : "The server's token");
  write("token-reason", safeLine(reason || "This page sends it from now on, and keeps it until it is closed or loaded again."));
  element("other-form").hidden = !watch;
  where.returnValue = "";
  if (!where.open) where.showModal();
  return new Promise((resolve) => {
    where.onclose = () => {
      if (where.returnValue === "watch") watch?.(other.value.trim());
      resolve(where.returnValue === "send" ? field.value.trim() : "");
      field.value = other.value = "";
    };
  });
}

/** Says on each button what it does and by which key, and fills in the menu once it opens. */
export function explain() {
  for (const { keys, action, does } of TABLE) {
    for (const it of document.querySelectorAll(`[data-does="${action}"]`)) it.setAttribute("title", `${does} (${named(keys)})`);
  }
  const menu = element("menu");
  menu.addEventListener("beforetoggle", () => menu.children.length === 0 && menu.append(...MENU.map(entry)));
  menu.addEventListener("toggle", () => {
    const isOpen = menu.matches(":popover-open");
    element("menu-button").setAttribute("aria-expanded", String(isOpen));
    if (isOpen) /** @type {HTMLElement} */ (menu.firstChild).focus();
    else menu.replaceChildren();
  });
}

/** @param {import("./keys.js").Binding} binding */
function entry({ keys, action, does }) {
  const made = make("button", does[0].toUpperCase() + does.slice(1));
  made.setAttribute("role", "menuitem");
  made.tabIndex = -1;
  Object.assign(made.dataset, { does: action, keys: named(keys) });
  return made;
}

/** Moves the focus in the menu. @param {KeyboardEvent} event */
export function moveInMenu(event) {
  const entries = /** @type {HTMLElement[]} */ ([...element("menu").children]);
  const at = entries.findIndex((it) => it === document.activeElement);
  const to = new Map([["ArrowDown", at + 1], ["ArrowUp", at - 1], ["Home", 0], ["End", -1]]).get(event.key);
  if (event.key === "Tab") element("menu").hidePopover();
  if (to === undefined) return;
  event.preventDefault();
  entries.at(to % entries.length)?.focus();
}

/** Returns what tells a screen reader a sentence now and then. */
export function createAnnouncer() {
  const where = /** @type {HTMLElement} */ (document.getElementById("announce"));
  let spokenAt = -Infinity;
  let said = "";
  return {
    /** @param {string} text @param {number} now */
    say(text, now) {
      if (text === "") said = "";
      if (text === said || now - spokenAt < SPOKEN) return;
      [said, spokenAt] = [text, now];
      where.textContent = text;
    },
  };
}

/**
 * Puts a text on the clipboard, and returns what is to be told of it.
 * @param {string} text
 * @param {string} what
 */
export async function copy(text, what) {
  if (text === "") return "nothing to copy";
  const part = text.slice(0, COPY_MAX);
  try {
    await navigator.clipboard.writeText(part);
  } catch {
    // Beyond loopback, only pages by HTTPS have the clipboard.
    const field = /** @type {HTMLTextAreaElement} */ (make("textarea"));
    const focused = /** @type {HTMLElement | null} */ (document.activeElement);
    field.value = part;
    (openDialogs().at(-1) ?? document.body).append(field);
    field.select();
    const isCopied = document.execCommand("copy");
    field.remove();
    focused?.focus();
    if (!isCopied) return "nothing was copied: this browser does not let pages copy here";
  }
  return part.length < text.length ? `copied the first ${COPY_MAX} characters; to have it all, save it` : `copied ${what}`;
}

/**
 * Saves a text as a file.
 * @param {Model} model
 * @param {string} extension
 * @param {string} text
 */
export function save(model, extension, text) {
  const stamp = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  const anchor = /** @type {HTMLAnchorElement} */ (make("a"));
  const url = URL.createObjectURL(new Blob([text]));
  anchor.href = url;
  anchor.download = `codechat-${model.id.slice(0, 8)}-${stamp}.${extension}`;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), SAVED);
}

/** All that is shown, as text. @param {Model} model */
export function shownAsText(model) {
  const lines = [];
  let previous;
  for (let at = 0; at < model.viewport.count(); at += 1) {
    const record = model.records.get(model.viewport.idAt(at));
    if (!record) continue;
    const name = record.operation === undefined ? "" : `${record.operation}:`;
    const parts = [timeText(model, record, previous), record.level, name, record.plain];
    lines.push(parts.filter(Boolean).join(" "), "\n");
    previous = record;
  }
  return lines.join("");
}

/** Every message that is kept, as NDJSON. @param {Model} model */
export function allAsNdjson({ records }) {
  const lines = [];
  for (let id = records.first(); id < records.end(); id += 1) {
    const data = records.get(id)?.message?.data;
    if (data) lines.push(data, "\n");
  }
  return lines.join("");
}

/** @param {HTMLElement} where @param {string} text */
function set(where, text) {
  if (where.textContent !== text) where.textContent = text;
}

/**
 * Draws the page around the list.
 * @param {Model} model
 * @param {number} now
 */
export function draw(model, now) {
  const state = stateText(model, now);
  set(element("state"), state.text);
  element("state").className = state.tone;
  const [again, does] = AGAIN.get(model.connection.kind) ?? [];
  element("again").hidden = !again;
  element("again").dataset.does = does ?? "";
  write("again", again ?? "");
  const id = model.id.slice(0, 8);
  set(element("target"), model.narrow ? id : id ? `${location.host} · ID ${id}` : location.host);
  operations(model, now);
  set(element("counts"), countsText(model));
  set(element("paused"), pausedText(model));
  const isPaused = !isFollowing(model);
  element("follow").hidden = !isPaused;
  write("follow", model.behind.new > 0 ? `↓ ${news(model)}` : "↓ Follow");
  element("pause").setAttribute("aria-pressed", String(isPaused));
  element("wrap").setAttribute("aria-pressed", String(model.wraps));
  element("detail").setAttribute("aria-pressed", String(model.wantsDebug));
  const hits = keptHits(model);
  const at = hits.indexOf(model.focus ?? -1);
  set(element("hits"), model.search ? `${at < 0 ? "" : `${at + 1}/`}${hits.length}` : "");
  element("notice").hidden = model.notice === "";
  set(element("notice"), model.notice);
  element("empty").hidden = model.received > 0 || model.lost > 0 || model.connection.kind !== "live";
  entitle(model);
}

/** Sets the title, which is seen of a hidden page too. @param {Model} model */
export function entitle(model) {
  set(/** @type {HTMLElement} */ (document.querySelector("title")), safeLine(title(model)));
}

/** What can be done about a state. */
const AGAIN = new Map([
  ["retrying", ["Now", "Reconnect"]],
  ["ended", ["New stream", "New"]],
  ["malformed", ["New stream", "New"]],
  ["failed", ["Reload", "Reload"]],
]);

/** The operation that is told where there is room for one. @param {import("./operations.js").State[]} running */
const foremost = (running) => running.find((it) => it.fraction() !== undefined) ?? running[0];

/** @param {Model} model */
function title(model) {
  const running = model.operations.running();
  const first = foremost(running);
  if (model.connection.kind === "retrying") return "lost connection · codechat";
  if (first?.fraction() !== undefined) return `${Math.floor((first.fraction() ?? 0) * 100)} % ${first.name ?? ""} · codechat`;
  if (model.errors > 0) return `${counted(model.errors, "error")} · codechat`;
  const all = model.operations.all();
  return all.length > 0 && running.length === 0 ? "done · codechat" : "codechat";
}

/** @param {Model} model @param {number} now */
function operations(model, now) {
  const running = model.operations.running();
  const ended = model.operations.all().toSorted((one, other) => (one.endedAt ?? 0) - (other.endedAt ?? 0));
  const all = running.length > 0 ? running : ended.slice(-1);
  const few = model.narrow ? all.filter((it) => it === foremost(all)) : all.slice(-SHOWN);
  const shown = model.unfolds ? all : few;
  const more = all.length - few.length;
  const fold = element("fold");
  fold.hidden = all.length === 0 || (more === 0 && !model.narrow);
  fold.setAttribute("aria-expanded", String(model.unfolds));
  set(fold, model.unfolds ? "▴" : `${more > 0 ? `+${more} ` : ""}▾`);
  const where = element("operations");
  where.classList.toggle("folded", model.narrow && !model.unfolds);
  const template = /** @type {HTMLTemplateElement} */ (element("operation"));
  while (where.children.length > shown.length) where.lastChild?.remove();
  shown.forEach((state, at) => {
    if (!where.children[at]) where.append(/** @type {Element} */ (template.content.firstElementChild).cloneNode(true));
    const line = where.children[at];
    const [name, gauge, facts, end, cancel] = /** @type {HTMLElement[]} */ ([...line.children]);
    const label = safeLine(state.name ?? "progress");
    set(name, label);
    const fraction = state.fraction();
    gauge.hidden = fraction === undefined;
    const told = figures(state, now);
    const all = told.join(" · ");
    if (fraction !== undefined) {
      gauge.setAttribute("value", String(fraction));
      gauge.setAttribute("aria-label", label);
      gauge.setAttribute("aria-valuetext", all);
    }
    set(facts, shown === few && model.narrow ? (told.find((it) => it.endsWith(" %")) ?? told[0]) : all);
    set(end, outcome(state, now));
    end.className = `told ${state.lost ? "failed" : (state.outcome ?? "")}`;
    cancel.hidden = state.outcome !== undefined || state.lost || state.name === undefined;
    cancel.dataset.operation = state.name ?? "";
  });
}

/** @param {import("./operations.js").State} state @param {number} now */
function figures(state, now) {
  const progress = count(state);
  const fraction = state.fraction();
  const speed = state.rate(now);
  const left = state.eta(now);
  return [
    progress === undefined ? counted(state.messages, "message") : safeLine(progress),
    fraction !== undefined && !progress?.endsWith(" %") ? `${Math.round(fraction * 100)} %` : "",
    speed === undefined ? "" : rate(speed),
    left === undefined ? "" : `ETA ${seconds(left)}`,
    seconds(state.elapsed(now)),
    state.errors > 0 ? counted(state.errors, "error") : "",
  ].filter((it) => it !== "");
}

/** @param {import("./operations.js").State} state @param {number} now */
function outcome(state, now) {
  if (state.lost) return "publisher lost";
  if (state.outcome) return state.outcome === "ok" ? "done" : state.outcome;
  const quiet = state.stalled(now);
  return quiet === undefined ? "" : `stalled ${seconds(quiet)}`;
}
