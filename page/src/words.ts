// What tasks and attempts are called, and what stands beside them. Pure.

import {
  BACKUP, EARLY, FINISHED, KINDS, LEFT_OUT, OTHER, OUTCOMES, RETRY, RUNS, SPILL, TAKEN_OVER, type Phase,
} from "./model.ts";
import type { Store } from "./store.ts";

export const STRAGGLER = 1 << 8;
export const SKEW = 1 << 9;

/** Flags in the order in which they are shown, with what they mean. */
export const FLAGS: readonly (readonly [number, string, string])[] = [
  [STRAGGLER, "straggler", "much slower than the others of its kind"],
  [SKEW, "skew", "its partition is much larger than the others"],
  [RETRY, "retry", "an attempt after a failed or lost one"],
  [SPILL, "spill", "wrote rows to disk on the way, for want of memory"],
  [BACKUP, "backup", "a second attempt of a slow task"],
  [EARLY, "early", "began to gather before all maps had finished"],
  [LEFT_OUT, "left out", "the job went on without this task"],
  [TAKEN_OVER, "taken over", "found by a later master"],
];

/** "map-17", as everywhere else. */
export function taskName(store: Store, row: number): string {
  return `${KINDS[store.column.kind[row] ?? OTHER] ?? "other"}-${store.column.index[row] ?? 0}`;
}

/** "map-17.e1.0": the task, the master's epoch, the attempt's number. */
export function attemptName(store: Store, row: number): string {
  return `${taskName(store, row)}.e${store.column.epoch[row] ?? 0}.${store.column.number[row] ?? 0}`;
}

export function outcomeName(store: Store, row: number): string {
  return OUTCOMES[store.column.outcome[row] ?? 0] ?? "unknown";
}

/** A class name for an outcome. */
export function outcomeClass(outcome: number): string {
  return (OUTCOMES[outcome] ?? "unknown").replace(" ", "-");
}

/** The names of flags that are set. */
export function flagNames(flags: number): string[] {
  return FLAGS.filter(([bit]) => flags & bit).map(([, name]) => name);
}

/** Says of attempts which are stragglers or skewed, by what is known now. */
export class Judge {
  private slow: number[] = [];
  private heavy = new Set<number>();

  constructor(private readonly store: Store) {
    for (const phase of store.head?.phases ?? []) this.slow[KINDS.indexOf(phase.kind as "map")] = slowerThan(phase);
    this.heavy = largePartitions(store.partitions.sizes);
  }

  /** All flags of an attempt. */
  flags(row: number): number {
    const { flags, kind, index } = this.store.column;
    const slow = this.straggles(row) ? STRAGGLER : 0;
    const skewed = kind[row] === 1 && this.heavy.has(index[row] ?? -1) ? SKEW : 0;
    return (flags[row] ?? 0) | slow | skewed;
  }

  private straggles(row: number): boolean {
    const { outcome, kind, began } = this.store.column;
    if (outcome[row] !== FINISHED && outcome[row] !== RUNS) return false;
    return this.store.until(row) - (began[row] ?? 0) > (this.slow[kind[row] ?? OTHER] ?? Infinity);
  }
}

const YOUNG = 1000;

/** Milliseconds after which an attempt is a straggler: half as long again as the median, and slower than nearly all. */
export function slowerThan(phase: Phase): number {
  return phase.median > 0 && phase.done >= 4 ? Math.max(1.5 * phase.median, phase.p95, YOUNG) : Infinity;
}

/** Partitions of more than twice the median, if they hold anything worth telling. */
export function largePartitions(sizes: readonly number[]): Set<number> {
  const middle = median(sizes);
  const large = new Set<number>();
  sizes.forEach((size, partition) => {
    if (size > 2 * middle && size > 1 << 16) large.add(partition);
  });
  return large;
}

export function median(values: readonly number[]): number {
  if (values.length === 0) return 0;
  const sorted = Float64Array.from(values).sort();
  return sorted[sorted.length >> 1] ?? 0;
}
