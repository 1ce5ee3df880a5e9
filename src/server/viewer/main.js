// The page: its address, and the actions of keys, buttons and the menu. It draws at most once per frame, and only if
// something has changed.

import { createConnection, createSearch, post } from "./connection.js";
import { element } from "./elements.js";
import { MOVES, action } from "./keys.js";
import { createList } from "./list.js";
import * as models from "./model.js";
import { compile, safeLine } from "./text.js";
import * as view from "./view.js";
import * as viewport from "./viewport.js";

/** @typedef {import("./model.js").Model} Model */

/** How long a notice is shown, in ms: it covers the newest message. */
const NOTICE = 6000;
/** Number of other pages that may be looked at before a hidden page gives up its connection. */
const OTHERS = 5;
const FIELDS = /** @type {const} */ (["search", "filter"]);

/** @param {string} id */
const input = (id) => /** @type {HTMLInputElement} */ (element(id));
const now = () => performance.now();

const page = {
  model: create(""),
  /** The server's token, kept in the memory of this tab only. */
  token: "",
  came,
  changed,
  tell,
  /** @param {string} id */
  named(id) {
    page.model.id = id;
    history.replaceState(history.state, "", `#${id}`);
  },
  /** @param {string} reason @param {boolean} isInPlace whether the stream continues */
  async askToken(reason, isInPlace) {
    const token = await view.token(reason, isInPlace ? undefined : watch);
    page.token = token || page.token;
    return token !== "";
  },
};
/** @type {ReturnType<typeof createConnection> | undefined} */
let connection;
let isDue = false;
const list = createList(changed, () => openDetail(0));
const search = createSearch(page, () => {
  empty("search", "filter");
  relist();
  tell("this pattern is too slow, or too large: Search and Filter were emptied");
});

/** @param {string} id */
function create(id) {
  const offset = -new Date().getTimezoneOffset();
  return models.createModel({ id, began: Date.now() - performance.now(), offset });
}

/** Draws with the next frame, unless the page is hidden. */
function changed() {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => {
    isDue = false;
    if (list.measure(page.model)) models.rewrap(page.model);
    viewport.openLink(page.model, list.height());
    view.draw(page.model, now(), page.token !== "");
    search.mark(list.draw(page.model));
  });
}

/** Called when something has arrived. */
function came() {
  search.push();
  changed();
}

/** The timer that removes the notice. */
let fading = 0;

/** @param {string} text */
function tell(text) {
  const { model } = page;
  model.notice = safeLine(text);
  models.say(model, "", model.notice);
  changed();
  clearTimeout(fading);
  fading = setTimeout(() => {
    model.notice = "";
    changed();
  }, NOTICE);
}

/** Computes the list and the hits again. */
function relist() {
  models.relist(page.model);
  search.ask();
  changed();
}

/** @param {object} wish @param {string} done */
const ask = (wish, done) => post(page, "control", wish, { done, failed: "publishers could not be asked" });

/** @param {string | undefined} operation */
function cancel(operation) {
  const { cancelled, operations } = page.model;
  view.ask(`Ask publishers to cancel ${operation ?? "whatever they do"}?`, "Ask to cancel", "Keep running", async () => {
    const asked = operation === undefined ? operations.running().map((it) => it.name) : [operation];
    for (const it of asked) cancelled.add(it);
    const isDone = await ask({ cancel: true, operation }, `publishers were asked to cancel ${operation ?? ""}`.trim());
    if (!isDone) for (const it of asked) cancelled.delete(it);
  });
}

function stop() {
  const follows = "All who watch it are told, and publishers are refused until somebody watches it again.";
  const words = { done: "the stream was ended", failed: "the stream could not be ended" };
  view.ask(`End this stream? ${follows}`, "End it", "Keep it", () => post(page, "stop", {}, words));
}

async function detail() {
  const { model } = page;
  const wants = !model.wantsDebug;
  const what = wants ? "asked for debug detail" : "told that debug detail is not needed any more";
  model.wantsDebug = wants;
  if (!(await ask({ level: wants ? "debug" : null }, `publishers were ${what}`))) model.wantsDebug = !wants;
}

const address = () => `${location.origin}${location.pathname}#${page.model.id}`;
const focused = () => page.model.records.get(viewport.meant(page.model));

/** @param {string} text @param {string} what */
const copy = async (text, what) => tell(await view.copy(text, what));

/** @param {number} by */
function openDetail(by) {
  if (by !== 0) viewport.step(page.model, by, list.height(), true);
  page.model.sought = viewport.meant(page.model);
  const record = focused();
  if (record) view.detail(page.model, record, address(), copy, openDetail);
  changed();
}

