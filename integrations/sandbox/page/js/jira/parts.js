// Pieces that the board and a ticket's details share.

import { h } from "../dom.js";
import { icon } from "../icons.js";

export const PRIORITIES = ["Highest", "High", "Medium", "Low", "Lowest"];
export const PEOPLE = { mia: "Mia Okafor", jonas: "Jonas Berg", lena: "Lena Fischer", customer: "Customer portal" };

export function priority(name) {
  return h("span.priority", { class: `is-${name.toLowerCase()}`, title: `Priority: ${name}`, role: "img", "aria-label": `Priority ${name}` }, icon(name.toLowerCase(), 14));
}

/** The bot's labels look different from people's: purple, with its sign. */
export function label({ name, by }, remove = null) {
  const bot = by.kind === "bot";
  return h("span.label", { class: bot ? "by-bot" : "by-person", title: `Added by ${by.name}` },
    bot && icon("robot", 12), h("span", {}, name), bot && h("span.visually-hidden", {}, ", added by the bot"),
    remove && h("button.label-remove", { type: "button", "aria-label": `Remove the label ${name}`, onclick: remove }, "×"));
}

export const statusClass = (status) => `status-${status.toLowerCase().replace(/\s+/g, "-")}`;

export function field(caption, control) {
  return h("label.form-field", {}, h("span", {}, caption), control);
}

export function selectOf(options, value, onchange, name) {
  const entries = Array.isArray(options) ? options.map((one) => [one, one]) : Object.entries(options);
  return h("select.input", { name, onchange: onchange && ((event) => onchange(event.target.value)) },
    entries.map(([key, caption]) => h("option", { value: key, selected: key === value }, caption)));
}
