// Against a scripted server on loopback: what goes over the wire, and what comes of each answer.
// No test sleeps for long: `sleep` is replaced by one that only takes notes, unless the wait is the point.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { afterEach, test } from "node:test";
import { gzipSync } from "node:zlib";

import * as relevo from "relevo";
import { AllProvidersFailedError, InsufficientCreditsError, RelevoError, createClient } from "relevo";

const ANSWER = {
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
const FAILED = {
  error: "Todos los proveedores fallaron",
  code: "all_providers_failed",
  request_id: "req_9",
  attempts: [
    { provider: "gemini", model: "g", outcome: "failed", code: "timeout", http_status: null, ms: 10_000 },
    { provider: "qwen", model: "q", outcome: "skipped", code: "no_key", http_status: null, ms: 0 },
    { provider: "deepseek", model: "d", outcome: "failed", code: "server_error", http_status: 500, ms: 30 },
  ],
};

const servers = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

const json = (status, body, headers = {}) => ({ status, headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) });
const problem = (status, code, headers, more) => json(status, { error: `text of ${code}`, code, request_id: "req_7", ...more }, headers);

// Answers with the steps of the script in turn, the last one for ever.
// A step is {status, headers, body}, or a function of the raw (request, response).
const serve = async (...script) => {
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

const cut = (request) => request.socket.destroy();
const cutInBody = (request, response) => {
  response.writeHead(200, { "content-type": "application/json", "content-length": "1000" });
  response.write('{"content":');
  setTimeout(() => request.socket.destroy(), 5);
};
const silence = () => {};

// A client whose waits are noted and not waited for.
const clientOf = (baseUrl, options) => {
  const waits = [];
  const ai = createClient({ baseUrl, sleep: async (ms) => void waits.push(ms), ...options });
  return { ai, waits };
};
const keysOf = (seen) => new Set(seen.map(({ headers }) => headers["idempotency-key"]));

test("sends one plain JSON request and resolves to the server's body", async () => {
  const { seen, baseUrl } = await serve(json(200, ANSWER));
  const { ai, waits } = clientOf(`${baseUrl}/`, { getToken: async () => "tok" });
  const params = {
    messages: [{ role: "user", content: "año 世界" }],
    taskType: "LONG_CONTENT", provider: "qwen", model: "qwen-turbo", maxTokens: 4096, temperature: 0,
    systemPrompt: "s", useFallback: false, top_p: 1, stop: ["."], seed: 7, response_format: { type: "text" },
    tools: [], tool_choice: "auto", feature_slug: "viral",
  };
  assert.deepEqual(await ai.chat({ ...params, signal: new AbortController().signal, stream: true }), ANSWER);
  assert.equal(seen.length, 1);
  assert.equal(seen[0].method, "POST");
  assert.equal(seen[0].url, "/api/ai/chat");
  assert.equal(seen[0].body, JSON.stringify(params));
  assert.equal(seen[0].headers.authorization, "Bearer tok");
  assert.equal(seen[0].headers["content-type"], "application/json");
  assert.ok(seen[0].headers["idempotency-key"].length >= 16);
  assert.deepEqual(waits, []);
});

test("fetch gets a string, is not called as a method, and is looked up at the call", async () => {
  const calls = [];
  const fake = function (url, init) {
    assert.equal(this, undefined);
    assert.ok(url.startsWith("/api/ai/chat"));
    calls.push({ url, init });
    return Promise.resolve(Response.json(ANSWER));
  };
  await createClient({ fetch: fake }).chat({ prompt: "a" });
  const original = globalThis.fetch;
  const ai = createClient({ baseUrl: undefined });
  try {
    globalThis.fetch = (...args) => fake(...args);
    await ai.chat({ prompt: "b" });
  } finally {
    globalThis.fetch = original;
  }
  assert.deepEqual(calls.map(({ url }) => url), ["/api/ai/chat", "/api/ai/chat"]);
  assert.deepEqual(calls.map(({ init }) => init.body), ['{"prompt":"a"}', '{"prompt":"b"}']);
});

test("no token, no header", async () => {
  const { seen, baseUrl } = await serve(json(200, ANSWER));
  for (const getToken of [undefined, () => null, async () => undefined, () => ""]) {
    await clientOf(baseUrl, { getToken }).ai.chat({ prompt: "a" });
  }
  assert.equal(seen.length, 4);
  for (const { headers } of seen) assert.equal("authorization" in headers, false);
});

test("what the token getter throws, the call rejects with; nothing is sent", async () => {
  const { seen, baseUrl } = await serve(json(200, ANSWER));
  const reason = new Error("signed out");
  await assert.rejects(clientOf(baseUrl, { getToken: async () => { throw reason; } }).ai.chat({ prompt: "a" }), (error) => error === reason);
  await assert.rejects(clientOf(baseUrl, { getToken: () => { throw reason; } }).ai.chat({ prompt: "a" }), (error) => error === reason);
  assert.equal(seen.length, 0);
});

test("each call has its own idempotency key, also where crypto.randomUUID is missing", async () => {
  const { seen, baseUrl } = await serve(json(200, ANSWER));
  const { ai } = clientOf(baseUrl);
  await ai.chat({ prompt: "a" });
  await ai.chat({ prompt: "a" });
  const crypto = Object.getOwnPropertyDescriptor(globalThis, "crypto");
  try {
    Object.defineProperty(globalThis, "crypto", { value: undefined, configurable: true });
    await ai.chat({ prompt: "a" });
    await ai.chat({ prompt: "a" });
  } finally {
    if (crypto) Object.defineProperty(globalThis, "crypto", crypto);
    else delete globalThis.crypto;
  }
  assert.equal(keysOf(seen).size, 4);
  for (const key of keysOf(seen)) assert.match(key, /^[\w-]{16,64}$/);
});

for (const status of [429, 502, 503, 504]) {
  test(`${status} is repeated with the same key, body and token`, async () => {
    const { seen, baseUrl } = await serve(problem(status, "unavailable"), problem(status, "unavailable"), json(200, ANSWER));
    let asked = 0;
    const { ai, waits } = clientOf(baseUrl, { getToken: () => `tok${++asked}` });
    assert.deepEqual(await ai.chat({ prompt: "a" }), ANSWER);
    assert.equal(seen.length, 3);
    assert.equal(keysOf(seen).size, 1);
    assert.equal(new Set(seen.map(({ body }) => body)).size, 1);
    assert.equal(asked, 1);
    assert.equal(waits.length, 2);
    assert.ok(waits[0] >= 250 && waits[0] <= 500, `backoff ${waits[0]}`);
    assert.ok(waits[1] >= 500 && waits[1] <= 1000, `backoff ${waits[1]}`);
  });
}

test("network failures are repeated with the same key: before the answer and inside it", async () => {
  const { seen, baseUrl } = await serve(cut, cutInBody, json(200, ANSWER));
  const { ai, waits } = clientOf(baseUrl);
  assert.deepEqual(await ai.chat({ prompt: "a" }), ANSWER);
  assert.equal(seen.length, 3);
  assert.equal(keysOf(seen).size, 1);
  assert.equal(waits.length, 2);
});

test("repeats are bounded and the last error is the one reported", async () => {
  const { seen, baseUrl } = await serve(cut, problem(502, "bad_gateway"), problem(503, "unavailable"));
  const { ai } = clientOf(baseUrl);
  await assert.rejects(ai.chat({ prompt: "a" }), { name: "RelevoError", code: "unavailable", status: 503, requestId: "req_7" });
  assert.equal(seen.length, 3);
});

for (const retries of [0, 1, 4]) {
  test(`retries: ${retries}`, async () => {
    const { seen, baseUrl } = await serve(problem(503, "unavailable"));
    await assert.rejects(clientOf(baseUrl, { retries }).ai.chat({ prompt: "a" }), { status: 503 });
    assert.equal(seen.length, retries + 1);
  });
}

test("backoff stops growing at 8 s", async () => {
  const { baseUrl } = await serve(problem(503, "unavailable"));
  const { ai, waits } = clientOf(baseUrl, { retries: 12 });
  await assert.rejects(ai.chat({ prompt: "a" }));
  assert.equal(waits.length, 12);
  assert.ok(Math.max(...waits) <= 8000);
  assert.ok(waits.at(-1) >= 4000);
});

test("retry-after: seconds, a date, the past, nonsense, and a cap of 60 s", async () => {
  const waitFor = async (value) => {
    const { baseUrl } = await serve(problem(429, "rate_limited", { "retry-after": value }), json(200, ANSWER));
    const { ai, waits } = clientOf(baseUrl);
    await ai.chat({ prompt: "a" });
    assert.equal(waits.length, 1);
    return waits[0];
  };
  assert.equal(await waitFor("0"), 0);
  assert.equal(await waitFor("7"), 7000);
  assert.equal(await waitFor("1.5"), 1500);
  assert.equal(await waitFor("86400"), 60_000);
  assert.equal(await waitFor(new Date(Date.now() - 60_000).toUTCString()), 0);
  const dated = await waitFor(new Date(Date.now() + 20_000).toUTCString());
  assert.ok(dated > 15_000 && dated <= 20_000, `${dated}`);
  const odd = await waitFor("soon");
  assert.ok(odd >= 250 && odd <= 500, `${odd}`);
});

test("a wait that does not fit into timeoutMs gives the server's error at once", async () => {
  const { seen, baseUrl } = await serve(problem(429, "rate_limited", { "retry-after": "30" }));
  const { ai, waits } = clientOf(baseUrl, { timeoutMs: 5000 });
  await assert.rejects(ai.chat({ prompt: "a" }), { code: "rate_limited", status: 429 });
  assert.equal(seen.length, 1);
  assert.deepEqual(waits, []);
});

for (const [status, code] of [
  [400, "unknown_task"], [402, "spend_limit"], [403, "user_blocked"], [404, "not_found"], [405, "method_not_allowed"],
  [409, "conflict"], [413, "body_too_large"], [415, "unsupported_media_type"], [422, "idempotency_mismatch"], [500, "internal_error"],
]) {
  test(`${status} ${code} is never repeated`, async () => {
    const { seen, baseUrl } = await serve(problem(status, code, { "retry-after": "0" }));
    const { ai } = clientOf(baseUrl, { getToken: () => "tok" });
    await assert.rejects(ai.chat({ prompt: "a" }), (error) => {
      assert.equal(error.constructor, RelevoError);
      assert.equal(error.message, `text of ${code}`);
      assert.deepEqual([error.status, error.code, error.requestId], [status, code, "req_7"]);
      assert.equal(error.body.error, `text of ${code}`);
      return true;
    });
    assert.equal(seen.length, 1);
  });
}

test("x-should-retry: false stops every repeat", async () => {
  for (const [status, code] of [[503, "unavailable"], [429, "rate_limited"], [409, "idempotency_in_flight"]]) {
    const { seen, baseUrl } = await serve(problem(status, code, { "x-should-retry": "false", "retry-after": "0" }));
    await assert.rejects(clientOf(baseUrl).ai.chat({ prompt: "a" }), { status });
    assert.equal(seen.length, 1);
  }
});

test("409 in flight is waited for, past the number of retries, with the same key", async () => {
  const busy = problem(409, "idempotency_in_flight", { "retry-after": "1" });
  const { seen, baseUrl } = await serve(cut, busy, busy, busy, busy, busy, json(200, ANSWER));
  const { ai, waits } = clientOf(baseUrl, { retries: 1 });
  assert.deepEqual(await ai.chat({ prompt: "a" }), ANSWER);
  assert.equal(seen.length, 7);
  assert.equal(keysOf(seen).size, 1);
  assert.deepEqual(waits.slice(1), [1000, 1000, 1000, 1000, 1000]);
});

test("409 in flight is not asked in a tight loop, and ends with the time", async () => {
  const { seen, baseUrl } = await serve(problem(409, "idempotency_in_flight", { "retry-after": "0" }));
  const ai = createClient({ baseUrl, timeoutMs: 500 });
  await assert.rejects(ai.chat({ prompt: "a" }), { name: "RelevoError" });
  assert.ok(seen.length >= 2 && seen.length <= 3, `${seen.length} requests`);
});

test("401: asks for a token once more and repeats with it", async () => {
  const { seen, baseUrl } = await serve(problem(401, "token_expired"), json(200, ANSWER));
  const tokens = ["old", "new"];
  const { ai, waits } = clientOf(baseUrl, { getToken: async () => tokens.shift(), retries: 0 });
  assert.deepEqual(await ai.chat({ prompt: "a" }), ANSWER);
  assert.deepEqual(seen.map(({ headers }) => headers.authorization), ["Bearer old", "Bearer new"]);
  assert.equal(keysOf(seen).size, 1);
  assert.deepEqual(waits, []);
});

test("401: once only, also with repeats of another kind between", async () => {
  const { seen, baseUrl } = await serve(problem(401, "token_expired"), problem(503, "unavailable"), problem(401, "invalid_token"));
  let asked = 0;
  const { ai } = clientOf(baseUrl, { getToken: () => `tok${++asked}` });
  await assert.rejects(ai.chat({ prompt: "a" }), { name: "RelevoError", status: 401, code: "invalid_token", message: "text of invalid_token" });
  assert.equal(asked, 2);
  assert.equal(seen.length, 3);
});

test("401 without a token getter is final", async () => {
  const { seen, baseUrl } = await serve(problem(401, "unauthenticated"));
  await assert.rejects(clientOf(baseUrl).ai.chat({ prompt: "a" }), { status: 401, code: "unauthenticated" });
  assert.equal(seen.length, 1);
});

test("402 is an InsufficientCreditsError with the numbers", async () => {
  const { seen, baseUrl } = await serve(problem(402, "insufficient_credits", {}, { required: 20, available: 3, missing: 17, topup_url: "https://app.example/planes" }));
  await assert.rejects(clientOf(baseUrl).ai.chat({ prompt: "a" }), (error) => {
    assert.ok(error instanceof InsufficientCreditsError && error instanceof RelevoError && error instanceof Error);
    assert.equal(error.name, "InsufficientCreditsError");
    assert.deepEqual([error.required, error.available, error.missing, error.topupUrl], [20, 3, 17, "https://app.example/planes"]);
    assert.deepEqual([error.status, error.code, error.requestId], [402, "insufficient_credits", "req_7"]);
    return true;
  });
  assert.equal(seen.length, 1);
});

test("all failed is an AllProvidersFailedError with the server's text and the attempts", async () => {
  const { seen, baseUrl } = await serve(json(500, { ...FAILED, error: "All providers failed" }, { "x-should-retry": "false" }));
  await assert.rejects(clientOf(baseUrl).ai.chat({ prompt: "a" }), (error) => {
    assert.ok(error instanceof AllProvidersFailedError && error instanceof RelevoError);
    assert.equal(error.message, "All providers failed");
    assert.deepEqual(error.attempts, FAILED.attempts);
    assert.deepEqual([error.status, error.code, error.requestId], [500, "all_providers_failed", "req_9"]);
    return true;
  });
  assert.equal(seen.length, 1);
});

test("a proxy's HTML gives a readable error without the page", async () => {
  const html = { status: 403, headers: { "content-type": "text/html; charset=utf-8", "x-request-id": "edge-1" }, body: "<html><h1>Forbidden by edge</h1></html>" };
  const { baseUrl } = await serve(html);
  await assert.rejects(clientOf(baseUrl).ai.chat({ prompt: "a" }), (error) => {
    assert.equal(error.constructor, RelevoError);
    assert.equal(error.message, "The server answered 403 without an error text (text/html)");
    assert.deepEqual([error.code, error.status, error.requestId, error.body], ["http_error", 403, "edge-1", undefined]);
    assert.equal(JSON.stringify(error).includes("<h1>"), false);
    return true;
  });
});

test("error bodies of other shapes still give a text", async () => {
  const messageOf = async (body, headers) => {
    const { baseUrl } = await serve({ status: 404, headers, body });
    return clientOf(baseUrl).ai.chat({ prompt: "a" }).then(assert.fail, ({ message, code }) => [message, code]);
  };
  assert.deepEqual(await messageOf('{"error":{"message":"no route","code":"NOT_FOUND"}}'), ["no route", "NOT_FOUND"]);
  assert.deepEqual(await messageOf('{"message":"no route"}'), ["no route", "http_error"]);
  assert.deepEqual(await messageOf('{"error":{"code":404}}'), ["The server answered 404 without an error text (no content type)", "http_error"]);
  for (const body of ["", "null", "[1]", '"text"', "{"]) {
    assert.deepEqual(await messageOf(body), ["The server answered 404 without an error text (no content type)", "http_error"]);
  }
});

test("a 200 that is no answer is bad_answer and not repeated", async () => {
  for (const step of [
    { status: 200, headers: { "content-type": "text/html" }, body: "<!doctype html><title>App</title>" },
    json(200, { ok: true }), json(200, { content: null }), json(200, []), { status: 204, headers: {}, body: undefined },
  ]) {
    const { seen, baseUrl } = await serve(step);
    await assert.rejects(clientOf(baseUrl).ai.chat({ prompt: "a" }), (error) => {
      assert.deepEqual([error.name, error.code, error.status], ["RelevoError", "bad_answer", step.status]);
      assert.match(error.message, /^The answer is not one of relevo .*is baseUrl right\?$/);
      return true;
    });
    assert.equal(seen.length, 1);
  }
});

test("an empty text and an answer of tool calls alone are answers", async () => {
  const call = { id: "c1", type: "function", function: { name: "f", arguments: "{}" } };
  const { baseUrl } = await serve(json(200, { ...ANSWER, content: "" }), json(200, { ...ANSWER, content: null, tool_calls: [call] }));
  const { ai } = clientOf(baseUrl);
  assert.equal((await ai.chat({ prompt: "a" })).content, "");
  const answer = await ai.chat({ prompt: "a" });
  assert.deepEqual([answer.content, answer.tool_calls], ["", [call]]);
});

test("a refused connection is network_error with its cause, after the repeats", async () => {
  const { baseUrl } = await serve(silence);
  await new Promise((resolve) => servers.pop().close(resolve));
  const { ai, waits } = clientOf(baseUrl);
  await assert.rejects(ai.chat({ prompt: "a" }), (error) => {
    assert.deepEqual([error.name, error.code, error.status], ["RelevoError", "network_error", undefined]);
    assert.match(error.message, /^Could not reach the server: /);
    assert.ok(error.cause instanceof TypeError);
    return true;
  });
  assert.equal(waits.length, 2);
});

test("an aborted signal: nothing is asked or sent", async () => {
  const { seen, baseUrl } = await serve(json(200, ANSWER));
  const reason = new Error("gone");
  const ai = createClient({ baseUrl, getToken: () => assert.fail("asked") });
  await assert.rejects(ai.chat({ prompt: "a", signal: AbortSignal.abort(reason) }), (error) => error === reason);
  await assert.rejects(ai.chat({ prompt: "a", signal: AbortSignal.abort() }), { name: "AbortError" });
  assert.equal(seen.length, 0);
});

test("an abort ends the fetch and closes its connection", async () => {
  const controller = new AbortController();
  let closed;
  const { seen, baseUrl } = await serve((request, response) => {
    closed = new Promise((resolve) => response.on("close", resolve));
    controller.abort("changed my mind");
  });
  await assert.rejects(createClient({ baseUrl }).chat({ prompt: "a", signal: controller.signal }), (reason) => reason === "changed my mind");
  await closed;
  assert.equal(seen.length, 1);
});

test("an abort ends a wait, and no further try follows", async () => {
  const { seen, baseUrl } = await serve(problem(503, "unavailable", { "retry-after": "30" }));
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 50);
  const start = Date.now();
  await assert.rejects(createClient({ baseUrl }).chat({ prompt: "a", signal: controller.signal }), (error) => error === controller.signal.reason);
  assert.ok(Date.now() - start < 5000);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(seen.length, 1);
});

