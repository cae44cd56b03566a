// Filing a ticket: by hand or from a sample.

import * as api from "../api.js";
import { closeDialog, dialogHead, openDialog } from "../dialog.js";
import { h } from "../dom.js";
import { store, update } from "../store.js";
import { attempt } from "../toast.js";
import { field, PEOPLE, PRIORITIES, selectOf } from "./parts.js";

export async function openCreate() {
  const samples = (await attempt(api.jira.samples)) ?? [];
  const summary = h("input.input", { name: "summary", required: true, maxlength: 255, autofocus: true, placeholder: "What is it about?" });
  const description = h("textarea.input", { name: "description", rows: 5, placeholder: "As the customer would write it" });
  const labels = h("input.input", { name: "labels", placeholder: "Separate with spaces; the bot adds its own" });
  const priority = selectOf(PRIORITIES, "Medium", null, "priority");
  const reporter = selectOf(PEOPLE, store.jiraUser, null, "user");
  const take = (sample) => {
    [summary.value, description.value, priority.value] = [sample.summary, sample.description, sample.priority];
    summary.focus();
  };
  const chips = samples.map((sample) => h("button.sample", { type: "button", onclick: () => take(sample) }, sample.title));
  const close = () => closeDialog(dialog);
  const form = h("form", { onsubmit: submit },
    dialogHead("Create ticket", close),
    h("div.dialog-body", {},
      h("fieldset.samples", {}, h("legend", {}, "Start from a sample"), chips),
      field("Summary", summary), field("Description", description),
      h("div.form-row", {}, field("Priority", priority), field("Reporter", reporter)),
      field("Labels (optional)", labels)),
    h("footer.dialog-foot", {},
      h("button.button", { type: "button", onclick: close }, "Cancel"),
      h("button.button.jira-primary", { type: "submit" }, "Create")));
  const dialog = openDialog({ label: "Create ticket", className: "wide", content: form });

  async function submit(event) {
    event.preventDefault();
    const made = await attempt(() => api.jira.create({
      user: reporter.value, summary: summary.value, description: description.value, priority: priority.value,
      labels: labels.value.split(/\s+/).filter(Boolean),
    }));
    if (!made) return;
    close();
    update({ tour: { ...store.tour, ticket: true } });
  }
}
