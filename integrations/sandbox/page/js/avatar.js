// Small pictures of who speaks: initials for people, the signal for the bot.

import { h } from "./dom.js";

const COLOURS = 6;

export function avatar(name, { bot = false, size = "large", seed = name } = {}) {
  if (bot) return h("img.avatar", { class: size, src: "/favicon.svg", alt: "" });
  const initials = name.split(/\s+/).slice(0, 2).map((word) => word[0] ?? "").join("").toUpperCase();
  return h("span.avatar", { class: `${size} colour-${hash(seed) % COLOURS}`, "aria-hidden": "true" }, initials);
}

function hash(text) {
  let sum = 7;
  for (const letter of text) sum = (sum * 37 + letter.codePointAt(0)) % 9973;
  return sum;
}
