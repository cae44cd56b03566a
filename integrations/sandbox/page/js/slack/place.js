// Where interactive elements stand (a message, a modal or the home tab) and what pressing them does.

import * as api from "../api.js";
import { confirmed } from "../dialog.js";
import { h } from "../dom.js";
import { store } from "../store.js";
import { attempt } from "../toast.js";
import { plainText, text } from "./text.js";

export const FIELDS = {
  static_select: "selected_option",
  external_select: "selected_option",
  radio_buttons: "selected_option",
  overflow: "selected_option",
  users_select: "selected_user",
  channels_select: "selected_channel",
  conversations_select: "selected_conversation",
  multi_static_select: "selected_options",
  multi_external_select: "selected_options",
  checkboxes: "selected_options",
  multi_users_select: "selected_users",
  multi_channels_select: "selected_channels",
  multi_conversations_select: "selected_conversations",
  datepicker: "selected_date",
  timepicker: "selected_time",
  datetimepicker: "selected_date_time",
};

export const fieldOf = (element) => FIELDS[element.type] ?? "value";

export class Place {
  /** `target` is `{channel, ts}` or `{view_id}`; `drafts` keeps what was entered but not sent yet. */
  constructor(target, state = {}, drafts = {}) {
    this.target = target;
    this.state = state;
    this.drafts = drafts;
  }

  /** What the element shows: the draft, what Slack remembers, or the initial value. */
  value(block, element) {
    const held = this.drafts[block.block_id]?.[element.action_id] ?? this.state[block.block_id]?.[element.action_id];
    const field = fieldOf(element);
    if (held && held[field] !== undefined) return held[field];
    return element[field === "value" ? "initial_value" : field.replace("selected", "initial")] ?? null;
  }

  /** Note a value; send it to the bot at once unless it waits for the form's submission. */
  async enter(block, element, value) {
    const given = { [fieldOf(element)]: value };
    if (block.type === "input") {
      (this.drafts[block.block_id] ??= {})[element.action_id] = given;
      if (!block.dispatch_action) return;
    }
    await this.press(block, element, given);
  }

  async press(block, element, given = {}) {
    if (element.confirm && !(await confirmed(question(element)))) return;
    const where = { user: store.user, ...this.target, block_id: block.block_id, action_id: element.action_id };
    await attempt(() => api.slack.click({ ...where, ...given }));
  }

  async suggestions(block, element, typed) {
    const where = { user: store.user, ...this.target, block_id: block.block_id, action_id: element.action_id };
    return (await attempt(() => api.slack.options({ ...where, value: typed }))) ?? {};
  }
}

function question({ confirm }) {
  return {
    title: plainText(confirm.title),
    text: h("div.mrkdwn", {}, text(confirm.text)),
    confirm: plainText(confirm.confirm) || "Yes",
    deny: plainText(confirm.deny) || "Cancel",
    style: confirm.style,
  };
}
