// The log of deliveries, newest first.

import { h } from "../dom.js";
import { store } from "../store.js";
import { clockSeconds } from "../time.js";

const SHOWN = 100;

export function deliveries(part, open) {
  const entries = (part === "slack" ? store.deliveries.slack.map(fromSlack) : store.deliveries[part].map(fromOthers)).slice(0, SHOWN);
  if (!entries.length) return h("p.quiet.empty-line", {}, "Nothing was sent yet.");
  return h("div.deliveries", { tabindex: "0", role: "region", "aria-label": "Deliveries" }, entries.map((entry) => row(entry, open)));
}

function fromSlack(entry) {
  const retry = entry.attempt ? `retry ${entry.attempt}` : "";
  return { id: `${entry.id}-${entry.attempt}`, at: new Date(entry.at * 1000), what: entry.kind, about: retry || entry.via, status: entry.status, error: entry.error, ms: entry.ms };
}

function fromOthers(entry) {
  const last = entry.attempts.at(-1);
  const retries = entry.attempts.length - 1;
  return {
    id: entry.id, at: last ? new Date(last.at) : new Date(), what: entry.event, about: [entry.subject, retries > 0 && `${retries} retries`].filter(Boolean).join(" · "),
    status: last?.status ?? null, error: last?.error ?? (last ? null : "waiting"), ms: (last?.seconds ?? 0) * 1000, body: entry.body, attempts: entry.attempts,
  };
}

function row(entry, open) {
  const good = entry.status >= 200 && entry.status < 300;
  const cells = [
    h("time", {}, clockSeconds(entry.at)),
    h("span.status", { class: good ? "is-good" : "is-bad" }, entry.status ? String(entry.status) : entry.error ?? "none"),
    h("span.what", {}, entry.what), h("span.quiet.about", {}, entry.about),
    h("span.ms", {}, `${entry.ms.toFixed(1)} ms`),
  ];
  if (!entry.body) return h("div.delivery", {}, cells);
  return h("details.delivery-details", { dataset: { id: entry.id }, open: open.has(entry.id) },
    h("summary.delivery", {}, cells), h("pre", { tabindex: "0" }, JSON.stringify(entry.body, null, 2)));
}
