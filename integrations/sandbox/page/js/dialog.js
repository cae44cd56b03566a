// Dialogs: the browser's own element brings the focus trap, Esc and the return of the focus.

import { h } from "./dom.js";
import { icon } from "./icons.js";

/** Show a dialog; `onclose` runs when a person dismisses it by Esc or, where allowed, by the backdrop. */
export function openDialog({ label, className = "", content, onclose = () => {}, backdrop = true }) {
  const dialog = h("dialog.dialog", { "aria-label": label, class: className }, content);
  const dismiss = () => {
    closeDialog(dialog);
    onclose();
  };
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    dismiss();
  });
  dialog.addEventListener("mousedown", (event) => {
    if (backdrop && event.target === dialog) dismiss();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

export function closeDialog(dialog) {
  if (dialog.open) dialog.close();
  dialog.remove();
}

export function dialogHead(title, ondismiss, before = null) {
  const cross = h("button.icon-button", { type: "button", "aria-label": "Close", onclick: ondismiss }, icon("close"));
  return h("header.dialog-head", {}, before, h("h2", {}, title), cross);
}

/** Slack's "Are you sure?"; resolves to whether the person confirmed. */
export function confirmed({ title, text, confirm = "Yes", deny = "Cancel", style = "primary" }) {
  return new Promise((resolve) => {
    const answer = (value) => () => {
      closeDialog(dialog);
      resolve(value);
    };
    const ok = h(`button.button.${style === "danger" ? "danger" : "primary"}`, { type: "button", autofocus: true, onclick: answer(true) }, confirm);
    const no = h("button.button", { type: "button", onclick: answer(false) }, deny);
    const dialog = openDialog({
      label: typeof title === "string" ? title : title.textContent,
      className: "confirm",
      onclose: () => resolve(false),
      content: [
        dialogHead(title, answer(false)),
        h("div.dialog-body", {}, text),
        h("footer.dialog-foot", {}, no, ok),
      ],
    });
  });
}
