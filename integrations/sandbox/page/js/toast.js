// Short notes about what did not work, read out to screen readers.

import { byId, h } from "./dom.js";
import { icon } from "./icons.js";

const SHOWN_MS = 7000;

export function toast(text) {
  const close = h("button.icon-button", { "aria-label": "Dismiss", onclick: () => note.remove() }, icon("close", 16));
  const note = h("div.toast", {}, h("span", {}, text), close);
  byId("toasts").append(note);
  setTimeout(() => note.remove(), SHOWN_MS);
}

/** Run something a person asked for; what goes wrong is said, not swallowed. */
export async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    toast(error.message);
    return undefined;
  }
}
