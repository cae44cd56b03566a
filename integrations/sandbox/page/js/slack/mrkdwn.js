// Slack's own markup: code first, then quotes by line, then styles and entities within a line.

import { h } from "../dom.js";
import { glyph } from "./emoji.js";
import { entity, link, unescape } from "./entities.js";

const FENCE = /```\n?([\s\S]+?)\n?```/g;
const INLINE = new RegExp(
  [
    "<([^<>\\n]+)>",
    "`([^`\\n]+)`",
    styled("\\*"),
    styled("_"),
    styled("~"),
    ":([a-z0-9_+-]+):",
    "(https?://[^\\s<>|]+[^\\s<>|.,;:!?)'\"])",
  ].join("|"),
  "gu",
);
const STYLES = ["strong", "em", "s"];
const BULLET = /^(\s*[•◦▪‣]) +(.*)$/;

/** A pair of marks that stands free: not within a word, no space inside the marks. */
function styled(mark) {
  return `(?<![\\p{L}\\p{N}${mark}])${mark}(?![\\s${mark}])([^${mark}\\n]*?[^\\s${mark}])${mark}(?![\\p{L}\\p{N}${mark}])`;
}

export function mrkdwn(text) {
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(FENCE)) {
    nodes.push(...lines(trimEnd(text.slice(from, match.index))));
    nodes.push(h("pre.code-block", {}, coded(match[1])));
    from = match.index + match[0].length;
    if (text[from] === "\n") from += 1;
  }
  nodes.push(...lines(text.slice(from)));
  return nodes;
}

const trimEnd = (text) => text.replace(/\n$/, "");

function lines(text) {
  if (!text) return [];
  const nodes = [];
  let quote = null;
  let own = true; // whether what came before ends its line by itself, as blocks do
  for (const [index, line] of text.split("\n").entries()) {
    const quoted = /^(?:&gt;|>) ?(.*)$/s.exec(line);
    if (quoted) {
      if (quote) quote.append(h("br"));
      else nodes.push((quote = h("blockquote")));
      quote.append(...inline(quoted[1]));
      own = true;
    } else {
      const hangs = BULLET.exec(line);
      if (index > 0 && !own && !hangs) nodes.push(h("br"));
      quote = null;
      nodes.push(...(hangs ? [hanging(hangs)] : inline(line)));
      own = Boolean(hangs);
    }
  }
  return nodes;
}

/** A line that begins with a bullet hangs, as lists do. */
function hanging([, bullet, rest]) {
  return h("span.hanging", {}, h("span.bullet", {}, bullet), h("span", {}, inline(rest)));
}

export function inline(text) {
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    const node = made(match);
    if (!node) continue;
    nodes.push(words(text.slice(from, match.index)), node);
    from = match.index + match[0].length;
  }
  nodes.push(words(text.slice(from)));
  return nodes.filter((node) => node !== "");
}

function made([, inside, code, bold, italic, strike, emoji, url]) {
  if (inside) return entity(inside);
  if (code) return h("code", {}, coded(code));
  const style = [bold, italic, strike].findIndex(Boolean);
  if (style >= 0) return h(STYLES[style], {}, inline([bold, italic, strike][style]));
  if (url) return link(unescape(url));
  const found = glyph(emoji);
  return found && h("span.emoji", { role: "img", "aria-label": emoji.replaceAll("_", " "), title: `:${emoji}:` }, found);
}

/** In code only links and mentions mean something. */
function coded(text) {
  return text.split(/(<[^<>\n]+>)/).map((part) => (/^<[^<>]+>$/.test(part) ? entity(part.slice(1, -1)) : unescape(part)));
}

const words = (text) => unescape(text);

/** The text alone, for notices and screen readers. */
export function plain(text) {
  return h("span", {}, mrkdwn(text)).textContent;
}
