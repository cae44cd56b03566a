// Block Kit's interactive elements.

import { h } from "../dom.js";
import { icon } from "../icons.js";
import { openMenu } from "../popup.js";
import { toast } from "../toast.js";
import { select } from "./select.js";
import { plainText, text } from "./text.js";

const PICKERS = { datepicker: "date", timepicker: "time", datetimepicker: "datetime-local" };
const TYPED = { plain_text_input: "text", email_text_input: "email", url_text_input: "url", number_input: "text" };

/** An element of a block, or null for one that this page does not know. */
export function element(made, block, place) {
  if (made.type === "button") return button(made, block, place);
  if (made.type === "image") return h("img.accessory-image", { src: made.image_url ?? fileUrl(made), alt: made.alt_text });
  if (made.type === "overflow") return overflow(made, block, place);
  if (made.type === "checkboxes" || made.type === "radio_buttons") return choices(made, block, place);
  if (made.type in PICKERS) return picker(made, block, place);
  if (made.type in TYPED) return made.multiline ? area(made, block, place) : line(made, block, place);
  if (made.type.endsWith("_select")) return select(made, block, place);
  return h("p.unsupported", {}, `The sandbox does not draw ${made.type} yet.`);
}

export const fileUrl = (image) => `/page/slack/files/${encodeURIComponent(image.slack_file?.id ?? "")}`;

function button(made, block, place) {
  const style = made.style ? `.${made.style}` : "";
  const label = { "aria-label": made.accessibility_label };
  const pressed = h(`button.button${style}`, { type: "button", ...label, onclick: () => busy(pressed, press) }, plainText(made.text));
  const press = async () => {
    const given = made.value === undefined ? {} : { value: made.value };
    await place.press(block, made, given);
    if (made.url) open(made.url);
  };
  if (made.url) pressed.append(icon("link", 13));
  return pressed;
}

function open(url) {
  if (/^https?:/i.test(url)) window.open(url, "_blank", "noopener,noreferrer");
  else toast(`The button's link is not a web address: ${url}`);
}

async function busy(control, work) {
  if (control.getAttribute("aria-busy") === "true") return;
  control.setAttribute("aria-busy", "true");
  await work();
  control.removeAttribute("aria-busy");
}

function overflow(made, block, place) {
  const items = made.options.map((option) => ({
    label: plainText(option.text),
    run: () => (option.url ? open(option.url) : place.press(block, made, { selected_option: option })),
  }));
  const trigger = h("button.button.overflow", {
    type: "button", "aria-haspopup": "menu", "aria-expanded": "false", "aria-label": "More actions",
    onclick: () => openMenu(trigger, items, "More actions"),
  }, icon("more"));
  return trigger;
}

function choices(made, block, place) {
  const many = made.type === "checkboxes";
  const value = place.value(block, made);
  const held = new Set((many ? value ?? [] : value ? [value] : []).map((option) => option.value));
  const inputs = made.options.map((option) => ({ option, input: choice(option, many, held) }));
  const send = () => {
    const chosen = inputs.filter(({ input }) => input.checked).map(({ option }) => option);
    place.enter(block, made, many ? chosen : chosen[0] ?? null);
  };
  const rows = inputs.map(({ option, input }) => h("label.choice", {}, input, h("span", {}, h("span", {}, text(option.text)), description(option))));
  return h("div.choices", { role: many ? "group" : "radiogroup", onchange: send }, rows);

  function choice(option, checkbox, chosen) {
    const name = `${block.block_id}-${made.action_id}-${place.target.ts ?? place.target.view_id}`;
    return h("input", { type: checkbox ? "checkbox" : "radio", name, checked: chosen.has(option.value) });
  }
}

const description = (option) => option.description && h("small", {}, text(option.description));

function picker(made, block, place) {
  const value = place.value(block, made);
  const shown = made.type === "datetimepicker" && value ? localMinute(value) : value ?? "";
  const read = (given) => (made.type === "datetimepicker" ? Math.floor(new Date(given).getTime() / 1000) : given);
  const onchange = ({ target }) => target.value && place.enter(block, made, read(target.value));
  return h("input.input.picker", { type: PICKERS[made.type], value: shown, "aria-label": plainText(made.placeholder) || "Pick", onchange });
}

function localMinute(seconds) {
  const date = new Date(seconds * 1000);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

function line(made, block, place) {
  return h("input.input", { type: TYPED[made.type], value: place.value(block, made) ?? "", ...typed(made, block, place) });
}

function area(made, block, place) {
  return h("textarea.input", { rows: 4, value: place.value(block, made) ?? "", ...typed(made, block, place) });
}

/** Every letter is a draft; the bot hears of it on Enter or when the field is left, if it wants to. */
function typed(made, block, place) {
  const keep = ({ target }) => ((place.drafts[block.block_id] ??= {})[made.action_id] = { value: target.value || null });
  const hear = block.dispatch_action ? ({ target }) => place.press(block, made, { value: target.value }) : null;
  return {
    placeholder: plainText(made.placeholder),
    maxlength: made.max_length,
    autofocus: made.focus_on_load,
    oninput: keep,
    onchange: hear,
  };
}
