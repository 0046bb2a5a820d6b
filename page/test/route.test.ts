import assert from "node:assert/strict";
import test from "node:test";

import { format, parse } from "../src/route.ts";

test("a route reads as it was written, whatever is in its names", () => {
  const route = { ns: "a b", name: "w/c?#%&=", tab: "tasks", query: "map-17 failed&q=1", open: "map-17" } as const;
  assert.deepEqual(parse(format(route)), route);
});

test("what is not named is empty, and an unknown tab is the first one", () => {
  assert.deepEqual(parse("#team/count/nothing"), { ns: "team", name: "count", tab: "progress", query: "", open: "" });
  assert.equal(parse("").name, "");
});

test("a fragment that is no good encoding names nothing", () => {
  assert.equal(parse("#%E0%A4%A/x").ns, "");
});
