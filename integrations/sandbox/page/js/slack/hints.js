// The list over the message box: slash commands, people, channels and emoji that fit what was typed.

import { h } from "../dom.js";
import { store } from "../store.js";
import { commands } from "./commands.js";

const MOST = 8;

/** `{from, items: [{label, about, insert}]}` for the text before the caret, or null. */
export function hintsFor(before) {
  if (before.startsWith("/") && !before.includes("\n")) return offer(0, slash(before));
  const word = /(?:^|\s)([@#])([\w.-]*)$/.exec(before);
  if (!word) return null;
  const from = before.length - word[2].length - 1;
  return offer(from, word[1] === "@" ? people(word[2]) : channels(word[2]));
}

const offer = (from, items) => (items.length ? { from, items: items.slice(0, MOST) } : null);

function slash(typed) {
  const wanted = typed.toLowerCase();
  return commands()
    .filter((one) => one.insert.startsWith(wanted) && one.insert !== wanted.trimEnd())
    .map((one) => ({ label: one.usage, about: one.about, insert: one.insert + (one.takesMore ? " " : "") }));
}

function people(typed) {
  const wanted = typed.toLowerCase();
  const users = store.slack.users.map((user) => ({ label: user.real_name, about: `@${user.name}`, insert: `@${user.name} ` }));
  const groups = store.slack.usergroups.map((group) => ({ label: group.name, about: `@${group.handle}`, insert: `@${group.handle} ` }));
  return [...users, ...groups].filter((one) => `${one.about.slice(1)} ${one.label}`.toLowerCase().includes(wanted));
}

function channels(typed) {
  return store.slack.channels
    .filter((channel) => !channel.im_user && channel.name.startsWith(typed.toLowerCase()))
    .map((channel) => ({ label: `#${channel.name}`, about: channel.purpose, insert: `#${channel.name} ` }));
}

export function hintList(id, { items }, active, choose) {
  return h("div.hints", { role: "listbox", id, "aria-label": "Suggestions" },
    items.map((item, at) => h("div.hint-row", {
      role: "option", id: `${id}-${at}`, "aria-selected": String(at === active), class: at === active ? "is-active" : "",
      // The box keeps the focus: a press must not take it away.
      onmousedown: (event) => {
        event.preventDefault();
        choose(item);
      },
    }, h("strong", {}, item.label), h("span", {}, item.about))));
}
