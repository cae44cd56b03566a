// Menus and lists that hang at a button. One is open at a time; Esc and a click elsewhere close it.

import { h } from "./dom.js";

const GAP = 4;
let open = null;

export function openPopup(anchor, content, { label, role = "menu", onclose = () => {} } = {}) {
  closePopup();
  const popup = h("div.popup", { role, "aria-label": label }, content);
  (anchor.closest("dialog") ?? document.querySelector("main")).append(popup);
  anchor.setAttribute("aria-expanded", "true");
  place(popup, anchor);
  open = { popup, anchor, onclose };
  document.addEventListener("mousedown", outside, true);
  document.addEventListener("keydown", escape, true);
  return popup;
}

export function closePopup({ refocus = false } = {}) {
  if (!open) return;
  const { popup, anchor, onclose } = open;
  open = null;
  document.removeEventListener("mousedown", outside, true);
  document.removeEventListener("keydown", escape, true);
  popup.remove();
  anchor.setAttribute("aria-expanded", "false");
  if (refocus) anchor.focus();
  onclose();
}

export function place(popup, anchor) {
  const at = anchor.getBoundingClientRect();
  const size = popup.getBoundingClientRect();
  const below = at.bottom + GAP + size.height <= window.innerHeight || at.top < size.height + GAP;
  const left = Math.max(8, Math.min(at.left, window.innerWidth - size.width - 8));
  popup.style.setProperty("left", `${left}px`);
  popup.style.setProperty("top", `${below ? at.bottom + GAP : at.top - GAP - size.height}px`);
}

/** A menu of `{label, run, danger, icon}`. */
export function openMenu(anchor, items, label) {
  const buttons = items.map((item) =>
    h("button.menu-item", {
      role: "menuitem",
      type: "button",
      class: item.danger ? "is-danger" : "",
      onclick: () => {
        closePopup({ refocus: true });
        item.run();
      },
    }, item.icon, item.label));
  const popup = openPopup(anchor, buttons, { label });
  popup.addEventListener("keydown", (event) => moveFocus(event, buttons));
  buttons[0]?.focus();
}

/** Arrow keys, Home and End over a row or column of controls. */
export function moveFocus(event, controls) {
  const at = controls.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowRight: at + 1, ArrowUp: at - 1, ArrowLeft: at - 1, Home: 0, End: -1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  controls.at(to % controls.length)?.focus();
}

function outside(event) {
  if (open && !open.popup.contains(event.target) && !open.anchor.contains(event.target)) closePopup();
}

function escape(event) {
  if (event.key !== "Escape") return;
  event.preventDefault();
  event.stopPropagation();
  closePopup({ refocus: true });
}
