// The page: its address, and what keys, buttons and the menu have it do. It draws with the next frame, and only if
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

/** How long a notice stands, in ms: it covers the newest message. */
const NOTICE = 6000;
/** So many other pages may be looked at before a hidden one gives its connection up. */
const OTHERS = 5;
const FIELDS = /** @type {const} */ (["search", "filter"]);

/** @param {string} id */
const input = (id) => /** @type {HTMLInputElement} */ (element(id));
const now = () => performance.now();

const page = {
  model: create(""),
  /** The server's token, in this tab's memory alone. */
  token: "",
  came,
  changed,
  tell,
  /** @param {string} id */
  named(id) {
    page.model.id = id;
    history.replaceState(history.state, "", `#${id}`);
  },
  /** @param {string} reason @param {boolean} isInPlace whether all else stays */
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

/** Draws with the next frame; none while nobody looks. */
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

/** Takes note of what has come. */
function came() {
  search.push();
  changed();
}

/** Takes the notice away. */
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

/** Makes the list and the hits anew. */
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

/** Goes to a field, which is seen on a narrow screen while it is open alone. @param {string} which "" closes it */
function openTools(which) {
  element("tools").dataset.open = which;
  for (const it of FIELDS) element(`find-${it}`).setAttribute("aria-expanded", String(it === which));
  (which ? input(which) : element("list")).focus();
  changed();
}

/** Empties fields, and forgets what they had. @param {...("search" | "filter" | "level")} fields */
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
    // A browser would empty the field at Escape.
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
  // It has selected a word, too.
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
 * Begins anew with what an address names: a client, perhaps one of its messages; without either, with a new client.
 * @param {ReturnType<typeof models.readAddress>} address
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
  // A page that nobody looks at yet needs no ID.
  else if (id === "" && document.hidden) document.addEventListener("visibilitychange", connect, { once: true });
  else connect();
  changed();
}

/** Makes the connection again, and goes on where it was. */
function resume() {
  if (!connection || page.model.connection.kind === "ended") return;
  connection.stop();
  page.model.connection = { kind: "connecting" };
  connection = createConnection(page, resume, connection.state());
  changed();
}

/** Watches what the address names. */
const start = () => begin(models.readAddress(location.hash.slice(1)));
/** Watches a client, also the one that is watched already. @param {string} id */
const watch = (id) => (location.hash === `#${id}` ? start() : (location.hash = id));

/** Gives the connection up for a while. */
function sleep() {
  if (!["live", "retrying", "connecting"].includes(page.model.connection.kind)) return;
  connection?.stop();
  page.model.connection = { kind: "asleep" };
  changed();
}
const isAsleep = () => page.model.connection.kind === "asleep";
const wake = () => isAsleep() && resume();

/**
 * Gives a hidden page's connection up once others need it, and takes it up again when it is looked at: a browser opens
 * six connections to a server, and each page that watches holds one.
 */
function keepFew() {
  const [navigation] = /** @type {PerformanceNavigationTiming[]} */ (performance.getEntriesByType("navigation"));
  // From HTTP/2 on, all requests to a server share one connection.
  if (/^h[23]/.test(navigation.nextHopProtocol)) return;
  /** @type {BroadcastChannel | undefined} */
  let pages;
  /** The tab's name, which stands in its history: a page that is loaded again is no other one. @type {string} */
  let own = history.state;
  const keepName = () => history.replaceState(own, "");
  const rename = () => {
    own = String(performance.timeOrigin + performance.now());
    keepName();
  };
  if (!own) rename();
  /** Those that were looked at since this one was. @type {Set<string>} */
  const others = new Set();
  const look = () => {
    if (document.hidden) return;
    others.clear();
    pages?.postMessage(own);
    wake();
  };
  document.addEventListener("visibilitychange", look);
  // Another address has a history of its own.
  addEventListener("hashchange", keepName);
  addEventListener("pageshow", () => {
    pages = new BroadcastChannel("codechat");
    pages.onmessage = ({ data }) => {
      others.add(data);
      // A tab that was made of this one has its name, too.
      if (data === own) rename();
      if (document.hidden && others.size >= OTHERS) sleep();
    };
    look();
  });
  // A browser keeps no page to come back to that hears of others.
  addEventListener("pagehide", () => {
    pages?.close();
    pages = undefined;
  });
}

keepFew();
// A page to which one can come back is kept only if it has no connection.
addEventListener("pagehide", sleep);
addEventListener("pageshow", wake);
// What a stream has had to hold back while the page was frozen, Chromium never hands out.
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
