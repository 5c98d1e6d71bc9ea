// Written by `relevo migrate`. What the providers' own types said of these answers holds for them still.
/* eslint-disable @typescript-eslint/no-explicit-any */
interface Options {
  signal?: AbortSignal;
}
type Tasks = Record<string, string>;
type Fetching = (taskType: string, body: any, options?: Options) => Promise<Response>;
type Posting = (taskType: string, body: any, options?: Options) => Promise<{ data: any; status: number }>;

export const chatFetch: Fetching;
export const geminiFetch: Fetching;
export const anthropicFetch: Fetching;
export const chatPost: Posting;
export const geminiPost: Posting;
export const anthropicPost: Posting;
export function openAI(tasks: Tasks): any;
export function anthropicAI(tasks: Tasks): any;
export function googleAI(tasks: Tasks): any;
export function genAI(tasks: Tasks): any;
