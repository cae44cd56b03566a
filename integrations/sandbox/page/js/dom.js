// Builds DOM nodes. Text only ever becomes text nodes, so nothing that arrives can become markup.

const PROPERTIES = new Set(["value", "checked", "disabled", "hidden", "selected", "open", "indeterminate"]);

/** `h("button.primary", {onclick, "aria-label": "Send"}, "Send")`; children may be nodes, text, lists or null. */
export function h(spec, props = {}, ...children) {
  const [tag, ...classes] = spec.split(".");
  const element = document.createElement(tag || "div");
  if (classes.length) element.className = classes.join(" ");
  for (const [name, value] of Object.entries(props)) assign(element, name, value);
  append(element, children);
  return element;
}

function assign(element, name, value) {
  if (value === null || value === undefined) return;
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (name === "class") element.classList.add(...value.split(" ").filter(Boolean));
  else if (name === "dataset") Object.assign(element.dataset, value);
  else if (name === "vars") for (const [key, one] of Object.entries(value)) element.style.setProperty(key, one);
  else if (PROPERTIES.has(name)) element[name] = value;
  else if (value === true) element.setAttribute(name, "");
  else if (value !== false) element.setAttribute(name, String(value));
}

export function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

/**
 * Replace what is inside, and give the focus back to the element with the same `data-key`.
 * Children that reuse an element of before are given as a function: to move it is to lose the focus.
 */
export function fill(container, ...children) {
  const held = container.contains(document.activeElement) ? document.activeElement : null;
  const key = held?.closest("[data-key]")?.dataset.key;
  const fresh = children.map((child) => (typeof child === "function" ? child() : child));
  container.replaceChildren();
  append(container, fresh);
  if (key) container.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

/** Render again only when `value` differs from the last time: open menus and the focus survive. */
export function memo(container, value, render) {
  const signature = JSON.stringify(value);
  if (container.signature === signature) return false;
  container.signature = signature;
  fill(container, render());
  return true;
}

/** Keep the children of `container` in step with `items`; an unchanged item keeps its element. */
export function keyed(container, items, { key, signature, render }) {
  const known = new Map([...container.children].map((child) => [child.dataset.item, child]));
  let place = container.firstChild;
  for (const item of items) {
    const id = key(item);
    const wanted = JSON.stringify(signature(item));
    let element = known.get(id);
    if (!element || element.signature !== wanted) {
      const fresh = render(item);
      fresh.dataset.item = id;
      fresh.signature = wanted;
      if (element === place && place) place = place.nextSibling;
      element?.remove();
      element = fresh;
    }
    known.delete(id);
    if (element === place) place = place.nextSibling;
    else container.insertBefore(element, place);
  }
  for (const [id, leftover] of known) if (!items.some((item) => key(item) === id)) leftover.remove();
}

export const byId = (id) => document.getElementById(id);
