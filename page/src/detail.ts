// One task and its attempts, with what the failed ones said: opened from the table and from the Gantt.

import { fill, h, put } from "./dom.ts";
import { bytes, clock, duration, whole } from "./format.ts";
import { failureText, flagChips, outcomeChip } from "./parts.ts";
import type { Context } from "./view.ts";
import { oneLine } from "./visible.ts";
import { attemptName, taskName } from "./words.ts";

export class Detail {
  readonly element = h("section", { class: "card detail", hidden: true, tabindex: -1, aria: { label: "Task" } });
  private task = -1;
  private sign = "";

  constructor(private readonly context: Context, private readonly closed: () => void) {
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.close();
    });
  }

  get open(): boolean {
    return !this.element.hidden;
  }

  show(task: number, focus: boolean): void {
    this.task = task;
    this.sign = "";
    this.element.hidden = false;
    this.update();
    if (focus) {
      this.element.focus({ preventScroll: true });
      this.element.scrollIntoView({ block: "nearest" });
    }
  }

  close(): void {
    this.element.hidden = true;
    this.task = -1;
    this.closed();
  }

  update(): void {
    const { store } = this.context;
    if (this.task < 0 || this.element.hidden) return;
    const rows = store.tasks.attempts(this.task);
    const sign = rows.map((row) => `${row}:${store.column.outcome[row]}:${store.column.took[row]}`).join();
    if (sign === this.sign) return;
    this.sign = sign;
    const first = rows[0];
    if (first === undefined) return;
    fill(this.element,
      h("div", { class: "detail-head" },
        h("h3", {}, taskName(store, first)),
        h("button", { type: "button", class: "quiet", on: { click: () => this.close() } }, "Close")),
      this.table(rows));
    const failed = rows.filter((row) => (store.column.group[row] ?? -1) >= 0);
    if (failed.length) void this.explain(failed);
  }

  private table(rows: readonly number[]): HTMLElement {
    const head = ["Attempt", "Outcome", "Worker", "Slot", "Began", "Took", "Records", "Made", "CPU", "Peak memory", ""];
    const body = h("tbody");
    for (const row of rows) put(body, this.line(row));
    return h("div", { class: "scroll", tabindex: 0, role: "group", aria: { label: "Attempts" } }, h("table", {},
      h("thead", {}, h("tr", {}, ...head.map((name) => (name ? h("th", { scope: "col" }, name) : h("td"))))), body));
  }

  private line(row: number): HTMLElement {
    const { store, judge } = this.context;
    const { column } = store;
    const took = store.until(row) - (column.began[row] ?? 0);
    const slot = column.slot[row] ?? -1;
    return h("tr", {},
      h("th", { scope: "row" }, attemptName(store, row)),
      h("td", {}, outcomeChip(column.outcome[row] ?? 0)),
      h("td", {}, oneLine(store.worker(column.worker[row] ?? -1), 60)),
      h("td", { class: "number" }, slot < 0 ? "" : whole(slot)),
      h("td", { class: "number" }, clock(column.began[row] ?? 0, 100)),
      h("td", { class: "number" }, duration(took)),
      h("td", { class: "number" }, some(column.records[row], whole)),
      h("td", { class: "number" }, some(column.size[row], bytes)),
      h("td", { class: "number" }, some(column.cpu[row], duration)),
      h("td", { class: "number" }, some((column.peak[row] ?? 0) * 1024, bytes)),
      h("td", {}, ...flagChips(judge.flags(row))));
  }

  private async explain(rows: readonly number[]): Promise<void> {
    const { context, task } = this;
    const { store } = context;
    const told = new Set<number>();
    for (const row of rows) {
      const id = store.column.group[row] ?? -1;
      const texts = told.has(id) ? [] : await context.texts(id);
      if (this.task !== task) return;
      const own = texts.find((text) => text.attempt === attemptName(store, row)) ?? texts[0];
      if (!own || told.has(id)) continue;
      told.add(id);
      const mine = own.attempt === attemptName(store, row);
      put(this.element,
        h("h3", {}, mine ? `${oneLine(own.attempt)} said` : `The same cause, as ${oneLine(own.attempt)} said it`),
        failureText(own));
    }
  }
}

function some(value: number | undefined, told: (value: number) => string): string {
  return value ? told(value) : "";
}
