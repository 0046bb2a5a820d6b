// The workers: where they run, what they did, how much processor and memory they use.

import { type Chart, type Data, lines } from "./chart.ts";
import { fill, h, put } from "./dom.ts";
import { bytes, clock, whole } from "./format.ts";
import { FAILED, FINISHED, LOST, OUTPUT_LOST, RUNS, type Worker } from "./model.ts";
import { chip, nothing } from "./parts.ts";
import type { Store } from "./store.ts";
import type { Context, View } from "./view.ts";
import { oneLine } from "./visible.ts";

/** Lines of a chart; more cannot be told apart. */
const MOST_LINES = 40;
const MOST_ROWS = 500;

export class Workers implements View {
  readonly element = h("div", { class: "workers" });
  private readonly charts = h("div", { class: "charts" });
  private readonly table = h("section", { class: "card" });
  private made: [Chart, Chart] | null = null;
  private drawn: number[] = [];
  private chosen = -1;

  constructor(private readonly context: Context) {
    put(this.element, this.charts, this.table);
  }

  update(): void {
    const { store } = this.context;
    this.plot();
    const rows = [...store.workers.values()].sort((a, b) => Number(a.gone >= 0) - Number(b.gone >= 0) || a.row - b.row);
    if (rows.length === 0) {
      fill(this.table, nothing("No worker has come yet."));
      return;
    }
    const sums = counted(store);
    const body = h("tbody");
    for (const worker of rows.slice(0, MOST_ROWS)) put(body, this.line(worker, sums.get(worker.row) ?? new Int32Array(6)));
    const names = ["Worker", "State", "Node", "Slots", "Finished", "Failed", "Lost", "Running", "CPU", "Memory", "Most memory"];
    fill(this.table, h("h3", {}, `Workers and gateways (${whole(rows.length)})`),
      h("div", { class: "scroll", tabindex: 0, role: "group", aria: { label: "Workers" } },
        h("table", {}, h("thead", {}, h("tr", {}, ...names.map((name, at) =>
          h("th", { scope: "col", class: at > 2 ? "number" : "" }, name)))), body)));
  }

  leave(): void {
    for (const chart of this.made ?? []) chart.leave();
  }

  private line(worker: Worker, sums: Int32Array): HTMLElement {
    const used = this.context.store.usage.get(worker.row);
    const cpu = used?.cpu.at(-1);
    const over = (this.context.store.head?.ended ?? -1) >= 0;
    const state = worker.gone < 0
      ? chip(over ? "until the end" : worker.joined < 0 ? "coming" : "ready", over ? "quiet" : "good")
      : chip(worker.reason ? `gone: ${oneLine(worker.reason, 40)}` : "gone", worker.reason ? "bad" : "quiet");
    if (worker.gone >= 0) state.title = `after ${clock(worker.gone)}`;
    const name = oneLine(worker.name, 80);
    return h("tr", { class: worker.row === this.chosen ? "chosen" : "" },
      h("th", { scope: "row" }, used ? h("button", {
        type: "button", class: "link", data: { row: "" }, aria: { pressed: worker.row === this.chosen },
        on: { click: () => this.choose(worker.row) },
      }, name) : name),
      h("td", {}, state), h("td", {}, oneLine(worker.node, 60)), number(worker.slots || undefined),
      number(sums[FINISHED]), number(sums[FAILED], "bad-text"), number((sums[LOST] ?? 0) + (sums[OUTPUT_LOST] ?? 0), "warn-text"),
      number(sums[RUNS]),
      h("td", { class: "number" }, cpu === undefined ? "" : `${(cpu / 1000).toFixed(2)} cores`),
      h("td", { class: "number" }, memory(used?.mem.at(-1))),
      h("td", { class: "number" }, memory(used?.mem.reduce((most, mem) => Math.max(most, mem), 0))));
  }

  private choose(row: number): void {
    this.chosen = this.chosen === row ? -1 : row;
    for (const chart of this.made ?? []) chart.remake();
    this.update();
  }

  private plot(): void {
    const { store } = this.context;
    const most = (row: number) => Math.max(0, ...(store.usage.get(row)?.mem.slice(-600) ?? []));
    const rows = [...store.usage.keys()].sort((a, b) => most(b) - most(a)).slice(0, MOST_LINES).sort((a, b) => a - b);
    if (rows.length === 0) {
      fill(this.charts, nothing(store.head && store.head.ended >= 0
        ? "The job was over before workers told how much processor and memory they use."
        : "No worker has told yet how much processor and memory it uses."));
      return;
    }
    const cpu = aligned(store, rows, "cpu");
    const mem = aligned(store, rows, "mem");
    if (!this.made || rows.join() !== this.drawn.join()) {
      this.leave();
      this.drawn = rows;
      const strong = () => this.drawn.indexOf(this.chosen);
      this.made = [
        lines(mem, "Memory of each worker", { told: (value) => bytes(value * (1 << 20)), binary: true }, strong),
        lines(cpu, "Processors of each worker", { told: (value) => (value / 1000).toFixed(1), binary: false }, strong),
      ];
      fill(this.charts,
        h("section", { class: "card" }, h("h3", {}, "Memory"), this.made[0].element),
        h("section", { class: "card" }, h("h3", {}, "Processors in use"), this.made[1].element));
    } else {
      this.made[0].set(mem);
      this.made[1].set(cpu);
    }
  }
}

/** Outcomes of attempts, by worker. */
function counted(store: Store): Map<number, Int32Array> {
  const sums = new Map<number, Int32Array>();
  const { worker, outcome, row } = store.column;
  for (let at = 0; at < store.count; at += 1) {
    if ((row[at] ?? -1) < 0) continue;
    let sum = sums.get(worker[at] ?? -1);
    if (!sum) sums.set(worker[at] ?? -1, (sum = new Int32Array(6)));
    const which = outcome[at] ?? 0;
    sum[which] = (sum[which] ?? 0) + 1;
  }
  return sums;
}

/** Series of several workers on one axis of time. */
function aligned(store: Store, rows: readonly number[], what: "cpu" | "mem"): Data {
  const times = Float64Array.from(new Set(rows.flatMap((row) => store.usage.get(row)?.at ?? []))).sort();
  const place = new Map<number, number>();
  times.forEach((at, i) => place.set(at, i));
  const series = rows.map((row) => {
    const line: (number | null)[] = new Array<number | null>(times.length).fill(null);
    const used = store.usage.get(row);
    used?.at.forEach((at, i) => {
      line[place.get(at) ?? 0] = used[what][i] ?? null;
    });
    return line;
  });
  return [[...times], ...series];
}

function number(value: number | undefined, tone = ""): HTMLElement {
  return h("td", { class: `number ${value ? tone : ""}` }, value === undefined ? "" : whole(value));
}

function memory(mebibytes: number | undefined): string {
  return mebibytes === undefined ? "" : bytes(mebibytes * (1 << 20));
}
