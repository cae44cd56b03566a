// Select menus: a button, a list that can be searched, chips when several may be chosen.

import { h } from "../dom.js";
import { icon } from "../icons.js";
import { closePopup, openPopup, place as hang } from "../popup.js";
import { store } from "../store.js";
import { plainText } from "./text.js";

const WAIT_MS = 200;

export function select(made, block, place) {
  const model = makeModel(made, block, place);
  const trigger = h("button.input.select", {
    type: "button", role: "combobox", "aria-haspopup": "listbox", "aria-expanded": "false",
    onclick: () => openList(trigger, model),
  });
  model.show = () => trigger.replaceChildren(...shown(model), icon("down", 16));
  model.show();
  return trigger;
}

function makeModel(made, block, place) {
  const many = made.type.startsWith("multi_");
  const wrap = optionsLike(made);
  const value = place.value(block, made);
  const chosen = (many ? value ?? [] : value ? [value] : []).map(wrap.read);
  return {
    many, chosen, placeholder: plainText(made.placeholder) || "Select an option",
    search: (typed) => (made.type.includes("external") ? remote(typed) : local(made, typed)),
    remote: made.type.includes("external"),
    least: made.min_query_length ?? 0,
    choose(option) {
      this.chosen = many ? toggled(this.chosen, option) : [option];
      this.show();
      place.enter(block, made, many ? this.chosen.map(wrap.write) : wrap.write(option));
    },
  };

  async function remote(typed) {
    const answer = await place.suggestions(block, made, typed);
    return grouped(answer);
  }
}

/** People and channels are chosen by id; to the list they are options like any other. */
function optionsLike(made) {
  if (/(users|channels|conversations)_select$/.test(made.type)) {
    return { read: (id) => directory(made).find((option) => option.value === id) ?? { text: { text: id }, value: id }, write: (option) => option.value };
  }
  return { read: (option) => option, write: (option) => option };
}

function directory(made) {
  const people = store.slack.users.map((user) => ({ text: { text: user.real_name }, value: user.id }));
  const channels = store.slack.channels.filter((one) => !one.im_user).map((one) => ({ text: { text: `# ${one.name}` }, value: one.id }));
  if (made.type.includes("users")) return people;
  return channels;
}

function local(made, typed) {
  const all = /(users|channels|conversations)/.test(made.type) ? [{ options: directory(made) }] : grouped(made);
  const wanted = typed.toLowerCase();
  return all.map((group) => ({ ...group, options: group.options.filter((one) => plainText(one.text).toLowerCase().includes(wanted)) }));
}

const grouped = ({ options, option_groups: groups }) => groups ?? [{ options: options ?? [] }];

function toggled(chosen, option) {
  const without = chosen.filter((one) => one.value !== option.value);
  return without.length === chosen.length ? [...chosen, option] : without;
}

function shown({ chosen, many, placeholder }) {
  if (!chosen.length) return [h("span.placeholder", {}, placeholder)];
  if (!many) return [h("span", {}, plainText(chosen[0].text))];
  return [h("span.chips", {}, chosen.map((option) => h("span.chip", {}, plainText(option.text))))];
}

function openList(trigger, model) {
  const list = h("div.options", { role: "listbox", "aria-multiselectable": model.many });
  const search = h("input.input", { type: "search", placeholder: "Search", "aria-label": "Search the options", role: "searchbox" });
  const popup = openPopup(trigger, [search, list], { role: "dialog", label: model.placeholder });
  popup.style.setProperty("min-width", `${Math.max(220, trigger.offsetWidth)}px`);
  let latest = 0;
  const refresh = async () => {
    const turn = (latest += 1);
    if (search.value.length < model.least) return list.replaceChildren(h("p.empty", {}, `Type at least ${model.least} letters`));
    if (model.remote) list.replaceChildren(h("p.empty", {}, "Searching…"));
    const groups = await model.search(search.value);
    if (turn !== latest) return undefined;
    list.replaceChildren(...rows(groups, model, choose));
    hang(popup, trigger);
    return mark(list, 0);
  };
  const choose = (option) => {
    model.choose(option);
    if (model.many) refresh();
    else closePopup({ refocus: true });
  };
  let timer;
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(refresh, model.remote ? WAIT_MS : 0);
  });
  search.addEventListener("keydown", (event) => keys(event, list));
  refresh();
  search.focus();
}

function rows(groups, model, choose) {
  const found = groups.flatMap((group) => [
    ...(group.label && group.options.length ? [h("p.group", {}, plainText(group.label))] : []),
    ...group.options.map((option) => row(option, model, choose)),
  ]);
  return found.length ? found : [h("p.empty", {}, "No results")];
}

function row(option, model, choose) {
  const is = model.chosen.some((one) => one.value === option.value);
  const about = option.description && h("small", {}, plainText(option.description));
  return h("div.option", { role: "option", "aria-selected": String(is), onclick: () => choose(option) },
    h("span", {}, plainText(option.text), about), is && icon("check", 16));
}

function keys(event, list) {
  const options = [...list.querySelectorAll(".option")];
  const at = options.findIndex((one) => one.classList.contains("is-active"));
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    mark(list, (at + (event.key === "ArrowDown" ? 1 : -1) + options.length) % options.length);
  } else if (event.key === "Enter") {
    event.preventDefault();
    options[at]?.click();
  }
}

function mark(list, index) {
  for (const [at, option] of [...list.querySelectorAll(".option")].entries()) {
    option.classList.toggle("is-active", at === index);
    if (at === index) option.scrollIntoView({ block: "nearest" });
  }
}
