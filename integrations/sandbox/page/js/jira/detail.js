// One ticket in full: text, labels, status, comments and what happened to it.

import * as api from "../api.js";
import { avatar } from "../avatar.js";
import { closeDialog, dialogHead, openDialog } from "../dialog.js";
import { fill, h } from "../dom.js";
import { store, update } from "../store.js";
import { ago, full } from "../time.js";
import { attempt } from "../toast.js";
import { field, label, priority, selectOf, statusClass } from "./parts.js";

export function ticketDetail() {
  let dialog = null;
  let shown = "";
  // What somebody is typing survives a change to the ticket by somebody else.
  let comment = null;
  let newLabel = null;

  return function render() {
    const issue = store.jira?.issues.find((one) => one.key === store.card);
    if (!issue) {
      hide();
      return;
    }
    const signature = JSON.stringify([issue, store.jiraUser]);
    if (dialog && signature === shown) return;
    shown = signature;
    comment ??= h("textarea.input", { rows: 2, placeholder: "Add a comment…", "aria-label": "Comment", dataset: { key: "comment" } });
    newLabel ??= h("input.input", { placeholder: "Add a label", "aria-label": "Add a label", dataset: { key: "label" } });
    dialog ??= openDialog({ label: issue.key, className: "ticket", onclose: leave });
    fill(dialog, () => [dialogHead(issue.key, leave), h("div.dialog-body.ticket-body", {}, main(issue, comment), side(issue, newLabel))]);
  };

  function leave() {
    hide();
    update({ card: null });
    if (location.hash.startsWith("#jira/")) history.replaceState(null, "", location.pathname);
  }

  function hide() {
    if (dialog) closeDialog(dialog);
    dialog = comment = newLabel = null;
    shown = "";
  }
}

function main(issue, comment) {
  const send = async () => {
    const text = comment.value.trim();
    if (!text) return;
    const done = await attempt(() => api.jira.comment(issue.key, { user: store.jiraUser, text }));
    if (done) comment.value = "";
  };
  return h("div.ticket-main", {},
    h("h3.ticket-summary", {}, issue.summary),
    h("p.ticket-text", {}, issue.description || "No description."),
    h("h4", {}, "Comments"),
    issue.comments.map(commentRow),
    h("div.comment-form", {}, comment, h("button.button.jira-primary", { type: "button", onclick: send }, "Comment")),
    h("h4", {}, "Activity"),
    issue.changelog.length ? h("ul.activity", {}, issue.changelog.toReversed().map(change)) : h("p.quiet", {}, "Nothing changed yet."));
}

function commentRow({ author, text, created }) {
  return h("div.comment", {}, avatar(author.name, { bot: author.kind === "bot", size: "medium" }),
    h("div", {}, h("p", {}, h("strong", {}, author.name), " ", when(created)), h("p.ticket-text", {}, text)));
}

function change({ author, items, created }) {
  return h("li", {}, avatar(author.name, { bot: author.kind === "bot", size: "small" }),
    h("span", {}, h("strong", {}, author.name), items.map((item) => [` changed ${item.field} `, h("del", {}, item.from || "none"), " → ", h("ins", {}, item.to || "none")]), " ", when(created)));
}

const when = (stamp) => h("time.quiet", { title: full(new Date(stamp)), datetime: stamp }, ago(new Date(stamp)));

function side(issue, newLabel) {
  const move = (status) => attempt(() => api.jira.move(issue.key, { user: store.jiraUser, status }));
  const status = selectOf(store.jira.columns, issue.status, move);
  status.classList.add(statusClass(issue.status));
  status.dataset.key = "status";
  return h("aside.ticket-side", {},
    field("Status", status),
    h("div.form-field", {}, h("span", {}, "Labels"), labels(issue, newLabel)),
    h("div.form-field", {}, h("span", {}, "Priority"), h("div", {}, priority(issue.priority), ` ${issue.priority}`)),
    h("div.form-field", {}, h("span", {}, "Reporter"), h("div.who", {}, avatar(issue.reporter.name, { bot: issue.reporter.kind === "bot", size: "small" }), issue.reporter.name)),
    h("div.form-field", {}, h("span", {}, "Created"), when(issue.created)));
}

function labels(issue, input) {
  const change_ = (body) => attempt(() => api.jira.label(issue.key, { user: store.jiraUser, ...body }));
  const add = async (event) => {
    event.preventDefault();
    const name = input.value.trim();
    if (name && await change_({ add: [name] })) input.value = "";
  };
  return h("div", {},
    h("div.labels", {}, issue.labels.map((one) => label(one, () => change_({ remove: [one.name] })))),
    h("form", { onsubmit: add }, input));
}
