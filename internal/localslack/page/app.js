// The page: what the server says (events), where one looks (place), and what one does (do).
import { $, h, fill, keep } from "./dom.js";
import { composer } from "./composer.js";
import { ask, forms } from "./dialogs.js";
import { avatar, message } from "./message.js";
import { blocks } from "./blocks.js";
import { panel } from "./panel.js";

let model = null; // the last event
let source = null;
const place = { as: "", channel: "", thread: "", app: "" }; // app: "home" or "messages" where the app's own place is open
const seen = new Map(); // what was looked at, per person: "U1 channel C1" -> timestamp

// --- Names -----------------------------------------------------------------------------------------------------------

const user = (id) => model.users[id] || { name: id, real: id };
const names = {
  user: (id, label) => model.users[id]?.name || label || id,
  channel: (id, label) => model.channels.find((c) => c.id === id)?.name || label || id,
  group: (id, label) => model.groups[id] || label || id,
  isYou: (id) => id === model.you,
  people: () => [{ label: "", options: Object.entries(model.users).filter(([, u]) => !u.bot && !u.gone).map(([id, u]) => ({ value: id, text: u.real })) }],
  channels: () => [{ label: "", options: model.channels.filter((c) => !c.direct).map((c) => ({ value: c.id, text: "#" + c.name })) }],
};

// --- What one does -----------------------------------------------------------------------------------------------------

// act posts one deed; what comes of it arrives as an event, and what went wrong as the answer.
async function act(deed, button) {
  button?.setAttribute("aria-busy", "true");
  try {
    const response = await fetch("/page/do", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ as: model.you, ...deed }),
    });
    const result = response.ok ? await response.json() : { notice: "That didn't reach the program. Is it still running?" };
    if (result.errors) dialogs.errors(result.errors);
    if (result.notice) toast(result.notice);
  } catch {
    toast("The program doesn't answer. Is it still running?");
  } finally {
    button?.removeAttribute("aria-busy");
  }
}

// confirmed asks first if the element wants that, and opens the address of a button that has one.
async function confirmed(e) {
  if (e.confirm && !(await ask(e.confirm, names))) return false;
  if (e.url && /^https?:/i.test(e.url)) window.open(e.url, "_blank", "noopener,noreferrer");
  return true;
}

// typed is what people have typed into the fields of messages, which are sent with a click: by person and message.
const typed = new Map();
const fieldsOf = (m) => model.you + " " + m.ts;

const page = {
  names, user,
  you: () => model.you,
  commands: () => model.commands,
  messageHost: (m) => ({
    names, state: { ...m.state, ...typed.get(fieldsOf(m)) },
    changed: (block, e, value) => typed.set(fieldsOf(m), { ...typed.get(fieldsOf(m)), [block]: { [e.action_id]: { type: e.type, value } } }),
    act: async (block, e, chosen, button) => (await confirmed(e)) &&
      act({ do: "act", channel: place.channel, ts: m.ts, private: !!m.private, block, action: e.action_id, chosen, values: typed.get(fieldsOf(m)) }, button),
  }),
  actInView: async (view, block, e, chosen, values, button) => (await confirmed(e)) &&
    act({ do: "act_in_view", view: view.id, block, action: e.action_id, chosen, values }, button),
  submitView: (view, values) => act({ do: "submit", view: view.id, values }),
  cancelView: (view) => act({ do: "cancel", view: view.id }),
  dismiss: (m) => act({ do: "dismiss", ts: m.ts }),
  openThread: (ts) => { place.thread = ts; remember(); draw(); $("thread").querySelector("textarea")?.focus(); },
  isUnread: (kind, id, ts) => (seen.get(model.you + " " + kind + " " + id) || "") < ts,
  completions(word) {
    const start = word.slice(1).toLowerCase();
    const fits = (...texts) => texts.some((t) => t.toLowerCase().startsWith(start));
    if (word[0] === "#") {
      return model.channels.filter((c) => !c.direct && fits(c.name)).map((c) => ({ label: "#" + c.name, text: "#" + c.name, hint: "" }));
    }
    return Object.values(model.users).filter((u) => !u.gone && u.name !== "slackbot" && fits(u.name, u.real))
      .map((u) => ({ label: "@" + u.name, text: "@" + u.name, hint: u.real }));
  },
};
const dialogs = forms(page);
const offers = panel((button, node) => act({ do: "press", action: button }, node));

let toastTimer = 0;
function toast(text) {
  const box = $("toast");
  fill(box, h("span", text), h("button.icon-button", { type: "button", "aria-label": "Dismiss", onclick: () => box.hidePopover() }, "✕"));
  box.hidePopover();
  box.showPopover(); // anew each time, so that it lies above a form that was opened since
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => box.hidePopover(), 12000);
}

