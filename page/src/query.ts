// Which tasks are listed, and in what order. Pure.
//
// A filter is words, all of which must fit: part of a name ("map-17"), an outcome or flag ("failed", "straggler"),
// "worker:NAME", "tries>1", "took>10s", "size>64MiB", "records>1000".

import { KINDS, OTHER, OUTCOMES } from "./model.ts";
import type { Store } from "./store.ts";
import { FLAGS, type Judge, taskName } from "./words.ts";

export const SORTS = ["task", "outcome", "tries", "worker", "began", "took", "records", "size", "cpu", "peak"] as const;
export type Sort = (typeof SORTS)[number];

type Fits = (task: number, row: number) => boolean;

/** The numbers of the tasks that fit, in order. */
export function select(store: Store, judge: Judge, query: string, sort: Sort, descending: boolean): Int32Array {
  const tests = query.toLowerCase().split(/\s+/).filter(Boolean).map((word) => fits(store, judge, word));
  const found = new Int32Array(store.tasks.count);
  let count = 0;
  for (let task = 0; task < store.tasks.count; task += 1) {
    const row = store.tasks.stands[task] ?? -1;
    if (row >= 0 && tests.every((test) => test(task, row))) found[count++] = task;
  }
  return ordered(store, found.subarray(0, count), sort, descending);
}

function ordered(store: Store, tasks: Int32Array, sort: Sort, descending: boolean): Int32Array {
  const value = values(store, sort);
  const { kind, index } = store.column;
  const place = (task: number) => {
    const row = store.tasks.stands[task] ?? 0;
    return (kind[row] ?? 0) * 1e9 + (index[row] ?? 0);
  };
  const first = new Float64Array(store.tasks.count);
  const then = new Float64Array(store.tasks.count);
  for (const task of tasks) {
    first[task] = value(task, store.tasks.stands[task] ?? 0);
    then[task] = place(task);
  }
  const way = descending ? -1 : 1;
  return tasks.sort((a, b) => way * (first[a]! - first[b]!) || then[a]! - then[b]!);
}

function values(store: Store, sort: Sort): (task: number, row: number) => number {
  const { column, tasks } = store;
  switch (sort) {
    case "task": return (_, row) => (column.kind[row] ?? 0) * 1e9 + (column.index[row] ?? 0);
    case "tries": return (task) => tasks.tries[task] ?? 0;
    case "took": return (_, row) => store.until(row) - (column.began[row] ?? 0);
    default: return (_, row) => column[sort][row] ?? 0;
  }
}

const TASK = new RegExp(`^(${KINDS.join("|")})-\\d+$`);
const COMPARED = /^(tries|took|records|size|cpu|peak)([<>])([\d.]+)([a-z]*)$/;
const TIMES: Record<string, number> = { ms: 1, s: 1000, min: 60_000, h: 3_600_000 };
const SIZES: Record<string, number> = { b: 1, kib: 1 << 10, mib: 1 << 20, gib: 2 ** 30, k: 1e3, m: 1e6, g: 1e9 };

function fits(store: Store, judge: Judge, word: string): Fits {
  const compared = COMPARED.exec(word);
  if (compared) return compares(store, compared[1] as Sort, compared[2] === ">", amount(compared));
  if (word.startsWith("worker:")) return (_, row) => worker(store, row).includes(word.slice(7));
  const outcome = OUTCOMES.findIndex((name) => name.replace(" ", "-") === word);
  if (outcome >= 0) return (_, row) => store.column.outcome[row] === outcome;
  const flag = FLAGS.find(([, name]) => name.replace(" ", "-") === word);
  if (flag) return (_, row) => (judge.flags(row) & flag[0]) !== 0;
  if (KINDS.some((kind) => kind === word)) return (_, row) => KINDS[store.column.kind[row] ?? OTHER] === word;
  if (TASK.test(word)) return (_, row) => taskName(store, row) === word;
  return (_, row) => taskName(store, row).includes(word) || worker(store, row).includes(word);
}

function compares(store: Store, sort: Sort, more: boolean, limit: number): Fits {
  const value = values(store, sort);
  return more ? (task, row) => value(task, row) > limit : (task, row) => value(task, row) < limit;
}

function amount(compared: RegExpExecArray): number {
  const [, name = "", , digits = "", unit = ""] = compared;
  const times = name === "took" || name === "cpu";
  const factor = times ? (TIMES[unit] ?? 1000) : (SIZES[unit] ?? 1);
  return (Number(digits) * factor) / (name === "peak" ? 1024 : 1);
}

function worker(store: Store, row: number): string {
  return store.worker(store.column.worker[row] ?? -1).toLowerCase();
}