test("an abort does not wait for a token getter or a fetch that know no signals", async () => {
  const never = () => new Promise(() => {});
  for (const options of [{ getToken: never }, { fetch: never }]) {
    const signal = AbortSignal.timeout(20);
    await assert.rejects(createClient(options).chat({ prompt: "a", signal }), { name: "TimeoutError" });
  }
});

test("an abort while the token is fetched sends nothing afterwards", async () => {
  const { seen, baseUrl } = await serve(json(200, ANSWER));
  const controller = new AbortController();
  let give;
  const ai = createClient({ baseUrl, getToken: () => new Promise((resolve) => (give = resolve)) });
  const call = ai.chat({ prompt: "a", signal: controller.signal });
  controller.abort();
  await assert.rejects(call, { name: "AbortError" });
  give("tok");
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(seen.length, 0);
});

test("a long-lived signal keeps no listener of a call that ended", async () => {
  const { baseUrl } = await serve(json(200, ANSWER));
  const { signal } = new AbortController();
  let held = 0;
  const { addEventListener, removeEventListener } = EventTarget.prototype;
  signal.addEventListener = function (...args) { held += 1; return addEventListener.apply(this, args); };
  signal.removeEventListener = function (...args) { held -= 1; return removeEventListener.apply(this, args); };
  await clientOf(baseUrl).ai.chat({ prompt: "a", signal });
  assert.equal(held, 0);
});

