// Which attempt is under a point of the Gantt, and which is beside another. Pure.

import type { Bars } from "./paint.ts";

export class Cursor {
  /** The attempts of lane i, by begin: `rows[starts[i]]` to `rows[starts[i + 1]]`. */
  private readonly starts: Int32Array;
  private readonly rows: Int32Array;

  constructor(private readonly bars: Bars, lanes: number) {
    this.starts = new Int32Array(lanes + 1);
    for (let row = 0; row < bars.count; row += 1) {
      const lane = bars.lane[row] ?? -1;
      if (lane >= 0) this.starts[lane + 1] = (this.starts[lane + 1] ?? 0) + 1;
    }
    for (let lane = 0; lane < lanes; lane += 1) this.starts[lane + 1] = (this.starts[lane + 1] ?? 0) + (this.starts[lane] ?? 0);
    this.rows = new Int32Array(this.starts[lanes] ?? 0);
    const next = this.starts.slice();
    for (let row = 0; row < bars.count; row += 1) {
      const lane = bars.lane[row] ?? -1;
      if (lane < 0) continue;
      const at = next[lane] ?? 0;
      this.rows[at] = row;
      next[lane] = at + 1;
    }
    for (let lane = 0; lane < lanes; lane += 1) this.sortLane(lane);
  }

  /** The attempt of a lane at a moment, or the one that is nearest, if it is at most `reach` away; else -1. */
  at(lane: number, time: number, reach = Infinity): number {
    let best = -1;
    let near = reach;
    for (let i = this.starts[lane] ?? 0; i < (this.starts[lane + 1] ?? 0); i += 1) {
      const row = this.rows[i] ?? 0;
      const away = Math.max((this.bars.began[row] ?? 0) - time, time - (this.bars.until[row] ?? 0), 0);
      if (away <= near) [best, near] = [row, away];
    }
    return best;
  }

  /** The attempt before or after another in its lane. */
  beside(row: number, step: 1 | -1): number {
    if (row < 0) return this.first();
    const lane = this.bars.lane[row] ?? 0;
    const from = this.starts[lane] ?? 0;
    const at = this.rows.subarray(from, this.starts[lane + 1]).indexOf(row) + step;
    const to = (this.starts[lane + 1] ?? 0) - from;
    return at >= 0 && at < to ? (this.rows[from + at] ?? row) : row;
  }

  /** The attempt of the nearest lane above or below that has any, at the same time. */
  across(row: number, step: 1 | -1): number {
    if (row < 0) return this.first();
    for (let lane = (this.bars.lane[row] ?? 0) + step; lane >= 0 && lane < this.starts.length - 1; lane += step) {
      const found = this.at(lane, this.bars.began[row] ?? 0);
      if (found >= 0) return found;
    }
    return row;
  }

  private first(): number {
    return this.rows[0] ?? -1;
  }

  private sortLane(lane: number): void {
    const part = this.rows.subarray(this.starts[lane], this.starts[lane + 1]);
    const { began } = this.bars;
    for (let i = 1; i < part.length; i += 1) {
      if ((began[part[i]!] ?? 0) >= (began[part[i - 1]!] ?? 0)) continue;
      part.sort((a, b) => began[a]! - began[b]! || a - b);
      return;
    }
  }
}
