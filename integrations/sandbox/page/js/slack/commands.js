// What a slash may be followed by: the bot's standing commands, and all that its `help` named.

import { messagesOf, store } from "../store.js";
import { unescape } from "./entities.js";

const STANDING = [
  ["/signalbox help", "List the commands you may use"],
  ["/signalbox status", "What is waiting, what is dead, how the plugins are"],
  ["/signalbox plugins", "Which plugins are loaded"],
  ["/signalbox ping", "Where the time went"],
  ["/signalbox trace ID", "Follow an event from its delivery to its effects"],
];
const LINE = /^`(\/[^`]+)` (.+)$/gm;

/** By the words that are typed, so that `help [command]` from the bot takes the place of our `help`. */
export function commands() {
  const found = new Map([...STANDING, ...learned()].map(([usage, about]) => [typed(usage), { usage, about }]));
  return [...found].map(([insert, one]) => ({ ...one, insert, takesMore: insert !== one.usage }));
}

/** The part that is typed as it stands: words before the first placeholder. */
function typed(usage) {
  return usage.replace(/ (\[|[A-Z]{2,}|@).*$/, "");
}

function learned() {
  const channels = store.slack?.channels ?? [];
  const texts = channels.flatMap((channel) => messagesOf(channel.id)).filter((one) => one.ephemeral_for === store.user && one.bot_id)
    .flatMap((one) => (one.blocks ?? []).filter((block) => block.type === "section").map((block) => block.text?.text ?? ""));
  return texts.flatMap((text) => [...text.matchAll(LINE)].map(([, usage, about]) => [unescape(usage), unescape(about)]));
}
