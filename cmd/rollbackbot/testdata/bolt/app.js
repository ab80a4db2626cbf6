// What BenchmarkAck stands beside: Slack's own Bolt, which acknowledges each command at once, stores nothing and does
// nothing.
"use strict";
const { createRequire } = require("node:module");
const { App, LogLevel } = createRequire(process.env.NODE_MODULES + "/")("@slack/bolt");

const app = new App({
  token: process.env.SLACK_BOT_TOKEN,
  appToken: process.env.SLACK_APP_TOKEN,
  socketMode: true,
  logLevel: LogLevel.ERROR,
  clientOptions: { slackApiUrl: process.env.SLACK_API_URL },
});

app.command("/rollback", async ({ ack }) => {
  await ack();
});
app.start().catch((error) => {
  console.error(String(error));
  process.exit(1);
});
