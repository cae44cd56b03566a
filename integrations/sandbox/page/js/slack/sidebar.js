// The workspace's sidebar: who I am, channels with unread marks, direct messages and the app.

import { avatar } from "../avatar.js";
import { fill, h } from "../dom.js";
import { icon } from "../icons.js";
import { openMenu } from "../popup.js";
import { displayName, isReply, lastRead, messagesOf, store, update } from "../store.js";

const ROLES = { U0SBALICE: "admin", U0SBBOB00: "on call", U0SBCAROL: "viewer" };

export function renderSidebar(container) {
  if (!store.slack) return;
  const channels = store.slack.channels.filter((channel) => !channel.im_user);
  const direct = store.slack.channels.filter((channel) => channel.im_user);
  fill(container,
    h("div.workspace", {}, h("strong", {}, "Sandbox"), icon("down", 14)),
    me(),
    h("div.channel-groups", {},
      h("h2", {}, "Channels"),
      h("ul", {}, channels.map((channel) => row(channel, icon("hash", 16), channel.name))),
      h("h2", {}, "Apps"),
      h("ul", {}, direct.map((channel) => row(channel, avatar("Signalbox", { bot: true, size: "small" }), "Signalbox")))));
}

function row(channel, mark, name) {
  const count = unread(channel);
  const current = store.channel === channel.id;
  return h("li", {}, h("button.channel", {
    type: "button", class: [current && "is-current", count && "is-unread"].filter(Boolean).join(" "),
    "aria-current": current ? "page" : null, dataset: { key: channel.id },
    onclick: () => openChannel(channel.id),
  }, mark, h("span.channel-name", {}, name), count > 0 && badge(channel, count)));
}

function badge(channel, count) {
  const loud = channel.im_user || mentions(channel);
  return h("span.unread", { class: loud ? "is-loud" : "", "aria-label": `${count} unread` }, String(count));
}

const fresh = (channel) => messagesOf(channel.id).filter((one) => one.ts > lastRead(channel.id) && one.user !== store.user && !isReply(one));
const unread = (channel) => fresh(channel).length;
const mentions = (channel) => fresh(channel).some((one) => one.text?.includes(`<@${store.user}>`));

export const unreadTotal = () => (store.slack?.channels ?? []).reduce((sum, channel) => sum + unread(channel), 0);

export function openChannel(id, { tab = "messages" } = {}) {
  update({ channel: id, tab, thread: null, pane: "slack" });
  document.body.classList.remove("shows-sidebar");
}

function me() {
  const name = displayName(store.user);
  const people = store.slack.users.filter((user) => !user.is_bot);
  const items = people.map((user) => ({
    label: `${user.real_name}, ${ROLES[user.id] ?? user.title}`,
    icon: avatar(user.real_name, { size: "small", seed: user.id }),
    run: () => switchTo(user.id),
  }));
  const trigger = h("button.me", {
    type: "button", "aria-haspopup": "menu", "aria-expanded": "false", dataset: { key: "me" },
    title: "Act as another person", onclick: () => openMenu(trigger, items, "Act as"),
  },
  avatar(name, { size: "medium", seed: store.user }),
  h("span", {}, h("strong", {}, name), h("small", {}, `You act as ${ROLES[store.user] ?? "a member"}`)),
  icon("down", 14));
  return trigger;
}

/** Direct messages are a person's own, so another person starts in a channel. */
export function switchTo(user) {
  const inDirect = store.slack?.channels.find((channel) => channel.id === store.channel)?.im_user;
  update({ user, thread: null, tab: "messages", ...(inDirect ? { channel: `D${user.slice(1)}` } : {}) });
}
