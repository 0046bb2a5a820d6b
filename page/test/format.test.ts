import assert from "node:assert/strict";
import test from "node:test";

import { bytes, clock, duration, plural, share, short, whole } from "../src/format.ts";

test("durations have the two units that matter", () => {
  const told = [0, 850, 3200, 59_970, 245_000, 7_980_000, 273_600_000, -1, Infinity].map(duration);
  assert.deepEqual(told, ["0 ms", "850 ms", "3.2 s", "1 min 00 s", "4 min 05 s", "2 h 13 min", "3 d 4 h", "–", "–"]);
});

test("sizes are in powers of 1024, counts in powers of 1000", () => {
  assert.deepEqual([0, 1023, 1536, 64 << 20, 2 ** 41].map(bytes), ["0 B", "1023 B", "1.5 KiB", "64 MiB", "2.0 TiB"]);
  assert.deepEqual([9999, 15_000, 1_500_000].map(short), ["9,999", "15k", "1.5M"]);
  assert.equal(whole(1_234_567), "1,234,567");
});

test("a share is 100% only when nothing is missing, and never 0% when something is there", () => {
  assert.deepEqual([share(999, 1000), share(1000, 1000), share(1, 1000), share(0, 10), share(1, 0)], ["99%", "100%", "<1%", "0%", "–"]);
});

test("places on the axis are as fine as its steps", () => {
  assert.deepEqual([clock(12_500, 500), clock(185_000), clock(3_723_000), clock(50, 20)], ["12.5s", "3:05", "1:02:03", "0.05s"]);
});

test("one is not many", () => {
  assert.deepEqual([plural(1, "task"), plural(1200, "task"), plural(2, "retry", "retries")], ["1 task", "1,200 tasks", "2 retries"]);
});
