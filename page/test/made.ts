// A job made by hand for the tests: attempts as short lists, the rest empty.

import type { Attempts, Head, Phase, Update } from "../src/model.ts";
import { Store } from "../src/store.ts";

export interface Attempt {
  row: number;
  kind?: number;
  index?: number;
  number?: number;
  worker?: number;
  slot?: number;
  began?: number;
  took?: number;
  outcome?: number;
  flags?: number;
  records?: number;
  size?: number;
  peak?: number;
}

export function attempts(rows: readonly Attempt[]): Attempts {
  const list = (value: (row: Attempt) => number) => rows.map(value);
  const began = list((row) => row.began ?? 0);
  const row = list((at) => at.row);
  const differences = (values: number[]) => values.map((value, at) => value - (values[at - 1] ?? 0));
  return {
    row: differences(row), began: differences(began), given: began, kind: list((at) => at.kind ?? 0), index: list((at) => at.index ?? 0),
    epoch: list(() => 1), number: list((at) => at.number ?? 0), worker: list((at) => at.worker ?? 0), slot: list((at) => at.slot ?? 0),
    took: list((at) => at.took ?? 100), outcome: list((at) => at.outcome ?? 1), flags: list((at) => at.flags ?? 0),
    records: list((at) => at.records ?? 0), size: list((at) => at.size ?? 0), cpu: list(() => 0), peak: list((at) => at.peak ?? 0),
    group: list(() => -1),
  };
}

export function phase(more: Partial<Phase>): Phase {
  return {
    kind: "map", total: 0, done: 0, active: 0, failed: 0, retried: 0, backups: 0, records: 0, size: 0, total_size: 0, records_s: 0,
    size_s: 0, left_s: -1, median: 0, p95: 0, max: 0, ...more,
  };
}

export function head(more: Partial<Head> = {}): Head {
  return {
    ns: "team", name: "count", uid: "", phase: "Mapping", began: 0, ended: -1, reason: "", message: "", epochs: [0], params: {},
    counters: {}, left_out: [], bad_records: 0, output: "", phases: [], rows_dropped: 0, ...more,
  };
}

export function update(rows: readonly Attempt[], more: Partial<Update> = {}): Update {
  return {
    v: 1, boot: "a", rev: 1, full: true, more: false, t0: 0, now: 5000, head: head(), workers: [], attempts: attempts(rows),
    usage: { row: [], at: [], cpu: [], mem: [] }, rate: null, groups: null, partitions: null, ...more,
  };
}

export function stored(rows: readonly Attempt[], more: Partial<Update> = {}): Store {
  const store = new Store();
  store.apply(update(rows, more));
  return store;
}

export function worker(row: number, name: string, slots = 0) {
  return { row, name, uid: "", node: "", slots, joined: 0, gone: -1, reason: "" };
}
