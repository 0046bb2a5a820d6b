// Colours of the style sheet for what is painted on a canvas. They follow the system's light or dark.

import { OUTCOMES } from "./model.ts";
import { type Colours, pixel } from "./paint.ts";
import { outcomeClass } from "./words.ts";

const dark = matchMedia("(prefers-color-scheme: dark)");

/** Call back when the system turns light or dark. */
export function onTheme(changed: () => void): () => void {
  dark.addEventListener("change", changed);
  return () => dark.removeEventListener("change", changed);
}

/** A colour of the style sheet, such as "--ink". */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim() || "#888888";
}

/** What bars are painted with. */
export function barColours(): Colours {
  const names = OUTCOMES.map((_, outcome) => `--${outcomeClass(outcome)}`);
  return {
    background: pixel(colour("--surface")),
    band: pixel(colour("--band")),
    ink: names.map((name) => pixel(colour(name))),
    hatch: names.map((name, outcome) => pixel(outcome === 1 ? colour(name) : colour(`${name}-hatch`))),
  };
}
