// Keeps a page that asks for it fresh, and gives keys to who likes them. Pages work without it.
const main = document.querySelector("main[data-live]");
const keys = document.querySelector("#keys");
let going = 0;

async function refresh() {
  if (document.hidden || main.contains(document.activeElement) || getSelection().toString()) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.querySelector("main");
  if (fresh) renew([...main.children], [...fresh.children]);
}

// What has not changed stays as it is: a picture does not flicker.
function renew(old, fresh) {
  main.replaceChildren(...fresh.map((node) => old.find((known) => known.isEqualNode(node)) ?? node));
}

if (main) setInterval(() => refresh().catch(() => {}), Number(main.dataset.live) * 1000);

function search() {
  const field = document.querySelector("[data-search]");
  if (field) field.focus();
  else location.assign("/inbox");
}

// The next page whose title begins with the letter, after the one that is open.
function go(letter) {
  const links = [...document.querySelectorAll("nav a")];
  const here = links.findIndex((link) => link.hasAttribute("aria-current"));
  const turned = [...links.slice(here + 1), ...links.slice(0, here + 1)];
  turned.find((link) => link.textContent.trim().toLowerCase().startsWith(letter))?.click();
}

function step(by) {
  const rows = [...document.querySelectorAll("[data-row]")];
  const next = rows.indexOf(document.activeElement) + by;
  rows[Math.max(0, Math.min(next, rows.length - 1))]?.focus();
}

const ACTIONS = {
  "/": search,
  "?": () => keys?.showModal(),
  g: () => { going = Date.now(); },
  j: () => step(1),
  k: () => step(-1),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || keys?.open) return;
  if (event.target.matches("input, textarea, select")) return;
  if (Date.now() - going < 1500) {
    going = 0;
    go(event.key.toLowerCase());
  } else if (ACTIONS[event.key]) {
    event.preventDefault();
    ACTIONS[event.key]();
  }
});

const button = document.querySelector("[data-keys]");
if (button) {
  button.hidden = false;
  button.addEventListener("click", () => keys.showModal());
}

// A link to something that is folded opens it; on a phone the open page's name is in sight.
function unfold() {
  const folded = location.hash && document.getElementById(location.hash.slice(1));
  if (folded?.tagName === "DETAILS") folded.open = true;
}
addEventListener("hashchange", unfold);
unfold();
document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
