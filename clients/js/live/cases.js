// The client against a real relevo, in Node and in a browser alike: nothing here is of either.
// tests/e2e/test_js_live.py starts the server with one task for each situation, and looks at its providers afterwards.

const check = (truth, ...seen) => {
  if (!truth) throw new Error(`not as it should be: ${JSON.stringify(seen)}`);
};
const same = (got, wanted) => check(JSON.stringify(got) === JSON.stringify(wanted), got, wanted);
const thrown = async (promise) => promise.then((value) => check(false, value), (error) => error);
const all = async (stream) => {
  const got = [];
  for await (const event of stream) got.push(event);
  return got;
};
const typesOf = (got) => got.map(({ type }) => type).filter((type, i, types) => type !== "delta" || types[i - 1] !== "delta");

/** The cases, by name. `make(options)` makes a client; `relevo` is the module, `site` is `{ baseUrl, token }`. */
export const casesFor = ({ createClient, ...relevo }, site) => {
  const make = (options) => createClient({ baseUrl: site.baseUrl, getToken: () => site.token, timeoutMs: 20_000, ...options });
  const ai = make();
  // A fetch that counts, and whose first response breaks off behind the first text.
  const breaking = () => {
    const fetchOnce = async (url, init) => {
      const response = await fetch(url, init);
      fetchOnce.statuses.push(response.status);
      if (fetchOnce.statuses.length > 1) return response;
      const reader = response.body.getReader();
      let text = "";
      const pull = async (out) => {
        if (text) return out.error(new TypeError("connection lost"));
        while (!/"delta".*\n\n/.test(text)) text += new TextDecoder().decode((await reader.read()).value);
        out.enqueue(new TextEncoder().encode(text.slice(0, text.indexOf("\n\n", text.indexOf('"delta"')) + 2)));
        return reader.cancel();
      };
      return new Response(new ReadableStream({ pull }), { headers: response.headers });
    };
    fetchOnce.statuses = [];
    return fetchOnce;
  };

  return {
    "chat: the answer of the second provider": async () => {
      const { content, provider, attempts, usage, credits } = await ai.chat({ prompt: "Hola", taskType: "SWITCH" });
      same([content, provider, attempts.map(({ outcome }) => outcome)], ["hola año 世界", "good", ["failed", "ok"]]);
      check(usage.total_tokens > 0 && credits.charged === 1, usage, credits);
    },
    "stream: every switch as it happens": async () => {
      const got = await all(ai.stream({ prompt: "Hola", taskType: "SWITCH" }));
      same(typesOf(got), ["attempt", "attempt_failed", "attempt", "delta", "done"]);
      same([got.at(-1).content, got.at(-1).text, got.at(-1).provider], ["hola año 世界", "hola año 世界", "good"]);
    },
    "stream: restart": async () => {
      const got = await all(ai.stream({ prompt: "Hola", taskType: "RESTART", onCut: "restart" }));
      const { reason, text } = got.find(({ type }) => type === "restart");
      same([reason, text, got.at(-1).content], ["connection_lost", "", "hola año 世界"]);
      check(got.some((event) => event.text.startsWith("half")), got);
    },
    "stream: a cut is an error with what had come": async () => {
      const error = await thrown(all(ai.stream({ prompt: "Hola", taskType: "RESTART" })));
      check(error instanceof relevo.StreamCutError && error.code === "stream_cut", error.name, error.message);
      same(error.text, "half an answer");
    },
    "stream: all failed": async () => {
      const error = await thrown(all(ai.stream({ prompt: "Hola", taskType: "FAIL" })));
      check(error instanceof relevo.AllProvidersFailedError, error.name, error.message);
      same([error.message, error.attempts.length], ["Todos los proveedores fallaron", 1]);
    },
    "chat: all failed is asked once": async () => {
      let asked = 0;
      const counting = make({ fetch: (...args) => ((asked += 1), fetch(...args)) });
      const error = await thrown(counting.chat({ prompt: "Hola", taskType: "FAIL" }));
      same([error.name, error.status, typeof error.requestId, asked], ["AllProvidersFailedError", 500, "string", 1]);
    },
    "402 before the stream opens, and plain": async () => {
      const dear = { prompt: "Hola", taskType: "DEAR" };
      for (const call of [() => ai.chat(dear), () => all(ai.stream(dear))]) {
        const error = await thrown(call());
        check(error instanceof relevo.InsufficientCreditsError && error.status === 402, error.name, error.message);
        same([error.required, error.missing === 1000 - error.available, error.topupUrl], [1000, true, "https://app.example/planes"]);
      }
    },
    "401: a new token is asked for once": async () => {
      const asked = [];
      const getToken = ({ refresh }) => (asked.push(refresh), refresh ? site.token : "not.a.token");
      same((await make({ getToken }).chat({ prompt: "Hola", taskType: "OK" })).content, "hola año 世界");
      same((await all(make({ getToken }).stream({ prompt: "Hola", taskType: "OK" }))).at(-1).content, "hola año 世界");
      same(asked, [false, true, false, true]);
      same((await thrown(make({ getToken: () => "not.a.token" }).chat({ prompt: "Hola" }))).code, "invalid_token");
    },
    "400 names the field; an unknown task has the original's words": async () => {
      const error = await thrown(ai.chat({ messages: "Hola", taskType: "OK" }));
      same([error.status, error.code, error.field], [400, "invalid_request", "messages"]);
      same((await thrown(ai.generateWithFallback({ prompt: "Hola", taskType: "NONE" }))).message, "Invalid task type: NONE");
    },
    "409: two calls of one key are one": async () => {
      const call = { prompt: "una vez", taskType: "LATE", idempotencyKey: `late-${Math.random()}` };
      const statuses = [];
      const note = (response) => (statuses.push(response.status), response);
      const noting = make({ fetch: (...args) => fetch(...args).then(note) });
      const [one, two] = await Promise.all([noting.chat(call), noting.chat(call)]);
      same([one.request_id, one.content], [two.request_id, two.content]);
      check(statuses.includes(409), statuses);
    },
    "a cut connection is taken up again: one provider call, one charge": async () => {
      const fetchOnce = breaking();
      const before = (await ai.credits()).balance;
      const call = { prompt: "Hola", taskType: "ONCE", idempotencyKey: `once-${Math.random()}` };
      const got = await all(make({ fetch: fetchOnce }).stream(call));
      same([got.at(-1).content, got.filter(({ type }) => type === "attempt").length], ["hola año 世界", 1]);
      same(got.find(({ type }) => type === "restart").reason, "replayed");
      check(fetchOnce.statuses.length >= 2, fetchOnce.statuses);
      same(before - (await ai.credits()).balance, 1);
    },
    "without a key it is a StreamCutError": async () => {
      const fetchOnce = breaking();
      const error = await thrown(all(make({ fetch: fetchOnce }).stream({ prompt: "Hola", taskType: "OK" })));
      same([error.name, fetchOnce.statuses.length], ["StreamCutError", 1]);
      check(error.text && "hola año 世界".startsWith(error.text), error.text);
    },
    "generateWithFallback: its switches while it runs, its result, its words": async () => {
      const told = [];
      const onProviderSwitch = (name) => told.push(name);
      const answer = ai.generateWithFallback({ prompt: "Hola", taskType: "SWITCH", onProviderSwitch });
      const { usage, ...result } = await answer.finally(() => told.push("end"));
      same(result, { content: "hola año 世界", provider: "good", model: "good-model" });
      check(usage.total_tokens > 0, usage);
      same(told, ["dead", "good", "end"]);
      const error = await thrown(ai.generateWithFallback({ prompt: "Hola", taskType: "FAIL", onProviderSwitch }));
      same([error.message, told.at(-1)], ["Todos los proveedores fallaron", "gone"]);
      check(Number(ai.getOrchestratorStats().providerStats.good.total) > 0);
    },
    "credits, quote and tasks": async () => {
      const { available, buckets } = await ai.credits();
      check(available > 0 && buckets.length > 0, available, buckets);
      const quote = await ai.quote({ prompt: "Hola", taskType: "SWITCH" });
      same([quote.required, quote.chain.map(({ provider }) => provider)], [1, ["dead", "good"]]);
      check((await ai.tasks()).some(({ task, targets }) => task === "SWITCH" && targets.length === 2));
    },
    "break leaves the provider": async () => {
      for await (const { type } of ai.stream({ prompt: "Hola", taskType: "HANG" })) if (type === "delta") break;
    },
    "an abort leaves the provider": async () => {
      const controller = new AbortController();
      const error = await thrown((async () => {
        for await (const { type } of ai.stream({ prompt: "Hola", taskType: "HANG", signal: controller.signal })) {
          if (type === "delta") setTimeout(() => controller.abort(), 10);
        }
      })());
      same(error.name, "AbortError");
    },
    "the loop that apps wrote themselves runs unchanged": async () => {
      const providersChain = [{ name: "dead", model: "dead-model" }, { name: "good", model: "good-model" }];
      const tried = [];
      const ask = async () => {
        for (const { name, model } of providersChain) {
          tried.push(name);
          try {
            const response = await fetch(`${site.baseUrl}/api/ai/chat`, {
              method: "POST",
              headers: { "Content-Type": "application/json", Authorization: `Bearer ${site.token}` },
              body: JSON.stringify({
                provider: name, model, maxTokens: 1500, temperature: 0.8, useFallback: false, capture_interaction: false,
                messages: [{ role: "system", content: "Sé breve." }, { role: "user", content: "Hola" }],
              }),
            });
            const data = await response.json();
            if (!response.ok) throw new Error(data.error);
            return { content: data.content, tokens: data.usage?.completion_tokens, id: data.interaction_id };
          } catch (error) {
            tried.push(error.message);
          }
        }
        throw new Error("All AI providers failed.");
      };
      const { content, tokens, id } = await ask();
      same([content, tokens > 0, typeof id], ["hola año 世界", true, "string"]);
      same(tried, ["dead", "Todos los proveedores fallaron", "good"]);
    },
  };
};
