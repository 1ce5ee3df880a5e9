// Everything on the page but the list: header and footer, dialogs, the menu, copying, files, and announcements for
// screen readers.

import { API } from "./connection.js";
import { element, fill, fromTemplate, make } from "./elements.js";
import { clock, count, counted, rate, seconds } from "./format.js";
import { TABLE } from "./keys.js";
import { countsText, news, pausedText, spoken, stateText } from "./model.js";
import { safeLine } from "./text.js";
import { isFollowing, keptHits, meant } from "./viewport.js";

/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("./operations.js").State} State */
/** @typedef {import("./records.js").Entry} Record */

/** Shortest time between two announcements for a screen reader, in ms. */
const SPOKEN = 5000;
/** Upper bound of a copied text, in characters. */
const COPY_MAX = 1 << 20;
/** Number of operations that are shown while the others are folded. */
const SHOWN = 4;
/** How long a saved file stays available, in ms: a browser may first ask where to save it. */
const SAVED = 60_000;
const NAMES = new Map([
  [" ", "Space"], ["ArrowDown", "↓"], ["ArrowUp", "↑"], ["PageDown", "PgDn"], ["PageUp", "PgUp"], ["Escape", "Esc"],
]);

/** @param {string} where @param {string} text */
export const write = (where, text) => set(element(where), text);

/** @param {string} textContent @param {() => void} onclick */
const button = (textContent, onclick) => make("button", { type: "button", textContent, onclick });

/**
 * Opens the dialog.
 * @param {string} title
 * @param {(readonly [name: string, value: string | Element])[]} entries
 * @param {HTMLElement[]} buttons
 */
function open(title, entries, buttons) {
  const where = /** @type {HTMLDialogElement} */ (element("dialog"));
  const pressed = where.open ? document.activeElement?.textContent : undefined;
  write("dialog-title", safeLine(title));
  const body = element("dialog-body");
  body.replaceChildren();
  for (const [name, value] of entries) {
    body.append(make("dt", { textContent: name }), make("dd"));
    body.lastElementChild?.append(value);
  }
  element("dialog-buttons").replaceChildren(...buttons);
  if (!where.open) where.showModal();
  // After a step to the next message, the focus stays on the same button.
  buttons.find((it) => it.textContent === pressed)?.focus();
}

/** @type {() => HTMLDialogElement[]} */
const openDialogs = () => [...document.querySelectorAll("dialog")].filter((it) => it.open);
export const isOpen = () => openDialogs().length > 0;
/** Closes the open dialog or menu. */
export function close() {
  for (const it of openDialogs()) it.close();
}

/** Reports an error of the page itself, without using code that may be broken. @param {unknown} what */
export function broken(what) {
  element("broken").hidden = false;
  element("failure").textContent = safeLine(String(what));
}

/** @param {string[]} keys */
const named = (keys) => keys.map((it) => NAMES.get(it) ?? it).join(" ");

/** Lists the keys. */
export function help() {
  open("Keys", TABLE.map(({ keys, does }) => [named(keys), does]), [button("Close", close)]);
}

/** @param {import("./format.js").Progress} progress */
function exactly({ current, total, unit }) {
  const of = total === undefined ? "" : ` of ${total}`;
  return `${current}${of}${unit ? ` ${safeLine(unit)}` : ""}`;
}

/**
 * Shows one whole message.
 * @param {Model} model
 * @param {Record} record
 * @param {string} address of the page
 * @param {(text: string, what: string) => void} copy
 * @param {(by: number) => void} move shows the next one or the one before
 */
export function detail(model, record, address, copy, move) {
  const { message } = record;
  const text = make("span", { id: `whole${meant(model)}` });
  fill(text, record, record.plain.length);
  const fields = message?.fields ? JSON.stringify(message.fields, null, 2).split("\n") : [];
  const entries = /** @type {[string, string | Element][]} */ ([
    ["message", text],
    ["level", record.level],
    ["operation", record.operation],
    ["progress", message?.progress && exactly(message.progress)],
    ["outcome", message?.outcome],
    ["event", safeLine(message?.event ?? "")],
    ["fields", fields.map(safeLine).join("\n")],
    ["id", safeLine(message?.id ?? "")],
    ["sent", record.time && clock(record.time, model.offset)],
    ["came", clock(model.began + record.arrived, model.offset)],
  ]).filter(([, value]) => value);
  const buttons = [
    button("Previous", () => move(-1)),
    button("Next", () => move(1)),
    button("Copy text", () => copy(record.plain, "the message")),
  ];
  if (message) buttons.push(button("Copy JSON", () => copy(message.data, "the message as JSON")));
  const link = `${address}/${message?.id}`;
  if (message?.seq) buttons.push(button("Copy link", () => copy(link, "the link to the message")));
  open("Message", entries, [...buttons, button("Close", close)]);
}

