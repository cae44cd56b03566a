// The list of a channel's messages, with day lines, groups by speaker and a scroll that stays put.

import { h, keyed } from "../dom.js";
import { isReply, messagesOf, store, update } from "../store.js";
import { dayKey, dayName, ofTs } from "../time.js";
import { message } from "./message.js";

const GROUP_SECONDS = 300;
const NEAR_BOTTOM = 80;

export function messageList() {
  const list = h("div.messages", { role: "log", "aria-live": "off", tabindex: "0", "aria-label": "Messages" });
  let shown = null;
  stayAtBottom(list);
  return { element: list, render };

  function render() {
    const channel = store.channel;
    const switched = shown !== channel;
    const atBottom = switched || isNearEnd(list);
    shown = channel;
    const items = rows(messagesOf(channel).filter((one) => !isReply(one) || one.subtype === "thread_broadcast"));
    keyed(list, items, {
      key: (row) => row.key,
      signature: (row) => [row, store.user, channel],
      render: (row) => (row.day ? dayLine(row.day) : message(row.message, channel, { compact: row.compact })),
    });
    if (atBottom) list.scrollTop = list.scrollHeight;
    list.classList.toggle("is-empty", items.length === 0);
    jump(list);
  }
}

/** A list that showed its end still shows it when the window or the drawer takes room away. */
function stayAtBottom(list) {
  let atEnd = true;
  list.addEventListener("scroll", () => (atEnd = isNearEnd(list)));
  new ResizeObserver(() => atEnd && (list.scrollTop = list.scrollHeight)).observe(list);
}

const isNearEnd = (list) => list.scrollHeight - list.scrollTop - list.clientHeight < NEAR_BOTTOM;

/** Messages and day lines in order. */
export function rows(messages) {
  const found = [];
  let before = null;
  for (const made of messages) {
    const day = dayKey(ofTs(made.ts));
    const newDay = !before || dayKey(ofTs(before.ts)) !== day;
    if (newDay) found.push({ key: `day-${day}`, day: made.ts });
    found.push({ key: made.ts, message: made, compact: !newDay && follows(made, before) });
    before = made;
  }
  return found;
}

function follows(made, before) {
  return made.user === before.user && Number(made.ts) - Number(before.ts) < GROUP_SECONDS && !made.ephemeral_for && !before.ephemeral_for;
}

const dayLine = (ts) => h("div.day-line", { role: "separator" }, h("span", {}, dayName(ofTs(ts))));

/** Show the message that a permalink names. */
function jump(list) {
  if (!store.highlight) return;
  const target = list.querySelector(`[data-ts="${CSS.escape(store.highlight)}"]`);
  if (!target) return;
  update({ highlight: null });
  target.scrollIntoView({ block: "center" });
  target.classList.add("is-highlighted");
  target.focus({ preventScroll: true });
}
