// The session of Supabase Auth: signs in, keeps the tokens, renews them before they end.
import { useSyncExternalStore } from "react";

const AUTH_URL = `${import.meta.env.VITE_SUPABASE_URL || "http://127.0.0.1:54321"}/auth/v1`;
const STORED = "chispa.session";
const RENEW_BEFORE_S = 30;

let session = JSON.parse(localStorage.getItem(STORED) ?? "null");
let renewal = null;
const listeners = new Set();

const keep = (next) => {
  session = next;
  if (next) localStorage.setItem(STORED, JSON.stringify(next));
  else localStorage.removeItem(STORED);
  listeners.forEach((listener) => listener());
};

const requestToken = async (grant, body) => {
  const response = await fetch(`${AUTH_URL}/token?grant_type=${grant}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.msg ?? "sign-in failed");
  keep(answer);
};

export const signIn = (email, password) => requestToken("password", { email, password });
export const signOut = () => keep(null);

// What a call to a server is signed with. Callers at the same moment share one renewal.
export const accessToken = async ({ refresh = false } = {}) => {
  if (session && (refresh || session.expires_at - RENEW_BEFORE_S < Date.now() / 1000)) {
    renewal ??= requestToken("refresh_token", { refresh_token: session.refresh_token })
      .catch(signOut)
      .finally(() => (renewal = null));
    await renewal;
  }
  return session?.access_token;
};

const subscribe = (listener) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

export const useUser = () => useSyncExternalStore(subscribe, () => session?.user ?? null);