test("timeoutMs is RelevoError timeout, and holds for the whole call", async () => {
  const { seen, baseUrl } = await serve(silence);
  await assert.rejects(createClient({ baseUrl, timeoutMs: 50 }).chat({ prompt: "a" }), {
    name: "RelevoError", code: "timeout", status: undefined, message: "No answer within 0.05 s",
  });
  assert.equal(seen.length, 1);
});

test("timeoutMs 0, Infinity or beyond a timer's range means no limit", async () => {
  const { baseUrl } = await serve((_, response) => setTimeout(() => response.end(JSON.stringify(ANSWER)), 20));
  for (const timeoutMs of [0, Infinity, 2 ** 40]) assert.deepEqual(await createClient({ baseUrl, timeoutMs }).chat({ prompt: "a" }), ANSWER);
});

test("generateWithFallback, detached: the original's request, result and callback", async () => {
  const { seen, baseUrl } = await serve(json(200, ANSWER));
  const { generateWithFallback } = clientOf(baseUrl).ai;
  const switches = [];
  const result = await generateWithFallback({ prompt: "hola", maxRetries: 3, onProviderSwitch: (name) => switches.push(name) });
  assert.deepEqual(result, { content: "¡Hola!", provider: "qwen", model: "qwen-turbo", usage: ANSWER.usage });
  assert.deepEqual(switches, ["gemini", "qwen"]);
  assert.deepEqual(JSON.parse(seen[0].body), { prompt: "hola", taskType: "LONG_CONTENT", temperature: 0.8 });
  await generateWithFallback({ prompt: "hola", taskType: "CHAT", temperature: 0 });
  assert.deepEqual(JSON.parse(seen[1].body), { prompt: "hola", taskType: "CHAT", temperature: 0 });
});

