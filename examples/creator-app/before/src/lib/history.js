// The answers of this browser, for the dashboard: who answered what, and how many tokens it took.
import { useSyncExternalStore } from "react";

const STORED = "chispa.history";
const KEPT = 50;

let answers = JSON.parse(localStorage.getItem(STORED) ?? "[]");
const listeners = new Set();

export const remember = ({ task, prompt, content, provider, model, usage }) => {
  const tokens = usage?.total_tokens ?? 0;
  answers = [{ at: Date.now(), task, prompt, content, provider, model, tokens }, ...answers].slice(0, KEPT);
  localStorage.setItem(STORED, JSON.stringify(answers));
  listeners.forEach((listener) => listener());
};

const subscribe = (listener) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

export const useHistory = () => useSyncExternalStore(subscribe, () => answers);