/**
 * Asks for confirmation before a request to publishers; the button to decline is focused.
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
  const use = "This page sends it from now on, and keeps it until it is closed or loaded again.";
  write("token-reason", safeLine(reason || use));
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

/** Sets the title of each button: what it does, and its key. Focuses the menu when it opens. */
export function explain() {
  for (const { keys, action, does } of TABLE) {
    const buttons = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(`[data-does="${action}"]`));
    for (const it of buttons) {
      if (it.role === "menuitem") it.dataset.keys = named(keys);
      else it.title = `${does} (${named(keys)})`;
    }
  }
  const menu = element("menu");
  menu.addEventListener("toggle", () => {
    const isOpen = menu.matches(":popover-open");
    element("menu-button").setAttribute("aria-expanded", String(isOpen));
    if (isOpen) /** @type {HTMLElement} */ (menu.firstElementChild).focus();
  });
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

/** When the last announcement for a screen reader was made. */
let toldAt = -Infinity;

/** Announces a sentence to a screen reader, at intervals. @param {Model} model @param {number} now */
export function announce(model, now) {
  const text = now - toldAt < SPOKEN ? "" : spoken(model);
  if (text === "") return;
  toldAt = now;
  // A repeated text is announced again.
  element("announce").textContent = text;
}

/**
 * Puts a text on the clipboard, and returns the notice about it.
 * @param {string} text
 * @param {string} what
 */
export async function copy(text, what) {
  if (text === "") return "nothing to copy";
  const part = text.slice(0, COPY_MAX);
  try {
    await navigator.clipboard.writeText(part);
  } catch {
    // Beyond loopback, only HTTPS pages have access to the clipboard.
    const field = make("textarea", { value: part });
    const focused = /** @type {HTMLElement | null} */ (document.activeElement);
    (openDialogs().at(-1) ?? document.body).append(field);
    field.select();
    const isCopied = document.execCommand("copy");
    field.remove();
    focused?.focus();
    if (!isCopied) return "nothing was copied: this browser does not let pages copy here";
  }
  if (part.length < text.length) return `copied the first ${COPY_MAX} characters; to have it all, save it`;
  return `copied ${what}`;
}

/**
 * Saves a text as a file.
 * @param {Model} model
 * @param {string} extension
 * @param {string} text
 */
export function save(model, extension, text) {
  const stamp = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  const anchor = make("a", { download: `codechat-${model.id.slice(0, 8)}-${stamp}.${extension}` });
  const url = URL.createObjectURL(new Blob([text]));
  anchor.href = url;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), SAVED);
}

/** @param {HTMLElement} where @param {string} text */
function set(where, text) {
  if (where.textContent !== text) where.textContent = text;
}

/** The line that sends a client's ID along with a request. @param {Model} model */
export const sending = ({ id }) => `curl -H 'Sse-Client-ID: ${id}' http://localhost:8000/`;

/** Writes the lines to paste, shown until something has arrived. @param {Model} model @param {boolean} hasToken */
function lines(model, hasToken) {
  const server = `${location.origin}${location.pathname}`.replace(/\/$/, "");
  const authorization = hasToken ? '-H "Authorization: Bearer $CODECHAT_TOKEN" ' : "";
  write("own-id", `Client ID ${model.id}`);
  write("sending", sending(model));
  const send = `codechat send --id ${model.id} --server ${server} hello`;
  write("publishing", `${send}\ncurl ${authorization}-d hello ${server}/${API}/debug/${model.id}`);
}

/**
 * Draws the page around the list.
 * @param {Model} model
 * @param {number} now
 * @param {boolean} hasToken whether the page has the server's token
 */
export function draw(model, now, hasToken) {
  // The style sheet uses this for the colour of the state, and for the button that fits it.
  element("app").dataset.kind = model.connection.kind;
  set(element("state"), stateText(model, now));
  const id = model.id.slice(0, 8);
  set(element("target"), model.narrow ? id : id ? `${location.host} · ID ${id}` : location.host);
  operations(model, now);
  set(element("counts"), countsText(model));
  set(element("paused"), pausedText(model));
  const isPaused = !isFollowing(model);
  write("follow", !isPaused ? "" : model.behind.new > 0 ? `↓ ${news(model)}` : "↓ Follow");
  element("pause").setAttribute("aria-pressed", String(isPaused));
  element("wrap").setAttribute("aria-pressed", String(model.wraps));
  element("detail").setAttribute("aria-pressed", String(model.wantsDebug));
  const hits = keptHits(model);
  const at = hits.indexOf(model.focus ?? -1);
  set(element("hits"), model.search ? `${at < 0 ? "" : `${at + 1}/`}${hits.length}` : "");
  set(element("notice"), model.notice);
  element("empty").hidden = model.received > 0 || model.lost > 0 || model.connection.kind !== "live";
  lines(model, hasToken);
  entitle(model);
}

