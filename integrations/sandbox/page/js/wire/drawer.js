// The wire: what the stand-ins sent to the bot and how it answered, and switches that break things.

import { fill, h } from "../dom.js";
import { icon } from "../icons.js";
import { store, update } from "../store.js";
import { load } from "../sync.js";
import { deliveries } from "./deliveries.js";
import { switches } from "./faults.js";

const PARTS = { slack: "Slack", jira: "Jira", alerts: "Alertmanager" };

export function drawer(container) {
  let part = "slack";
  let shown = "";
  container.addEventListener("keydown", (event) => event.key === "Escape" && toggle(false));

  return function render() {
    container.hidden = !store.wire;
    document.body.classList.toggle("has-wire", store.wire);
    const signature = JSON.stringify([part, store.wire, store.deliveries[part], store.faults[part], store.slack?.limits, store.slack?.sockets]);
    if (!store.wire || signature === shown) return;
    shown = signature;
    const open = new Set([...container.querySelectorAll("details[open]")].map((one) => one.dataset.id));
    fill(container, head(), h("div.wire-body", {}, deliveries(part, open), switches(part)));
  };

  function head() {
    const choose = (id) => {
      part = id;
      update({});
    };
    const tabs = Object.entries(PARTS).map(([id, label]) => h("button.view-tab", {
      type: "button", role: "tab", "aria-selected": String(part === id), dataset: { key: `wire-${id}` }, onclick: () => choose(id),
    }, label));
    return h("header.wire-head", {},
      h("h2", {}, icon("wire", 18), "Wire"), h("div.view-tabs", { role: "tablist", "aria-label": "Sender" }, tabs),
      h("p.quiet", {}, "What was sent to the bot, and its answers"),
      h("button.icon-button", { type: "button", "aria-label": "Close the wire", onclick: () => toggle(false) }, icon("close")));
  }
}

export function toggle(wire = !store.wire) {
  update({ wire });
  if (wire) load("wire");
}
