// What the page knows: the three stand-ins' states and this browser's own choices.

const KEPT = "signalbox.sandbox";

const own = read();
const listeners = new Set();
let planned = false;

export const store = {
  user: own.user ?? "U0SBALICE",
  channel: own.channel ?? "C0GENERAL",
  tab: "messages",
  thread: null,
  pane: "slack",
  card: null,
  wire: false,
  online: false,
  highlight: null,
  jiraUser: own.jiraUser ?? "mia",
  read: own.read ?? {},
  tour: own.tour ?? { help: false, ticket: false, alert: false, hidden: false },
  slack: null,
  jira: null,
  alerts: null,
  deliveries: { slack: [], jira: [], alerts: [] },
  faults: { slack: [], jira: [], alerts: [] },
};

/** Change the store and let every part of the page render once, in the next frame. */
export function update(changes) {
  Object.assign(store, changes);
  keep();
  if (planned) return;
  planned = true;
  queueMicrotask(() => {
    planned = false;
    for (const listener of listeners) listener(store);
  });
}

export function subscribe(listener) {
  listeners.add(listener);
}

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEPT)) ?? {};
  } catch {
    return {}; // Nothing readable is kept, or the browser keeps nothing: start as a newcomer.
  }
}

function keep() {
  const { user, channel, jiraUser, read: marks, tour } = store;
  try {
    localStorage.setItem(KEPT, JSON.stringify({ user, channel, jiraUser, read: marks, tour }));
  } catch {
    // A private window without storage works all the same, it only forgets.
  }
}

// Questions about Slack's state that several parts ask

export const person = (id) => store.slack?.users.find((user) => user.id === id);
export const channelOf = (id) => store.slack?.channels.find((channel) => channel.id === id);
export const messagesOf = (id) => store.slack?.messages[id] ?? [];
export const isReply = (message) => Boolean(message.thread_ts) && message.thread_ts !== message.ts;
export const displayName = (id) => {
  if (id === "USLACKBOT") return "Slackbot";
  const found = person(id);
  return found ? (found.is_bot ? found.real_name : found.real_name) : id;
};
export const lastRead = (channel) => store.read[store.user]?.[channel] ?? "0";

export function markRead(channel) {
  const latest = messagesOf(channel).at(-1)?.ts;
  if (!latest || latest <= lastRead(channel)) return;
  update({ read: { ...store.read, [store.user]: { ...store.read[store.user], [channel]: latest } } });
}