// --- Where one looks ---------------------------------------------------------------------------------------------------

// begin reads the address: who one is, and a message to show if it is a permalink.
function begin() {
  const query = new URLSearchParams(location.search);
  place.as = query.get("as") || "";
  place.channel = query.get("channel") || "";
  place.thread = query.get("thread") || "";
  const path = /^\/archives\/([A-Z0-9]+)\/p(\d+)(\d{6})$/.exec(location.pathname);
  if (path) jump(path[1], path[2] + "." + path[3], query.get("thread_ts") || "");
}

// jump shows one message.
function jump(channel, ts, thread) {
  place.app = "";
  place.channel = channel;
  place.thread = thread;
  place.show = ts;
}

// remember writes the place into the address bar, without the token, so that each window can be somebody else.
function remember() {
  const query = new URLSearchParams();
  for (const key of ["as", "channel", "thread"]) if (place[key]) query.set(key, place[key]);
  history.replaceState(null, "", "/" + (query.size ? "?" + query : ""));
}

function listen() {
  source?.close();
  source = new EventSource("/page/events?as=" + encodeURIComponent(place.as));
  source.onmessage = (e) => { model = JSON.parse(e.data); source.broken = false; arrive(); };
  source.onerror = () => { source.broken = true; if (model) drawStatus(); };
}

// meet takes everything as seen that was there before one came.
function meet() {
  const mark = model.you + " ";
  if (seen.has(mark)) return;
  seen.set(mark, "met");
  for (const [channel, list] of Object.entries(model.messages)) {
    for (const m of list) seen.set(mark + (m.thread ? "thread " + m.thread : "channel " + channel), m.ts);
  }
}

// arrive settles where one is after an event, and draws.
function arrive() {
  place.as = model.you;
  meet();
  const here = model.channels.some((c) => c.id === place.channel);
  if (!here) Object.assign(place, { channel: (model.channels.find((c) => !c.direct) || model.channels[0])?.id || "", thread: "", app: "" });
  if (place.app) place.channel = direct()?.id || place.channel;
  const list = model.messages[place.channel] || [];
  if (place.thread && !list.some((m) => m.ts === place.thread)) place.thread = "";
  const newest = list.filter((m) => m.private && m.thread && page.isUnread("thread", m.thread, m.ts)).pop();
  if (newest && !place.thread) place.thread = newest.thread; // a private answer in a thread would go unnoticed otherwise
  remember();
  draw();
}

const direct = () => model.channels.find((c) => c.direct);

function switchTo(id) {
  Object.assign(place, { as: id, thread: "", app: "" });
  $("toast").hidePopover();
  remember();
  listen();
}

function goTo(channel, app = "") {
  Object.assign(place, { channel: channel || place.channel, thread: "", app });
  document.body.classList.remove("menu-open");
  remember();
  draw(true);
  if (app) act({ do: app }).then(() => model && draw());
}

// --- Drawing -----------------------------------------------------------------------------------------------------------

function draw(moved) {
  document.title = model.team + " · local Slack";
  fill($("team"), model.team);
  $("banner").hidden = !model.banner;
  once($("banner"), model.banner, () => model.banner);
  drawPeople();
  drawStatus();
  drawSidebar();
  drawMain(moved);
  drawThread();
  offers.draw(model.panel);
  dialogs.update(model.views);
}

// once replaces what is in a node only if its version is another.
function once(node, version, make) {
  if (node.version === version) return;
  node.version = version;
  fill(node, make());
}

function drawPeople() {
  keep($("people"), model.people.map((p) => ({
    key: p.id, version: [p.name, p.role, p.id === model.you].join(),
    make: () => h("span.person-pair", h("button.person", { type: "button", "aria-pressed": String(p.id === model.you), data: { testid: "person", user: p.id }, onclick: () => switchTo(p.id) },
      avatar(p.id, user(p.id)), h("span.who", h("span.person-name", p.name.split(" ")[0]), p.role && h("span.role", p.role))),
    p.id !== model.you && h("a.window-link", { href: "/?as=" + encodeURIComponent(p.id), target: "_blank", title: "Open a window as " + p.name,
      "aria-label": "Open a window as " + p.name, data: { testid: "window", user: p.id } }, "↗")),
  })));
}

function drawStatus() {
  const broken = source?.broken;
  const text = broken ? "Reconnecting…" : model.connected ? user(model.bot).real + " is connected" : user(model.bot).real + " is not connected";
  $("status").className = "status " + (broken || !model.connected ? "off" : "on");
  once($("status"), text, () => [h("span.dot", { "aria-hidden": "true" }), h("span.status-text", text)]);
}

