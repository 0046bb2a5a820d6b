// Every task in a table: sorted, filtered, and only as many rows in the document as can be seen.

import { Detail } from "./detail.ts";
import { fill, h, put, say } from "./dom.ts";
import { bytes, clock, duration, plural, whole } from "./format.ts";
import { KINDS } from "./model.ts";
import { flagChips, nothing, outcomeChip } from "./parts.ts";
import { select, type Sort } from "./query.ts";
import type { Route } from "./route.ts";
import type { Context, View } from "./view.ts";
import { ending } from "./visible.ts";
import { taskName } from "./words.ts";

const HEIGHT = 34;
const SPARE = 6;

interface Column {
  sort: Sort;
  title: string;
  number: boolean;
  cell(context: Context, task: number, row: number): string | Node;
}

const COLUMNS: readonly Column[] = [
  { sort: "task", title: "Task", number: false, cell: ({ store }, _, row) => taskName(store, row) },
  { sort: "outcome", title: "Outcome", number: false, cell: ({ store }, _, row) => outcomeChip(store.column.outcome[row] ?? 0) },
  { sort: "tries", title: "Tries", number: true, cell: ({ store }, task) => whole(store.tasks.tries[task] ?? 0) },
  { sort: "worker", title: "Worker", number: false, cell: ({ store }, _, row) => ending(store.worker(store.column.worker[row] ?? -1), 22) },
  { sort: "began", title: "Began", number: true, cell: ({ store }, _, row) => clock(store.column.began[row] ?? 0, 100) },
  { sort: "took", title: "Took", number: true, cell: ({ store }, _, row) => duration(store.until(row) - (store.column.began[row] ?? 0)) },
  { sort: "records", title: "Records", number: true, cell: ({ store }, _, row) => positive(store.column.records[row], whole) },
  { sort: "size", title: "Made", number: true, cell: ({ store }, _, row) => positive(store.column.size[row], bytes) },
  { sort: "cpu", title: "CPU", number: true, cell: ({ store }, _, row) => positive(store.column.cpu[row], duration) },
  { sort: "peak", title: "Peak", number: true, cell: ({ store }, _, row) => positive((store.column.peak[row] ?? 0) * 1024, bytes) },
];

export class Tasks implements View {
  readonly element = h("div", { class: "tasks" });
  readonly filter = h("input", {
    type: "search", placeholder: "map-17  failed  straggler  worker:2  took>10s", autocomplete: "off",
    aria: { label: "Filter tasks" }, on: { input: () => this.filtered() },
  });
  private readonly summary = h("div", { class: "summary" });
  private readonly count = h("span", { class: "muted", role: "status" });
  private readonly head = h("div", { class: "trow thead", role: "row" });
  private readonly rows = h("div", { class: "trows", role: "rowgroup" });
  private readonly empty = nothing("No task fits the filter.");
  private readonly body = h("div", {
    class: "tbody", role: "grid", tabindex: 0, aria: { label: "Tasks" },
    on: { scroll: () => this.draw(), keydown: (event) => this.pressed(event) },
  });
  private readonly detail: Detail;
  private readonly pool: HTMLElement[] = [];
  private readonly watch = new ResizeObserver(() => this.draw());
  private found: Int32Array = new Int32Array(0);
  private sort: Sort = "task";
  private descending = false;
  private chosen = -1;
  private opened = "";
  private later = 0;

  constructor(private readonly context: Context) {
    this.detail = new Detail(context, () => {
      this.body.focus();
      this.remember("");
    });
    this.header();
    put(this.body, h("div", { role: "rowgroup", class: "tsticky" }, this.head), this.rows);
    put(this.element,
      this.summary,
      h("div", { class: "bar" }, this.filter, this.count),
      h("div", { class: "card table" }, this.body, this.empty),
      this.detail.element);
    this.watch.observe(this.body);
  }

  update(route: Route): void {
    if (document.activeElement !== this.filter) this.filter.value = route.query;
    this.statistics();
    this.search();
    this.detail.update();
    if (route.open && route.open !== this.opened) this.reveal(route.open);
    this.opened = route.open;
  }

  leave(): void {
    this.watch.disconnect();
    clearTimeout(this.later);
  }

  key(event: KeyboardEvent): boolean {
    if (!["j", "k", "Enter"].includes(event.key)) return false;
    this.body.focus();
    this.pressed(event);
    return true;
  }

  private filtered(): void {
    this.search();
    // The address follows when typing rests.
    clearTimeout(this.later);
    this.later = setTimeout(() => this.remember(this.opened), 300);
  }

  private remember(open: string): void {
    this.opened = open;
    this.context.go({ tab: "tasks", query: this.filter.value, open });
  }

  private statistics(): void {
    const phases = this.context.store.head?.phases ?? [];
    fill(this.summary, ...phases.filter((phase) => phase.max > 0).map((phase) => h("p", {},
      h("strong", {}, phase.kind === "map" ? "Maps" : "Reduces"), ` median ${duration(phase.median)}, `,
      `p95 ${duration(phase.p95)}, longest ${duration(phase.max)}`)));
  }

