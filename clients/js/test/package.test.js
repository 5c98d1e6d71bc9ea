// What is shipped: the exports, the file to paste, its size, and what `npm pack` holds.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";

import * as relevo from "relevo";

import { build } from "../build.js";
import { ANSWER } from "../support/serve.js";

const folder = fileURLToPath(new URL("..", import.meta.url));
const dist = readFileSync(join(folder, "dist", "relevo.min.js"), "utf8");
const NAMES = ["AllProvidersFailedError", "InsufficientCreditsError", "RelevoError", "StreamCutError", "createClient"];
const VERBS = ["chat", "stream", "generateWithFallback", "getOrchestratorStats", "credits", "quote", "tasks"];

test("the package exports what it says, and the client has its verbs and no more", () => {
  assert.deepEqual(Object.keys(relevo).sort(), NAMES);
  assert.deepEqual(Object.keys(relevo.createClient()), VERBS);
});

test("the file to paste is the sources' build: else `npm run build`", async () => {
  assert.equal(dist, await build());
});

test("the file to paste is under 3000 bytes gzipped", (t) => {
  const size = gzipSync(dist, { level: 9 }).length;
  t.diagnostic(`${size} bytes`);
  assert.ok(size < 3000, `${size} bytes`);
});

test("the file to paste works alone, and its errors keep their names", async () => {
  const pasted = await import(`data:text/javascript,${encodeURIComponent(dist)}`);
  assert.deepEqual(Object.keys(pasted).sort(), NAMES);
  assert.equal((await pasted.createClient({ fetch: async () => Response.json(ANSWER) }).chat({ prompt: "a" })).content, "¡Hola!");
  const failing = pasted.createClient({ fetch: async () => Response.json({ error: "no", code: "insufficient_credits", missing: 2 }, { status: 402 }) });
  await assert.rejects(failing.chat({ prompt: "a" }), (error) => error instanceof pasted.InsufficientCreditsError && error.name === "InsufficientCreditsError" && error.missing === 2);
});

test("npm pack holds what the README says, and what it holds can be imported", async (t) => {
  const place = mkdtempSync(join(tmpdir(), "relevo-pack-"));
  t.after(() => rmSync(place, { recursive: true }));
  execFileSync("npm", ["pack", "--silent", "--pack-destination", place], { cwd: folder });
  const [archive] = readdirSync(place);
  execFileSync("tar", ["xzf", archive], { cwd: place });
  const held = (path) => readdirSync(join(place, "package", path)).sort();
  assert.deepEqual(held(""), ["LICENSE", "README.md", "dist", "package.json", "src"]);
  assert.deepEqual(held("src"), ["index.d.ts", "index.js", "react.d.ts", "react.js"]);
  assert.deepEqual(held("dist"), ["relevo.min.js"]);

  const { exports } = JSON.parse(readFileSync(join(place, "package", "package.json"), "utf8"));
  for (const entry of Object.values(exports)) {
    for (const path of Object.values(entry.default ? entry : { path: entry })) assert.ok(existsSync(join(place, "package", path)), path);
  }
  for (const path of [exports["."].default, exports["./relevo.min.js"].default]) {
    const unpacked = await import(pathToFileURL(join(place, "package", path)).href);
    assert.deepEqual(Object.keys(unpacked).sort(), NAMES);
  }
});

test("nothing but React is needed, and React only for the hooks", () => {
  const held = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  assert.equal(held.dependencies, undefined);
  assert.deepEqual([held.peerDependencies, held.peerDependenciesMeta], [{ react: ">=18" }, { react: { optional: true } }]);
  assert.equal(/\bimport\b/.test(readFileSync(join(folder, "src", "index.js"), "utf8").replace(/^\s*\/\/.*$/gm, "")), false);
});
