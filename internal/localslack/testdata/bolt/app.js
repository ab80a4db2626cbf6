// A small app on Slack's own Bolt, for TestBolt: a command posts a message with a button, the button opens a form, the
// form's submission is checked, answered with an error first, and then posted. Each thing seen is one line on stdout.
"use strict";
const { createRequire } = require("node:module");
const { App, LogLevel } = createRequire(process.env.NODE_MODULES + "/")("@slack/bolt");

const say = (what, details = {}) => console.log(JSON.stringify({ what, ...details }));
const plain = (text) => ({ type: "plain_text", text });

const app = new App({
  token: process.env.SLACK_BOT_TOKEN,
  appToken: process.env.SLACK_APP_TOKEN,
  socketMode: true,
  logLevel: LogLevel.ERROR,
  clientOptions: { slackApiUrl: process.env.SLACK_API_URL },
});

app.command("/rollback", async ({ command, ack, client, respond }) => {
  await ack();
  say("command", { text: command.text, user: command.user_id });
  await respond({ response_type: "ephemeral", text: "On it." });
  await client.chat.postMessage({
    channel: command.channel_id,
    text: "Roll back?",
    blocks: [
      { type: "section", text: { type: "mrkdwn", text: "*Roll back* " + command.text + "?" } },
      { type: "actions", elements: [{ type: "button", action_id: "open_form", text: plain("Fill in"), value: command.text, style: "primary" }] },
    ],
    metadata: { event_type: "rollback_request", event_payload: { rollback: "rb-1" } },
  });
});

app.action("open_form", async ({ ack, action, body, client }) => {
  await ack();
  say("click", { value: action.value, user: body.user.id, metadata: body.message.metadata.event_type });
  await client.views.open({
    trigger_id: body.trigger_id,
    view: {
      type: "modal", callback_id: "rollback_form", title: plain("Roll back"), submit: plain("Send"),
      private_metadata: JSON.stringify({ channel: body.channel.id, ts: body.message.ts }),
      blocks: [
        { type: "input", block_id: "reason", label: plain("Reason"), element: { type: "plain_text_input", action_id: "reason" } },
        { type: "input", block_id: "owner", label: plain("Owner"), element: { type: "users_select", action_id: "owner" } },
      ],
    },
  });
});

app.view("rollback_form", async ({ ack, view, body, client }) => {
  const reason = view.state.values.reason.reason.value;
  const owner = view.state.values.owner.owner.selected_user;
  say("submit", { reason, owner, user: body.user.id });
  if (reason.length < 5) {
    await ack({ response_action: "errors", errors: { reason: "Say a little more." } });
    return;
  }
  await ack();
  const { channel, ts } = JSON.parse(view.private_metadata);
  await client.chat.update({ channel, ts, text: "Rolling back: " + reason, blocks: [{ type: "section", text: { type: "mrkdwn", text: "Rolling back, owner <@" + owner + ">" } }] });
  const history = await client.conversations.history({ channel, include_all_metadata: true, limit: 10 });
  say("history", { metadata: history.messages.map((m) => m.metadata?.event_payload?.rollback || "") });
});

app.error(async (error) => say("error", { message: String(error) }));
process.on("SIGTERM", async () => {
  await app.stop();
  process.exit(0);
});
app.start().then(() => say("started"), (error) => { say("error", { message: String(error) }); process.exit(1); });
