// What Node-RED is started with: on this machine alone, without its editor, and with what flows call by global.get.
module.exports = {
  uiHost: "127.0.0.1",
  uiPort: Number(process.env.NODE_RED_PORT),
  flowFile: "flows.json",
  credentialSecret: false,
  disableEditor: true,
  httpAdminRoot: false,
  functionGlobalContext: { standardWebhooks: require("./standard_webhooks.js") },
  telemetry: { enabled: false },
  logging: { console: { level: "info" } },
};
