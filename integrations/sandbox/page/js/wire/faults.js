// Switches that make a stand-in fail, so that one can watch how the bot takes it.

import * as api from "../api.js";
import { h } from "../dom.js";
import { store } from "../store.js";
import { load } from "../sync.js";
import { attempt } from "../toast.js";

const KINDS = {
  "answers 500": { status: 500 },
  "answers 429, retry after 3 s": { status: 429, retry_after: 3 },
  "is 5 s slow": { delay_seconds: 5 },
  "does the work, loses the answer": { drop_after: true },
};

const SIDES = {
  slack: {
    places: { "any method": { method: "*" }, "chat.postMessage": { method: "chat.postMessage" }, "chat.update": { method: "chat.update" }, "response_url": { method: "response_url" }, "views.open": { method: "views.open" } },
    order: api.slack.fault,
    clear: () => Promise.all([...new Set(store.faults.slack.map((fault) => fault.method))].map((method) => api.slack.fault({ method, times: 0 }))),
  },
  jira: {
    places: { "any call": { path_prefix: "/" }, "ticket calls": { path_prefix: "/rest/api/" }, "label writes": { path_prefix: "/rest/api/", method: "PUT" } },
    order: api.jira.fault,
    clear: api.jira.clearFaults,
  },
  alerts: {
    places: { "any call": { path_prefix: "/" }, "new silences": { path_prefix: "/api/v2/silences", method: "POST" }, "reading alerts": { path_prefix: "/api/v2/alerts" } },
    order: api.alerts.fault,
    clear: api.alerts.clearFaults,
  },
};

export function switches(part) {
  const side = SIDES[part];
  const where = choice("Where", side.places);
  const what = choice("What", KINDS);
  const times = h("input.input.times", { type: "number", min: 1, max: 99, value: "1", "aria-label": "Times" });
  const order = async (event) => {
    event.preventDefault();
    await attempt(() => side.order({ ...side.places[where.value], ...KINDS[what.value], times: Number(times.value) || 1 }));
    load("wire");
  };
  return h("div.faults", {},
    h("h3", {}, "Break something"),
    h("form.fault-form", { onsubmit: order }, where, what, h("span.times-label", {}, times, "times"), h("button.button.small.danger", { type: "submit" }, "Order")),
    planned(part, side),
    part === "slack" && slackSwitches());
}

function choice(label, options) {
  return h("select.input", { "aria-label": label }, Object.keys(options).map((name) => h("option", { value: name }, name)));
}

function planned(part, side) {
  const faults = store.faults[part];
  if (!faults.length) return h("p.quiet", {}, "No fault is ordered.");
  const clear = async () => {
    await attempt(side.clear);
    load("wire");
  };
  return h("div.planned", {}, h("ul", {}, faults.map((fault) => h("li", {}, describe(fault)))),
    h("button.button.small", { type: "button", onclick: clear }, "Withdraw all"));
}

function describe(fault) {
  const where = [fault.path_prefix ? fault.method : null, fault.path_prefix ?? fault.method].filter(Boolean).join(" ");
  const what = fault.status ? `answers ${fault.status}` : fault.error ?? (fault.drop_after ? "loses the answer" : `waits ${fault.delay_seconds} s`);
  return `${where} ${what}, ${fault.times} more ${fault.times === 1 ? "time" : "times"}`;
}

function slackSwitches() {
  const limits = h("input", { type: "checkbox", checked: Boolean(store.slack?.limits.enabled), onchange: ({ target }) => attempt(() => api.slack.limits(target.checked)) });
  const sockets = store.slack?.sockets ?? 0;
  return h("div.slack-switches", {},
    h("label.choice", {}, limits, h("span", {}, "Enforce Slack's rate limits")),
    sockets > 0
      ? h("button.button.small", { type: "button", onclick: () => attempt(api.slack.refreshSockets) }, `Refresh ${sockets} socket connections`)
      : h("p.quiet", {}, "Delivered over HTTP; no socket is connected."));
}
