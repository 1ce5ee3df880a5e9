// The page: its address, its keys and buttons, and what becomes of each. It draws with the next frame, and only if
// something has changed.

import { API, control, createConnection, createSearch, issue, keepFew, request } from "./connection.js";
import { BUTTONS, MENU, TABLE, action } from "./keys.js";
import { createList } from "./list.js";
import * as models from "./model.js";
import { compile } from "./query.js";
import { safeLine } from "./text.js";
import * as view from "./view.js";
import * as viewport from "./viewport.js";

/** @typedef {import("./model.js").Model} Model */

const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;
/** How long a notice stands, in ms: it covers the newest message. */
const NOTICE = 6000;

/** @param {string} id */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
/** @param {string} id */
const input = (id) => /** @type {HTMLInputElement} */ (element(id));
const now = () => performance.now();

const page = {
  model: create(""),
  /** The server's token, in this tab's memory alone. */
  token: "",
  bring,
  changed,
  /** @param {string} reason @param {() => void} again */
  askToken(reason, again) {
    view.token(reason, (given) => {
      page.token = given;
      again();
    });
  },
};
/** @type {ReturnType<typeof createConnection> | undefined} */
let connection;
let isDue = false;
const announcer = view.createAnnouncer();
const list = createList(element("list"), element("spacer"), element("rows"), changed);
const search = createSearch(page, () => {
  Object.assign(page.model, { search: "", filter: "" });
  input("search").value = "";
  input("filter").value = "";
  relist();
  tell("this pattern is too slow, and was taken away");
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
    if (list.measure(page.model)) relist();
    const gone = viewport.openLink(page.model, list.height());
    if (gone) page.model.notice = gone;
    view.draw(page.model, now());
    list.draw(page.model);
  });
}

/** @param {models.Effect[]} effects */
function bring(effects) {
  for (const { id, record } of effects) search.push(id, record);
  changed();
}

/** @param {string} text */
function tell(text) {
  const { model } = page;
  const notice = safeLine(text);
  model.notice = notice;
  changed();
  setTimeout(() => {
    if (model.notice === notice) model.notice = "";
    changed();
  }, NOTICE);
}

/** Makes the list and the hits anew. */
function relist() {
  models.relist(page.model);
  search.ask();
  changed();
}

/** @param {object} wish @param {string} asked */
const ask = (wish, asked) => control(page, wish, asked, tell);

/** @param {string | undefined} operation */
function cancel(operation) {
  const question = `Ask publishers to cancel ${operation ?? "whatever they do"}?`;
  view.ask(question, "Ask to cancel", "Keep running", () => {
    const asked = `publishers were asked to cancel ${operation ?? ""}`.trim();
    ask({ cancel: true, operation }, asked);
  });
}

const address = () => `${location.origin}${location.pathname}#${page.model.id}`;
const server = () => `${location.origin}${location.pathname}`.replace(/\/$/, "");
const focused = () => page.model.records.get(page.model.focus ?? page.model.records.end() - 1);

/** @param {string} text @param {string} what */
const copy = async (text, what) => tell(await view.copy(text, what));

/** @param {number} by */
function openDetail(by) {
  if (by !== 0) viewport.step(page.model, by, list.height());
  const record = focused();
  if (record) view.detail(page.model, record, copy, openDetail);
  changed();
}

/** @param {string} level */
function setLevel(level) {
  page.model.level = level;
  input("level").value = level;
  relist();
  tell(level === "" ? "all levels" : `${level} and worse`);
}

/** @param {number | undefined} id @param {string} none */
function reveal(id, none) {
  if (id === undefined) tell(none);
  else viewport.reveal(page.model, id, list.height());
}

/** @param {boolean} down */
function hit(down) {
  const { model } = page;
  reveal(viewport.nextHit(model, down), model.search ? `nothing matches ${model.search}` : "/ searches");
}

/** @param {boolean} down */
function error(down) {
  reveal(viewport.seek(page.model, down, (it) => it.kind === "message" && it.level === "error"), "no error");
}

/** @param {boolean} down */
function operation(down) {
  const begins = models.beginnings(page.model);
  reveal(viewport.seek(page.model, down, (it) => begins.has(it)), "no operation begins there");
}