test("onProviderSwitch: a second try of one target is no switch, another model is", async () => {
  const attempts = [["gemini", "a"], ["gemini", "a"], ["gemini", "b"], ["qwen", "c"]].map(([provider, model]) => ({ provider, model, outcome: "failed" }));
  const { baseUrl } = await serve(json(200, { ...ANSWER, attempts }), json(200, { ...ANSWER, attempts: undefined }));
  const { ai } = clientOf(baseUrl);
  const switches = [];
  await ai.generateWithFallback({ prompt: "a", onProviderSwitch: (name) => switches.push(name) });
  assert.deepEqual(switches.splice(0), ["gemini", "gemini", "qwen"]);
  await ai.generateWithFallback({ prompt: "a", onProviderSwitch: (name) => switches.push(name) });
  assert.deepEqual(switches, ["qwen"]);
});

test("a callback that throws or rejects does not lose the answer", async (t) => {
  const logged = t.mock.method(console, "error", () => {});
  const { baseUrl } = await serve(json(200, ANSWER));
  const { ai } = clientOf(baseUrl);
  let calls = 0;
  const wrong = () => { calls += 1; throw new Error("in the app"); };
  assert.equal((await ai.generateWithFallback({ prompt: "a", onProviderSwitch: wrong })).content, "¡Hola!");
  assert.equal((await ai.generateWithFallback({ prompt: "a", onProviderSwitch: async () => wrong() })).content, "¡Hola!");
  await new Promise(setImmediate);
  assert.equal(calls, 4);
  assert.equal(logged.mock.callCount(), 4);
});