/** Focuses a field, which on a narrow screen is visible only while it is open. @param {string} which "" closes it */
function openTools(which) {
  element("tools").dataset.open = which;
  for (const it of FIELDS) element(`find-${it}`).setAttribute("aria-expanded", String(it === which));
  (which ? input(which) : element("list")).focus();
  changed();
}

/** Empties fields, and removes their effect. @param {...("search" | "filter" | "level")} fields */
function empty(...fields) {
  for (const it of fields) {
    page.model[it] = "";
    Object.assign(input(it), { value: "", ariaInvalid: null });
  }
}

/** @param {string} level */
function setLevel(level) {
  page.model.level = level;
  input("level").value = level;
  relist();
  tell(level === "" ? "all levels" : `${level} and worse`);
}

/** @type {Record<string, (operation?: string) => unknown>} */
const ACTIONS = {
  Search: () => openTools("search"),
  Filter: () => openTools("filter"),
  Open: () => {
    if (!viewport.isFollowing(page.model)) return openDetail(0);
    models.ruler(page.model, now());
    came();
  },
  Fold: () => (page.model.unfolds = !page.model.unfolds),
  Wrap: () => {
    page.model.wraps = !page.model.wraps;
    models.rewrap(page.model);
  },
  RaiseLevel: () => setLevel(models.levelBy(page.model, 1)),
  LowerLevel: () => setLevel(models.levelBy(page.model, -1)),
  Copy: () => copy(focused()?.plain ?? "", "the message"),
  CopyShown: () => copy(models.shownAsText(page.model), "all that is shown"),
  CopyId: () => copy(page.model.id, "the client ID"),
  CopyCurl: () => copy(view.sending(page.model), "a curl line that sends the client ID along"),
  CopyLink: () => {
    const message = viewport.isFollowing(page.model) ? undefined : focused()?.message;
    return message?.seq ? copy(`${address()}/${message.id}`, "the link to the message") : ACTIONS.CopyPage();
  },
  CopyPage: () => copy(address(), "the address of this page"),
  SaveText: () => view.save(page.model, "txt", models.shownAsText(page.model)),
  SaveAll: () => view.save(page.model, "ndjson", models.allAsNdjson(page.model)),
  Detail: detail,
  Cancel: (operation) => cancel(operation ?? models.toCancel(page.model)),
  Token: async () => (await page.askToken("", true)) && page.model.connection.kind !== "live" && resume(),
  Reconnect: () => {
    const { kind } = page.model.connection;
    if (kind === "ended") tell("the stream has ended");
    else if (kind === "retrying") connection?.hurry();
    else resume();
  },
  Reload: () => location.reload(),
  New: () => begin({}),
  Stop: stop,
  Back: () => {
    empty("search");
    search.ask();
  },
  Help: view.help,
};

/** @param {string} name @param {string} [operation] that it is for */
function act(name, operation) {
  const { model } = page;
  model.notice = "";
  model.sought = undefined;
  if (model.link?.isGone) model.link = undefined;
  const told = MOVES[name]?.(model, list.height());
  if (told) tell(told);
  const level = /^Show(\w+)$/.exec(name)?.[1].toLowerCase();
  if (level) setLevel(level === "trace" ? "" : level);
  ACTIONS[name]?.(operation);
  changed();
}

document.addEventListener("keydown", (event) => {
  const target = /** @type {HTMLElement} */ (event.target);
  const isTyping = target.matches("input, select, textarea");
  const isSearch = event.ctrlKey && event.key === "f" && !isTyping;
  if (isTyping && !view.isOpen() && ["Escape", "Enter"].includes(event.key)) {
    // By default, Escape would empty the field.
    event.preventDefault();
    if (event.key === "Escape") openTools("");
    else element("list").focus();
    if (event.key === "Enter" && target.id === "search") act("NextHit");
    return;
  }
  if (element("menu").matches(":popover-open")) return view.moveInMenu(event);
  const isPressed = target.matches("button") && [" ", "Enter"].includes(event.key);
  const isOurs = isSearch || !(event.ctrlKey || event.altKey || event.metaKey || isTyping || isPressed);
  const name = isSearch ? "Search" : action(event.key);
  if (!name || !isOurs || view.isOpen()) return;
  event.preventDefault();
  act(name);
});

document.addEventListener("click", ({ target }) => {
  const pressed = /** @type {HTMLElement} */ (target).closest("button");
  if (pressed?.closest("#menu")) element("menu").hidePopover();
  if (pressed?.dataset.does) act(pressed.dataset.does, pressed.dataset.operation);
});

element("list").addEventListener("dblclick", ({ target }) => {
  // The double click has also selected a word.
  getSelection()?.removeAllRanges();
  if (/** @type {HTMLElement} */ (target).closest(".row")) openDetail(0);
});