/** @type {Record<string, () => unknown>} */
const ACTIONS = {
  Down: () => viewport.step(page.model, 1, list.height()),
  Up: () => viewport.step(page.model, -1, list.height()),
  HalfDown: () => viewport.scroll(page.model, list.height() >> 1, list.height()),
  HalfUp: () => viewport.scroll(page.model, -(list.height() >> 1), list.height()),
  PageDown: () => viewport.scroll(page.model, list.height() - 1, list.height()),
  PageUp: () => viewport.scroll(page.model, 1 - list.height(), list.height()),
  First: () => reveal(page.model.viewport.idAt(0), ""),
  Last: () => viewport.follow(page.model),
  Space: () => (viewport.isFollowing(page.model) ? ACTIONS.Pause() : ACTIONS.PageDown()),
  Pause: () => (viewport.isFollowing(page.model) ? viewport.pause(page.model, list.height()) : viewport.follow(page.model)),
  Search: () => input("search").focus(),
  Filter: () => input("filter").focus(),
  NextHit: () => hit(true),
  PreviousHit: () => hit(false),
  NextError: () => error(true),
  PreviousError: () => error(false),
  RaiseLevel: () => setLevel(models.levelBy(page.model, 1)),
  LowerLevel: () => setLevel(models.levelBy(page.model, -1)),
  ShowTrace: () => setLevel(""),
  ShowDebug: () => setLevel("debug"),
  ShowInfo: () => setLevel("info"),
  ShowWarn: () => setLevel("warn"),
  ShowError: () => setLevel("error"),
  NextOperation: () => operation(true),
  PreviousOperation: () => operation(false),
  Open: () => (viewport.isFollowing(page.model) ? bring(models.ruler(page.model, now())) : openDetail(0)),
  Time: () => models.nextTimes(page.model),
  Wrap: () => {
    page.model.wraps = !page.model.wraps;
    relist();
  },
  Copy: () => copy(focused()?.plain ?? "", "the message"),
  CopyShown: () => copy(view.shownAsText(page.model), "all that is shown"),
  CopyId: () => copy(page.model.id, "the client ID"),
  CopyCurl: () => copy(sending(), "a curl line that sends the ID along"),
  CopyLink: () => {
    const seq = viewport.isFollowing(page.model) ? 0 : focused()?.message?.seq;
    copy(seq ? `${address()}/${seq}` : address(), "the link");
  },
  CopyPage: () => copy(address(), "the page's address"),
  SaveText: () => view.save(page.model, "txt", view.shownAsText(page.model)),
  SaveAll: () => view.save(page.model, "ndjson", view.allAsNdjson(page.model)),
  Detail: () => {
    const { model } = page;
    const wants = !model.wantsDebug;
    const asked = wants ? "asked for debug detail" : "told that the detail is not needed";
    ask({ level: wants ? "debug" : null }, `publishers were ${asked}`).then((isAsked) => {
      if (isAsked) model.wantsDebug = wants;
      changed();
    });
  },
  Cancel: () => cancel(models.toCancel(page.model)),
  Reconnect: () => resume(),
  Again: () => {
    const { kind } = page.model.connection;
    if (kind === "retrying") return connection?.hurry();
    return kind === "ended" || page.model.id === "" ? fresh() : location.reload();
  },
  Back: () => {
    page.model.search = "";
    input("search").value = "";
    search.ask();
  },
  Help: () => view.help(),
};

/** @param {string} name */
function act(name) {
  page.model.notice = "";
  ACTIONS[name]();
  changed();
}

document.addEventListener("keydown", (event) => {
  const target = /** @type {HTMLElement} */ (event.target);
  const isTyping = target.matches("input, select, textarea");
  const isSearch = event.ctrlKey && event.key === "f" && !isTyping;
  if (isTyping && !view.isOpen() && ["Escape", "Enter"].includes(event.key)) {
    // A browser would empty the field at Escape.
    event.preventDefault();
    element("list").focus();
    if (event.key === "Enter" && target.id === "search") act("NextHit");
    return;
  }
  if (event.key === "Escape" && !element("menu").hidden) return view.menu([]);
  const isPressed = target.matches("button") && [" ", "Enter"].includes(event.key);
  const isOurs = isSearch || !(event.ctrlKey || event.altKey || event.metaKey || isTyping || isPressed);
  const name = isSearch ? "Search" : action(event.key);
  if (!name || !isOurs || view.isOpen()) return;
  event.preventDefault();
  act(name);
});

for (const [id, name] of Object.entries(BUTTONS)) element(id).addEventListener("click", () => act(name));

element("find").addEventListener("click", () => {
  const isOpen = element("tools").classList.toggle("open");
  element("find").setAttribute("aria-expanded", String(isOpen));
  changed();
});

element("operations").addEventListener("click", ({ target }) => {
  const name = /** @type {HTMLElement} */ (target).dataset.operation;
  if (name !== undefined) cancel(name || undefined);
});

