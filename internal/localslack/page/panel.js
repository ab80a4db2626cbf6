// The panel: what the program behind this Slack offers beside the conversations.
import { $, h, keep } from "./dom.js";

// panel draws model.panel; press is told of a button.
export function panel(press) {
  const box = $("panel");
  const opener = $("panel-open");
  let open = null; // null: nobody has decided yet

  const wide = () => matchMedia("(min-width: 1100px)").matches;
  // Beside a thread there is room for the panel only in a large window.
  const crowded = () => document.body.classList.contains("thread-open") && innerWidth < 1500;
  const shown = () => open ?? (wide() && !crowded());
  let wasCrowded = false;
  let current = null;

  function toggle(to) {
    open = to;
    show();
    (to ? box.querySelector("button") : opener)?.focus();
  }

  function show() {
    const there = !opener.hidden;
    const wasHidden = box.hidden;
    box.hidden = !there || !shown();
    opener.setAttribute("aria-expanded", String(!box.hidden));
    document.body.classList.toggle("panel-shown", !box.hidden);
    if (wasHidden && !box.hidden) toCurrent();
  }

  // toCurrent brings the current item to the top of the panel.
  function toCurrent() {
    const item = box.querySelector(".current");
    if (item) box.scrollTop = item.previousElementSibling.classList.contains("panel-item") ? item.offsetTop - box.firstElementChild.offsetHeight - 8 : 0;
  }

  const item = (i, busy) => h("section.panel-item", { class: i.current ? "current" : "", "aria-current": i.current ? "step" : null, data: { testid: "panel-item", item: i.id } },
    h("h3", i.title), h("p", i.text), i.current && i.steps.length > 0 && h("ol", i.steps.map((s) => h("li", s))),
    h("div.panel-buttons", i.buttons.map((b) => h("button.button", {
      type: "button", "aria-disabled": busy ? "true" : null, data: { testid: "panel-button", button: b.id },
      onclick: (e) => { if (busy) return; press(b.id, e.currentTarget); if (!wide()) toggle(false); },
    }, b.label))));

  function draw(p) {
    if (crowded() && !wasCrowded && open) open = null; // a thread that was opened is what one wants to see
    wasCrowded = crowded();
    opener.hidden = !p;
    if (p) {
      opener.textContent = p.title;
      keep(box, [
        { key: "head", version: p.title, make: () => h("header.head", h("h2", p.title),
          h("button.icon-button", { type: "button", "aria-label": "Close", data: { testid: "panel-close" }, onclick: () => toggle(false) }, "✕")) },
        { key: "text", version: p.text, make: () => h("p.panel-text", p.text) },
        ...p.items.map((i) => ({ key: "item " + i.id, version: JSON.stringify([i, p.busy]), make: () => item(i, p.busy) })),
      ]);
    }
    const at = p?.items.find((i) => i.current)?.id;
    const moved = at !== current;
    current = at;
    const now = $("panel-now");
    now.hidden = !p?.now;
    if (now.textContent !== (p?.now || "")) now.textContent = p?.now || "";
    show();
    if (moved) toCurrent();
  }

  addEventListener("resize", show);
  opener.addEventListener("click", () => toggle(box.hidden));
  box.addEventListener("keydown", (e) => {
    if (e.key !== "Escape") return;
    e.stopPropagation();
    toggle(false);
  });
  return { draw };
}
