// Attachments: the coloured bar, with blocks or with the older fields.

import { h } from "../dom.js";
import { blocks } from "./blocks.js";
import { link } from "./entities.js";
import { mrkdwn } from "./mrkdwn.js";

const NAMED = { good: "#2eb67d", warning: "#ecb22e", danger: "#e01e5a" };

export function attachment(made, place) {
  const body = made.blocks?.length ? blocks(made.blocks, place) : classic(made);
  return [
    made.pretext && h("div.mrkdwn", {}, mrkdwn(made.pretext)),
    h("div.attachment", { vars: { "--bar": colour(made.color) } }, body,
      made.is_app_unfurl && h("div.attachment-footer", {}, "Added by Signalbox")),
  ];
}

function colour(given) {
  if (!given) return "var(--bar-default)";
  const hex = given.startsWith("#") ? given : `#${given}`;
  return NAMED[given] ?? (/^#[0-9a-f]{3,8}$/i.test(hex) ? hex : "var(--bar-default)");
}

function classic(made) {
  const fields = (made.fields ?? []).map((field) =>
    h("div", { class: field.short ? "short" : "" }, h("strong", {}, field.title), h("div.mrkdwn", {}, mrkdwn(field.value ?? ""))));
  return [
    made.author_name && h("div.attachment-author", {}, made.author_name),
    made.title && h("div.attachment-title", {}, made.title_link ? link(made.title_link, made.title) : made.title),
    (made.text || made.fallback) && h("div.mrkdwn", {}, mrkdwn(made.text ?? made.fallback)),
    fields.length > 0 && h("div.attachment-fields", {}, fields),
    made.image_url && h("img", { src: made.image_url, alt: "" }),
    made.footer && h("div.attachment-footer", {}, made.footer),
  ];
}
