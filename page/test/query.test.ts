import assert from "node:assert/strict";
import test from "node:test";

import { select, type Sort } from "../src/query.ts";
import { Judge, taskName } from "../src/words.ts";
import { head, phase, stored, worker } from "./made.ts";

const store = stored([
  { row: 0, index: 1, took: 1000, size: 5 << 20, worker: 0, records: 10 },
  { row: 1, index: 17, took: 9000, size: 1 << 20, worker: 1, outcome: 2, flags: 1 },
  { row: 2, index: 2, took: 12_000, size: 9 << 20, worker: 1, peak: 300 << 10 },
  { row: 3, kind: 1, index: 17, took: 3000, worker: 0, flags: 2 },
  { row: 4, index: 170, took: -1, outcome: 0, worker: 0, began: 4000 },
], {
  workers: [worker(0, "count-worker-0"), worker(1, "count-worker-1")],
  head: head({ phases: [phase({ median: 1000, p95: 4000, max: 12_000, done: 20 })] }),
  partitions: { sizes: [...new Array<number>(17).fill(1 << 20), 9 << 20], heavy: [] },
});

function names(query: string, sort: Sort = "task", descending = false): string[] {
  return [...select(store, new Judge(store), query, sort, descending)].map((task) => taskName(store, store.tasks.stands[task] ?? 0));
}

test("without a filter every task is there, maps first, in the order of their numbers", () => {
  assert.deepEqual(names(""), ["map-1", "map-2", "map-17", "map-170", "reduce-17"]);
});

test("a whole name is that task alone, a part of one all that have it", () => {
  assert.deepEqual(names("map-17"), ["map-17"]);
  assert.deepEqual(names("p-17"), ["map-17", "map-170"]);
  assert.deepEqual(names("reduce"), ["reduce-17"]);
});

test("all words must fit", () => {
  assert.deepEqual(names("failed retry"), ["map-17"]);
  assert.deepEqual(names("failed reduce"), []);
});

test("outcomes, flags and workers are words of the filter", () => {
  assert.deepEqual(names("running"), ["map-170"]);
  assert.deepEqual(names("spill"), ["reduce-17"]);
  assert.deepEqual(names("worker:worker-1 finished"), ["map-2"]);
});

test("amounts are compared with their units", () => {
  assert.deepEqual(names("took>10s"), ["map-2"]);
  assert.deepEqual(names("took<2s finished"), ["map-1"]);
  assert.deepEqual(names("size>4MiB"), ["map-1", "map-2"]);
  assert.deepEqual(names("peak>200MiB"), ["map-2"]);
});

test("who took half as long again as the median, and longer than nearly all, straggles, if its code did not fail", () => {
  assert.deepEqual(names("straggler"), ["map-2"]);
});

test("the reduce of a partition of more than twice the median is skewed", () => {
  assert.deepEqual(names("skew"), ["reduce-17"]);
});

test("rows are ordered by any column, both ways, and by name where that is equal", () => {
  assert.deepEqual(names("map", "took", true), ["map-2", "map-17", "map-1", "map-170"]);
  assert.deepEqual(names("map", "size", false), ["map-170", "map-17", "map-1", "map-2"]);
  assert.deepEqual(names("map", "tries", true), ["map-1", "map-2", "map-17", "map-170"]);
});

test("words that mean nothing find nothing, and do no harm", () => {
  for (const word of ["took>", "size>9zib(", "\\", "__proto__", "worker:(("]) assert.ok(Array.isArray(names(word)));
  assert.deepEqual(names("nosuchthing"), []);
});
