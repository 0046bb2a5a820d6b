// One job as the page knows it: what updates said, in typed columns. Pure; `feed` fills it, views read it.
//
// Tasks are not told: they are made here of their attempts, each task a chain through `older`.

import {
  ATTEMPT_COLUMNS, FINISHED, KINDS, OTHER, RUNS, type AttemptColumn, type Attempts, type Group, type Head,
  type Partitions, type Rate, type Update, type Worker,
} from "./model.ts";

/** Rows that are ever held, whatever an answer says. */
export const MOST_ROWS = 2_000_000;
const MOST_SAMPLES = 500_000;

type Columns = Record<AttemptColumn, Float64Array | Int32Array>;

export class Store {
  boot = "";
  rev = 0;
  t0 = 0;
  now = 0;
  head: Head | null = null;
  workers = new Map<number, Worker>();
  /** Rows below `count` that were told; `column.row[i]` is -1 where none was. */
  count = 0;
  column: Columns = columns(64);
  rate: Rate = { at: [], records: [], size: [], done: [] };
  groups: Group[] = [];
  partitions: Partitions = { sizes: [], heavy: [] };
  usage = new Map<number, Series>();
  tasks = new Tasks();
  private first = 0;
  private samples = 0;

  /** Take in what an update says. */
  apply(update: Update): void {
    if (update.full) this.forget(update);
    this.boot = update.boot;
    this.rev = update.rev;
    this.t0 = update.t0;
    this.now = update.now;
    this.head = update.head;
    for (const worker of update.workers) this.workers.set(worker.row, worker);
    this.attempts(update.attempts);
    this.used(update.usage.row, update.usage.at, update.usage.cpu, update.usage.mem);
    if (update.rate) this.rate = update.rate;
    if (update.groups) this.groups = update.groups;
    if (update.partitions) this.partitions = update.partitions;
  }

  /** Milliseconds from the job's begin to its end, or to now. */
  elapsed(): number {
    if (!this.head) return 0;
    const end = this.head.ended >= 0 ? this.head.ended : this.now;
    return Math.max(0, end - Math.max(0, this.head.began));
  }

  /** Where the time axis ends. */
  end(): number {
    if (!this.head) return 1000;
    return Math.max(this.head.ended >= 0 ? this.head.ended : this.now, 100);
  }

  /** When an attempt ended, or now. */
  until(row: number): number {
    const took = this.column.took[row] ?? 0;
    return took < 0 ? Math.max(this.now, this.column.began[row] ?? 0) : (this.column.began[row] ?? 0) + took;
  }

  worker(row: number): string {
    return row < 0 ? "" : (this.workers.get(row)?.name ?? `worker ${row}`);
  }

  private forget(update: Update): void {
    this.workers.clear();
    this.column = columns(Math.max(64, update.attempts.row.length));
    this.count = 0;
    this.first = update.attempts.row[0] ?? 0;
    this.usage.clear();
    this.samples = 0;
    this.rate = { at: [], records: [], size: [], done: [] };
    this.groups = [];
    this.partitions = { sizes: [], heavy: [] };
    this.tasks = new Tasks();
  }

  private attempts(told: Attempts): void {
    let row = 0;
    let began = 0;
    for (let i = 0; i < told.row.length; i += 1) {
      row += told.row[i] ?? 0;
      began += told.began[i] ?? 0;
      const at = row - this.first;
      if (at < 0 || at >= MOST_ROWS) continue;
      this.reach(at);
      const known = (this.column.row[at] ?? -1) >= 0;
      for (const name of ATTEMPT_COLUMNS) this.column[name][at] = told[name][i] ?? 0;
      this.column.row[at] = row;
      this.column.began[at] = began;
      this.tasks.take(this.column, at, known);
    }
  }

  private reach(at: number): void {
    if (at < this.count) return;
    const room = this.column.row.length;
    if (at >= room) this.column = columns(Math.max(at + 1, room * 2), this.column);
    this.count = at + 1;
  }

  private used(rows: number[], at: number[], cpu: number[], mem: number[]): void {
    for (let i = 0; i < rows.length && this.samples < MOST_SAMPLES; i += 1) {
      const row = rows[i] ?? 0;
      let series = this.usage.get(row);
      if (!series) this.usage.set(row, (series = { at: [], cpu: [], mem: [] }));
      series.at.push(at[i] ?? 0);
      series.cpu.push(cpu[i] ?? 0);
      series.mem.push(mem[i] ?? 0);
      this.samples += 1;
    }
  }
}

/** What one worker used: moments, thousandths of a processor, MiB. */
export interface Series {
  at: number[];
  cpu: number[];
  mem: number[];
}

/** Tasks by number, each with the attempt that stands for it and how many it has. */
export class Tasks {
  count = 0;
  /** The attempt that finished, else the one that runs, else the newest. */
  stands: Int32Array = new Int32Array(64);
  tries: Int32Array = new Int32Array(64);
  private newest: Int32Array = new Int32Array(64);
  private older: Int32Array = new Int32Array(64);
  private numbers: Map<number, number>[] = KINDS.map(() => new Map());

  /** An attempt was told, for the first time or again. */
  take(column: Columns, row: number, known: boolean): void {
    const kind = column.kind[row] ?? 0;
    const index = column.index[row] ?? 0;
    const task = this.number(kind, index);
    if (!known) {
      this.older = grown(this.older, row);
      this.older[row] = (this.tries[task] ?? 0) > 0 ? (this.newest[task] ?? -1) : -1;
      this.newest[task] = row;
      this.tries[task] = (this.tries[task] ?? 0) + 1;
    }
    this.stands[task] = this.best(column, task);
  }

  /** The attempts of a task, newest first. */
  attempts(task: number): number[] {
    const rows: number[] = [];
    if ((this.tries[task] ?? 0) === 0) return rows;
    for (let row = this.newest[task] ?? -1; row >= 0 && rows.length < 1000; row = this.older[row] ?? -1) rows.push(row);
    return rows;
  }

  /** The task of this kind and index, or -1. */
  find(kind: number, index: number): number {
    return this.numbers[kind]?.get(index) ?? -1;
  }

  private best(column: Columns, task: number): number {
    let best = this.newest[task] ?? -1;
    for (let row = best; row >= 0; row = this.older[row] ?? -1) {
      const outcome = column.outcome[row];
      if (outcome === FINISHED) return row;
      if (outcome === RUNS && column.outcome[best] !== RUNS) best = row;
    }
    return best;
  }

  private number(kind: number, index: number): number {
    const numbers = this.numbers[kind] ?? this.numbers[OTHER]!;
    let task = numbers.get(index);
    if (task === undefined) {
      task = this.count;
      numbers.set(index, task);
      this.count += 1;
      this.stands = grown(this.stands, task);
      this.tries = grown(this.tries, task);
      this.newest = grown(this.newest, task);
    }
    return task;
  }
}

function grown(old: Int32Array, at: number): Int32Array {
  if (at < old.length) return old;
  const larger = new Int32Array(Math.max(at + 1, old.length * 2));
  larger.set(old);
  return larger;
}

const WIDE = new Set<AttemptColumn>(["row", "given", "began", "took", "records", "size", "cpu", "peak"]);

function columns(room: number, old?: Columns): Columns {
  const made = {} as Columns;
  for (const name of ATTEMPT_COLUMNS) {
    const column = WIDE.has(name) ? new Float64Array(room) : new Int32Array(room);
    if (old) column.set(old[name]);
    made[name] = column;
  }
  made.row.fill(-1, old ? old.row.length : 0);
  return made;
}
