// The browser and Node client of relevo's POST /api/ai/chat.
// One file, no dependency, no build step: it can be imported or pasted.

const ALL_FAILED = "Todos los proveedores fallaron";
const RETRIED = new Set([429, 502, 503, 504]);
const LONGEST_WAIT_MS = 60_000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export class RelevoError extends Error {
  constructor(message, { code, status, requestId, body, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "RelevoError";
    this.code = code;
    this.status = status;
    this.requestId = requestId;
    this.body = body;
  }
}

export class InsufficientCreditsError extends RelevoError {
  constructor(message, details) {
    super(message, details);
    this.name = "InsufficientCreditsError";
    const { required, available, missing, topup_url } = details?.body ?? {};
    Object.assign(this, { required, available, missing, topupUrl: topup_url });
  }
}

export class AllProvidersFailedError extends RelevoError {
  constructor(message, details) {
    super(message, details);
    this.name = "AllProvidersFailedError";
    this.attempts = details?.body?.attempts ?? [];
  }
}

// By code and not by status: a 402 is also "spend_limit", which no top-up cures,
// and a 500 is also "internal_error".
const ERROR_OF_CODE = new Map([
  ["insufficient_credits", InsufficientCreditsError],
  ["all_providers_failed", AllProvidersFailedError],
]);

const parseObject = (text) => {
  try {
    const value = JSON.parse(text);
    return value && typeof value === "object" && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
};

const contentType = (response) =>
  response.headers.get("content-type")?.split(";")[0] || "no content type";

// A proxy in front of relevo answers with HTML, or with an `error` object of its own:
// the text for a person is found where there is one, and a page is never shown.
const errorFrom = (response, body) => {
  const { status } = response;
  const text = [body?.error, body?.error?.message, body?.message].find((t) => t && typeof t === "string");
  const code = [body?.code, body?.error?.code].find((c) => c && typeof c === "string") ?? "http_error";
  const Type = ERROR_OF_CODE.get(code) ?? RelevoError;
  return new Type(text ?? `The server answered ${status} without an error text (${contentType(response)})`, {
    code,
    status,
    requestId: body?.request_id ?? response.headers.get("x-request-id") ?? undefined,
    body,
  });
};

const answerFrom = (response, body) => {
  // An answer that only calls tools may have no text.
  if (Array.isArray(body?.tool_calls)) return { ...body, content: body.content ?? "" };
  if (typeof body?.content === "string") return body;
  // The usual cause is a host that serves its index.html for every path.
  throw new RelevoError(`The answer is not one of relevo (${contentType(response)}): is baseUrl right?`, {
    code: "bad_answer",
    status: response.status,
    requestId: response.headers.get("x-request-id") ?? undefined,
    body,
  });
};

// Milliseconds, from seconds or an HTTP date; null when the server did not say.
const retryAfter = (headers) => {
  const value = headers?.get("retry-after")?.trim();
  if (!value) return null;
  const ms = /^\d+(\.\d+)?$/.test(value) ? value * 1000 : Date.parse(value) - Date.now();
  return Number.isNaN(ms) ? null : Math.min(Math.max(ms, 0), LONGEST_WAIT_MS);
};

// 0.5 s, 1 s, 2 s … 8 s, each shortened by up to half, so that the clients
// that lost one server do not come back at the same moment.
const backoff = (n) => Math.min(500 * 2 ** n, 8000) * (1 - Math.random() / 2);

// Browsers have randomUUID on https and localhost only, Node 18 has no global crypto.
// The key must be unique for its user, not secret.
const newKey = () => {
  const part = () => Math.random().toString(36).slice(2);
  return globalThis.crypto?.randomUUID?.() ?? `${Date.now().toString(36)}-${part()}${part()}`;
};

// Also ends on an abort, so that no timer keeps a process alive.
const pause = (ms, signal) =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });

// Runs `run` until it ends, the caller's signal aborts or the time is over. It races because
// a token getter or a wrapped fetch may not know signals. (AbortSignal.any is too young.)
const bounded = async (ms, outer, run) => {
  if (outer?.aborted) throw outer.reason;
  const controller = new AbortController();
  const { signal } = controller;
  const leave = () => controller.abort(outer.reason);
  const expire = () =>
    controller.abort(new RelevoError(`No answer within ${ms / 1000} s`, { code: "timeout" }));
  const limited = ms > 0 && ms <= LONGEST_TIMER_MS;
  const end = limited ? Date.now() + ms : Infinity;
  const timer = limited ? setTimeout(expire, ms) : undefined;
  outer?.addEventListener("abort", leave, { once: true });
  const aborted = new Promise((_, reject) =>
    signal.addEventListener("abort", () => reject(signal.reason), { once: true }),
  );
  try {
    return await Promise.race([aborted, run(signal, () => end - Date.now())]);
  } finally {
    clearTimeout(timer);
    outer?.removeEventListener("abort", leave);
  }
};

