// Forms (modals) and the question before an action.
import { h, fill } from "./dom.js";
import { blocks } from "./blocks.js";
import { mrkdwn, plainText } from "./mrkdwn.js";

const text = (t, names) => (t.type === "mrkdwn" ? mrkdwn(t.text, names) : plainText(t.text));

// ask shows a confirmation dialog and tells whether it was confirmed.
export function ask(question, names) {
  return new Promise((resolve) => {
    const end = (yes) => { dialog.close(); dialog.remove(); resolve(yes); };
    const dialog = h("dialog.dialog.confirm", { data: { testid: "confirm" }, "aria-labelledby": "confirm-title", oncancel: (e) => { e.preventDefault(); end(false); } },
      h("h2", { id: "confirm-title" }, text(question.title, names)), h("div.dialog-body.text", text(question.text, names)),
      h("footer", h("button.button", { type: "button", data: { testid: "confirm-no" }, onclick: () => end(false) }, text(question.deny, names)),
        h("button.button", { type: "button", class: question.style || "primary", data: { testid: "confirm-yes" }, onclick: () => end(true) }, text(question.confirm, names))));
    document.body.append(dialog);
    dialog.showModal();
  });
}

// forms keeps the dialog on the screen in step with the views that the server says are open.
export function forms(page) {
  let shown = null; // {key, view, dialog, typed}

  function close() {
    if (!shown) return;
    shown.dialog.close(); // gives the focus back to where it was
    shown.dialog.remove();
    shown = null;
    const back = document.activeElement;
    back.blur(); // Chromium takes no text where the focus came back by itself
    back.focus();
  }

  function update(views) {
    const view = views?.[views.length - 1];
    if (!view) return close();
    const key = keyOf(view);
    if (shown?.key === key) return;
    if (shown?.view.id === view.id) return redraw(view, key, views.length);
    close();
    shown = { key, view, typed: {}, dialog: null };
    shown.dialog = dialogOf(shown, page, views.length);
    document.body.append(shown.dialog);
    shown.dialog.showModal();
    focusFirst(shown.dialog);
  }

  // redraw shows a view that was brought up to date while somebody may be typing in it: the next key goes where the last
  // one went.
  function redraw(view, key, depth) {
    const { dialog } = shown;
    const top = dialog.querySelector(".dialog-body").scrollTop;
    const at = placeIn(dialog);
    const next = { key, view, typed: kept(shown.typed, view), dialog };
    fill(dialog, [...dialogOf(next, page, depth).childNodes]);
    shown = next;
    dialog.querySelector(".dialog-body").scrollTop = top;
    if (dialog.querySelector("[aria-invalid]") || !at || !goTo(dialog, at)) focusFirst(dialog);
  }

  // keyOf tells whether a view must be drawn anew.
  const keyOf = (view) => JSON.stringify([page.you(), view.id, view.hash, view.errors]);

  // errors shows what is wrong, if the event that says so too hasn't come yet. It must not be drawn twice: somebody may be
  // typing already.
  function errors(found) {
    if (!shown || JSON.stringify(shown.view.errors) === JSON.stringify(found)) return;
    shown.view = { ...shown.view, errors: found };
    shown.key = keyOf(shown.view);
    const body = shown.dialog.querySelector(".dialog-body");
    fill(body, blocks(shown.view.blocks, hostOf(shown, page)));
    body.querySelector("[aria-invalid]")?.focus();
  }

  return { update, errors };
}

const focusFirst = (dialog) => dialog.querySelector("[aria-invalid], .dialog-body .input, .dialog-body input")?.focus();

// placeIn tells where the focus is in a form, and the caret in its field; undefined: nowhere in it.
function placeIn(dialog) {
  const focused = document.activeElement;
  if (!dialog.contains(focused) || !focused.dataset.actionId) return undefined;
  const { testid, actionId, blockId } = focused.dataset;
  return { testid, actionId, blockId, value: focused.value, from: focused.selectionStart, to: focused.selectionEnd };
}

// goTo puts the focus and the caret back, and tells whether the field is still there.
function goTo(dialog, at) {
  const field = [...dialog.querySelectorAll("[data-action-id]")].find((e) =>
    e.dataset.testid === at.testid && e.dataset.actionId === at.actionId && e.dataset.blockId === at.blockId && (e.type !== "checkbox" && e.type !== "radio" || e.value === at.value));
  if (!field) return false;
  field.focus();
  if (typeof at.from === "number") field.setSelectionRange(at.from, at.to);
  return true;
}

// kept is what was typed in blocks that are still there.
function kept(typed, view) {
  const ids = new Set(view.blocks.map((b) => b.block_id));
  return Object.fromEntries(Object.entries(typed).filter(([block]) => ids.has(block)));
}

// hostOf connects a form's elements with what was typed in them.
function hostOf(shown, page) {
  const { view, typed } = shown;
  const state = { ...view.state };
  for (const [block, actions] of Object.entries(typed)) {
    state[block] = { ...state[block] };
    for (const [action, { e, value }] of Object.entries(actions)) state[block][action] = asState(e, value);
  }
  return {
    names: page.names, errors: view.errors, state,
    dispatches: (block) => view.blocks.find((b) => b.block_id === block)?.dispatch_action,
    changed: (block, e, value) => { (typed[block] ||= {})[e.action_id] = { e, value }; },
    act: (block, e, chosen, button) => page.actInView(view, block, e, chosen, valuesOf(typed), button),
  };
}

// asState is a value in the form in which the server tells states.
function asState(e, value) {
  const options = () => e.options || e.option_groups?.flatMap((g) => g.options) || [];
  switch (e.type) {
    case "static_select": case "radio_buttons": return { selected_option: options().find((o) => o.value === value) };
    case "checkboxes": case "multi_static_select": return { selected_options: options().filter((o) => value.includes(o.value)) };
    case "users_select": return { selected_user: value };
    case "multi_users_select": return { selected_users: value };
    case "channels_select": return { selected_channel: value };
    case "conversations_select": return { selected_conversation: value };
    case "datepicker": return { selected_date: value };
    case "timepicker": return { selected_time: value };
    default: return { value };
  }
}

const valuesOf = (typed) => Object.fromEntries(Object.entries(typed).map(([block, actions]) =>
  [block, Object.fromEntries(Object.entries(actions).map(([action, { value }]) => [action, value]))]));

function dialogOf(shown, page, depth) {
  const { view, typed } = shown;
  const send = h("button.button.primary", { type: "submit", data: { testid: "modal-submit" } }, view.submit);
  const cancel = () => page.cancelView(view);
  return h("dialog.dialog.modal", { "aria-labelledby": "modal-title", data: { testid: "modal", viewId: view.id, callbackId: view.callback },
    oncancel: (e) => { e.preventDefault(); cancel(); } },
  h("form", { novalidate: true, onsubmit: async (e) => {
    e.preventDefault();
    send.disabled = true;
    await page.submitView(view, valuesOf(typed));
    send.disabled = false;
  } },
  h("header", h("h2", { id: "modal-title" }, plainText(view.title)), h("button.icon-button", { type: "button", "aria-label": "Close", onclick: cancel }, "✕")),
  h("div.dialog-body", { tabindex: "-1" }, blocks(view.blocks, hostOf(shown, page))),
  h("footer", h("button.button", { type: "button", data: { testid: "modal-cancel" }, onclick: cancel }, view.close || (depth > 1 ? "Back" : "Cancel")), view.submit && send)));
}
