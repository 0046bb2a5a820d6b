// In which row of the Gantt an attempt stands: one row for each slot of each worker. Pure.
//
// Where a slot is not known, an attempt takes the first row of its worker that is free when it begins.

import { KINDS } from "./model.ts";
import type { Store } from "./store.ts";

export interface Lanes {
  /** The lane of each attempt, or -1. */
  of: Int32Array;
  /** The worker of each lane, and the number of the lane among those of its worker. */
  worker: number[];
  slot: number[];
  /** Whether the slot of a map or a reduce was not known, so that a place was found for it. */
  guessed: boolean;
}

const MOST_SLOTS = 256;

/** Find the lane of every attempt. */
export function lanes(store: Store): Lanes {
  const { began, kind, worker, slot, row } = store.column;
  const of = new Int32Array(store.count).fill(-1);
  const free = new Map<number, number[]>();
  let guessed = false;
  for (const at of byBegin(store)) {
    const place = worker[at] ?? -1;
    if ((row[at] ?? -1) < 0 || place < 0) continue;
    let slots = free.get(place);
    if (!slots) free.set(place, (slots = []));
    let taken = slot[at] ?? -1;
    if (taken < 0) {
      guessed ||= (kind[at] ?? 0) <= KINDS.indexOf("reduce");
      taken = slots.findIndex((until) => until <= (began[at] ?? 0));
      if (taken < 0) taken = slots.length;
    }
    taken = Math.min(taken, MOST_SLOTS - 1);
    while (slots.length <= taken) slots.push(-Infinity);
    slots[taken] = Math.max(slots[taken] ?? 0, store.until(at));
    of[at] = taken;
  }
  return stacked(store, of, free, guessed);
}

function stacked(store: Store, of: Int32Array, free: Map<number, number[]>, guessed: boolean): Lanes {
  const made: Lanes = { of, worker: [], slot: [], guessed };
  const base = new Map<number, number>();
  for (const place of [...free.keys()].sort((a, b) => a - b)) {
    base.set(place, made.worker.length);
    const known = store.workers.get(place)?.slots ?? 0;
    const slots = Math.min(MOST_SLOTS, Math.max(free.get(place)?.length ?? 0, known));
    for (let slot = 0; slot < slots; slot += 1) {
      made.worker.push(place);
      made.slot.push(slot);
    }
  }
  for (let at = 0; at < of.length; at += 1) {
    if ((of[at] ?? -1) >= 0) of[at] = (of[at] ?? 0) + (base.get(store.column.worker[at] ?? -1) ?? 0);
  }
  return made;
}

/** Rows by the moment at which they began; nearly always they are in this order. */
function byBegin(store: Store): Int32Array {
  const { began } = store.column;
  const order = new Int32Array(store.count);
  let sorted = true;
  for (let at = 0; at < order.length; at += 1) {
    order[at] = at;
    if (at > 0 && (began[at] ?? 0) < (began[at - 1] ?? 0)) sorted = false;
  }
  return sorted ? order : order.sort((a, b) => began[a]! - began[b]! || a - b);
}