/** Sets the title, which is visible even if the page is hidden. @param {Model} model */
export function entitle(model) {
  const news = title(model);
  write("title", news ? `${safeLine(news)} · codechat` : "codechat");
}

/** Returns the operation to show if there is room for only one. @param {State[]} running */
const foremost = (running) => running.find((it) => it.fraction() !== undefined) ?? running[0];

/** @param {Model} model */
function title(model) {
  const running = model.operations.running();
  const first = foremost(running);
  const fraction = first?.fraction();
  if (model.connection.kind === "retrying") return "lost connection";
  if (fraction !== undefined) return `${Math.floor(fraction * 100)} % ${first.name ?? ""}`;
  if (model.errors > 0) return counted(model.errors, "error");
  const all = model.operations.all();
  if (running.length > 0 || all.length === 0) return "";
  return all.some((it) => it.lost || it.outcome === "failed") ? "failed" : "done";
}

/** @param {Model} model @param {number} now */
function operations(model, now) {
  const running = model.operations.running();
  const ended = model.operations.all().toSorted((one, other) => (one.endedAt ?? 0) - (other.endedAt ?? 0));
  const all = running.length > 0 ? running : ended.slice(-1);
  // An operation that was asked to cancel stays visible until it ends.
  const asked = all.filter(({ name }) => model.cancelled.has(name));
  const first = asked.at(-1) ?? foremost(all);
  const few = all.filter((it, at) => (model.narrow ? it === first : at >= all.length - SHOWN || asked.includes(it)));
  const seen = model.unfolds ? all : few;
  const more = all.length - few.length;
  const fold = element("fold");
  fold.hidden = all.length === 0 || (more === 0 && !model.narrow);
  fold.ariaExpanded = String(model.unfolds);
  set(fold, model.unfolds ? "▴" : `${more > 0 ? `+${more} ` : ""}▾`);
  const where = element("operations");
  where.classList.toggle("folded", model.narrow && !model.unfolds);
  while (where.children.length > seen.length) where.lastChild?.remove();
  while (where.children.length < seen.length) where.append(fromTemplate("operation")[0]);
  seen.forEach((state, at) => operation(model, where.children[at], state, now));
}

/** @param {Model} model @param {Element} line @param {State} state @param {number} now */
function operation({ narrow, unfolds, cancelled }, line, state, now) {
  const [name, gauge, facts, end, cancel] = /** @type {HTMLElement[]} */ ([...line.children]);
  set(name, safeLine(state.name ?? "progress"));
  const told = figures(state, now);
  const all = told.join(" · ");
  const fraction = state.fraction();
  const hidden = fraction === undefined;
  Object.assign(gauge, { hidden, value: fraction ?? 0, ariaLabel: name.textContent, ariaValueText: all });
  set(facts, narrow && !unfolds ? (told.find((it) => it.endsWith(" %")) ?? told[0]) : all);
  set(end, outcome(state, now, cancelled.has(state.name)));
  end.className = `told ${state.lost ? "failed" : (state.outcome ?? "")}`;
  cancel.hidden = state.outcome !== undefined || state.lost || state.name === undefined;
  cancel.dataset.operation = state.name ?? "";
}

/** Returns a text that does not reorder the text around it, as a right-to-left unit would. @param {string} text */
const isolated = (text) => (/[^ -~]/.test(text) ? `\u2066${text}\u2069` : text);

/** @param {State} state @param {number} now */
function figures(state, now) {
  const progress = count(state);
  const fraction = state.fraction();
  const speed = state.rate(now);
  const left = state.eta(now);
  return [
    progress === undefined ? counted(state.messages, "message") : isolated(safeLine(progress)),
    fraction !== undefined && !progress?.endsWith(" %") ? `${Math.round(fraction * 100)} %` : "",
    speed === undefined ? "" : rate(speed),
    left === undefined ? "" : `ETA ${seconds(left)}`,
    seconds(state.elapsed(now)),
    state.errors > 0 ? counted(state.errors, "error") : "",
  ].filter((it) => it !== "");
}

/** @param {State} state @param {number} now @param {boolean} isCancelled whether it was asked to end */
function outcome(state, now, isCancelled) {
  if (state.lost) return "publisher lost";
  if (state.outcome) return state.outcome === "ok" ? "done" : state.outcome;
  const quiet = state.stalled(now);
  return [isCancelled ? "asked to cancel" : "", quiet ? `stalled ${seconds(quiet)}` : ""].filter(Boolean).join(" · ");
}
