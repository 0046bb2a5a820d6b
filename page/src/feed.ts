// Where the page's facts come from: the block of data of a report, or the API of a server, asked again and again.

import type { Failures, Jobs, Report, Text, Update } from "./model.ts";

const VERSION = 1;
const SECOND = 1000;

/** The report that this file holds, or null if it is a live page. */
export async function report(): Promise<Report | null> {
  const block = document.getElementById("data");
  if (!block) return null;
  const packed = Uint8Array.from(atob((block.textContent ?? "").trim()), (letter) => letter.charCodeAt(0));
  const plain = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const told = (await new Response(plain).json()) as Report;
  if (told.v !== VERSION) throw new Error(`the report is of version ${Number(told.v)}, this page reads version ${VERSION}`);
  block.remove();
  return told;
}

/** An answer that is none: `status` 0 if nobody answered. */
export class Refused extends Error {
  constructor(readonly status: number, readonly reason: string, message: string) {
    super(message);
  }
}

/** Ask the server this page came from. */
export async function ask<T>(path: string, signal: AbortSignal | null = null): Promise<T> {
  const answer = await reach(path, { signal, headers: { Accept: "application/json" } });
  if (answer.status === 304) throw new Refused(304, "NotModified", "nothing is new");
  if (!answer.ok) throw await refusal(answer);
  return (await answer.json()) as T;
}

/** Show a token; the server sets a cookie that scripts cannot read. */
export async function logIn(token: string): Promise<void> {
  const answer = await reach("/session", {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ token }),
  });
  if (!answer.ok) throw await refusal(answer);
}

async function reach(path: string, options: RequestInit): Promise<Response> {
  try {
    return await fetch(path, { credentials: "same-origin", cache: "no-store", redirect: "error", ...options });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Refused(0, "Unreachable", "the server does not answer");
  }
}

async function refusal(answer: Response): Promise<Refused> {
  const told = (await answer.json().catch(() => null)) as { error?: { reason?: string; message?: string } } | null;
  return new Refused(answer.status, String(told?.error?.reason ?? ""), String(told?.error?.message ?? `status ${answer.status}`));
}

export function jobs(signal: AbortSignal): Promise<Jobs> {
  return ask<Jobs>("/api/v1/jobs", signal);
}

export function changes(ns: string, name: string, since: number, boot: string, signal: AbortSignal): Promise<Update> {
  const what = new URLSearchParams({ since: String(since), boot });
  return ask<Update>(`${address(ns, name)}?${what.toString()}`, signal);
}

export async function failures(ns: string, name: string, group: number): Promise<Text[]> {
  return (await ask<Failures>(`${address(ns, name)}/failures/${group}`)).samples;
}

function address(ns: string, name: string): string {
  return `/api/v1/jobs/${encodeURIComponent(ns)}/${encodeURIComponent(name)}`;
}

/** What a turn of a loop says of the next: at once, soon, or later. */
export type Next = "now" | "soon" | "later";

/** Do something again and again until stopped: each second, seldom while nobody looks, and ever slower while it fails. */
export class Loop {
  private readonly stopper = new AbortController();
  private failed = 0;

  constructor(private readonly turn: (signal: AbortSignal) => Promise<Next>, private readonly trouble: (error: Refused | null) => void) {
    void this.run();
  }

  stop(): void {
    this.stopper.abort();
  }

  private async run(): Promise<void> {
    const { signal } = this.stopper;
    while (!signal.aborted) {
      await rest(await this.once(signal), signal);
    }
  }

  private async once(signal: AbortSignal): Promise<number> {
    try {
      const next = await this.turn(signal);
      if (this.failed > 0) this.trouble(null);
      this.failed = 0;
      if (next === "now") return 0;
      return next === "later" || document.hidden ? 5 * SECOND : SECOND;
    } catch (error) {
      if (signal.aborted) return 0;
      if (!(error instanceof Refused)) throw error;
      if (error.status === 304) return SECOND;
      this.failed += 1;
      this.trouble(error);
      return Math.min(10, 2 ** (this.failed - 1)) * SECOND;
    }
  }
}

function rest(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}
