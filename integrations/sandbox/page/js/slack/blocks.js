// Block Kit's blocks, as Slack lays them out.

import { h } from "../dom.js";
import { element, fileUrl } from "./elements.js";
import { mrkdwn } from "./mrkdwn.js";
import { richText } from "./richtext.js";
import { plainText, text } from "./text.js";

const KINDS = {
  section,
  header: (block) => h("h3.block.block-header", {}, plainText(block.text)),
  divider: () => h("hr.block.block-divider"),
  context: (block) => h("div.block.block-context", {}, block.elements.map(contextPart)),
  actions: (block, place) => h("div.block.block-actions", {}, block.elements.map((made) => element(made, block, place))),
  image,
  input,
  rich_text: (block) => h("div.block.mrkdwn", {}, richText(block)),
  markdown: (block) => h("div.block.mrkdwn", {}, markdown(block.text)),
  table,
};

export function blocks(list, place, errors = {}) {
  return list.map((block) => {
    const draw = KINDS[block.type];
    return draw ? draw(block, place, errors) : h("p.unsupported", {}, `The sandbox does not draw ${block.type} blocks.`);
  });
}

function section(block, place) {
  const fields = block.fields?.length && h("div.block-fields", {}, block.fields.map((field) => h("div.mrkdwn", {}, text(field))));
  const body = h("div.block-text", {}, block.text && h("div.mrkdwn", {}, text(block.text)), fields);
  const accessory = block.accessory && h("div.block-accessory", {}, element(block.accessory, block, place));
  return h("div.block.block-section", {}, body, accessory);
}

function contextPart(part) {
  if (part.type === "image") return h("img", { src: part.image_url ?? fileUrl(part), alt: part.alt_text });
  return h("span.mrkdwn", {}, text(part));
}

function image(block) {
  const title = block.title && h("figcaption", {}, plainText(block.title));
  return h("figure.block.block-image", {}, title, h("img", { src: block.image_url ?? fileUrl(block), alt: block.alt_text, loading: "lazy" }));
}

/** A labelled field. Groups of choices cannot take a `<label>`, so all fields are named by reference. */
function input(block, place, errors) {
  const field = element(block.element, block, place);
  const id = `field-${block.block_id}`;
  const error = errors[block.block_id];
  field.setAttribute("aria-labelledby", `${id}-label`);
  if (error) {
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-describedby", `${id}-error`);
  }
  return h("div.block.block-input", { class: error ? "has-error" : "", onclick: null },
    h("div.input-label", { id: `${id}-label`, onclick: () => field.focus() },
      plainText(block.label), block.optional && h("span.optional", {}, " (optional)")),
    field,
    error && h("p.field-error", { id: `${id}-error`, role: "alert" }, error),
    block.hint && h("p.hint", {}, plainText(block.hint)));
}

/** Enough of Markdown for the `markdown` block: headings and bold differ from Slack's own markup. */
function markdown(source) {
  const escaped = source.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const asMrkdwn = escaped
    .replace(/\[([^\]\n]+)\]\((https?:[^)\s]+)\)/g, "<$2|$1>")
    .replace(/\*\*([^*\n]+)\*\*/g, "*$1*")
    .replace(/^#{1,6} +(.+)$/gm, "*$1*")
    .replace(/^(\s*)[-*] +/gm, "$1• ");
  return mrkdwn(asMrkdwn);
}

function table(block) {
  const rows = block.rows.map((row, at) => h("tr", {}, row.map((cell) => h(at ? "td" : "th", {}, cellContent(cell)))));
  return h("div.block.table-wrap", {}, h("table.block-table", {}, h("tbody", {}, rows)));
}

function cellContent(cell) {
  return cell.type === "rich_text" ? richText(cell) : plainText(cell);
}
