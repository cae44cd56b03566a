// Tells screen readers of new messages in the open channel.

import { byId } from "./dom.js";
import { messagesOf, store } from "./store.js";
import { spoken } from "./slack/message.js";

let seen = null;

export function announce() {
  const latest = messagesOf(store.channel).at(-1);
  const place = `${store.user}/${store.channel}`;
  if (seen?.place === place && latest && latest.ts > seen.ts && latest.user !== store.user) {
    byId("announcer").textContent = spoken(latest);
  }
  seen = { place, ts: latest?.ts ?? "0" };
}
