// Standard Webhooks, as the flows of Node-RED verify and sign: https://www.standardwebhooks.com
const crypto = require("crypto");

const TOLERANCE_SECONDS = 300;

function signature(secret, id, timestamp, body) {
  const key = Buffer.from(secret.replace("whsec_", ""), "base64");
  const hash = crypto.createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body);
  return "v1," + hash.digest("base64");
}

// Whether a request with these headers and this body, as bytes, was signed with the secret, lately.
function verify(secret, headers, body) {
  const timestamp = headers["webhook-timestamp"];
  const age = Math.abs(Date.now() / 1000 - Number(timestamp));
  if (!(age <= TOLERANCE_SECONDS)) return false;
  const wanted = Buffer.from(signature(secret, headers["webhook-id"], timestamp, body));
  return (headers["webhook-signature"] || "").split(" ").map((each) => Buffer.from(each))
    .some((each) => each.length === wanted.length && crypto.timingSafeEqual(each, wanted));
}

// The headers with which a body, a text, is posted.
function sign(secret, body) {
  const id = "msg_" + crypto.randomBytes(8).toString("hex");
  const timestamp = String(Math.floor(Date.now() / 1000));
  return {
    "webhook-id": id, "webhook-timestamp": timestamp,
    "webhook-signature": signature(secret, id, timestamp, body),
  };
}

module.exports = { verify, sign };
