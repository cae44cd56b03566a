// One message, as Slack shows it.

import * as api from "../api.js";
import { avatar } from "../avatar.js";
import { h } from "../dom.js";
import { icon } from "../icons.js";
import { openMenu, openPopup, closePopup } from "../popup.js";
import { displayName, isReply, person, store, update } from "../store.js";
import { ago, clock, full, ofTs } from "../time.js";
import { attempt, toast } from "../toast.js";
import { attachment } from "./attachments.js";
import { blocks } from "./blocks.js";
import { glyph, PICKER, QUICK } from "./emoji.js";
import { file } from "./files.js";
import { inline, mrkdwn } from "./mrkdwn.js";
import { Place } from "./place.js";

/** `compact` leaves out name and picture: the message follows another of the same person. */
export function message(made, channel, { compact = false, inThread = false } = {}) {
  const mentions = made.text?.includes(`<@${store.user}>`) ? "is-mention" : "";
  const states = [compact && "is-compact", made.ephemeral_for && "is-ephemeral", mentions].filter(Boolean).join(" ");
  return h("article.message", { class: states, dataset: { ts: made.ts }, "aria-label": `${displayName(made.user)}, ${clock(ofTs(made.ts))}`, tabindex: "-1" },
    made.ephemeral_for && h("p.only-you", {}, icon("eye", 14), "Only visible to you"),
    h("div.message-grid", {},
      compact ? time(made, "message-side-time") : portrait(made),
      h("div.message-main", {},
        !compact && head(made),
        content(made, channel),
        reactions(made, channel),
        !inThread && threadLink(made))),
    toolbar(made, channel, inThread));
}

function portrait(made) {
  const user = person(made.user);
  return avatar(displayName(made.user), { bot: Boolean(user?.is_bot), seed: made.user });
}

function head(made) {
  const app = made.bot_id || person(made.user)?.is_bot || made.user === "USLACKBOT";
  return h("header.message-head", {},
    h("strong", {}, displayName(made.user)), app && h("span.app-badge", {}, "APP"), time(made, "message-time"));
}

function time(made, className) {
  const date = ofTs(made.ts);
  return h("time", { class: className, title: full(date), datetime: date.toISOString() }, clock(date));
}

function content(made, channel) {
  const place = new Place({ channel, ts: made.ts }, made.state);
  const body = made.blocks?.length ? blocks(made.blocks, place) : [made.text && h("div.mrkdwn", {}, mrkdwn(made.text))];
  return h("div.message-content", {},
    body,
    (made.attachments ?? []).map((one) => attachment(one, place)),
    (made.files ?? []).map(file),
    made.edited && h("span.edited", { title: full(ofTs(made.edited.ts)) }, "(edited)"));
}

function reactions(made, channel) {
  if (!made.reactions?.length) return null;
  return h("div.reactions", {}, made.reactions.map((one) => {
    const mine = one.users.includes(store.user);
    const who = one.users.map(displayName).join(", ");
    return h("button.reaction", {
      type: "button", class: mine ? "is-mine" : "", title: `${who} reacted with :${one.name}:`,
      "aria-label": `${one.name}, ${one.count}, by ${who}`, "aria-pressed": String(mine),
      onclick: () => !mine && react(made, channel, one.name),
    }, h("span", {}, glyph(one.name) ?? `:${one.name}:`), String(one.count));
  }));
}

const react = (made, channel, name) => attempt(() => api.slack.react({ user: store.user, channel, ts: made.ts, name }));

function threadLink(made) {
  if (!made.reply_count) return null;
  const faces = made.reply_users.slice(0, 4).map((id) => avatar(displayName(id), { bot: Boolean(person(id)?.is_bot), size: "small", seed: id }));
  const count = `${made.reply_count} ${made.reply_count === 1 ? "reply" : "replies"}`;
  return h("button.thread-link", { type: "button", onclick: () => openThread(made) },
    faces, h("strong", {}, count), h("span.quiet", {}, `Last reply ${ago(ofTs(made.latest_reply))}`));
}

export const openThread = (made) => update({ thread: made.thread_ts ?? made.ts });

function toolbar(made, channel, inThread) {
  if (made.ephemeral_for) return null;
  const quick = QUICK.map((name) => tool(`React with ${name.replaceAll("_", " ")}`, glyph(name), () => react(made, channel, name)));
  const picker = tool("Find another reaction", icon("smile"), ({ currentTarget }) => pick(currentTarget, made, channel));
  const reply = !inThread && !isReply(made) && tool("Reply in thread", icon("thread"), () => openThread(made));
  const more = tool("More actions", icon("more"), ({ currentTarget }) => openMenu(currentTarget, [
    { label: "Copy link", run: () => copyLink(made, channel) },
    ...(store.slack?.shortcuts ?? []).map((one) => shortcut(one, made, channel)),
  ], "More actions"));
  return h("div.message-tools", { role: "toolbar", "aria-label": "Message actions" }, quick, picker, reply, more);
}

/** The app's entry in the menu: its name, and whose it is. */
function shortcut({ name, callback_id, description }, made, channel) {
  const choose = () => attempt(() => api.slack.shortcut({ user: store.user, callback_id, channel, ts: made.ts }));
  return { label: h("span.menu-shortcut", { title: description }, name, h("small", {}, "Signalbox")), icon: icon("robot"), run: choose };
}

const tool = (label, content_, onclick) => h("button.tool", { type: "button", "aria-label": label, title: label, onclick }, content_);

function pick(anchor, made, channel) {
  const choose = (name) => () => {
    closePopup({ refocus: true });
    react(made, channel, name);
  };
  const faces = PICKER.map((name) => h("button.tool", { type: "button", "aria-label": name, onclick: choose(name) }, glyph(name)));
  openPopup(anchor, h("div.emoji-grid", {}, faces), { label: "Reactions", role: "dialog" }).querySelector("button").focus();
}

async function copyLink(made, channel) {
  const link = `${location.origin}/archives/${channel}/p${made.ts.replace(".", "")}`;
  try {
    await navigator.clipboard.writeText(link);
    toast("Link copied.");
  } catch {
    toast(link); // The browser keeps the clipboard to itself: show the link to copy by hand.
  }
}

/** What a screen reader is told of a new message. */
export function spoken(made) {
  const words = h("span", {}, inline(made.text ?? "")).textContent;
  return `${displayName(made.user)}: ${words || "a message"}`;
}
