// The app's Home tab.

import { h, memo } from "../dom.js";
import { store } from "../store.js";
import { blocks } from "./blocks.js";
import { Place } from "./place.js";

export function renderHome(container) {
  const view = store.slack.home;
  memo(container, [view?.id, view?.hash, view?.errors, store.user], () => (view ? drawn(view) : nothing()));
}

function drawn(view) {
  const whole = view.errors[""];
  return [
    whole && h("p.view-error", { role: "alert" }, whole),
    blocks(view.blocks, new Place({ view_id: view.id }, view.state.values), view.errors),
  ];
}

function nothing() {
  return h("div.nothing", {}, h("h2", {}, "This is your Home with Signalbox"), h("p", {}, "The app has not published a Home tab yet."));
}