function drawSidebar() {
  const item = (c) => {
    const last = (model.messages[c.id] || []).filter((m) => !m.thread).pop();
    const here = c.id === place.channel && !place.app;
    const unread = !here && last && page.isUnread("channel", c.id, last.ts);
    return { key: c.id, version: JSON.stringify([c, here, unread]), make: () => h("button.channel", {
      type: "button", class: [here && "here", unread && "unread"].filter(Boolean).join(" "), "aria-current": here ? "page" : null,
      data: { testid: "channel", channel: c.id }, onclick: () => goTo(c.id),
    }, h("span.sign", { "aria-hidden": "true" }, c.private ? "🔒" : "#"), h("span.channel-name", c.name), c.shared && h("span.tag", "SHARED")) };
  };
  const title = (text) => ({ key: text, version: text, make: () => h("h2", text) });
  const app = user(model.bot);
  keep($("sidebar"), [title("Channels"), ...model.channels.filter((c) => !c.direct).map(item), title("Apps"), {
    key: "app", version: JSON.stringify([app, !!place.app]), make: () => h("button.channel", {
      type: "button", class: place.app ? "here" : "", "aria-current": place.app ? "page" : null, data: { testid: "app" }, onclick: () => goTo(direct()?.id, "home"),
    }, avatar(model.bot, app), h("span.channel-name", app.real)),
  }]);
}

function drawMain(moved) {
  const c = model.channels.find((x) => x.id === place.channel);
  once($("head"), JSON.stringify([place.app, c, user(model.bot)]), () => (place.app ? appHead() : channelHead(c)));
  const list = $("messages");
  const bottom = moved || list.scrollHeight - list.scrollTop - list.clientHeight < 80 || list.dataset.place !== placeKey();
  if (place.app === "home") drawHome(list);
  else drawMessages(list, c);
  if (place.app === "home") { // one reads it from its top
    if (list.dataset.place !== placeKey()) list.scrollTop = 0;
  } else if (bottom) list.scrollTop = list.scrollHeight;
  list.dataset.place = placeKey();
  drawFoot(c);
  if (place.show) show(list);
}

const placeKey = () => [model.you, place.channel, place.app].join(" ");

function channelHead(c) {
  if (!c) return [];
  return [h("h1", c.private ? "🔒 " : "# ", c.name), h("span.hint", c.members + (c.members === 1 ? " member" : " members")),
    c.shared && h("span.tag.warn", "shared with another organisation"), c.archived && h("span.tag", "ARCHIVED")];
}

function appHead() {
  const tab = (id, label) => h("button.tab", { type: "button", "aria-pressed": String(place.app === id), data: { testid: "tab-" + id }, onclick: () => goTo(direct()?.id, id) }, label);
  return [h("h1", user(model.bot).real), h("div.tabs", tab("home", "Home"), tab("messages", "Messages"))];
}

function drawHome(list) {
  const view = model.home;
  const host = view && { names, state: view.state, changed: () => {}, act: (block, e, chosen, button) => page.actInView(view, block, e, chosen, undefined, button) };
  keep(list, [{ key: "home", version: JSON.stringify(view), make: () => (view
    ? h("div.home", { data: { testid: "home-tab", viewId: view.id } }, h("div.blocks", blocks(view.blocks, host)))
    : h("div.empty", h("h3", user(model.bot).real), h("p", "The app hasn't put anything here yet."))) }]);
}

// todo is what the panel says that one does now.
const todo = () => model.panel?.items.find((i) => i.current)?.steps || [];

function drawMessages(list, c) {
  const all = model.messages[place.channel] || [];
  const top = all.filter((m) => !m.thread || m.both);
  const wanted = [];
  let before = null;
  for (const m of top) {
    const day = new Date(m.ts * 1000).toDateString();
    if (!before || new Date(before.ts * 1000).toDateString() !== day) {
      wanted.push({ key: "day " + day, version: day, make: () => h("div.day", h("span", dayName(day))) });
      before = null;
    }
    const follows = before && before.user === m.user && !before.private && !m.private && !m.blocks && !m.edited && m.ts - before.ts < 300;
    const replies = all.filter((r) => r.thread === m.ts);
    const last = replies.length ? page.isUnread("thread", m.ts, replies[replies.length - 1].ts) : false;
    wanted.push({ key: m.ts, version: JSON.stringify([m, replies.length, last, follows, user(m.user)]), make: () => message(m, page, { follows, replies }) });
    before = m;
  }
  if (!top.length) wanted.push({ key: "empty", version: place.channel + JSON.stringify(todo()), make: () => h("div.empty", h("h3", c?.direct ? "Messages with the app" : "This is the beginning of #" + (c?.name || "")), h("p", "Nothing has been said here yet."), todo().length > 0 && h("ol", todo().map((s) => h("li", s)))) });
  keep(list, wanted);
  const newest = top[top.length - 1];
  if (newest) seen.set(model.you + " channel " + place.channel, newest.ts);
}

