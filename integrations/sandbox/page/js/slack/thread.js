// The side pane with one message and its replies.

import { fill, h, keyed } from "../dom.js";
import { icon } from "../icons.js";
import { channelOf, messagesOf, store, update } from "../store.js";
import { composer } from "./composer.js";
import { message } from "./message.js";

export function threadPane(container) {
  const head = h("header.thread-head");
  const list = h("div.messages.thread-messages", { role: "log", "aria-live": "off", tabindex: "0", "aria-label": "Thread" });
  const box = composer({ id: "thread-text", target: () => ({ channel: store.channel, thread_ts: store.thread }), placeholder: () => "Reply…" });
  container.append(head, list, box.element);
  container.addEventListener("keydown", (event) => event.key === "Escape" && !event.defaultPrevented && update({ thread: null }));
  let shown = null;

  return function render() {
    container.hidden = !store.thread;
    container.parentElement.classList.toggle("has-thread", Boolean(store.thread));
    if (!store.thread || !store.slack) return;
    const made = messagesOf(store.channel).filter((one) => one.ts === store.thread || one.thread_ts === store.thread);
    fill(head, headParts());
    const atBottom = shown !== store.thread || list.scrollHeight - list.scrollTop - list.clientHeight < 80;
    keyed(list, rows(made), {
      key: (row) => row.key,
      signature: (row) => [row, store.user],
      render: (row) => (row.count ? countLine(row.count) : message(row.message, store.channel, { inThread: true })),
    });
    if (atBottom) list.scrollTop = list.scrollHeight;
    box.render();
    if (shown !== store.thread) container.querySelector("textarea").focus();
    shown = store.thread;
  };
}

function rows(made) {
  const found = made.map((one) => ({ key: one.ts, message: one }));
  const replies = made.length - 1;
  if (replies > 0) found.splice(1, 0, { key: "count", count: replies });
  return found;
}

const countLine = (count) => h("div.reply-count", { role: "separator" }, h("span", {}, `${count} ${count === 1 ? "reply" : "replies"}`));

function headParts() {
  const channel = channelOf(store.channel);
  const where = channel?.im_user ? "Signalbox" : `#${channel?.name ?? ""}`;
  return [
    h("h2", {}, "Thread"), h("span.quiet", {}, where),
    h("button.icon-button", { type: "button", "aria-label": "Close thread", dataset: { key: "close" }, onclick: () => update({ thread: null }) }, icon("close")),
  ];
}
