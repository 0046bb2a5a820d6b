import assert from "node:assert/strict";
import test from "node:test";

import { oneLine, tail, visible } from "../src/visible.ts";

test("plain text, line ends, tabs and letters of any language stay as they are", () => {
  for (const text of ["map-17\tdone\n", "Grüße, Ελλάδα, 日本語, 👍", ""]) assert.equal(visible(text), text);
});

test("control characters are written as escapes", () => {
  assert.equal(visible("\u001b[31mred\u0007\u0000\r\u009b"), "\\x1b[31mred\\x07\\x00\\x0d\\x9b");
});

test("characters that turn the direction or take no room are written as escapes", () => {
  assert.equal(visible("a\u202egpj.exe\u2066\u200b\ufeff\u00ad"), "a\\u202egpj.exe\\u2066\\u200b\\ufeff\\xad");
  assert.equal(visible("\u{e0041}\u3164\u00a0"), "\\U000e0041\\u3164\\xa0");
});

test("half a pair of surrogates is written as an escape", () => {
  assert.equal(visible("x\ud800y"), "x\\ud800y");
});

test("one line has no breaks, and no more characters than it may", () => {
  assert.equal(oneLine(" a\n\n  b\u2028c "), "a b c");
  assert.equal(oneLine("x".repeat(1_000_000), 10), "xxxxxxxxx…");
});

test("a tail is the end of the text and says that there was more", () => {
  assert.equal(tail("abcdef", 3), "…def");
  assert.equal(tail("abc", 3), "abc");
});
