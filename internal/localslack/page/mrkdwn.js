// Slack's mrkdwn to DOM nodes: https://docs.slack.dev/messaging/formatting-message-text
import { h } from "./dom.js";
import { emoji } from "./emoji.js";

const entities = { "&amp;": "&", "&lt;": "<", "&gt;": ">" };
export const unescape = (text) => text.replace(/&(?:amp|lt|gt);/g, (e) => entities[e]);

// mrkdwn renders text with markup. names knows people, channels and groups: see app.js.
export function mrkdwn(text, names) {
  const out = [];
  text.split(/```/).forEach((part, i, all) => {
    if (i % 2 && i < all.length - 1) out.push(h("pre.code", preformatted(part.replace(/^\n|\n$/g, ""))));
    else if (i % 2) out.push(...lines("```" + part, names));
    else out.push(...lines(trimBreaks(part, i > 0, i < all.length - 1), names));
  });
  return out;
}

// A code block stands on lines of its own, so the breaks next to it are not shown twice.
function trimBreaks(text, after, before) {
  if (after) text = text.replace(/^\n/, "");
  if (before) text = text.replace(/\n$/, "");
  return text;
}

// preformatted keeps references readable and everything else as it is.
function preformatted(text) {
  return unescape(text.replace(/<([^<>|]+)(?:\|([^<>]*))?>/g, (_, target, label) => label || target));
}

function lines(text, names) {
  const out = [];
  let quote = null;
  text.split("\n").forEach((line, i) => {
    const quoted = /^(?:&gt;|>) ?(.*)$/.exec(line);
    if (quoted) {
      if (!quote) out.push((quote = h("blockquote")));
      else quote.append(h("br"));
      quote.append(...inline(quoted[1], names));
      return;
    }
    if (i > 0 && !quote) out.push(h("br"));
    quote = null;
    out.push(...inline(line, names));
  });
  return out;
}

const marks = { "*": "strong", _: "em", "~": "s" };
const boundary = (c) => c === undefined || !/[\p{L}\p{N}]/u.test(c);

// inline renders one line.
function inline(text, names) {
  const out = [];
  let plain = "";
  const flush = () => {
    if (plain) out.push(...plainText(unescape(plain)));
    plain = "";
  };
  for (let i = 0; i < text.length; ) {
    const found = token(text, i, names);
    if (found) {
      flush();
      out.push(found.node);
      i = found.end;
    } else plain += text[i++];
  }
  flush();
  return out;
}

// token is the markup that begins at i, with where it ends; null if none does.
function token(text, i, names) {
  const c = text[i];
  if (c === "<") {
    const match = /^<([^<>]+)>/.exec(text.slice(i));
    return match && { node: reference(match[1], names), end: i + match[0].length };
  }
  if (c === "`") {
    const end = text.indexOf("`", i + 1);
    return end > i + 1 ? { node: h("code", preformatted(text.slice(i + 1, end))), end: end + 1 } : null;
  }
  if (marks[c] && boundary(text[i - 1]) && text[i + 1] !== c && /\S/.test(text[i + 1] || "")) {
    const end = closing(text, i, c);
    if (end > 0) return { node: h(marks[c], inline(text.slice(i + 1, end), names)), end: end + 1 };
  }
  return null;
}

// closing finds where the mark that began at i ends, outside of references and code.
function closing(text, i, mark) {
  for (let j = i + 1; j < text.length; j++) {
    if (text[j] === "<") j = Math.max(j, text.indexOf(">", j));
    else if (text[j] === "`" && text.indexOf("`", j + 1) > 0) j = text.indexOf("`", j + 1);
    else if (text[j] === mark && j > i + 1 && /\S/.test(text[j - 1]) && boundary(text[j + 1])) return j;
  }
  return -1;
}

// plainText renders text whose only markup are emoji shortcodes.
export function plainText(text) {
  const out = [];
  text.split("\n").forEach((line, i) => {
    if (i > 0) out.push(h("br"));
    out.push(line.replace(/:([a-z0-9_+-]+):/g, (whole, name) => emoji(name) || whole));
  });
  return out;
}

// reference renders what stands between < and >.
export function reference(inner, names) {
  const bar = inner.indexOf("|");
  const target = bar < 0 ? inner : inner.slice(0, bar);
  const label = bar < 0 ? "" : inner.slice(bar + 1);
  if (target.startsWith("@")) return mention("@" + names.user(target.slice(1), label), names.isYou(target.slice(1)));
  if (target.startsWith("#")) return mention("#" + names.channel(target.slice(1), label));
  if (target.startsWith("!subteam^")) return mention("@" + names.group(target.slice(9), label.replace(/^@/, "")));
  if (target.startsWith("!date^")) return date(target, label);
  if (/^!(here|channel|everyone)$/.test(target)) return mention("@" + target.slice(1), true);
  if (target.startsWith("!")) return document.createTextNode(unescape(label || target));
  return link(unescape(target), unescape(label) || unescape(target).replace(/^mailto:/, ""));
}

export const mention = (text, you) => h("span.mention", { class: you ? "you" : "" }, text);

// link renders an address; anything but a web or mail address stays text.
export function link(target, label) {
  if (!/^(https?:\/\/|mailto:)/i.test(target)) return document.createTextNode(label);
  const own = target.startsWith(location.origin + "/archives/");
  return h("a", own ? { href: target } : { href: target, target: "_blank", rel: "noopener noreferrer" }, label);
}

// date renders <!date^seconds^format^link|fallback>.
function date(target, fallback) {
  const [, seconds, format, address] = target.split("^");
  if (!/^\d+$/.test(seconds || "") || !format) return document.createTextNode(unescape(fallback));
  const text = formatDate(Number(seconds), format);
  const node = h("time", { datetime: new Date(seconds * 1000).toISOString(), title: unescape(fallback) }, unescape(text));
  return address ? h("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, node) : node;
}

export function formatDate(seconds, format) {
  const at = new Date(seconds * 1000);
  const days = Math.round((new Date(at).setHours(0, 0, 0, 0) - new Date().setHours(0, 0, 0, 0)) / 86400000);
  const near = { "-1": "yesterday", 0: "today", 1: "tomorrow" }[days];
  const show = (options) => at.toLocaleString(undefined, options);
  const short = show({ dateStyle: "medium" });
  const long = show({ dateStyle: "full" });
  const values = {
    date_num: at.toISOString().slice(0, 10), date: show({ dateStyle: "long" }), date_short: short, date_long: long,
    date_pretty: near || show({ dateStyle: "long" }), date_short_pretty: near || short, date_long_pretty: near || long,
    date_slash: show({ day: "2-digit", month: "2-digit", year: "numeric" }),
    time: show({ timeStyle: "short", hourCycle: "h23" }), time_secs: show({ timeStyle: "medium", hourCycle: "h23" }), ago: ago(at),
  };
  return format.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

function ago(at) {
  const seconds = Math.round((at - Date.now()) / 1000);
  const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const [unit, size] = units.find(([, size]) => Math.abs(seconds) >= size) || units[3];
  return new Intl.RelativeTimeFormat(undefined, { numeric: "auto" }).format(Math.trunc(seconds / size), unit);
}
