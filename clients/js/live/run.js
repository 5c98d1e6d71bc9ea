// The cases under Node: tests/e2e/test_js_live.py runs it, with the server's address and a token.
import { test } from "node:test";

import * as relevo from "relevo";

import { casesFor } from "./cases.js";

const { RELEVO_LIVE_URL: baseUrl, RELEVO_LIVE_TOKEN: token } = process.env;
for (const [name, run] of Object.entries(casesFor(relevo, { baseUrl, token }))) test(name, run);