input("level").addEventListener("change", () => setLevel(input("level").value));
for (const what of FIELDS) {
  const field = input(what);
  element(`find-${what}`).addEventListener("click", () => openTools(element("tools").dataset.open === what ? "" : what));
  field.addEventListener("focus", search.prepare);
  field.addEventListener("blur", search.release);
  field.addEventListener("input", () => {
    const query = compile(field.value, { negatable: what === "filter" });
    const isBroken = query !== undefined && "error" in query;
    field.ariaInvalid = String(isBroken);
    if (isBroken) return tell(query.error);
    page.model[what] = field.value;
    tell("");
    if (what === "filter") relist();
    else search.ask();
    search.prepare();
  });
}

/**
 * Starts again with the client that an address names, and perhaps one of its messages; without a client, with a new
 * one. @param {ReturnType<typeof models.readAddress>} address
 */
function begin({ id = "", seq = 0, time = 0, failure }) {
  connection?.stop();
  search.end();
  view.close();
  const model = create(id);
  page.model = model;
  empty("search", "filter", "level");
  if (seq > 0) model.link = { seq, time, next: 0, isGone: false };
  connection = undefined;
  const connect = () => {
    if (page.model === model) connection = createConnection(page, resume);
  };
  if (failure) model.connection = { kind: "malformed", text: failure };
  // A page that has not been visible yet needs no ID.
  else if (id === "" && document.hidden) document.addEventListener("visibilitychange", connect, { once: true });
  else connect();
  changed();
}

/** Reconnects, and continues at the last position. */
function resume() {
  if (!connection || page.model.connection.kind === "ended") return;
  connection.stop();
  page.model.connection = { kind: "connecting" };
  connection = createConnection(page, resume, connection.state());
  changed();
}

/** Watches what the address names. */
const start = () => begin(models.readAddress(location.hash.slice(1)));
/** Watches a client, even if it is watched already. @param {string} id */
const watch = (id) => (location.hash === `#${id}` ? start() : (location.hash = id));

/** Closes the connection until `resume`. */
function sleep() {
  if (!["live", "retrying", "connecting"].includes(page.model.connection.kind)) return;
  connection?.stop();
  page.model.connection = { kind: "asleep" };
  changed();
}
const isAsleep = () => page.model.connection.kind === "asleep";
const wake = () => isAsleep() && resume();

/**
 * Closes a hidden page's connection when other pages need it, and reopens it when the page is visible again: a browser
 * opens six connections to a server, and each page that watches uses one.
 */
function keepFew() {
  const [navigation] = /** @type {PerformanceNavigationTiming[]} */ (performance.getEntriesByType("navigation"));
  // From HTTP/2 on, all requests to a server share one connection.
  if (/^h[23]/.test(navigation.nextHopProtocol)) return;
  /** @type {BroadcastChannel | undefined} */
  let pages;
  /** The tab's name, which is kept in its history, so that a page keeps its name when it is reloaded. @type {string} */
  let own = history.state;
  const keepName = () => history.replaceState(own, "");
  const rename = () => {
    own = String(performance.timeOrigin + performance.now());
    keepName();
  };
  if (!own) rename();
  /** The pages that were visible since this one was. @type {Set<string>} */
  const others = new Set();
  const look = () => {
    if (document.hidden) return;
    others.clear();
    pages?.postMessage(own);
    wake();
  };
  document.addEventListener("visibilitychange", look);
  // Another address has a history entry of its own.
  addEventListener("hashchange", keepName);
  addEventListener("pageshow", () => {
    pages = new BroadcastChannel("codechat");
    pages.onmessage = ({ data }) => {
      others.add(data);
      // A duplicated tab has the same name.
      if (data === own) rename();
      if (document.hidden && others.size >= OTHERS) sleep();
    };
    look();
  });
  // A page that is open to messages of others is not kept in the back/forward cache.
  addEventListener("pagehide", () => {
    pages?.close();
    pages = undefined;
  });
}

keepFew();
// A page is kept in the back/forward cache only if it has no connection.
addEventListener("pagehide", sleep);
addEventListener("pageshow", wake);
// Chromium never delivers the bytes of a stream that arrived while the page was frozen.
document.addEventListener("resume", () => isAsleep() || resume());
addEventListener("hashchange", start);
addEventListener("resize", changed);
addEventListener("online", () => connection?.hurry());
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) connection?.hurry();
  changed();
});
addEventListener("error", ({ message }) => view.broken(message));
addEventListener("unhandledrejection", ({ reason }) => view.broken(reason));
setInterval(() => {
  if (document.hidden) return view.entitle(page.model);
  view.announce(page.model, now());
  changed();
}, 1000);
element("static").hidden = true;
element("app").hidden = false;
view.explain();
start();