  private search(): void {
    const { store, judge } = this.context;
    const kept = this.found[this.chosen];
    this.found = select(store, judge, this.filter.value, this.sort, this.descending);
    this.chosen = kept === undefined ? Math.min(this.chosen, this.found.length - 1) : this.found.indexOf(kept);
    const dropped = store.head?.rows_dropped ?? 0;
    say(this.count, `${whole(this.found.length)} of ${plural(store.tasks.count, "task")}` +
      `${dropped ? `; ${plural(dropped, "early attempt")} are only counted` : ""}`);
    this.empty.hidden = this.found.length > 0;
    this.rows.style.setProperty("height", `${this.found.length * HEIGHT}px`);
    this.body.setAttribute("aria-rowcount", String(this.found.length + 1));
    this.draw();
  }

  private header(): void {
    fill(this.head, ...COLUMNS.map((column) => h("div", {
      class: `tcell ${column.sort} ${column.number ? "number" : ""}`, role: "columnheader",
      aria: { sort: column.sort !== this.sort ? "none" : this.descending ? "descending" : "ascending" },
    }, h("button", { type: "button", tabindex: -1, on: { click: () => this.order(column) } },
      `${column.title}${column.sort !== this.sort ? "" : this.descending ? " ↓" : " ↑"}`))),
    h("div", { class: "tcell flags", role: "columnheader" }, "Flags"));
  }

  private order(column: Column): void {
    this.descending = this.sort === column.sort ? !this.descending : column.number;
    this.sort = column.sort;
    this.header();
    this.search();
  }

  /** Put the rows that can be seen into the elements that there are. */
  private draw(): void {
    const first = Math.max(0, Math.floor(this.body.scrollTop / HEIGHT) - SPARE);
    const seen = Math.min(60, Math.ceil(this.body.clientHeight / HEIGHT) + 2 * SPARE);
    const last = Math.min(this.found.length, first + seen);
    for (let i = first; i < last; i += 1) this.show(this.pooled(i - first), i);
    for (let i = Math.max(0, last - first); i < this.pool.length; i += 1) this.pool[i]!.hidden = true;
    if (this.chosen >= first && this.chosen < last) this.body.setAttribute("aria-activedescendant", `task-row-${this.chosen - first}`);
    else this.body.removeAttribute("aria-activedescendant");
  }

  private pooled(at: number): HTMLElement {
    let element = this.pool[at];
    if (!element) {
      element = h("div", {
        class: "trow", role: "row", id: `task-row-${at}`,
        on: { click: (event) => this.click(event.currentTarget as HTMLElement) },
      }, ...COLUMNS.map((column) => h("div", { class: `tcell ${column.sort} ${column.number ? "number" : ""}`, role: "gridcell" })),
      h("div", { class: "tcell flags", role: "gridcell" }));
      this.pool[at] = element;
      put(this.rows, element);
    }
    return element;
  }

  private show(element: HTMLElement, at: number): void {
    const task = this.found[at] ?? 0;
    const row = this.context.store.tasks.stands[task] ?? 0;
    element.hidden = false;
    element.dataset["at"] = String(at);
    element.style.setProperty("top", `${at * HEIGHT}px`);
    element.setAttribute("aria-rowindex", String(at + 2));
    element.setAttribute("aria-selected", String(at === this.chosen));
    COLUMNS.forEach((column, i) => {
      const cell = element.children[i]!;
      const value = column.cell(this.context, task, row);
      if (typeof value === "string") say(cell, value);
      else if (cell.textContent !== (value as HTMLElement).textContent) fill(cell, value as Node);
    });
    const flags = element.lastElementChild as HTMLElement;
    const set = String(this.context.judge.flags(row));
    if (flags.dataset["set"] !== set) fill(flags, ...flagChips(Number(set)));
    flags.dataset["set"] = set;
  }

  private click(element: HTMLElement): void {
    this.choose(Number(element.dataset["at"]));
    this.open(false);
  }

  private choose(at: number): void {
    this.chosen = Math.max(0, Math.min(this.found.length - 1, at));
    const top = this.chosen * HEIGHT;
    const { scrollTop, clientHeight } = this.body;
    const room = clientHeight - this.head.clientHeight;
    if (top < scrollTop) this.body.scrollTop = top;
    else if (top + HEIGHT > scrollTop + room) this.body.scrollTop = top + HEIGHT - room;
    this.draw();
  }

  private pressed(event: KeyboardEvent): void {
    const page = Math.max(1, Math.floor(this.body.clientHeight / HEIGHT) - 2);
    const steps: Record<string, number> = {
      j: 1, ArrowDown: 1, k: -1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -1e9, End: 1e9,
    };
    const step = steps[event.key];
    if (step !== undefined) this.choose(this.chosen + step);
    else if (event.key === "Enter") this.open(true);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  private open(focus: boolean): void {
    const task = this.found[this.chosen];
    if (task === undefined) return;
    this.detail.show(task, focus);
    this.remember(taskName(this.context.store, this.context.store.tasks.stands[task] ?? 0));
  }

  private reveal(name: string): void {
    const [kind = "", index = ""] = name.split("-");
    const task = this.context.store.tasks.find(KINDS.indexOf(kind as "map"), Number(index));
    if (task < 0) return;
    const at = this.found.indexOf(task);
    if (at >= 0) this.choose(at);
    this.detail.show(task, false);
  }
}

function positive(value: number | undefined, told: (value: number) => string): string {
  return value ? told(value) : "";
}
