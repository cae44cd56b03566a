// Text objects of Block Kit: `plain_text` and `mrkdwn`.

import { withEmoji } from "./emoji.js";
import { mrkdwn } from "./mrkdwn.js";

export function text(object) {
  if (!object) return [];
  return object.type === "mrkdwn" ? mrkdwn(object.text) : [plainText(object)];
}

export const plainText = (object) => (object ? withEmoji(object.text ?? "") : "");
