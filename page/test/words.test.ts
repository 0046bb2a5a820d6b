import assert from "node:assert/strict";
import test from "node:test";

import type { Group } from "../src/model.ts";
import { decisive, differences } from "../src/pace.ts";
import { attemptName, flagNames, median } from "../src/words.ts";
import { stored } from "./made.ts";

function group(id: number, more: Partial<Group>): Group {
  return { id, reason: "UserError", place: "", count: 1, first: 0, last: 0, tasks: [], samples: [], message: "", ...more };
}

test("an attempt is called by its task, epoch and number", () => {
  assert.equal(attemptName(stored([{ row: 0, kind: 1, index: 3, number: 2 }]), 0), "reduce-3.e1.2");
});

test("flags have names", () => {
  assert.deepEqual(flagNames(1 | 16), ["retry", "left out"]);
});

test("the middle of nothing is nothing", () => {
  assert.deepEqual([median([]), median([5, 1, 9])], [0, 5]);
});

test("the cause of a failed job is the one whose words its message has", () => {
  const groups = [group(0, { count: 50, last: 99, tasks: ["map-3"], message: "OSError: gone" }), group(1, { message: "ValueError: n/a" })];

  assert.equal(decisive(groups, "map-3 failed 4 times: ValueError: n/a")?.id, 1);
  assert.equal(decisive(groups, "map-3 failed")?.id, 0);
  assert.equal(decisive([], "map-3 failed"), undefined);
});

test("without a word of it, the cause is what was met last", () => {
  assert.equal(decisive([group(0, { count: 9, last: 5 }), group(1, { last: 8 })], "")?.id, 1);
});

test("a task that another begins with is not taken for it", () => {
  const groups = [group(0, { tasks: ["map-1"] }), group(1, { tasks: ["map-17"], last: -1 })];

  assert.equal(decisive(groups, "map-17 failed")?.id, 1);
});

test("rates are what sums grew by a second", () => {
  assert.deepEqual(differences([0, 500, 1500], [0, 50, 250]), [[500, 1500], [100, 200]]);
});

test("many points become few, so that a line shows the pace", () => {
  const at = Array.from({ length: 601 }, (_, i) => i * 100);
  const [times, rates] = differences(at, at.map((time) => time / 10));

  assert.ok(times.length <= 60);
  assert.ok(rates.every((rate) => rate === 100));
});
