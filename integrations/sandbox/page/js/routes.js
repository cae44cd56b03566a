// Addresses within the page: permalinks to messages, `#jira/KEY`, and links that the bot posts to the stand-ins.

import { messagesOf, update } from "./store.js";

export function readAddress() {
  const query = new URLSearchParams(location.search);
  if (query.has("channel")) toMessage(query.get("channel"), query.get("ts"));
  readHash();
}

export function readHash() {
  const key = /^#jira\/([A-Z]+-\d+)$/.exec(decodeURIComponent(location.hash))?.[1];
  if (key) update({ card: key, pane: "jira" });
  if (location.hash === "#alerts") update({ pane: "alerts" });
}

/** Links to this sandbox open here, not in a new tab. */
export function followLinks() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const url = new URL(link.href);
    if (url.origin === location.origin && opened(url)) event.preventDefault();
  });
  window.addEventListener("hashchange", readHash);
}

function opened(url) {
  const ticket = /^\/jira\/browse\/([A-Z]+-\d+)$/.exec(url.pathname)?.[1];
  const archive = /^\/archives\/(\w+)\/p(\d+)(\d{6})$/.exec(url.pathname);
  if (ticket) update({ card: ticket });
  else if (archive) toMessage(archive[1], `${archive[2]}.${archive[3]}`);
  else if (url.pathname === "/" && url.searchParams.has("channel")) toMessage(url.searchParams.get("channel"), url.searchParams.get("ts"));
  else if (url.pathname.startsWith("/alertmanager")) showAlerts();
  else return false;
  return true;
}

function toMessage(channel, ts) {
  const made = messagesOf(channel).find((one) => one.ts === ts);
  const thread = made?.thread_ts && made.thread_ts !== ts ? made.thread_ts : null;
  update({ channel, tab: "messages", pane: "slack", thread, highlight: thread ?? ts ?? null });
}

function showAlerts() {
  update({ pane: "alerts" });
  const pane = document.getElementById("alerts");
  pane.classList.remove("is-shown");
  requestAnimationFrame(() => pane.classList.add("is-shown"));
}

