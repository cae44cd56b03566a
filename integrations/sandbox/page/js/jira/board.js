// The board: three columns, cards to open or to drag.

import * as api from "../api.js";
import { avatar } from "../avatar.js";
import { fill, h, keyed } from "../dom.js";
import { icon } from "../icons.js";
import { store, update } from "../store.js";
import { attempt } from "../toast.js";
import { openCreate } from "./create.js";
import { label, PEOPLE, priority, selectOf, statusClass } from "./parts.js";

export function board(container) {
  const head = h("header.pane-head");
  const columns = h("div.columns");
  container.append(head, columns);
  fill(head, headParts());

  return function render() {
    if (!store.jira) return;
    const { columns: names, issues } = store.jira;
    if (!columns.children.length) columns.append(...names.map(column));
    for (const [at, name] of names.entries()) fillColumn(columns.children[at], issues.filter((one) => one.status === name));
  };
}

function headParts() {
  const acting = selectOf(PEOPLE, store.jiraUser, (user) => update({ jiraUser: user }));
  acting.setAttribute("aria-label", "Act in Jira as");
  return [
    h("h2.pane-title", {}, h("span.jira-mark", {}, icon("board", 15)), "Jira ", h("span.quiet", {}, "Customer support")),
    acting,
    h("button.button.jira-primary", { type: "button", id: "create-ticket", onclick: openCreate }, "Create"),
  ];
}

function column(name) {
  const list = h("div.cards");
  const whole = h("section.column", { class: statusClass(name), "aria-label": name, dataset: { status: name } },
    h("h3", {}, name, h("span.count")), list);
  whole.addEventListener("dragover", (event) => {
    event.preventDefault();
    whole.classList.add("is-target");
  });
  whole.addEventListener("dragleave", (event) => !whole.contains(event.relatedTarget) && whole.classList.remove("is-target"));
  whole.addEventListener("drop", (event) => {
    event.preventDefault();
    whole.classList.remove("is-target");
    move(event.dataTransfer.getData("text/plain"), name);
  });
  return whole;
}

function move(key, status) {
  const issue = store.jira.issues.find((one) => one.key === key);
  if (issue && issue.status !== status) attempt(() => api.jira.move(key, { user: store.jiraUser, status }));
}

function fillColumn(column_, issues) {
  column_.querySelector(".count").textContent = String(issues.length);
  keyed(column_.querySelector(".cards"), issues, { key: (issue) => issue.key, signature: (issue) => issue, render: card });
}

function card(issue) {
  const open = () => update({ card: issue.key });
  return h("article.card", {
    draggable: "true", dataset: { key: issue.key },
    ondragstart: (event) => event.dataTransfer.setData("text/plain", issue.key), onclick: open,
  },
  h("button.card-summary", { type: "button", "aria-label": `${issue.key}: ${issue.summary}` }, issue.summary),
  issue.labels.length > 0 && h("div.labels", {}, issue.labels.map((one) => label(one))),
  h("footer", {},
    h("span.key", {}, issue.key), priority(issue.priority),
    issue.comments.length > 0 && h("span.quiet.comments", {}, icon("comment", 12), String(issue.comments.length)),
    h("span.spacer"),
    h("span", { title: `Reported by ${issue.reporter.name}` }, avatar(issue.reporter.name, { bot: issue.reporter.kind === "bot", size: "tiny" }))));
}
