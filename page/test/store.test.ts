import assert from "node:assert/strict";
import test from "node:test";

import { MOST_ROWS, Store } from "../src/store.ts";
import { stored, update, worker } from "./made.ts";

test("columns of differences are summed up, whatever row an update begins with", () => {
  const store = stored([{ row: 0, began: 10 }, { row: 1, began: 40 }]);
  store.apply(update([{ row: 1, began: 45, took: 7 }, { row: 3, began: 44 }], { full: false }));

  assert.deepEqual([...store.column.began.slice(0, 4)], [10, 45, 0, 44]);
  assert.deepEqual([...store.column.row.slice(0, 4)], [0, 1, -1, 3]);
  assert.equal(store.count, 4);
});

test("a row that is told again is the same attempt of the same task", () => {
  const store = stored([{ row: 0, index: 7, outcome: 0, took: -1 }]);
  store.apply(update([{ row: 0, index: 7, outcome: 1, took: 80 }], { full: false }));

  assert.equal(store.tasks.count, 1);
  assert.equal(store.tasks.tries[0], 1);
  assert.deepEqual(store.tasks.attempts(0), [0]);
  assert.equal(store.until(0), 80);
});

test("a task is its finished attempt, else the one that runs, else the newest", () => {
  const rows = [{ row: 0, outcome: 2 }, { row: 1, number: 1, outcome: 0, took: -1 }, { row: 2, number: 2, outcome: 3 }];
  const store = stored(rows);
  assert.equal(store.tasks.stands[0], 1);

  store.apply(update([{ row: 0, outcome: 1 }], { full: false }));
  assert.equal(store.tasks.stands[0], 0);
  assert.deepEqual(store.tasks.attempts(0), [2, 1, 0]);
});

test("a map and a reduce of the same index are two tasks", () => {
  const store = stored([{ row: 0, kind: 0, index: 4 }, { row: 1, kind: 1, index: 4 }]);

  assert.deepEqual([store.tasks.find(0, 4), store.tasks.find(1, 4), store.tasks.find(2, 4)], [0, 1, -1]);
});

test("a whole update forgets what was told before", () => {
  const store = stored([{ row: 0 }, { row: 1, index: 1 }], { workers: [worker(0, "old")] });
  store.apply(update([{ row: 9, index: 5 }], { boot: "b" }));

  assert.equal(store.tasks.count, 1);
  assert.equal(store.workers.size, 0);
  assert.equal(store.column.row[0], 9);
  assert.equal(store.boot, "b");
});

test("what did not change stays, what was told is added", () => {
  const store = stored([], { groups: [], rate: { at: [1], records: [2], size: [3], done: [4] } });
  store.apply(update([], { full: false, usage: { row: [2, 2], at: [5, 9], cpu: [100, 200], mem: [7, 8] } }));
  store.apply(update([], { full: false, usage: { row: [2], at: [12], cpu: [300], mem: [9] } }));

  assert.deepEqual(store.rate.at, [1]);
  assert.deepEqual(store.usage.get(2), { at: [5, 9, 12], cpu: [100, 200, 300], mem: [7, 8, 9] });
});

test("rows of a liar are not believed", () => {
  const store = stored([{ row: 5 }]);
  store.apply(update([{ row: 2 }, { row: MOST_ROWS + 10 }], { full: false }));

  assert.equal(store.count, 1);
});

test("the time of a job is from its begin to its end, or to now", () => {
  const store = new Store();
  store.apply(update([], { now: 900 }));
  assert.equal(store.elapsed(), 900);
  store.apply(update([], { now: 900, head: { ...store.head!, began: 100, ended: 700 } }));
  assert.equal(store.elapsed(), 600);
});
