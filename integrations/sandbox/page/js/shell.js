// The frame around the three panes: top bar, and tabs where the window is narrow.

import { fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { unreadTotal } from "./slack/sidebar.js";
import { store, update } from "./store.js";
import { showTour } from "./tour.js";
import { toggle } from "./wire/drawer.js";

export function renderTopbar(container) {
  const state = store.online ? "Live" : "Connecting…";
  fill(container,
    h("img.logo", { src: "/favicon.svg", alt: "" }),
    h("strong.brand", {}, "Signalbox", h("span", {}, " sandbox")),
    h("span.live", { class: store.online ? "is-online" : "", role: "status" }, h("i"), state),
    h("span.spacer"),
    store.tour.hidden && h("button.bar-button", { type: "button", dataset: { key: "tour" }, onclick: showTour }, "What to try"),
    h("button.bar-button", { type: "button", "aria-pressed": String(store.wire), dataset: { key: "wire" }, onclick: () => toggle() }, icon("wire", 16), "Wire"));
}

export function renderTabs(container) {
  const firing = (store.alerts?.groups ?? []).reduce((sum, group) => sum + group.alerts.length, 0);
  fill(container,
    tab("slack", "Slack", "chat", unreadTotal()),
    tab("jira", "Jira", "board", 0),
    tab("alerts", "Alerts", "bell", firing));
  document.body.dataset.pane = store.pane;
}

function tab(pane, label, mark, count) {
  return h("button.tab", {
    type: "button", "aria-current": store.pane === pane ? "page" : null, dataset: { key: pane }, onclick: () => update({ pane }),
  }, icon(mark, 20), label, count > 0 && h("span.tab-count", {}, String(count)));
}