// Calls back for each target that was tried. A second try of the same target is no switch;
// a callback that throws (or rejects) must not cost the caller a paid answer.
const reportTries = (attempts, onProviderSwitch) => {
  if (!onProviderSwitch || !Array.isArray(attempts)) return;
  const tried = attempts.filter(({ outcome }) => outcome !== "skipped");
  tried.forEach(({ provider, model }, i) => {
    if (provider === tried[i - 1]?.provider && model === tried[i - 1]?.model) return;
    (async () => onProviderSwitch(provider))().catch((error) => console.error(error));
  });
};

export const createClient = ({
  baseUrl,
  getToken,
  fetch: givenFetch,
  timeoutMs = 330_000,
  retries = 2,
  sleep = pause,
} = {}) => {
  // A string and never a URL object: apps wrap window.fetch and call url.startsWith().
  const url = `${String(baseUrl ?? "").replace(/\/+$/, "")}/api/ai/chat`;
  // Looked up at each call, because the wrapping may happen after this line.
  const send = givenFetch ?? ((...args) => globalThis.fetch(...args));

  // One try: {answer}, or {error, headers}. A body that breaks off is a network failure too.
  const attempt = async (init) => {
    let response, text;
    try {
      response = await send(url, init);
      text = await response.text();
    } catch (cause) {
      const message = `Could not reach the server: ${cause?.message ?? cause}`;
      return { error: new RelevoError(message, { code: "network_error", cause }) };
    }
    const body = parseObject(text);
    if (response.ok) return { answer: answerFrom(response, body) };
    return { error: errorFrom(response, body), headers: response.headers };
  };

  const request = async (params, maxRetries, signal, msLeft) => {
    // Made once: the server replays an answer only for the same key with the same body.
    const body = JSON.stringify(params);
    const key = newKey();
    let token = await getToken?.();
    let mayRefresh = Boolean(getToken);
    let repeated = 0;
    for (;;) {
      signal.throwIfAborted();
      const headers = { "Content-Type": "application/json", "Idempotency-Key": key };
      if (token) headers.Authorization = `Bearer ${token}`;
      const result = await attempt({ method: "POST", headers, body, signal });
      signal.throwIfAborted();
      if (result.answer) return result.answer;

      const { error } = result;
      if (result.headers?.get("x-should-retry") === "false") throw error;
      if (error.status === 401 && mayRefresh) {
        mayRefresh = false;
        token = await getToken();
        continue;
      }
      let wait = retryAfter(result.headers);
      if (error.status === 409 && error.code === "idempotency_in_flight") {
        // An earlier try still runs on the server. Its answer is worth waiting for until
        // the time is over, so this is not counted, but never asked in a tight loop.
        wait = Math.max(wait ?? 1000, 200);
      } else {
        const passing = error.status === undefined || RETRIED.has(error.status);
        if (!passing || !(repeated < maxRetries)) throw error;
        wait ??= backoff(repeated);
        repeated += 1;
      }
      // Better the server's reason now than a timeout later.
      if (wait >= msLeft()) throw error;
      await sleep(wait, signal);
    }
  };

  const run = (params, signal, maxRetries = retries) =>
    bounded(timeoutMs, signal, (inner, msLeft) => request(params, maxRetries, inner, msLeft));

  // `stream` is dropped: this call reads one JSON body.
  const chat = async ({ signal, stream, ...params } = {}) => run(params, signal);

  const generateWithFallback = async ({
    prompt,
    taskType = "LONG_CONTENT",
    temperature = 0.8,
    maxRetries,
    onProviderSwitch,
    signal,
  } = {}) => {
    try {
      const answer = await run({ prompt, taskType, temperature }, signal, maxRetries);
      reportTries(answer.attempts ?? [answer], onProviderSwitch);
      const { content, provider, model, usage } = answer;
      return { content, provider, model, usage };
    } catch (error) {
      reportTries(error?.body?.attempts, onProviderSwitch);
      // Apps compare this text; the server's own depends on its locale.
      if (error instanceof AllProvidersFailedError) error.message = ALL_FAILED;
      throw error;
    }
  };

  return { chat, generateWithFallback };
};