test("generateWithFallback: all failed, with the original's message in every locale", async () => {
  const { seen, baseUrl } = await serve(json(500, { ...FAILED, error: "All providers failed" }, { "x-should-retry": "false" }));
  const events = [];
  await clientOf(baseUrl).ai
    .generateWithFallback({ prompt: "a", onProviderSwitch: (name) => events.push(name) })
    .then(assert.fail, (error) => {
      events.push("rejected");
      assert.ok(error instanceof AllProvidersFailedError);
      assert.equal(error.message, "Todos los proveedores fallaron");
      assert.equal(error.body.error, "All providers failed");
    });
  assert.deepEqual(events, ["gemini", "deepseek", "rejected"]);
  assert.equal(seen.length, 1);
});

test("generateWithFallback: other errors stay what they are", async () => {
  const { baseUrl } = await serve(problem(402, "insufficient_credits", {}, { required: 20, available: 3, missing: 17 }));
  const onProviderSwitch = () => assert.fail("nothing was tried");
  await assert.rejects(clientOf(baseUrl).ai.generateWithFallback({ prompt: "a", onProviderSwitch }), InsufficientCreditsError);
  await assert.rejects(clientOf(baseUrl).ai.generateWithFallback({ prompt: "a", signal: AbortSignal.abort(null) }), (reason) => reason === null);
});

