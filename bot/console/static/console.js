// Keeps a page that asks for it fresh, and lets "/" go to the search field. Pages work without it.
const main = document.querySelector("main[data-live]");

async function refresh() {
  if (document.hidden || main.contains(document.activeElement) || getSelection().toString()) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
  if (fresh) main.replaceChildren(...fresh.childNodes);
}

if (main) setInterval(() => refresh().catch(() => {}), Number(main.dataset.live) * 1000);

document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.matches("input, textarea, select")) return;
  const search = document.querySelector("[data-search]");
  if (search) {
    event.preventDefault();
    search.focus();
  } else {
    location.assign("/inbox");
  }
});
