// The middle of the window: head, messages or the app's home, message box.

import * as api from "../api.js";
import { fill, h } from "../dom.js";
import { icon } from "../icons.js";
import { channelOf, messagesOf, store, update } from "../store.js";
import { attempt } from "../toast.js";
import { composer } from "./composer.js";
import { renderHome } from "./home.js";
import { messageList } from "./messages.js";

export function conversation(container) {
  const head = h("header.conversation-head");
  const start = h("div.channel-start");
  const list = messageList();
  const home = h("div.home", { hidden: true, tabindex: "0" });
  const box = composer({ id: "composer-text", target: () => ({ channel: store.channel }), placeholder: () => `Message ${title()}` });
  container.append(head, start, list.element, home, box.element);
  container.addEventListener("click", (event) => !event.target.closest(".sidebar-toggle") && hideSidebar());

  return {
    write: box.write,
    render() {
      if (!store.slack) return;
      const atHome = store.tab === "home" && Boolean(channelOf(store.channel)?.im_user);
      fill(head, headParts());
      start.hidden = atHome || messagesOf(store.channel).length > 0;
      if (!start.hidden) fill(start, beginning());
      list.element.hidden = box.element.hidden = atHome;
      home.hidden = !atHome;
      if (atHome) renderHome(home);
      else list.render();
      box.render();
    },
  };
}

/** On a phone the channels lie over the messages. */
function hideSidebar() {
  document.body.classList.remove("shows-sidebar");
}

function title() {
  const channel = channelOf(store.channel);
  if (!channel) return "";
  return channel.im_user ? "Signalbox" : `#${channel.name}`;
}

function headParts() {
  const channel = channelOf(store.channel);
  const menu = h("button.icon-button.sidebar-toggle", { type: "button", "aria-label": "Show channels", dataset: { key: "menu" }, onclick: () => document.body.classList.toggle("shows-sidebar") }, icon("menu"));
  const name = h("h1", {}, !channel?.im_user && icon("hash", 18), channel?.im_user ? "Signalbox" : channel?.name ?? "");
  const about = channel?.im_user ? tabs() : h("p.purpose", {}, channel?.purpose ?? "");
  return [menu, name, about];
}

function tabs() {
  const tab = (id, label) => h("button.view-tab", {
    type: "button", role: "tab", "aria-selected": String(store.tab === id), dataset: { key: `tab-${id}` },
    onclick: () => openTab(id),
  }, label);
  return h("div.view-tabs", { role: "tablist" }, tab("home", "Home"), tab("messages", "Messages"));
}

function openTab(id) {
  update({ tab: id, thread: null });
  if (id === "home") attempt(() => api.slack.home(store.user));
}

function beginning() {
  const channel = channelOf(store.channel);
  if (channel?.im_user) return [h("h2", {}, "Signalbox"), h("p", {}, "This is the very beginning of your direct messages with Signalbox.")];
  return [h("h2", {}, `#${channel?.name ?? ""}`), h("p", {}, `${channel?.purpose ?? ""}. This is the very beginning of the channel.`)];
}
