// Files in a message: a card to download, with the first lines when it is text.

import { h } from "../dom.js";
import { icon } from "../icons.js";

const PREVIEW_LINES = 6;
const PREVIEW_BYTES = 200_000;

export function file(made) {
  const card = h("div.file", {},
    h("div.file-head", {},
      h("span.file-icon", {}, icon("file", 20)),
      h("div.file-name", {}, h("strong", {}, made.title || made.name), h("small", {}, `${kind(made)} · ${size(made.size)}`)),
      h("a.icon-button", { href: made.page_url, download: made.name, "aria-label": `Download ${made.name}` }, icon("download"))));
  if (made.mimetype.startsWith("image/")) card.append(h("img.file-image", { src: made.page_url, alt: made.title || made.name }));
  else if (isText(made)) preview(card, made);
  return card;
}

const isText = (made) => /^text\/|json|csv/.test(made.mimetype) && made.size < PREVIEW_BYTES;
const kind = (made) => made.name.split(".").at(-1).toUpperCase();
const size = (bytes) => (bytes < 1024 ? `${bytes} B` : `${(bytes / 1024).toFixed(1)} kB`);

async function preview(card, made) {
  const response = await fetch(made.page_url);
  if (!response.ok) return;
  const lines = (await response.text()).trimEnd().split("\n");
  const more = lines.length - PREVIEW_LINES;
  card.append(h("pre.file-preview", { tabindex: "0" }, lines.slice(0, PREVIEW_LINES).join("\n")));
  if (more > 0) card.append(h("p.file-more", {}, `… ${more} more ${more === 1 ? "line" : "lines"}`));
}