function dayName(day) {
  const days = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(day)) / 86400000);
  return ["Today", "Yesterday"][days] || new Date(day).toLocaleDateString(undefined, { dateStyle: "full" });
}

// drawFoot makes the box anew only when it is another box, so that what one types survives.
function drawFoot(c) {
  const foot = $("foot");
  const key = placeKey() + JSON.stringify([model.suggestions, c?.archived]);
  if (foot.dataset.place === key) return;
  foot.dataset.place = key;
  const hidden = place.app === "home" || !c || c.archived;
  fill(foot, !hidden && composer({
    page, id: "composer", ids: { box: "composer", send: "send" }, suggestions: model.suggestions,
    placeholder: "Message " + (c.direct ? user(model.bot).real : "#" + c.name) + ", or / for a command",
    send: (text) => {
      $("messages").scrollTop = $("messages").scrollHeight; // whoever speaks wants to see the answer
      return act({ do: "send", channel: place.channel, text });
    },
  }));
}

function drawThread() {
  const box = $("thread");
  const all = model.messages[place.channel] || [];
  const first = place.app ? null : all.find((m) => m.ts === place.thread);
  box.hidden = !first;
  document.body.classList.toggle("thread-open", !!first);
  if (!first) { box.dataset.place = ""; fill(box); return; }
  const replies = all.filter((m) => m.thread === first.ts);
  if (box.dataset.place !== placeKey() + first.ts) {
    box.dataset.place = placeKey() + first.ts;
    fill(box, h("header.head", h("h2", "Thread"), h("button.icon-button", { type: "button", "aria-label": "Close thread", data: { testid: "close-thread" }, onclick: closeThread }, "✕")),
      h("div.messages", { role: "log", "aria-label": "Thread", tabindex: 0 }),
      h("div.foot", composer({ page, id: "thread-composer", ids: { box: "thread-composer", send: "thread-send" }, placeholder: "Reply…",
        send: (text) => act({ do: "send", channel: place.channel, thread: place.thread, text }) })));
  }
  const list = box.querySelector(".messages");
  const bottom = list.scrollHeight - list.scrollTop - list.clientHeight < 80;
  keep(list, [first, ...replies].map((m, i) => ({
    key: m.ts, version: JSON.stringify([m, user(m.user)]), make: () => message(m, page, { inThread: true, follows: false, first: i === 0 }),
  })));
  if (place.app === "home") { // one reads it from its top
    if (list.dataset.place !== placeKey()) list.scrollTop = 0;
  } else if (bottom) list.scrollTop = list.scrollHeight;
  const newest = replies[replies.length - 1];
  const unread = newest && page.isUnread("thread", first.ts, newest.ts);
  if (newest) seen.set(model.you + " thread " + first.ts, newest.ts);
  if (unread) drawMain();
}

function closeThread() {
  const was = place.thread;
  place.thread = "";
  remember();
  draw();
  document.querySelector('#messages [data-testid="open-thread"][data-ts="' + CSS.escape(was) + '"]')?.focus();
}

// show brings the message of a permalink into view.
function show(list) {
  const where = place.thread ? $("thread") : list;
  const node = [...where.querySelectorAll("article")].find((a) => a.dataset.ts === place.show);
  place.show = "";
  node?.scrollIntoView({ block: "center" });
  node?.classList.add("found");
}

// --- Begin -------------------------------------------------------------------------------------------------------------

$("menu").addEventListener("click", () => {
  const open = document.body.classList.toggle("menu-open");
  $("menu").setAttribute("aria-expanded", String(open));
});
document.addEventListener("keydown", (e) => {
  if (e.key === "Escape" && !document.querySelector("dialog[open]") && place.thread) closeThread();
});
document.addEventListener("click", (e) => {
  const a = e.target.closest?.("a[href]");
  const path = a && a.origin === location.origin && /^\/archives\/([A-Z0-9]+)\/p(\d+)(\d{6})$/.exec(a.pathname);
  if (!path || e.ctrlKey || e.metaKey) return;
  e.preventDefault();
  jump(path[1], path[2] + "." + path[3], new URLSearchParams(a.search).get("thread_ts") || "");
  arrive();
});
window.addEventListener("pagehide", () => source?.close());
begin();
remember();
listen();