test("maxRetries takes the place of the client's retries", async () => {
  for (const [maxRetries, tries] of [[0, 1], [1, 2], [3, 4], [undefined, 3], [NaN, 1]]) {
    const { seen, baseUrl } = await serve(cut);
    await assert.rejects(clientOf(baseUrl).ai.generateWithFallback({ prompt: "a", maxRetries }), { code: "network_error" });
    assert.equal(seen.length, tries);
    assert.equal("maxRetries" in JSON.parse(seen[0].body), false);
  }
});

test("a call without parameters is the server's to refuse", async () => {
  const { seen, baseUrl } = await serve(problem(400, "invalid_request"));
  await assert.rejects(clientOf(baseUrl).ai.chat(), { code: "invalid_request" });
  assert.equal(seen[0].body, "{}");
});

test("the package exports what it says, and the client has no more than its two functions", () => {
  assert.deepEqual(Object.keys(relevo).sort(), ["AllProvidersFailedError", "InsufficientCreditsError", "RelevoError", "createClient"]);
  assert.deepEqual(Object.keys(createClient()), ["chat", "generateWithFallback"]);
});

test("the source without comments is under 3000 bytes gzipped", (t) => {
  const source = readFileSync(new URL("../src/index.js", import.meta.url), "utf8");
  // The source has whole-line comments only, so that this is all that stripping takes.
  const stripped = source.replace(/^\s*\/\/.*\n/gm, "");
  const bytes = gzipSync(stripped, { level: 9 }).length;
  t.diagnostic(`${bytes} bytes`);
  assert.ok(bytes < 3000, `${bytes} bytes`);
});
