// Alerts: stories to fire, what fires now, and silences.

import * as api from "../api.js";
import { h, memo } from "../dom.js";
import { icon } from "../icons.js";
import { store, update } from "../store.js";
import { ago, full } from "../time.js";
import { attempt } from "../toast.js";

const TICK_MS = 15_000;
const SHOWN = 6;

export function panel(container) {
  const body = h("div.alerts-body");
  container.append(h("header.pane-head", {}, h("h2.pane-title", {}, h("span.alert-mark", {}, icon("bell", 15)), "Alertmanager")), body);
  let tick = 0;
  const render = () => store.alerts && memo(body, [store.alerts, tick], draw);
  // "3 min ago" has to grow without an event; nobody is disturbed while the focus is here.
  setInterval(() => {
    if (body.contains(document.activeElement)) return;
    tick += 1;
    render();
  }, TICK_MS);
  return render;
}

function draw() {
  const { scenarios, groups, silences } = store.alerts;
  const active = silences.filter((one) => one.status.state !== "expired");
  const firing = groups.reduce((sum, group) => sum + group.alerts.length, 0);
  return [
    h("ul.scenarios", { "aria-label": "Scenarios" }, scenarios.map(scenario)),
    h("h3", {}, "Firing", h("span.count", {}, String(firing))),
    groups.length ? groups.map(groupCard) : h("p.quiet.empty-line", {}, "Nothing fires. Fire a scenario above and look at #alerts."),
    active.length > 0 && [h("h3", {}, "Silences", h("span.count", {}, String(active.length))), active.map(silence)],
  ];
}

function scenario(one) {
  const firing = Boolean(one.firing_since);
  const [title, more] = one.title.split(": ");
  const about = more ?? (one.alerts === 1 ? "one alert" : `${one.alerts} alerts`);
  return h("li.scenario", { class: firing ? "is-firing" : "" },
    h("span.scenario-name", {}, h("span", {}, title), about && h("small.quiet", {}, about)),
    firing
      ? h("button.button.small", { type: "button", dataset: { key: one.name }, "aria-label": `Resolve: ${one.title}`, onclick: () => attempt(() => api.alerts.resolve(one.name)) }, "Resolve")
      : h("button.button.small.outline-danger", { type: "button", dataset: { key: one.name }, "aria-label": `Fire: ${one.title}`, onclick: () => fire(one.name) }, "Fire"));
}

export async function fire(name) {
  const done = await attempt(() => api.alerts.fire(name));
  if (done) update({ tour: { ...store.tour, alert: true } });
}

function groupCard(group) {
  const name = Object.values(group.labels).join(" · ") || "Ungrouped";
  const severity = group.alerts[0]?.labels.severity ?? "none";
  const rows = group.alerts.slice(0, SHOWN).map(alertRow);
  const more = group.alerts.length - SHOWN;
  return h("article.alert-group", { class: `severity-${severity}` },
    h("header", {}, h("strong", {}, name), h("span.severity", {}, severity), h("span.quiet", {}, `${group.alerts.length} ${group.alerts.length === 1 ? "alert" : "alerts"}`)),
    h("ul", {}, rows, more > 0 && h("li.quiet", {}, `… and ${more} more`)));
}

function alertRow(alert) {
  const muted = alert.status.silencedBy.length > 0;
  const label = alert.labels.instance ?? alert.labels.alertname;
  return h("li", { class: muted ? "is-muted" : "" },
    h("span.alert-name", { title: alert.annotations.summary ?? "" }, h("b", {}, label), ` ${alert.annotations.summary ?? ""}`),
    muted && h("span.muted", {}, icon("mute", 12), "silenced"),
    h("time.quiet", { title: full(new Date(alert.startsAt)) }, ago(new Date(alert.startsAt))));
}

function silence(one) {
  const matchers = one.matchers.map((matcher) => `${matcher.name}${operator(matcher)}${matcher.value}`).join(", ");
  return h("article.silence", {},
    icon("mute", 16),
    h("div", {}, h("strong", {}, matchers), h("small.quiet", { title: one.comment }, `by ${one.createdBy}, ends ${ago(new Date(one.endsAt))}`)),
    h("button.icon-button", { type: "button", "aria-label": `Delete the silence on ${matchers}`, title: "Delete", onclick: () => attempt(() => api.alerts.expire(one.id)) }, icon("bin", 16)));
}

function operator({ isEqual, isRegex }) {
  if (isRegex) return isEqual ? "=~" : "!~";
  return isEqual ? "=" : "!=";
}
