// Building elements. Text always becomes a text node, never markup.

// h makes an element: h("a.link", {href}, "text", child, [more]). Properties that are functions and start with
// "on" are listeners, "data" is the dataset; null, undefined and false are left out.
export function h(spec, ...rest) {
  const [tag, ...classes] = spec.split(".");
  const node = document.createElement(tag || "div");
  if (classes.length) node.className = classes.join(" ");
  if (rest[0] && typeof rest[0] === "object" && !(rest[0] instanceof Node) && !Array.isArray(rest[0])) {
    set(node, rest.shift());
  }
  append(node, rest);
  return node;
}

function set(node, properties) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "data") Object.assign(node.dataset, defined(value));
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = (node.className + " " + value).trim();
    else if (name in node && typeof value !== "string") node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
}

function defined(values) {
  return Object.fromEntries(Object.entries(values).filter(([, v]) => v !== null && v !== undefined && v !== false));
}

function append(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) node.append(child);
  }
}

// fill replaces the children of a node.
export function fill(node, ...children) {
  node.replaceChildren();
  append(node, children);
}

// keep replaces the children of a node by those of the wanted list of {key, version, make}, touching only what changed, so
// that focus, selection and open menus survive.
export function keep(node, wanted) {
  const old = new Map([...node.children].map((child) => [child.dataset.key, child]));
  let at = node.firstElementChild;
  for (const { key, version, make } of wanted) {
    let child = old.get(key);
    old.delete(key);
    if (!child || child.version !== version) {
      const made = make();
      made.dataset.key = key;
      made.version = version;
      if (child) {
        const focus = focusIn(child);
        if (child === at) at = made;
        child.replaceWith(made);
        refocus(made, focus);
      }
      child = made;
    }
    if (child === at) at = at.nextElementSibling;
    else node.insertBefore(child, at);
  }
  for (const gone of old.values()) gone.remove();
}

// focusIn tells which element of a node has the focus, and where its caret is; null: none.
function focusIn(node) {
  const focused = document.activeElement;
  if (!node.contains(focused) || !focused.dataset.testid) return null;
  return { data: JSON.stringify({ ...focused.dataset, key: undefined }), from: focused.selectionStart, to: focused.selectionEnd };
}

// refocus gives the focus to the element that has taken the place of the one that had it.
function refocus(node, focus) {
  if (!focus) return;
  const same = [node, ...node.querySelectorAll("[data-testid]")].find((e) => JSON.stringify({ ...e.dataset, key: undefined }) === focus.data);
  same?.focus({ preventScroll: true });
  if (same && typeof focus.from === "number") same.setSelectionRange(focus.from, focus.to);
}

export const $ = (id) => document.getElementById(id);
