// The page's keys: the pane's table, but for what a browser keeps to itself. Knows no DOM.

/**
 * @typedef {{ keys: string[], action: string, does: string }} Binding
 */

/** @type {Binding[]} */
export const TABLE = [
  { keys: ["j", "ArrowDown"], action: "Down", does: "move down; reaching the bottom follows" },
  { keys: ["k", "ArrowUp"], action: "Up", does: "move up, and pause" },
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
  { keys: ["&"], action: "Filter", does: "show only what matches; ! first shows what does not" },
  { keys: ["e"], action: "NextError", does: "next error, in a circle" },
  { keys: ["E"], action: "PreviousError", does: "previous error, in a circle" },
  { keys: ["+"], action: "RaiseLevel", does: "raise the level shown" },
  { keys: ["-"], action: "LowerLevel", does: "lower the level shown" },
  { keys: ["1"], action: "ShowTrace", does: "show trace (all)" },
  { keys: ["2"], action: "ShowDebug", does: "show debug and worse" },
  { keys: ["3"], action: "ShowInfo", does: "show info and worse" },
  { keys: ["4"], action: "ShowWarn", does: "show warn and worse" },
  { keys: ["5"], action: "ShowError", does: "show errors" },
  { keys: ["{"], action: "PreviousOperation", does: "previous operation's first message" },
  { keys: ["}"], action: "NextOperation", does: "next operation's first message" },
  { keys: ["Enter"], action: "Open", does: "following: a ruler with the time; paused: the whole message" },
  { keys: ["t"], action: "Time", does: "times: clock, since the start, since the previous message, off" },
  { keys: ["w"], action: "Wrap", does: "wrap long lines, or cut them" },
  { keys: ["y"], action: "Copy", does: "copy the message" },
  { keys: ["Y"], action: "CopyShown", does: "copy all that is shown" },
  { keys: ["i"], action: "CopyId", does: "copy the client ID" },
  { keys: ["I"], action: "CopyCurl", does: "copy a curl line that sends the ID along" },
  { keys: ["L"], action: "CopyLink", does: "copy the link to the message" },
  { keys: ["s"], action: "SaveText", does: "save what is shown as text" },
  { keys: ["S"], action: "SaveAll", does: "save everything as NDJSON" },
  { keys: ["D"], action: "Detail", does: "ask publishers for debug detail" },
  { keys: ["x"], action: "Cancel", does: "ask publishers to cancel (asks back first)" },
  { keys: ["r"], action: "Reconnect", does: "reconnect now" },
  { keys: ["o"], action: "CopyPage", does: "copy the page's address" },
  { keys: ["Escape"], action: "Back", does: "close what is open; take the search's marks away" },
  { keys: ["?"], action: "Help", does: "help" },
];

const byKey = new Map(TABLE.flatMap((it) => it.keys.map((key) => [key, it.action])));

/**
 * Returns the action of a key press, by its `key`; `undefined` if it has none.
 * @param {string} key
 * @returns {string | undefined}
 */
export function action(key) {
  return byKey.get(key);
}

/** The buttons, by their IDs, and what they do. */
export const BUTTONS = {
  "copy-id": "CopyId", "copy-link": "CopyLink", "previous-hit": "PreviousHit", "next-hit": "NextHit",
  again: "Again", times: "Time", wrap: "Wrap", detail: "Detail", follow: "Last", pause: "Pause", help: "Help",
};
/** What is in the menu. */
export const MENU = ["CopyId", "CopyCurl", "CopyLink", "CopyShown", "SaveText", "SaveAll", "Reconnect", "Help"];
