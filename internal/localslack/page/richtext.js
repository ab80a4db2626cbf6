// rich_text blocks: https://docs.slack.dev/reference/block-kit/blocks/rich-text-block
import { h } from "./dom.js";
import { emoji } from "./emoji.js";
import { formatDate, link, mention } from "./mrkdwn.js";

export const richText = (block, names) => h("div.rich", group(block.elements || [], names));

// group renders blocks one by one, and nests lists by their indent.
function group(elements, names) {
  return elements.map((e) => {
    const inside = () => (e.elements || []).map((x) => piece(x, names));
    switch (e.type) {
      case "rich_text_section": return h("div.rich-section", inside());
      case "rich_text_preformatted": return h("pre.code", inside());
      case "rich_text_quote": return h("blockquote", inside());
      case "rich_text_list": return list(e, names);
      default: return null;
    }
  });
}

function list(e, names) {
  const items = e.elements.map((item) => h("li", (item.elements || []).map((x) => piece(x, names))));
  const node = h(e.style === "ordered" ? "ol" : "ul", { class: "indent-" + Math.min(e.indent || 0, 8) }, items);
  if (e.style === "ordered" && e.offset) node.start = e.offset + 1;
  return node;
}

function piece(e, names) {
  return styled(core(e, names), e.style || {});
}

function core(e, names) {
  switch (e.type) {
    case "text": return lines(e.text);
    case "link": return link(e.url, e.text || e.url);
    case "user": return mention("@" + names.user(e.user_id), names.isYou(e.user_id));
    case "usergroup": return mention("@" + names.group(e.usergroup_id));
    case "channel": return mention("#" + names.channel(e.channel_id));
    case "broadcast": return mention("@" + e.range, true);
    case "emoji": return emoji(e.name) || ":" + e.name + ":";
    case "date": return h("time", formatDate(e.timestamp, e.format));
    case "color": return h("code", e.value);
    default: return "";
  }
}

const lines = (text) => text.split("\n").flatMap((line, i) => (i ? [h("br"), line] : [line]));

function styled(node, style) {
  const tags = { code: "code", bold: "strong", italic: "em", strike: "s", underline: "u", highlight: "mark" };
  return Object.entries(tags).reduce((inner, [name, tag]) => (style[name] ? h(tag, inner) : inner), node);
}
