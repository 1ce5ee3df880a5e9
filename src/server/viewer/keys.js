// The page's keys: those of the pane, except those that a browser uses itself; and what keys do to the list. Knows no DOM.

import { nextTimes } from "./model.js";
import { levelOf } from "./records.js";
import { beginning, follow, isFollowing, nextHit, pause, reveal, scroll, seek, step } from "./viewport.js";

/** @typedef {import("./model.js").Model} Model */

/** @type {{ keys: string[], action: string, does: string }[]} */
export const TABLE = [
  { keys: ["j", "ArrowDown"], action: "Down", does: "move down; reaching the bottom follows again" },
  { keys: ["k", "ArrowUp"], action: "Up", does: "move up; leaving the bottom pauses" },
  { keys: ["d"], action: "HalfDown", does: "half a page down" },
  { keys: ["u"], action: "HalfUp", does: "half a page up" },
  { keys: ["f", "PageDown"], action: "PageDown", does: "a page down" },
  { keys: ["b", "PageUp"], action: "PageUp", does: "a page up" },
  { keys: ["g", "Home"], action: "First", does: "to the first message" },
  { keys: ["G", "End", "F"], action: "Last", does: "to the last message, and follow" },
  { keys: [" "], action: "Space", does: "freeze while following, a page down otherwise" },
  { keys: ["p"], action: "Pause", does: "pause or resume" },
  { keys: ["/"], action: "Search", does: "search (regex; capitals make it exact)" },
  { keys: ["n"], action: "NextHit", does: "next hit" },
  { keys: ["N"], action: "PreviousHit", does: "previous hit" },
  { keys: ["&"], action: "Filter", does: "show only what matches; ! in front: what does not; empty: all" },
  { keys: ["e"], action: "NextError", does: "next error, wrapping around" },
  { keys: ["E"], action: "PreviousError", does: "previous error, wrapping around" },
  { keys: ["+"], action: "RaiseLevel", does: "raise the level shown" },
  { keys: ["-"], action: "LowerLevel", does: "lower the level shown" },
  { keys: ["1"], action: "ShowTrace", does: "show trace (all)" },
  { keys: ["2"], action: "ShowDebug", does: "show debug and worse" },
  { keys: ["3"], action: "ShowInfo", does: "show info and worse" },
  { keys: ["4"], action: "ShowWarn", does: "show warn and worse" },
  { keys: ["5"], action: "ShowError", does: "show errors only" },
  { keys: ["{"], action: "PreviousOperation", does: "previous operation's first message" },
  { keys: ["}"], action: "NextOperation", does: "next operation's first message" },
  { keys: ["Enter"], action: "Open", does: "following: a ruler with the time; paused: the whole message" },
  { keys: ["t"], action: "Time", does: "times: clock, since the start, since the previous message, off" },
  { keys: ["w"], action: "Wrap", does: "wrap long lines, or cut them" },
  { keys: ["y"], action: "Copy", does: "copy the message" },
  { keys: ["Y"], action: "CopyShown", does: "copy all that is shown" },
  { keys: ["i"], action: "CopyId", does: "copy the client ID" },
  { keys: ["I"], action: "CopyCurl", does: "copy a curl line that sends the client ID along" },
  { keys: ["L"], action: "CopyLink", does: "copy the link to the message" },
  { keys: ["o"], action: "CopyPage", does: "copy the address of this page" },
  { keys: ["s"], action: "SaveText", does: "save what is shown as text" },
  { keys: ["S"], action: "SaveAll", does: "save everything as NDJSON" },
  { keys: ["D"], action: "Detail", does: "ask publishers for debug detail" },
  { keys: ["x"], action: "Cancel", does: "ask publishers to cancel (asks first)" },
  { keys: ["r"], action: "Reconnect", does: "reconnect now" },
  { keys: ["Escape"], action: "Back", does: "close what is open; remove the search's highlights" },
  { keys: ["?"], action: "Help", does: "help" },
];

const byKey = new Map(TABLE.flatMap((it) => it.keys.map((key) => [key, it.action])));

/**
 * Returns the action of a key press, by its `key`; `undefined` if it has none.
 * @param {string} key
 * @returns {string | undefined}
 */
export const action = (key) => byKey.get(key);

/**
 * Returns a move to the record that `find` returns; if there is none, the move returns the notice of `none`.
 * @param {(model: Model) => number | undefined} find
 * @param {(model: Model) => string} none
 * @returns {Move}
 */
const to = (find, none) => (model, height) => {
  const id = find(model);
  if (id === undefined) return none(model);
  reveal(model, id, height);
};
/** @param {boolean} down */
const hit = (down) =>
  to((model) => (model.sought = nextHit(model, down)), ({ search }) => (search ? `nothing matches ${search}` : "/ searches"));
/** @param {boolean} down */
const error = (down) =>
  to((model) => seek(model, down, (it) => it.kind === "message" && levelOf(it) === "error"), () => "no error");
/** @param {boolean} down */
const operation = (down) =>
  to((model) => seek(model, down, beginning(model)), () => "no operation begins there");

/**
 * What an action does to a list with this many lines on screen. Returns the text of a notice, if there is one.
 * @typedef {(model: Model, height: number) => string | void} Move
 */
/** @type {Record<string, Move>} */
export const MOVES = {
  Down: (model, height) => step(model, 1, height),
  Up: (model, height) => step(model, -1, height),
  HalfDown: (model, height) => scroll(model, height >> 1, height),
  HalfUp: (model, height) => scroll(model, -(height >> 1), height),
  PageDown: (model, height) => scroll(model, height - 1, height),
  PageUp: (model, height) => scroll(model, 1 - height, height),
  First: to((model) => model.viewport.idAt(0), () => ""),
  Last: follow,
  Space: (model, height) => (isFollowing(model) ? MOVES.Pause : MOVES.PageDown)(model, height),
  Pause: (model, height) => (isFollowing(model) ? pause(model, height) : follow(model)),
  NextHit: hit(true),
  PreviousHit: hit(false),
  NextError: error(true),
  PreviousError: error(false),
  NextOperation: operation(true),
  PreviousOperation: operation(false),
  Time: nextTimes,
};
