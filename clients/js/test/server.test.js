// Against a real relevo server in demo mode. Start one, then:
//   RELEVO_TEST_URL=http://127.0.0.1:8787 RELEVO_TEST_TOKEN=$(relevo token --user ana) npm test
import assert from "node:assert/strict";
import { test } from "node:test";

import { RelevoError, createClient } from "relevo";

const { RELEVO_TEST_URL: baseUrl, RELEVO_TEST_TOKEN: token } = process.env;
const missing = Object.entries({ RELEVO_TEST_URL: baseUrl, RELEVO_TEST_TOKEN: token })
  .filter(([, value]) => !value)
  .map(([name]) => name);
const skip = missing.length > 0 && `NOT RUN: set ${missing.join(" and ")} to test against a real server`;
if (skip) console.warn(`\n*** test/server.test.js ${skip} ***\n`);

const client = (given = token) => createClient({ baseUrl, getToken: async () => given, timeoutMs: 60_000 });

const assertAnswer = (answer) => {
  assert.equal(typeof answer.content, "string");
  assert.notEqual(answer.content, "");
  for (const name of ["provider", "model", "request_id"]) assert.equal(typeof answer[name], "string", name);
  const { prompt_tokens, completion_tokens, total_tokens } = answer.usage;
  for (const count of [prompt_tokens, completion_tokens, total_tokens]) assert.ok(Number.isInteger(count) && count > 0);
  assert.equal(answer.demo, true);
  const served = answer.attempts.filter(({ outcome }) => outcome === "ok");
  assert.deepEqual(served.map(({ provider, model }) => [provider, model]), [[answer.provider, answer.model]]);
};

test("chat with a task", { skip }, async () => {
  const answer = await client().chat({ prompt: "Hola, ¿qué tal?", taskType: "CHAT" });
  assertAnswer(answer);
  assert.equal(answer.task, "CHAT");
});

test("chat as the app's old request had it", { skip }, async () => {
  const messages = [{ role: "system", content: "Sé breve." }, { role: "user", content: "Hola" }];
  const answer = await client().chat({ provider: "deepseek", model: "deepseek-chat", messages, maxTokens: 4096 });
  assertAnswer(answer);
  assert.deepEqual([answer.provider, answer.model], ["deepseek", "deepseek-chat"]);
});

test("generateWithFallback", { skip }, async () => {
  const { generateWithFallback } = client();
  const switches = [];
  const result = await generateWithFallback({ prompt: "Un guion corto", onProviderSwitch: (name) => switches.push(name) });
  assert.deepEqual(Object.keys(result), ["content", "provider", "model", "usage"]);
  assert.notEqual(result.content, "");
  assert.ok(result.usage.total_tokens > 0);
  assert.equal(switches.at(-1), result.provider);
});

test("a bad token", { skip }, async () => {
  await assert.rejects(client("not.a.token").chat({ prompt: "Hola" }), (error) => {
    assert.ok(error instanceof RelevoError);
    assert.deepEqual([error.status, error.code, typeof error.requestId], [401, "invalid_token", "string"]);
    return true;
  });
});

test("no token", { skip }, async () => {
  await assert.rejects(client(null).chat({ prompt: "Hola" }), { name: "RelevoError", status: 401, code: "unauthenticated" });
});

test("an unknown task", { skip }, async () => {
  await assert.rejects(client().chat({ prompt: "Hola", taskType: "NO_SUCH_TASK" }), { name: "RelevoError", status: 400, code: "unknown_task" });
});
