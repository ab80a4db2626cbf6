// One message: author, text or blocks, files, thread.
import { h } from "./dom.js";
import { blocks } from "./blocks.js";
import { mrkdwn } from "./mrkdwn.js";

const hues = [172, 212, 262, 332, 24, 44, 92, 192];

// avatar is a person's mark: initials on a colour of their own.
export function avatar(id, user) {
  if (user.bot) return h("span.avatar.bot", { "aria-hidden": "true" }, h("span.bot-mark"));
  const hue = hues[[...id].reduce((sum, c) => (sum * 31 + c.charCodeAt(0)) % 9973, 0) % hues.length];
  const initials = user.real.split(/\s+/).map((w) => w[0]).slice(0, 2).join("").toUpperCase();
  const node = h("span.avatar", { "aria-hidden": "true" }, initials);
  node.style.setProperty("--hue", hue);
  return node;
}

const clock = (ts) => new Date(Number(ts) * 1000);
export const timeOf = (ts) => clock(ts).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

// message renders m. page is app.js's view of things; inThread leaves the thread's own line out; follows says that the
// message before is by the same person and recent, so that the author isn't repeated.
export function message(m, page, { inThread = false, follows = false, replies = [] } = {}) {
  const user = page.user(m.user);
  const host = page.messageHost(m);
  return h("article.message", {
    class: [m.private && "private", follows && !m.private && "follows"].filter(Boolean).join(" "),
    "aria-label": user.real + ", " + timeOf(m.ts) + (m.private ? ", only visible to you" : ""),
    data: { testid: "message", ts: m.ts, user: m.user, private: m.private ? "true" : null, thread: m.thread },
  },
  m.private && h("div.private-mark", h("span", { "aria-hidden": "true" }, "👁 "), "Only visible to you"),
  h("div.gutter", follows && !m.private ? h("time.small-time", timeOf(m.ts)) : avatar(m.user, user)),
  h("div.body",
    !(follows && !m.private) && author(m, user),
    m.both && !inThread && h("div.also", "replied to a thread"),
    content(m, host, page),
    attachments(m, host, page),
    (m.files || []).map(file),
    m.private && h("button.quiet", { type: "button", data: { testid: "dismiss" }, onclick: () => page.dismiss(m) }, "Dismiss"),
    !inThread && replies.length > 0 && threadLine(m, replies, page)),
  !inThread && !m.private && !m.thread && h("div.hover", h("button.icon-button", {
    type: "button", "aria-label": "Reply in thread", title: "Reply in thread", data: replies.length ? {} : { testid: "open-thread", ts: m.ts },
    onclick: () => page.openThread(m.ts),
  }, "💬")));
}

const author = (m, user) => h("div.author", h("span.name", user.real), user.bot && h("span.tag", "APP"),
  h("time", { datetime: clock(m.ts).toISOString(), title: clock(m.ts).toLocaleString() }, timeOf(m.ts)), m.edited && h("span.edited", "edited"));

function content(m, host, page) {
  if (m.gone) return h("div.text.gone", m.text);
  if (m.blocks) return h("div.blocks", blocks(m.blocks, host));
  if (!m.text) return null;
  return h("div.text", mrkdwn(m.text, page.names));
}

const attachments = (m, host, page) => (m.attachments || []).map((a) => {
  const node = h("div.attachment", a.pretext && h("div.text", mrkdwn(a.pretext, page.names)), a.title && h("strong", a.title),
    a.text && h("div.text", mrkdwn(a.text, page.names)),
    (a.fields || []).map((f) => h("div.field", h("strong", f.title), " ", f.value)), blocks(a.blocks, host));
  if (/^#?[0-9a-f]{6}$/i.test(a.color || "")) node.style.borderColor = "#" + a.color.replace("#", "");
  return node;
});

function file(f) {
  const address = "/page/file/" + encodeURIComponent(f.id);
  if (f.mime.startsWith("image/")) {
    return h("figure.file", h("figcaption", f.title), h("a", { href: address, target: "_blank" }, h("img.wide", { src: address, alt: f.title })));
  }
  return h("div.file", h("a", { href: address, target: "_blank" }, "📄 ", f.title), h("span.hint", " ", sizeOf(f.size)), f.text && h("pre.code", f.text));
}

const sizeOf = (n) => (n < 1000 ? n + " bytes" : n < 1e6 ? Math.round(n / 1000) + " kB" : (n / 1e6).toFixed(1) + " MB");

function threadLine(m, replies, page) {
  const last = replies[replies.length - 1];
  const faces = [...new Set(replies.map((r) => r.user))].slice(0, 4).map((id) => avatar(id, page.user(id)));
  const unread = page.isUnread("thread", m.ts, last.ts);
  return h("button.thread-line", { type: "button", class: unread ? "unread" : "", data: { testid: "open-thread", ts: m.ts }, onclick: () => page.openThread(m.ts) },
    h("span.faces", faces), h("strong", replies.length === 1 ? "1 reply" : replies.length + " replies"),
    h("span.hint", unread ? "New · last at " : "Last at ", timeOf(last.ts)));
}
