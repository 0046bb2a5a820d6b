import assert from "node:assert/strict";
import test from "node:test";

import { Cursor } from "../src/gantt_cursor.ts";
import { lanes } from "../src/lanes.ts";
import { ground, paint, pixel, span, type Bars, type Colours, type Frame } from "../src/paint.ts";
import { stored, worker, type Attempt } from "./made.ts";

const COLOURS: Colours = { background: 1, band: 2, ink: [10, 11, 12, 13, 14, 15], hatch: [20, 11, 22, 23, 24, 25] };

function frame(width: number, height: number, lane: number, from = 0, to = 100): Frame {
  return { pixels: new Uint32Array(width * height), width, height, from, to, lane, scale: 1 };
}

function bars(rows: readonly [number, number, number, number][]): Bars {
  return {
    count: rows.length, lane: Int32Array.from(rows, ([lane]) => lane), began: Float64Array.from(rows, ([, began]) => began),
    until: Float64Array.from(rows, ([, , until]) => until), outcome: Int32Array.from(rows, ([, , , outcome]) => outcome),
  };
}

function laneOf(rows: readonly Attempt[], slots = 0): number[] {
  return [...lanes(stored(rows, { workers: [worker(0, "a", slots), worker(1, "b", slots)] })).of];
}

test("each slot of each worker has a row, also one that ran nothing", () => {
  const laid = lanes(stored([{ row: 0, worker: 1, slot: 1 }], { workers: [worker(0, "a", 2), worker(1, "b", 3)] }));

  assert.deepEqual(laid.worker, [1, 1, 1]);
  assert.deepEqual(laid.slot, [0, 1, 2]);
  assert.deepEqual([...laid.of], [1]);
  assert.equal(laid.guessed, false);
});

test("attempts of the same slot share a row", () => {
  assert.deepEqual(laneOf([{ row: 0, slot: 0 }, { row: 1, slot: 1 }, { row: 2, slot: 0, began: 200 }, { row: 3, worker: 1, slot: 0 }]), [0, 1, 0, 2]);
});

test("where the slot is not known, an attempt stands in the first row that is free", () => {
  const rows = [{ row: 0, took: 50 }, { row: 1, began: 10, took: 100 }, { row: 2, began: 60 }].map((row) => ({ ...row, slot: -1 }));

  assert.deepEqual(laneOf(rows), [0, 1, 0]);
  assert.equal(lanes(stored(rows)).guessed, true);
  assert.equal(lanes(stored(rows.map((row) => ({ ...row, kind: 5 })))).guessed, false, "gateways have no slots");
});

test("attempts of nobody have no row", () => {
  assert.deepEqual(laneOf([{ row: 0, worker: -1 }, { row: 1 }]), [-1, 0]);
});

test("a bar stands at its time, with a gap behind it and below it", () => {
  const made = frame(100, 8, 4);
  paint(made, bars([[1, 10, 20, 1]]), COLOURS);

  const inked = [...made.pixels].flatMap((value, at) => (value ? [[at % 100, Math.floor(at / 100)]] : []));
  assert.deepEqual([inked[0], inked.at(-1)], [[10, 4], [18, 6]]);
  assert.equal(inked.length, 9 * 3);
});

test("the shortest attempt still has one pixel, and what failed is on top", () => {
  const made = frame(10, 1, 1);
  const shown = paint(made, bars([[0, 50, 50, 2], [0, 50.1, 50.2, 1]]), COLOURS);

  assert.equal(shown, 2);
  assert.ok([12, 22].includes(made.pixels[5] ?? 0));
});

test("what is outside of the window is not painted, what reaches into it is cut", () => {
  const made = frame(10, 1, 1, 100, 200);
  const shown = paint(made, bars([[0, 0, 99, 1], [0, 201, 300, 1], [0, 50, 120, 1]]), COLOURS);

  assert.equal(shown, 1);
  assert.deepEqual([...made.pixels].map(Boolean), [true, true, false, false, false, false, false, false, false, false]);
});

test("outcomes are hatched, a finished one is plain", () => {
  const inks = (outcome: number) => {
    const made = frame(40, 8, 9);
    paint(made, bars([[0, -10, 110, outcome]]), COLOURS);
    return new Set(made.pixels).size;
  };
  assert.deepEqual([0, 1, 2, 3, 4, 5].map(inks), [2, 1, 2, 2, 2, 2]);
});

test("every second worker stands on a band", () => {
  const made = frame(1, 4, 1);
  ground(made, [0, 0, 1, 2], COLOURS);

  assert.deepEqual([...made.pixels], [1, 1, 2, 1]);
});

test("a bar never leaves the frame", () => {
  assert.deepEqual(span(frame(10, 1, 1), -1e9, 1e9), [0, 10]);
  assert.deepEqual(span(frame(10, 1, 1), 100, 100), [9, 10]);
});

test("colours are as a canvas has them in memory", () => {
  assert.equal(pixel("#112233"), 0xff332211);
});

test("the cursor finds the attempt at a moment, or one that is near", () => {
  const cursor = new Cursor(bars([[0, 0, 10, 1], [0, 20, 30, 1], [1, 5, 9, 1]]), 2);

  assert.deepEqual([cursor.at(0, 25), cursor.at(0, 12, 1), cursor.at(0, 12, 3), cursor.at(1, 7), cursor.at(5, 7)], [1, -1, 0, 2, -1]);
});

test("arrows go along a row and from row to row, and stop at the edges", () => {
  const cursor = new Cursor(bars([[0, 0, 10, 1], [2, 21, 29, 1], [0, 20, 30, 1]]), 3);

  assert.deepEqual([cursor.beside(-1, 1), cursor.beside(0, 1), cursor.beside(2, 1), cursor.beside(0, -1)], [0, 2, 2, 0]);
  assert.deepEqual([cursor.across(2, 1), cursor.across(1, -1), cursor.across(1, 1)], [1, 2, 1]);
});
