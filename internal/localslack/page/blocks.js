// Block Kit blocks to DOM nodes: https://docs.slack.dev/reference/block-kit/blocks
import { h } from "./dom.js";
import { element } from "./elements.js";
import { mrkdwn, plainText, link } from "./mrkdwn.js";
import { richText } from "./richtext.js";

const text = (t, names) => (!t ? [] : t.type === "mrkdwn" ? mrkdwn(t.text, names) : plainText(t.text));

// blocks renders a list; host is as in elements.js, with host.names and, for forms, host.errors.
export const blocks = (list, host) => (list || []).map((b) => {
  const make = makers[b.type];
  const node = make ? make(b, host) : h("div.unknown", "This page doesn't show " + b.type + ".");
  node.classList.add("block");
  return node;
});

const makers = {
  header: (b) => h("h3.block-header", text(b.text)),
  divider: () => h("hr"),
  markdown: (b) => h("div.text", plainText(b.text)),
  rich_text: (b, host) => richText(b, host.names),
  context: (b, host) => h("div.context", b.elements.map((e) => (e.type === "image" ? picture(e, "tiny") : h("span", text(e, host.names))))),
  image: (b) => h("figure", b.title && h("figcaption", text(b.title)), picture(b, "wide")),
  actions: (b, host) => h("div.actions", b.elements.map((e) => element(e, b.block_id, host, false))),
  section: (b, host) => h("div.section",
    h("div.section-body",
      b.text && h("div.text", text(b.text, host.names)),
      b.fields && h("div.fields", b.fields.map((f) => h("div.field", text(f, host.names))))),
    b.accessory && h("div.accessory", b.accessory.type === "image" ? picture(b.accessory, "thumb") : element(b.accessory, b.block_id, host, false))),
  table: (b, host) => h("div.table-wrap", h("table", b.rows.map((row, i) => h("tr", row.map((cell) =>
    h(i ? "td" : "th", cell.type === "rich_text" ? richText(cell, host.names) : cell.text)))))),
  input: field,
};

// field is an input block: label, element, hint, and what is wrong with it.
function field(b, host) {
  const error = host.errors?.[b.block_id];
  const optional = b.optional && h("span.optional", " (optional)");
  const control = element(b.element, b.block_id, host, true);
  const many = control.classList.contains("boxes");
  const hint = b.hint && h("div.hint", text(b.hint));
  if (many) control.setAttribute("aria-label", b.label.text);
  if (error) control.setAttribute("aria-invalid", "true");
  return h("div.input-block", { class: error ? "wrong" : "", data: { blockId: b.block_id } },
    h(many ? "div.label-wrap" : "label.label-wrap", h("span.label", text(b.label), optional), control),
    error && h("div.field-error", { role: "alert", data: { testid: "field-error", blockId: b.block_id } }, error), hint);
}

// picture shows an image that this server has, and the address of any other: the page loads nothing from elsewhere.
function picture(e, size) {
  if (e.slack_file?.id) return h("img." + size, { src: "/page/file/" + encodeURIComponent(e.slack_file.id), alt: e.alt_text });
  return h("span.picture-link", "🖼 ", link(e.image_url, e.alt_text));
}
