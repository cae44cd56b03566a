// The page's own HTTP API. A refusal becomes an ApiError whose message is a sentence.

export class ApiError extends Error {}

async function call(method, path, body) {
  const request = { method, headers: {} };
  if (body !== undefined) {
    request.headers["content-type"] = "application/json";
    request.body = JSON.stringify(body);
  }
  const response = await reach(`/page/${path}`, request);
  if (!response.ok) throw new ApiError(await reason(response));
  return response.status === 204 ? null : response.json();
}

async function reach(url, request) {
  try {
    return await fetch(url, request);
  } catch (error) {
    throw new ApiError("The sandbox cannot be reached. Is it still running?", { cause: error });
  }
}

async function reason(response) {
  const text = await response.text();
  try {
    const { detail } = JSON.parse(text);
    return Array.isArray(detail) ? detail.map((one) => one.msg).join("; ") : String(detail);
  } catch {
    return text || `The sandbox answered ${response.status}.`;
  }
}

const get = (path) => call("GET", path);
const post = (path, body = {}) => call("POST", path, body);
const remove = (path) => call("DELETE", path);

export const slack = {
  state: (user) => get(`slack/state?user=${encodeURIComponent(user)}&limit=300`),
  deliveries: () => get("slack/deliveries"),
  faults: () => get("slack/faults"),
  say: (body) => post("slack/say", body),
  click: (body) => post("slack/click", body),
  options: (body) => post("slack/options", body),
  shortcut: (body) => post("slack/shortcut", body),
  submit: (body) => post("slack/submit", body),
  close: (body) => post("slack/close", body),
  react: (body) => post("slack/react", body),
  home: (user) => post("slack/home", { user }),
  limits: (enabled) => post("slack/limits", { enabled }),
  fault: (body) => post("slack/faults", body),
  refreshSockets: () => post("slack/socket/refresh"),
};

export const jira = {
  state: () => get("jira/state"),
  samples: () => get("jira/samples"),
  deliveries: () => get("jira/deliveries"),
  faults: () => get("jira/faults"),
  fault: (body) => post("jira/faults", body),
  clearFaults: () => remove("jira/faults"),
  create: (body) => post("jira/issues", body),
  label: (key, body) => post(`jira/issues/${encodeURIComponent(key)}/labels`, body),
  comment: (key, body) => post(`jira/issues/${encodeURIComponent(key)}/comments`, body),
  move: (key, body) => post(`jira/issues/${encodeURIComponent(key)}/transition`, body),
};

export const alerts = {
  state: () => get("alerts/state"),
  deliveries: () => get("alerts/deliveries"),
  faults: () => get("alerts/faults"),
  fault: (body) => post("alerts/faults", body),
  clearFaults: () => remove("alerts/faults"),
  fire: (scenario) => post("alerts/fire", { scenario }),
  resolve: (scenario) => post("alerts/resolve", { scenario }),
  expire: (id) => remove(`alerts/silences/${encodeURIComponent(id)}`),
};
