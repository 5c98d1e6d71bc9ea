// Written by `relevo migrate`. The calls that this app made to providers, in their own shapes, answered by relevo.
// Each function takes the task of relevo.toml that stands for the provider and model of the old call.
import { ai } from "./relevoClient.js";

const textOf = (content) =>
  typeof content === "string" ? content : (content ?? []).map((part) => part.text ?? "").join("");

const defined = (fields) => Object.fromEntries(Object.entries(fields).filter(([, value]) => value != null));

// Request bodies, each in its provider's words, as the parameters of `ai.chat`.
const fromChat = (body) => {
  const { messages, temperature, max_tokens, max_completion_tokens, top_p, stop, seed } = body;
  const { response_format, tools, tool_choice } = body;
  const maxTokens = max_completion_tokens ?? max_tokens;
  return defined({ messages, temperature, maxTokens, top_p, stop, seed, response_format, tools, tool_choice });
};

const fromGemini = (body) => {
  const turns = typeof body.contents === "string" ? [{ parts: [{ text: body.contents }] }] : [body.contents].flat();
  const messages = turns.map((turn) =>
    typeof turn === "string"
      ? { role: "user", content: turn }
      : { role: turn.role === "model" ? "assistant" : "user", content: textOf([turn.parts ?? turn].flat()) },
  );
  const system = body.systemInstruction ?? body.system_instruction;
  const config = body.generationConfig ?? {};
  return defined({
    messages,
    systemPrompt: system == null ? null : textOf(system.parts ?? system),
    temperature: config.temperature,
    maxTokens: config.maxOutputTokens,
    top_p: config.topP,
    stop: config.stopSequences,
    response_format: config.responseMimeType === "application/json" ? { type: "json_object" } : null,
  });
};

const fromAnthropic = ({ messages, system, temperature, max_tokens, top_p, stop_sequences }) =>
  defined({
    messages: messages.map(({ role, content }) => ({ role, content: textOf(content) })),
    systemPrompt: system == null ? null : textOf(system),
    temperature,
    maxTokens: max_tokens,
    top_p,
    stop: stop_sequences,
  });

// Answers, as each provider would have written them.
const toChat = ({ request_id, model, content, tool_calls, finish_reason, usage }) => ({
  id: request_id,
  object: "chat.completion",
  model,
  choices: [{ index: 0, message: defined({ role: "assistant", content, tool_calls }), finish_reason }],
  usage,
});

const toGemini = ({ model, content, usage }) => ({
  modelVersion: model,
  candidates: [{ index: 0, content: { role: "model", parts: [{ text: content }] }, finishReason: "STOP" }],
  usageMetadata: {
    promptTokenCount: usage?.prompt_tokens,
    candidatesTokenCount: usage?.completion_tokens,
    totalTokenCount: usage?.total_tokens,
  },
});

const toAnthropic = ({ request_id, model, content, usage }) => ({
  id: request_id,
  type: "message",
  role: "assistant",
  model,
  content: [{ type: "text", text: content }],
  stop_reason: "end_turn",
  usage: { input_tokens: usage?.prompt_tokens, output_tokens: usage?.completion_tokens },
});

const ask = async (taskType, params, to, options) => to(await ai.chat({ ...params, taskType, ...options }));

const errorBody = (error) => ({ error: { message: error.message, code: error.code, status: error.status } });

// In place of fetch(): a Response, also for an error that the server told.
const fetching = (from, to) => async (taskType, body, options) => {
  const json = (value, status) =>
    new Response(JSON.stringify(value), { status, headers: { "Content-Type": "application/json" } });
  try {
    return json(await ask(taskType, from(body), to, options), 200);
  } catch (error) {
    if (!(error?.status >= 400)) throw error;
    return json(errorBody(error), error.status);
  }
};

// In place of axios.post(): `{ data, status }`, and an error with `response`.
const posting = (from, to) => async (taskType, body, options) => {
  try {
    return { data: await ask(taskType, from(body), to, options), status: 200, statusText: "OK", headers: {} };
  } catch (error) {
    if (error?.status) error.response = { data: errorBody(error), status: error.status, headers: {} };
    throw error;
  }
};

export const chatFetch = fetching(fromChat, toChat);
export const geminiFetch = fetching(fromGemini, toGemini);
export const anthropicFetch = fetching(fromAnthropic, toAnthropic);
export const chatPost = posting(fromChat, toChat);
export const geminiPost = posting(fromGemini, toGemini);
export const anthropicPost = posting(fromAnthropic, toAnthropic);

// In place of the SDKs' clients. `tasks` says which task stands for which model.
const taskOf = (tasks, model) => {
  const task = tasks[String(model).replace(/^models\//, "")];
  if (!task) throw new Error(`No task of relevo.toml stands for the model ${model}`);
  return task;
};

export const openAI = (tasks) => ({
  chat: {
    completions: {
      create: async (body, options) =>
        ask(taskOf(tasks, body.model), fromChat(body), toChat, defined({ signal: options?.signal })),
    },
  },
});

export const anthropicAI = (tasks) => ({
  messages: { create: async (body) => ask(taskOf(tasks, body.model), fromAnthropic(body), toAnthropic) },
});

export const googleAI = (tasks) => ({
  getGenerativeModel: ({ model, systemInstruction, generationConfig }) => ({
    generateContent: async (request) => {
      const body = request?.contents ? request : { contents: [{ role: "user", parts: [request].flat().map(partOf) }] };
      const settings = { ...generationConfig, ...body.generationConfig };
      const whole = { systemInstruction, ...body, generationConfig: settings };
      const answer = await ask(taskOf(tasks, model), fromGemini(whole), toGemini);
      return { response: { ...answer, text: () => answer.candidates[0].content.parts[0].text } };
    },
  }),
});

export const genAI = (tasks) => ({
  models: {
    generateContent: async ({ model, contents, config: { systemInstruction, ...generationConfig } = {} }) => {
      const body = { contents, systemInstruction, generationConfig };
      const answer = await ask(taskOf(tasks, model), fromGemini(body), toGemini);
      return { ...answer, text: answer.candidates[0].content.parts[0].text };
    },
  },
});

const partOf = (part) => (typeof part === "string" ? { text: part } : part);
