// Modals: the top of the person's view stack, with field errors and errors of the whole view.

import * as api from "../api.js";
import { closeDialog, dialogHead, openDialog } from "../dialog.js";
import { fill, h } from "../dom.js";
import { icon } from "../icons.js";
import { store } from "../store.js";
import { attempt } from "../toast.js";
import { blocks } from "./blocks.js";
import { closePopup } from "../popup.js";
import { Place } from "./place.js";
import { plainText } from "./text.js";

export function modals() {
  let dialog = null;
  let shown = "";
  const drafts = new Map();

  return function render() {
    const views = store.slack?.views ?? [];
    const view = views.at(-1);
    const signature = view ? JSON.stringify([view.id, view.hash, view.errors, views.length, store.user]) : "";
    if (signature === shown) return;
    shown = signature;
    closePopup();
    if (!view) {
      hide();
      return;
    }
    forget(views);
    dialog ??= openDialog({ label: "", className: "modal", backdrop: false, onclose: escaped });
    draw(view, views.length > 1);
  };

  function draw(view, pushed) {
    const kept = drafts.get(view.id) ?? drafts.set(view.id, {}).get(view.id);
    dialog.setAttribute("aria-label", plainText(view.title));
    const scroll = dialog.querySelector(".dialog-body")?.scrollTop ?? 0;
    fill(dialog, form(view, pushed, new Place({ view_id: view.id }, view.state.values, kept)));
    dialog.querySelector(".dialog-body").scrollTop = scroll;
    const first = dialog.querySelector("[aria-invalid], [autofocus], .dialog-body input, .dialog-body textarea, .dialog-body button");
    (first ?? dialog).focus();
  }

  function form(view, pushed, place) {
    const back = pushed && h("button.icon-button", { type: "button", "aria-label": "Back", onclick: () => dismiss(view) }, icon("back"));
    const leave = () => {
      hide();
      attempt(() => api.slack.close({ user: store.user, view_id: view.id, cleared: pushed }));
    };
    const whole = view.errors[""];
    return h("form", { novalidate: true, onsubmit: (event) => submit(event, view, place) },
      dialogHead(plainText(view.title), leave, back),
      h("div.dialog-body", {},
        whole && h("p.view-error", { role: "alert" }, whole),
        blocks(view.blocks, place, view.errors)),
      h("footer.dialog-foot", {},
        h("button.button", { type: "button", onclick: () => dismiss(view) }, plainText(view.close) || (pushed ? "Back" : "Cancel")),
        view.submit && h("button.button.primary", { type: "submit" }, plainText(view.submit))));
  }

  async function submit(event, view, place) {
    event.preventDefault();
    const button = event.target.querySelector("[type=submit]");
    if (button.getAttribute("aria-busy") === "true") return;
    button.setAttribute("aria-busy", "true");
    await attempt(() => api.slack.submit({ user: store.user, view_id: view.id, values: place.drafts }));
    button.removeAttribute("aria-busy");
  }

  function dismiss(view) {
    if ((store.slack?.views.length ?? 0) <= 1) hide();
    if (view) attempt(() => api.slack.close({ user: store.user, view_id: view.id }));
  }

  function escaped() {
    dialog = null;
    dismiss(store.slack?.views.at(-1));
  }

  function hide() {
    if (dialog) closeDialog(dialog);
    dialog = null;
  }

  function forget(views) {
    for (const id of drafts.keys()) if (!views.some((view) => view.id === id)) drafts.delete(id);
  }
}
