"use strict";
// Every number carries the id of its line. A click shows that line, what it comes from and what it goes into.
const panel = document.getElementById("panel");
const lines = new Map([...document.querySelectorAll("article.line")].map((line) => [line.dataset.id, line]));
const givens = new Map([...document.querySelectorAll(".chip")].map((chip) => [chip.dataset.id, chip]));
const goesInto = new Map();
const refsOf = (id) => (lines.has(id) ? lines.get(id).dataset.refs.split(" ").filter(Boolean) : []);
for (const [id] of lines) {
  for (const ref of refsOf(id)) {
    if (!goesInto.has(ref)) goesInto.set(ref, []);
    goesInto.get(ref).push(id);
  }
}

// The name and the value of an id, as formulas copied from its line.
function shortOf(id) {
  const holder = document.createElement("span");
  if (givens.has(id)) {
    holder.append(...[...givens.get(id).childNodes].map((node) => node.cloneNode(true)));
  } else if (lines.has(id)) {
    const maths = lines.get(id).querySelector(".maths");
    const sides = maths.querySelectorAll(":scope > .side");
    holder.append(maths.firstElementChild.cloneNode(true), " ", sides[sides.length - 1].cloneNode(true));
  } else {
    holder.textContent = id;
  }
  return holder;
}

function list(title, ids) {
  const heading = document.createElement("h3");
  heading.textContent = title;
  const rows = ids.slice(0, 60).map((id) => {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.pick = id;
    button.append(shortOf(id));
    return button;
  });
  if (!rows.length) {
    const none = document.createElement("p");
    none.className = "quiet";
    none.textContent = title === panel.dataset.from ? panel.dataset.given : panel.dataset.nowhere;
    rows.push(none);
  }
  return [heading, ...rows];
}

function mark(id, name) {
  for (const each of document.querySelectorAll(`[data-id="${CSS.escape(id)}"]`)) {
    if (each.matches("article.line, .chip, .drawing g, .drawing text")) each.classList.add(name);
  }
}

function pick(id, scroll) {
  for (const name of ["picked", "is-from", "is-to"]) {
    for (const each of document.querySelectorAll(`.${name}`)) each.classList.remove(name);
  }
  const from = refsOf(id);
  const to = goesInto.get(id) || [];
  mark(id, "picked");
  from.forEach((each) => mark(each, "is-from"));
  to.forEach((each) => mark(each, "is-to"));
  for (const edge of document.querySelectorAll(".edge")) {
    if (edge.dataset.to === id) edge.classList.add("is-from");
    if (edge.dataset.from === id) edge.classList.add("is-to");
  }
  const which = document.createElement("div");
  which.className = "which";
  which.append(shortOf(id));
  const code = document.createElement("code");
  code.textContent = id;
  panel.replaceChildren(which, code, ...list(panel.dataset.from, from), ...list(panel.dataset.to, to));
  const target = lines.get(id) || givens.get(id);
  if (scroll && target) {
    for (let box = target.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
    target.scrollIntoView({ block: "nearest", behavior: "smooth" });
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-pick]");
  if (button) return pick(button.dataset.pick, true);
  const value = event.target.closest("[data-id]");
  if (value && !event.target.closest("summary")) pick(value.dataset.id, !value.matches("article"));
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.matches("article.line")) pick(event.target.dataset.id, false);
});
