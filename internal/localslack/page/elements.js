// Interactive elements. A host says what to do with them: host.act(block, element, chosen) for elements that act at
// once, host.changed(block, element, value) for fields of a form, and host.state, what was chosen so far.
import { h } from "./dom.js";
import { plainText, mrkdwn } from "./mrkdwn.js";

const label = (text, names) => (!text ? "" : text.type === "mrkdwn" ? mrkdwn(text.text, names) : plainText(text.text));

// element renders one; form says whether it is a field to be sent later.
export function element(e, block, host, form) {
  const make = makers[e.type];
  return make ? make(e, block, host, form) : h("span.unknown", "This page doesn't show " + e.type + ".");
}

const stateOf = (e, block, host) => host.state?.[block]?.[e.action_id] || {};
const hooks = (testid, e, block) => ({ testid, actionId: e.action_id, blockId: block });

// take hands on a new value, as a field or as an action of its own.
function take(e, block, host, form, value) {
  if (form) host.changed(block, e, value);
  if (!form || host.dispatches?.(block)) host.act(block, e, value);
}

const makers = {
  button(e, block, host) {
    return h("button.button", {
      class: e.style || "", type: "button", "aria-label": e.accessibility_label,
      data: { ...hooks("action", e, block), value: e.value },
      onclick: (event) => host.act(block, e, undefined, event.currentTarget),
    }, label(e.text), e.url && h("span.outside", { "aria-label": "opens a page" }, " ↗"));
  },
  overflow(e, block, host) {
    const select = h("select.overflow", { "aria-label": "More actions", data: hooks("field", e, block), onchange: () => {
      const value = select.value;
      select.value = "";
      if (value) host.act(block, e, value);
    } }, h("option", { value: "" }, "⋯"), e.options.map((o) => h("option", { value: o.value }, plainText(o.text.text))));
    return select;
  },
  static_select: (e, block, host, form) => choice(e, block, host, form, groups(e), stateOf(e, block, host).selected_option?.value),
  users_select: (e, block, host, form) => choice(e, block, host, form, host.names.people(), stateOf(e, block, host).selected_user),
  channels_select: (e, block, host, form) => choice(e, block, host, form, host.names.channels(), stateOf(e, block, host).selected_channel),
  conversations_select: (e, block, host, form) => choice(e, block, host, form, host.names.channels(), stateOf(e, block, host).selected_conversation),
  radio_buttons: (e, block, host, form) => boxes("radio", e, block, host, form, [stateOf(e, block, host).selected_option?.value]),
  checkboxes: (e, block, host, form) => boxes("checkbox", e, block, host, form, selected(e, block, host)),
  multi_static_select: (e, block, host, form) => boxes("checkbox", { ...e, options: flat(e) }, block, host, form, selected(e, block, host)),
  multi_users_select: (e, block, host, form) => boxes("checkbox", { ...e, options: people(host) }, block, host, form, stateOf(e, block, host).selected_users || []),
  datepicker: (e, block, host, form) => input("date", e, block, host, form, stateOf(e, block, host).selected_date),
  timepicker: (e, block, host, form) => input("time", e, block, host, form, stateOf(e, block, host).selected_time),
  number_input: (e, block, host, form) => input("text", e, block, host, form, stateOf(e, block, host).value, "decimal"),
  email_text_input: (e, block, host, form) => input("email", e, block, host, form, stateOf(e, block, host).value),
  url_text_input: (e, block, host, form) => input("url", e, block, host, form, stateOf(e, block, host).value),
  plain_text_input(e, block, host, form) {
    if (!e.multiline) return input("text", e, block, host, form, stateOf(e, block, host).value);
    const box = h("textarea.input", {
      rows: 4, maxLength: e.max_length || 3000, placeholder: e.placeholder?.text, data: hooks("field", e, block),
      oninput: () => host.changed(block, e, box.value),
    });
    box.value = stateOf(e, block, host).value || "";
    return box;
  },
};

const selected = (e, block, host) => (stateOf(e, block, host).selected_options || []).map((o) => o.value);
const flat = (e) => e.options || e.option_groups.flatMap((g) => g.options);
const people = (host) => host.names.people().flatMap((g) => g.options).map((o) => ({ value: o.value, text: { type: "plain_text", text: o.text } }));

// groups are the options of a select as [{label, options: [{value, text}]}].
function groups(e) {
  const plain = (o) => ({ value: o.value, text: o.text.text });
  if (e.options) return [{ label: "", options: e.options.map(plain) }];
  return e.option_groups.map((g) => ({ label: g.label.text, options: g.options.map(plain) }));
}

function choice(e, block, host, form, groups, value) {
  const option = (o) => h("option", { value: o.value, selected: o.value === value }, plainText(o.text));
  const select = h("select.input", {
    data: hooks("field", e, block), "aria-label": form ? null : e.placeholder?.text || e.action_id,
    onchange: () => take(e, block, host, form, select.value || null),
  },
  h("option", { value: "" }, e.placeholder?.text || "Choose…"),
  groups.map((g) => (g.label ? h("optgroup", { label: g.label }, g.options.map(option)) : g.options.map(option))));
  return select;
}

function boxes(type, e, block, host, form, chosen) {
  const name = block + "/" + e.action_id + "/" + Math.random();
  const inputs = [];
  const changed = () => {
    const values = inputs.filter((i) => i.checked).map((i) => i.value);
    take(e, block, host, form, type === "radio" ? values[0] ?? null : values);
  };
  return h("div.boxes", { role: type === "radio" ? "radiogroup" : "group", data: hooks("field", e, block) }, e.options.map((o) => {
    const box = h("input", { type, name, value: o.value, checked: chosen.includes(o.value), onchange: changed });
    inputs.push(box);
    return h("label.box", box, h("span", label(o.text, host.names), o.description && h("span.hint", label(o.description, host.names))));
  }));
}

function input(type, e, block, host, form, value, mode) {
  const box = h("input.input", {
    type, inputmode: mode, maxLength: e.max_length || 3000, placeholder: e.placeholder?.text, data: hooks("field", e, block),
    autocomplete: "off", value: value || "",
    oninput: () => form && host.changed(block, e, box.value || null),
    onchange: () => (!form || host.dispatches?.(block)) && host.act(block, e, box.value || null),
  });
  return box;
}
