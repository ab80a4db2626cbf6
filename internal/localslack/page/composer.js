// The box to type in, with completion of people, channels and commands.
import { h, fill } from "./dom.js";

// composer makes a box; page is app.js's view of things, send takes the text. ids are the hooks for tests.
export function composer({ page, placeholder, send, ids, id, suggestions = [] }) {
  const menu = h("ul.completions", { role: "listbox", id: ids.box + "-completions", hidden: true });
  const box = h("textarea", {
    rows: 1, placeholder, id, "aria-label": placeholder, "aria-controls": menu.id, "aria-autocomplete": "list", data: { testid: ids.box },
    oninput: () => { grow(box); complete(); }, onkeydown: keys, onkeyup: () => { done = false; },
    onbeforeinput: (e) => { if (done && e.inputType === "insertLineBreak") e.preventDefault(); }, onblur: () => setTimeout(close, 150),
  });
  const history = [];
  let found = [], chosen = 0;
  let done = false; // the Enter that is held down has done its work; some drivers and keyboards type it all the same

  function close() { menu.hidden = true; found = []; }

  function complete() {
    found = candidates(box.value.slice(0, box.selectionStart), page);
    chosen = 0;
    menu.hidden = found.length === 0;
    show();
  }

  function show() {
    fill(menu, found.map((c, i) => h("li", {
      role: "option", "aria-selected": String(i === chosen), class: i === chosen ? "chosen" : "",
      onmousedown: (e) => { e.preventDefault(); use(c); },
    }, h("strong", c.label), h("span.hint", " ", c.hint))));
  }

  function use(c) {
    const at = box.selectionStart;
    box.setRangeText(c.text + " ", at - c.typed, at, "end");
    close();
    grow(box);
    box.focus();
  }

  function submit() {
    const text = box.value.trim();
    if (!text) return;
    history.push(text);
    box.value = "";
    grow(box);
    close();
    send(text);
  }

  function keys(e) {
    if (e.isComposing) return;
    if (found.length && ["ArrowDown", "ArrowUp"].includes(e.key)) {
      chosen = (chosen + (e.key === "ArrowDown" ? 1 : found.length - 1)) % found.length;
      show();
      e.preventDefault();
    } else if (found.length && (e.key === "Tab" || (e.key === "Enter" && found[chosen].typed < found[chosen].text.length))) {
      use(found[chosen]);
      done = e.key === "Enter";
      e.preventDefault();
    } else if (e.key === "Escape" && found.length) {
      close();
      e.stopPropagation();
    } else if (e.key === "Enter" && !e.shiftKey) {
      submit();
      done = true;
      e.preventDefault();
    } else if (e.key === "ArrowUp" && !box.value && history.length) {
      box.value = history[history.length - 1];
      e.preventDefault();
    }
  }

  const tips = suggestions.length > 0 && h("div.suggestions", h("span", "Try:"), suggestions.map((line) => h("button.suggestion", {
    type: "button", data: { testid: "suggestion" }, onclick: () => { box.value = line; grow(box); box.focus(); },
  }, line)));
  return h("div.composer", menu,
    h("div.composer-row", box, h("button.send", { type: "button", "aria-label": "Send", title: "Send", data: { testid: ids.send }, onclick: submit })),
    tips);
}

function grow(box) {
  box.style.height = "auto";
  box.style.height = Math.min(box.scrollHeight, 180) + "px";
}

// candidates are what the word before the cursor may become.
function candidates(before, page) {
  const word = /(?:^|\s)([@#][^\s@#]*)$/.exec(before)?.[1];
  if (word) return page.completions(word).slice(0, 6).map((c) => ({ ...c, typed: word.length }));
  if (/^\/\S*$/.test(before)) {
    return page.commands().filter((c) => c.startsWith(before) && c !== before).map((c) => ({ label: c, text: c, hint: "command of the app", typed: before.length }));
  }
  return [];
}
