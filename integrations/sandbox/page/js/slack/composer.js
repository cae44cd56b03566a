// The message box: Enter sends, Shift+Enter breaks the line, `/`, `@` and `#` bring suggestions.

import * as api from "../api.js";
import { h } from "../dom.js";
import { icon } from "../icons.js";
import { store } from "../store.js";
import { toast } from "../toast.js";
import { onSaid } from "../tour.js";
import { hintList, hintsFor } from "./hints.js";

const HIGHEST = 200;

/** `target()` says where to: `{channel, thread_ts?}`. */
export function composer({ id, target, placeholder }) {
  const box = h("textarea.composer-text", { id, rows: 1, "aria-autocomplete": "list", "aria-haspopup": "listbox", "aria-controls": `${id}-hints` });
  const send = h("button.send", { type: "submit", "aria-label": "Send now", disabled: true }, icon("send"));
  const hints = h("div.hint-place");
  const form = h("form.composer", { onsubmit: submit }, hints,
    h("div.composer-box", {}, box, h("div.composer-bar", {}, h("span.composer-help", {}, h("b", {}, "/"), " commands  ", h("b", {}, "@"), " people"), send)));
  let offered = null;
  let active = 0;

  box.addEventListener("input", changed);
  box.addEventListener("keydown", keys);
  box.addEventListener("blur", () => show(null));
  return { element: form, render, write };

  function render() {
    const text = placeholder();
    if (box.placeholder !== text) {
      box.placeholder = text;
      box.setAttribute("aria-label", text);
    }
  }

  function write(text) {
    box.value = text;
    box.focus();
    box.setSelectionRange(text.length, text.length);
    changed();
  }

  function changed() {
    box.style.setProperty("height", "auto");
    box.style.setProperty("height", `${Math.min(box.scrollHeight, HIGHEST)}px`);
    send.disabled = !box.value.trim();
    show(hintsFor(box.value.slice(0, box.selectionStart)));
  }

  function show(found) {
    offered = found;
    active = 0;
    draw();
  }

  function draw() {
    hints.replaceChildren(...(offered ? [hintList(`${id}-hints`, offered, active, choose)] : []));
    if (offered) box.setAttribute("aria-activedescendant", `${id}-hints-${active}`);
    else box.removeAttribute("aria-activedescendant");
  }

  function choose(item) {
    const after = box.value.slice(box.selectionStart);
    const text = box.value.slice(0, offered.from) + item.insert;
    write(text + after);
    box.setSelectionRange(text.length, text.length);
    show(null);
  }

  function keys(event) {
    if (event.isComposing) return;
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (offered && move) {
      event.preventDefault();
      active = (active + move + offered.items.length) % offered.items.length;
      draw();
    } else if (offered && event.key === "Escape") {
      event.preventDefault();
      show(null);
    } else if (offered && event.key === "Tab" && !event.shiftKey) {
      event.preventDefault();
      choose(offered.items[active]);
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      if (offered && !isWhole()) choose(offered.items[active]);
      else submit(event);
    }
  }

  /** A command that can be sent as it stands is sent by Enter, not completed to a longer one. */
  function isWhole() {
    return box.value.startsWith("/") && /\s\S/.test(box.value.trim()) && !offered.items[active].insert.startsWith(box.value.trim());
  }

  async function submit(event) {
    event.preventDefault();
    const text = box.value.trim();
    if (!text) return;
    write("");
    try {
      const answer = await api.slack.say({ user: store.user, text, ...target() });
      onSaid(text, answer);
    } catch (error) {
      if (!box.value) write(text);
      toast(error.message);
    }
  }
}