element("menu-button").addEventListener("click", () => {
  const entries = TABLE.filter((it) => MENU.includes(it.action));
  const stop = () =>
    request(page, `${API}/debug/stop/${page.model.id}`, { method: "POST" }).catch((why) => tell(`not ended: ${why}`));
  view.menu([
    ...entries.map((it) => ({ name: it.does, act: () => act(it.action) })),
    { name: "end this stream", act: () => view.ask("End this stream for everybody?", "End it", "Keep it", stop) },
    { name: "new stream", act: fresh },
  ]);
});

element("list").addEventListener("pointerdown", ({ target }) => {
  const row = /** @type {HTMLElement} */ (target).closest(".row");
  if (!row) return;
  viewport.pause(page.model, list.height());
  page.model.focus = Number(row.id.slice(1));
  changed();
});
element("list").addEventListener("dblclick", () => openDetail(0));

input("level").addEventListener("change", () => setLevel(input("level").value));
for (const what of /** @type {const} */ (["search", "filter"])) {
  input(what).addEventListener("input", () => {
    const { value } = input(what);
    const query = compile(value, { negatable: what === "filter" });
    const isBroken = query !== undefined && "error" in query;
    input(what).setAttribute("aria-invalid", String(isBroken));
    if (isBroken) return tell(query.error);
    page.model[what] = value;
    tell("");
    if (what === "filter") relist();
    else search.ask();
  });
}

/**
 * Begins anew with a client; without an ID, with nothing.
 * @param {string} id
 * @param {string} [failure]
 * @param {number} [seq] of the message to stop at
 */
function begin(id, failure, seq = 0) {
  connection?.stop();
  search.end();
  for (const field of ["search", "filter", "level"]) input(field).value = "";
  page.model = create(id);
  if (seq > 0) page.model.link = { seq, next: 0 };
  connection = undefined;
  if (failure !== undefined) page.model.connection = { kind: "failed", text: failure };
  else if (id !== "") connection = createConnection(page, resume);
  lines();
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

const sending = () => `curl -H 'Sse-Client-ID: ${page.model.id}' http://localhost:8000/`;

/** Writes the lines to paste while nothing has come. */
function lines() {
  const { model, token } = page;
  const authorization = token ? '-H "Authorization: Bearer $CODECHAT_TOKEN" ' : "";
  view.write("empty", [
    ["p", `Client ID ${model.id}`],
    ["p", "Nothing has come yet. Send the ID along with your request:"],
    ["pre", sending()],
    ["p", "Or publish something yourself:"],
    ["pre", `codechat send --id ${model.id} --server ${server()} hello`],
    ["pre", `curl ${authorization}-d hello ${server()}/${API}/debug/${model.id}`],
  ]);
}

/** Gets a new client ID. */
async function fresh() {
  begin("");
  const { model } = page;
  const { id, failure, isRefused } = await issue(page);
  // Another address may have been asked for meanwhile.
  if (page.model !== model) return;
  begin(id ?? "", failure);
  if (id !== undefined) history.replaceState(null, "", `#${id}`);
  if (isRefused) page.askToken(failure ?? "", fresh);
}

/** Watches what the address names. */
function start() {
  element("static").hidden = true;
  element("app").hidden = false;
  const [id, seq = ""] = location.hash.slice(1).split("/");
  if (ID.test(id)) begin(id.toLowerCase(), undefined, /^[1-9]\d*$/.test(seq) ? Number(seq) : 0);
  else if (id !== "") begin("", `"${safeLine(id.slice(0, 40))}" is no client ID; to get a new one, remove what stands behind #`);
  // A page that nobody looks at yet needs no ID.
  else if (document.hidden) document.addEventListener("visibilitychange", start, { once: true });
  else fresh();
}

// A browser opens six connections to a server, over HTTP/1.1, and each page that watches holds one.
keepFew(
  () => {
    if (!["live", "retrying", "connecting"].includes(page.model.connection.kind)) return;
    connection?.stop();
    page.model.connection = { kind: "asleep" };
    changed();
  },
  () => {
    if (page.model.connection.kind === "asleep") resume();
  },
);
addEventListener("hashchange", start);
addEventListener("resize", changed);
addEventListener("online", () => connection?.hurry());
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) connection?.hurry();
  changed();
});
addEventListener("pageshow", ({ persisted }) => persisted && resume());
/** @param {unknown} what */
const broken = (what) => tell(`an error of the page's own: ${what}; reload the page`);
addEventListener("error", ({ message }) => broken(message));
addEventListener("unhandledrejection", ({ reason }) => broken(reason));
setInterval(() => {
  if (document.hidden) return view.entitle(page.model);
  announcer.say(models.spoken(page.model), now());
  changed();
}, 1000);
start();
