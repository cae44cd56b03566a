// The `rich_text` block: what Slack's own composer makes.

import { h } from "../dom.js";
import { glyph } from "./emoji.js";
import { channelMention, link, userMention } from "./entities.js";
import { slackDate } from "../time.js";

const STYLES = { bold: "strong", italic: "em", strike: "s", code: "code", underline: "u" };
const ORDERED = ["1", "a", "i"];

const KINDS = {
  rich_text_section: (element) => h("div.rich-section", {}, pieces(element.elements)),
  rich_text_preformatted: (element) => h("pre.code-block", {}, pieces(element.elements)),
  rich_text_quote: (element) => h("blockquote", {}, pieces(element.elements)),
  rich_text_list: list,
};

export function richText(block) {
  return block.elements.map((element) => KINDS[element.type]?.(element) ?? null);
}

function list(element) {
  const indent = element.indent ?? 0;
  const items = element.elements.map((item) => h("li", {}, pieces(item.elements)));
  const ordered = element.style === "ordered";
  const extra = ordered ? { type: ORDERED[indent % 3], start: (element.offset ?? 0) + 1 } : {};
  return h(ordered ? "ol" : "ul", { class: `rich-list indent-${Math.min(indent, 8)}`, ...extra }, items);
}

function pieces(elements = []) {
  return elements.map((element) => styled(piece(element), element.style ?? {}));
}

function piece(element) {
  switch (element.type) {
    case "text": return element.text;
    case "link": return link(element.url, element.text ?? element.url);
    case "emoji": return glyph(element.name) ?? `:${element.name}:`;
    case "user": return userMention(element.user_id);
    case "channel": return channelMention(element.channel_id);
    case "usergroup": return h("span.mention", {}, `@${element.usergroup_id}`);
    case "broadcast": return h("span.mention.is-me", {}, `@${element.range}`);
    case "date": return slackDate(element.timestamp, element.format ?? "{date} {time}");
    case "color": return h("span.swatch", { vars: { "--swatch": element.value } }, element.value);
    default: return element.text ?? "";
  }
}

function styled(content, style) {
  return Object.entries(STYLES).reduce((inner, [name, tag]) => (style[name] ? h(tag, {}, inner) : inner), content);
}
