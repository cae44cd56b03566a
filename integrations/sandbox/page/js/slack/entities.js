// Slack's `<…>` entities: links, mentions, channels, groups and dates, as nodes.

import { h } from "../dom.js";
import { displayName, channelOf, store } from "../store.js";
import { slackDate } from "../time.js";

const SAFE = /^(https?:|mailto:)/i;

export function unescape(text) {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

/** Any other scheme stays text: a message must not bring a script along. */
export function link(url, label = url) {
  if (!SAFE.test(url)) return document.createTextNode(label);
  return h("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, label);
}

export function entity(inside) {
  const [head, ...rest] = inside.split("|");
  const label = rest.length ? unescape(rest.join("|")) : null;
  if (head.startsWith("@")) return userMention(head.slice(1), label);
  if (head.startsWith("#")) return channelMention(head.slice(1), label);
  if (head.startsWith("!")) return special(head.slice(1), label);
  return link(unescape(head), label ?? unescape(head));
}

export function userMention(id, label = null) {
  const name = displayName(id) === id ? label ?? id : displayName(id);
  return h("span.mention", { class: id === store.user ? "is-me" : "" }, `@${name.replace(/^@/, "")}`);
}

export function channelMention(id, label = null) {
  const channel = channelOf(id);
  if (!channel) return h("span.mention", {}, `#${label ?? id}`);
  return h("a.mention", { href: `/?channel=${id}` }, `#${channel.name}`);
}

function special(command, label) {
  const [name, ...parts] = command.split("^");
  if (name === "date") return date(parts, label);
  if (name === "subteam") return h("span.mention", {}, label ?? groupHandle(parts[0]));
  return h("span.mention.is-me", {}, `@${label ?? name}`);
}

function groupHandle(id) {
  const group = store.slack?.usergroups.find((one) => one.id === id);
  return `@${group?.handle ?? id}`;
}

function date([seconds, format, url], fallback) {
  if (!/^\d+$/.test(seconds ?? "") || !format) return document.createTextNode(fallback ?? "");
  const text = slackDate(Number(seconds), unescape(format));
  const title = new Date(Number(seconds) * 1000).toLocaleString();
  return h("time", { title }, url ? link(unescape(url), text) : text);
}
