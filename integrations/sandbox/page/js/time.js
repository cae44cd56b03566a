// Times as people say them, in the browser's own zone.

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const CLOCK_SECONDS = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const FULL = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "medium" });
const DAY_MS = 86_400_000;

export const ofTs = (ts) => new Date(Number(ts) * 1000);
export const clock = (date) => CLOCK.format(date);
export const clockSeconds = (date) => CLOCK_SECONDS.format(date);
export const full = (date) => FULL.format(date);
export const dayKey = (date) => date.toDateString();

export function dayName(date, now = new Date()) {
  const days = Math.round((midnight(now) - midnight(date)) / DAY_MS);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  return new Intl.DateTimeFormat("en-GB", { weekday: "long", day: "numeric", month: "long" }).format(date);
}

export function ago(date, now = new Date()) {
  const seconds = Math.round((now - date) / 1000);
  const past = seconds >= 0;
  const span = lasting(Math.abs(seconds));
  if (past && seconds < 5) return "just now";
  return past ? `${span} ago` : `in ${span}`;
}

function lasting(seconds) {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** Slack's `<!date^…>` tokens. */
export function slackDate(seconds, format) {
  const date = new Date(seconds * 1000);
  const style = (options) => new Intl.DateTimeFormat("en-GB", options).format(date);
  const short = { day: "numeric", month: "short", year: "numeric" };
  const medium = { day: "numeric", month: "long", year: "numeric" };
  const long = { ...medium, weekday: "long" };
  const near = Math.abs(midnight(new Date()) - midnight(date)) <= DAY_MS;
  const pretty = (options) => (near ? nearDay(date) : style(options));
  const tokens = {
    date_num: date.toISOString().slice(0, 10),
    date: style(medium),
    date_short: style(short),
    date_long: style(long),
    date_pretty: pretty(medium),
    date_short_pretty: pretty(short),
    date_long_pretty: pretty(long),
    time: clock(date),
    time_secs: clockSeconds(date),
    ago: ago(date),
  };
  return format.replace(/\{(\w+)\}/g, (whole, token) => tokens[token] ?? whole);
}

function nearDay(date) {
  const days = Math.round((midnight(new Date()) - midnight(date)) / DAY_MS);
  return { "-1": "tomorrow", 0: "today", 1: "yesterday" }[days] ?? dayName(date);
}

function midnight(date) {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}
