// What the page's API says; `mapreduce_page/model.py` says what each field means. Times are milliseconds since
// `t0`, itself in Unix milliseconds, and -1 for what has not been; columns `row` and `began` hold differences.

export interface Job {
  ns: string;
  name: string;
  uid: string;
  phase: string;
  maps: [number, number];
  reduces: [number, number];
  workers: [number, number];
  retries: number;
  began: number;
  ended: number;
  reason: string;
  live: boolean;
}

export interface Jobs {
  v: number;
  boot: string;
  now: number;
  jobs: Job[];
  more: boolean;
}

export interface Phase {
  kind: string;
  total: number;
  done: number;
  active: number;
  failed: number;
  retried: number;
  backups: number;
  records: number;
  size: number;
  total_size: number;
  records_s: number;
  size_s: number;
  left_s: number;
  median: number;
  p95: number;
  max: number;
}

export interface Head {
  ns: string;
  name: string;
  uid: string;
  phase: string;
  began: number;
  ended: number;
  reason: string;
  message: string;
  epochs: number[];
  params: Record<string, string>;
  counters: Record<string, number>;
  left_out: string[];
  bad_records: number;
  output: string;
  phases: Phase[];
  rows_dropped: number;
}

export interface Worker {
  row: number;
  name: string;
  uid: string;
  node: string;
  slots: number;
  joined: number;
  gone: number;
  reason: string;
}

export const ATTEMPT_COLUMNS = [
  "row", "kind", "index", "epoch", "number", "worker", "slot", "given", "began", "took", "outcome", "flags", "records",
  "size", "cpu", "peak", "group",
] as const;
export type AttemptColumn = (typeof ATTEMPT_COLUMNS)[number];
export type Attempts = Record<AttemptColumn, number[]>;

export interface Usage {
  row: number[];
  at: number[];
  cpu: number[];
  mem: number[];
}

export interface Rate {
  at: number[];
  records: number[];
  size: number[];
  done: number[];
}

export interface Sample {
  attempt: string;
  worker: string;
  at: number;
}

export interface Text {
  attempt: string;
  where: string;
  message: string;
  traceback: string;
  log: string;
  peak: number;
}

export interface Failures {
  v: number;
  samples: Text[];
}

export interface Group {
  id: number;
  reason: string;
  place: string;
  count: number;
  first: number;
  last: number;
  tasks: string[];
  samples: Sample[];
  message: string;
}

export interface HeavyKey {
  partition: number;
  key: string;
  rows: number;
  size: number;
}

export interface Partitions {
  sizes: number[];
  heavy: HeavyKey[];
}

export interface Update {
  v: number;
  boot: string;
  rev: number;
  full: boolean;
  more: boolean;
  t0: number;
  now: number;
  head: Head;
  workers: Worker[];
  attempts: Attempts;
  usage: Usage;
  rate: Rate | null;
  groups: Group[] | null;
  partitions: Partitions | null;
}

export interface Report {
  v: number;
  update: Update;
  texts: Record<string, Text[]>;
}

export const KINDS = ["map", "reduce", "load", "open", "plan", "stage", "publish", "clean", "other"] as const;
/** Of a newer engine. */
export const OTHER = KINDS.length - 1;
export const OUTCOMES = ["running", "finished", "failed", "lost", "cancelled", "output lost"] as const;
export const RUNS = 0;
export const FINISHED = 1;
export const FAILED = 2;
export const LOST = 3;
export const CANCELLED = 4;
export const OUTPUT_LOST = 5;

export const RETRY = 1;
export const SPILL = 2;
export const BACKUP = 4;
export const EARLY = 8;
export const LEFT_OUT = 16;
export const TAKEN_OVER = 32;
