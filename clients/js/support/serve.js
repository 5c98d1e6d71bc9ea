// A server that answers by a script, on loopback: what goes over the wire is what the tests see.
import { createServer } from "node:http";

import { createClient } from "relevo";

export const ANSWER = {
  content: "¡Hola!",
  provider: "qwen",
  model: "qwen-turbo",
  usage: { prompt_tokens: 3, completion_tokens: 5, total_tokens: 8 },
  finish_reason: "stop",
  request_id: "req_1",
  interaction_id: "req_1",
  task: "LONG_CONTENT",
  attempts: [
    { provider: "groq", model: "llama", outcome: "skipped", code: "no_key", http_status: null, ms: 0 },
    { provider: "gemini", model: "gemini-2.0-flash-exp", outcome: "failed", code: "rate_limited", http_status: 429, ms: 40 },
    { provider: "qwen", model: "qwen-turbo", outcome: "ok", code: null, http_status: 200, ms: 90 },
  ],
  credits: { charged: 20, remaining: 130 },
};
export const FAILED = {
  error: "Todos los proveedores fallaron",
  code: "all_providers_failed",
  request_id: "req_9",
  attempts: [
    { provider: "gemini", model: "g", outcome: "failed", code: "timeout", http_status: null, ms: 10_000 },
    { provider: "qwen", model: "q", outcome: "skipped", code: "no_key", http_status: null, ms: 0 },
    { provider: "deepseek", model: "d", outcome: "failed", code: "server_error", http_status: 500, ms: 30 },
  ],
};

export const servers = [];
/** For `afterEach`. */
export const closeServers = async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
};

export const json = (status, body, headers = {}) => ({ status, headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) });
export const problem = (status, code, headers, more) => json(status, { error: `text of ${code}`, code, request_id: "req_7", ...more }, headers);

// Answers with the steps of the script in turn, the last one for ever.
// A step is {status, headers, body}, or a function of the raw (request, response).
export const serve = async (...script) => {
  const seen = [];
  const server = createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      seen.push({ method: request.method, url: request.url, headers: request.headers, body: Buffer.concat(chunks).toString() });
      const step = script.length > 1 ? script.shift() : script[0];
      if (typeof step === "function") return step(request, response);
      response.writeHead(step.status, step.headers).end(step.body);
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  servers.push(server);
  return { seen, baseUrl: `http://127.0.0.1:${server.address().port}` };
};

export const cut = (request) => request.socket.destroy();
export const cutInBody = (request, response) => {
  response.writeHead(200, { "content-type": "application/json", "content-length": "1000" });
  response.write('{"content":');
  setTimeout(() => request.socket.destroy(), 5);
};
export const silence = () => {};

// A client whose waits are noted and not waited for.
export const clientOf = (baseUrl, options) => {
  const waits = [];
  const ai = createClient({ baseUrl, sleep: async (ms) => void waits.push(ms), ...options });
  return { ai, waits };
};
export const keysOf = (seen) => new Set(seen.map(({ headers }) => headers["idempotency-key"]));


/** A step that answers with server-sent events; the last one may be a function that gets the response. */
export const events = (...frames) => (request, response) => {
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
  for (const frame of frames) {
    if (typeof frame === "function") return frame(response, request);
    response.write(typeof frame === "string" ? frame : `data: ${JSON.stringify(frame)}\n\n`);
  }
  return response.end();
};
export const END = "data: [DONE]\n\n";
const { content: _, ...rest } = ANSWER;
export const attempt = (n, provider, model) => ({ type: "attempt", n, provider, model });
export const failed = (provider, code = "rate_limited") => ({ type: "attempt_failed", provider, code, ms: 40 });
export const delta = (content) => ({ type: "delta", content });
export const done = { type: "done", ...rest };
/** gemini fails, qwen answers: `ANSWER` as a stream. */
export const STREAM = [attempt(1, "gemini", "gemini-2.0-flash-exp"), failed("gemini"), attempt(2, "qwen", "qwen-turbo"), delta("¡Ho"), delta("la!"), done, END];
/** All events of a stream. */
export const all = async (stream) => {
  const got = [];
  for await (const event of stream) got.push(event);
  return got;
};
