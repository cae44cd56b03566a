// Keeps the store in step with the sandbox: whatever changed is fetched again, a burst of changes once.

import * as api from "./api.js";
import { store, update } from "./store.js";
import { follow } from "./stream.js";
import { toast } from "./toast.js";

const GATHER_MS = 40;
const timers = new Map();

const LOADERS = {
  slack: async () => {
    const user = store.user;
    const slack = await api.slack.state(user);
    if (user === store.user) update({ slack });
  },
  jira: async () => update({ jira: await api.jira.state() }),
  alerts: async () => update({ alerts: await api.alerts.state() }),
  wire: async () => {
    if (!store.wire) return;
    const [slack, jira, alerts] = await Promise.all(
      [api.slack, api.jira, api.alerts].map((one) => Promise.all([one.deliveries(), one.faults()])),
    );
    update({
      deliveries: { slack: slack[0].deliveries, jira: jira[0], alerts: alerts[0] },
      faults: { slack: slack[1].faults, jira: jira[1], alerts: alerts[1] },
    });
  },
};

const TOUCHES = {
  hello: ["slack", "jira", "alerts", "wire"],
  reload: ["slack", "jira", "alerts", "wire"],
  "slack.message": ["slack"],
  "slack.view": ["slack"],
  "slack.home": ["slack"],
  "slack.limits": ["slack"],
  "slack.delivery": ["wire"],
  "jira.issue": ["jira"],
  "jira.delivery": ["wire"],
  "alerts.changed": ["alerts", "wire"],
};

export async function load(part) {
  try {
    await LOADERS[part]();
  } catch (error) {
    if (!(error instanceof api.ApiError)) throw error;
    toast(error.message);
  }
}

export function start() {
  follow({
    onchange: (change) => (TOUCHES[change.kind] ?? []).forEach(loadSoon),
    ononline: (online) => update({ online }),
  });
}

function loadSoon(part) {
  if (timers.has(part)) return;
  timers.set(part, setTimeout(() => {
    timers.delete(part);
    load(part);
  }, GATHER_MS));
}
