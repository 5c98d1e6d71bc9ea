// Asks relevo, which tries the providers of a task in order. The keys are there.
import { createClient } from "relevo";

import { accessToken } from "./session.js";

export const ai = createClient({ baseUrl: import.meta.env.VITE_API_BASE_URL, getToken: accessToken });

export const { generateWithFallback } = ai;

export const generateViralScript = (prompt, options) =>
  generateWithFallback({ prompt, taskType: "LONG_CONTENT", temperature: 0.9, ...options });

export const analyzePremiumContent = (prompt, options) =>
  generateWithFallback({ prompt, taskType: "PREMIUM_ANALYSIS", temperature: 0.8, ...options });

export const chatWithAI = (prompt, options) =>
  generateWithFallback({ prompt, taskType: "CHAT", temperature: 0.7, ...options });
