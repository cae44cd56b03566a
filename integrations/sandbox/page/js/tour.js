// Three things to try for whoever comes here first; each ticks off when it was done.

import { byId, fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { store, update } from "./store.js";

/** `actions` starts each step: `{help, ticket, alert}`. */
export function tour(container, actions) {
  const steps = [
    ["help", "Ask for help", "type /signalbox help"],
    ["ticket", "File a ticket", "and watch the bot tag it"],
    ["alert", "Fire an alert", "then silence it in #alerts"],
  ];
  return function render() {
    container.hidden = store.tour.hidden;
    if (container.hidden) return;
    const done = steps.every(([id]) => store.tour[id]);
    fill(container,
      h("strong.tour-title", {}, done ? "All done. Open the Wire to see what was sent." : "Three things to try"),
      h("ol", {}, steps.map(([id, title, about], at) => step(id, title, about, at + 1))),
      h("button.icon-button", { type: "button", "aria-label": "Hide these hints", dataset: { key: "hide" }, onclick: () => update({ tour: { ...store.tour, hidden: true } }) }, icon("close", 16)));
  };

  function step(id, title, about, number) {
    const done = store.tour[id];
    return h("li", {}, h("button.tour-step", { type: "button", class: done ? "is-done" : "", dataset: { key: `tour-${id}` }, onclick: actions[id] },
      h("span.tour-mark", {}, done ? icon("check", 14) : String(number)),
      h("span", {}, title, h("small", {}, done ? "done" : about))));
  }
}

/** The composer reports what was said. */
export function onSaid(text, { delivered = [] }) {
  const answered = delivered.every((one) => one.error === null);
  if (/^\/signalbox\s+help\b/.test(text) && answered) update({ tour: { ...store.tour, help: true } });
}

export function showTour() {
  update({ tour: { ...store.tour, hidden: false } });
  byId("tour").querySelector("button")?.focus();
}
