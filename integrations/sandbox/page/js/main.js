// Puts the page together: every part renders from the store, and the store follows the sandbox.

import { panel, fire } from "./alerts/panel.js";
import { announce } from "./announce.js";
import { byId } from "./dom.js";
import { board } from "./jira/board.js";
import { openCreate } from "./jira/create.js";
import { ticketDetail } from "./jira/detail.js";
import { followLinks, readAddress } from "./routes.js";
import { renderTabs, renderTopbar } from "./shell.js";
import { conversation } from "./slack/conversation.js";
import { modals } from "./slack/modal.js";
import { openChannel, renderSidebar } from "./slack/sidebar.js";
import { threadPane } from "./slack/thread.js";
import { channelOf, markRead, store, subscribe, update } from "./store.js";
import { load, start } from "./sync.js";
import { tour } from "./tour.js";
import { drawer } from "./wire/drawer.js";

const talk = conversation(byId("conversation"));
const parts = [
  () => renderTopbar(byId("topbar")),
  () => renderTabs(byId("tabs")),
  tour(byId("tour"), { help: askForHelp, ticket: openCreate, alert: fireFirst }),
  () => renderSidebar(byId("sidebar")),
  talk.render,
  threadPane(byId("thread")),
  modals(),
  board(byId("jira")),
  ticketDetail(),
  panel(byId("alerts")),
  drawer(byId("wire")),
  announce,
];

const FIRST_CHANNEL = "C0GENERAL";
let loadedFor = store.user;
subscribe(() => {
  for (const render of parts) render();
  if (isLost()) update({ channel: FIRST_CHANNEL });
  else if (document.visibilityState === "visible") markRead(store.channel);
  if (loadedFor !== store.user) {
    loadedFor = store.user;
    load("slack");
  }
});

/** The open channel is not one of this person's. */
function isLost() {
  return store.slack?.me === store.user && !channelOf(store.channel) && store.channel !== FIRST_CHANNEL;
}

function askForHelp() {
  openChannel(store.channel);
  talk.write("/signalbox help");
}

function fireFirst() {
  openChannel("C0ALERTS0");
  fire("checkout-errors");
}

document.addEventListener("keydown", (event) => event.key === "Escape" && document.body.classList.remove("shows-sidebar"));
document.addEventListener("visibilitychange", () => update({}));
await load("slack");
readAddress();
followLinks();
start();
