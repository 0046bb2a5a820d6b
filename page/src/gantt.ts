// Attempts over time, a row for each slot of each worker: uPlot has the axes, zoom and cursor, the bars are painted.

import { axis, Chart, type Options, type Plot, timeAxis } from "./chart.ts";
import { Detail } from "./detail.ts";
import { fill, h, put, say } from "./dom.ts";
import { clock, duration, plural, whole } from "./format.ts";
import { Cursor } from "./gantt_cursor.ts";
import { lanes, type Lanes } from "./lanes.ts";
import { OTHER, OUTCOMES } from "./model.ts";
import { ground, paint, span, type Bars, type Frame } from "./paint.ts";
import { image, swatch } from "./parts.ts";
import { barColours, colour, onTheme } from "./theme.ts";
import type { Context, View } from "./view.ts";
import { ending, oneLine } from "./visible.ts";
import { attemptName, flagNames, outcomeName, taskName } from "./words.ts";

const LABELLED = 2000;
const EDGES = 38;

export class Gantt implements View {
  readonly element = h("div", { class: "gantt" });
  private readonly hint = h("p", { class: "gantt-told", role: "status" });
  private readonly notes = h("p", { class: "muted" });
  private readonly place = h("div", {
    class: "gantt-place", tabindex: 0, role: "application",
    aria: { label: "Attempts over time. Arrows go from attempt to attempt, plus and minus zoom, Enter opens." },
    on: { keydown: (event) => this.pressed(event) },
  });
  private readonly legend = h("div", { class: "legend" });
  private readonly detail: Detail;
  private readonly chart: Chart;
  private readonly unTheme: () => void;
  private laid: Lanes = { of: new Int32Array(0), worker: [], slot: [], guessed: false };
  private bars: Bars = { count: 0, lane: this.laid.of, began: new Float64Array(0), until: new Float64Array(0), outcome: new Int32Array(0) };
  private cursor = new Cursor(this.bars, 0);
  private window: [number, number] | null = null;
  private chosen = -1;
  private pixels = new Uint32Array(0);
  /** How many bars were in the last picture; tests ask. */
  painted = 0;

  constructor(private readonly context: Context) {
    this.detail = new Detail(context, () => this.place.focus());
    this.chart = new Chart(() => this.options(), [[0, 1], [0, 0]], 200, "Attempts over time");
    this.chart.element.removeAttribute("role");
    this.chart.element.removeAttribute("aria-label");
    put(this.place, this.chart.element);
    put(this.element, h("div", { class: "bar" }, this.legend, h("span", { class: "spread" }), ...this.buttons()),
      h("div", { class: "card gantt-card" }, this.place, this.hint), this.notes, this.detail.element);
    this.drawLegend();
    this.unTheme = onTheme(() => this.drawLegend());
    this.place.addEventListener("dblclick", () => this.zoomTo(null));
  }

  update(): void {
    const { store } = this.context;
    this.laid = lanes(store);
    const until = new Float64Array(store.count);
    for (let row = 0; row < store.count; row += 1) until[row] = store.until(row);
    this.bars = { count: store.count, lane: this.laid.of, began: store.column.began, until, outcome: store.column.outcome };
    this.cursor = new Cursor(this.bars, this.laid.worker.length);
    this.chart.tall(this.laneHeight() * Math.max(1, this.laid.worker.length) + EDGES);
    this.chart.set([[this.from(), this.to()], [0, 0]]);
    say(this.notes, this.laid.guessed ? "Some slots are not known: those attempts stand in the first row of their worker that was free." : "");
    this.detail.update();
  }

  leave(): void {
    this.chart.leave();
    this.unTheme();
  }

  key(event: KeyboardEvent): boolean {
    if (!["j", "k", "+", "-", "0"].includes(event.key)) return false;
    this.place.focus();
    this.pressed(event);
    return true;
  }

  private buttons(): HTMLElement[] {
    const button = (text: string, label: string, click: () => void) =>
      h("button", { type: "button", class: "quiet", title: label, aria: { label }, on: { click } }, text);
    return [
      button("−", "Zoom out", () => this.zoom(2)), button("+", "Zoom in", () => this.zoom(0.5)),
      button("All", "The whole job", () => this.zoomTo(null)),
    ];
  }

  private drawLegend(): void {
    fill(this.legend, ...OUTCOMES.map((name, outcome) => h("span", { class: "legend-item" }, swatch(outcome), name)));
  }

  private laneHeight(): number {
    const count = this.laid.worker.length;
    return count <= 24 ? 22 : count <= 60 ? 12 : count <= 150 ? 6 : count <= 400 ? 4 : 2;
  }

  private from(): number {
    return this.window?.[0] ?? 0;
  }

  private to(): number {
    return this.window?.[1] ?? this.context.store.end();
  }

  private options(): Options {
    return {
      legend: { show: false },
      padding: [6, 12, 0, 0],
      scales: {
        x: { time: false, range: () => [this.from(), this.to()] },
        y: { range: () => [0, Math.max(1, this.laid.worker.length)], dir: -1 },
      },
      cursor: { points: { show: false }, drag: { x: true, y: false, setScale: false } },
      axes: [timeAxis(), axis({
        size: 130, grid: { show: false }, ticks: { show: false },
        splits: () => this.middles(), values: (_, at) => at.map((lane) => this.label(lane)),
      })],
      series: [{}, { show: true, stroke: "transparent", points: { show: false } }],
      hooks: {
        draw: [(plot) => this.draw(plot)],
        setCursor: [(plot) => this.point(plot)],
        setSelect: [(plot) => this.selected(plot)],
        ready: [(plot) => plot.over.addEventListener("click", () => this.clicked(plot))],
      },
    };
  }

  /** Where the names of workers stand: the middle of their lanes, as far as there is room. */
  private middles(): number[] {
    const { worker } = this.laid;
    const found: number[] = [];
    const room = 14 / this.laneHeight();
    let first = 0;
    for (let lane = 1; lane <= worker.length; lane += 1) {
      if (lane < worker.length && worker[lane] === worker[first]) continue;
      const middle = (first + lane) / 2;
      if (found.length === 0 || middle - (found.at(-1) ?? 0) >= room) found.push(middle);
      first = lane;
    }
    return found;
  }

  private label(lane: number): string {
    const name = this.context.store.worker(this.laid.worker[Math.floor(lane)] ?? this.laid.worker[Math.ceil(lane)] ?? -1);
    return ending(name, 17);
  }

  private draw(plot: Plot): void {
    const { left, top, width, height } = plot.bbox;
    const frame: Frame = {
      pixels: this.room(width * height), width, height, from: this.from(), to: this.to(),
      lane: height / Math.max(1, this.laid.worker.length), scale: devicePixelRatio,
    };
    const colours = barColours();
    ground(frame, this.laid.worker, colours);
    this.painted = paint(frame, this.bars, colours);
    plot.ctx.putImageData(image(frame), left, top);
    plot.ctx.save();
    plot.ctx.beginPath();
    plot.ctx.rect(left, top, width, height);
    plot.ctx.clip();
    this.marks(plot, frame);
    if (this.painted < LABELLED && frame.lane >= 16 * devicePixelRatio) this.names(plot, frame);
    if (this.chosen >= 0) this.frameOf(plot, frame, this.chosen);
    plot.ctx.restore();
  }

  /** Where workers went, and where later masters began. */
  private marks(plot: Plot, frame: Frame): void {
    const { ctx, bbox } = plot;
    const { store } = this.context;
    const at = (time: number) => bbox.left + ((time - frame.from) / (frame.to - frame.from)) * bbox.width;
    ctx.fillStyle = colour("--absent");
    this.laid.worker.forEach((row, lane) => {
      const worker = store.workers.get(row);
      if (!worker || worker.gone < 0) return;
      const left = Math.max(bbox.left, at(worker.gone));
      ctx.fillRect(left, bbox.top + lane * frame.lane, bbox.left + bbox.width - left, frame.lane);
    });
    ctx.fillStyle = colour("--accent");
    for (const epoch of store.head?.epochs.slice(1) ?? []) ctx.fillRect(at(epoch), bbox.top, 2 * devicePixelRatio, bbox.height);
  }

  /** Names on bars that are long enough to hold them. */
  private names(plot: Plot, frame: Frame): void {
    const { ctx, bbox } = plot;
    const { store } = this.context;
    ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
    ctx.textBaseline = "middle";
    ctx.textAlign = "left";
    for (let row = 0; row < this.bars.count; row += 1) {
      const lane = this.bars.lane[row] ?? -1;
      if (lane < 0 || (this.bars.until[row] ?? 0) < frame.from || (this.bars.began[row] ?? 0) > frame.to) continue;
      const [left, right] = span(frame, this.bars.began[row] ?? 0, this.bars.until[row] ?? 0);
      const name = taskName(store, row);
      const wide = name.length * 6.5 * devicePixelRatio;
      if (right - left < wide + 8 * devicePixelRatio) continue;
      const y = bbox.top + (lane + 0.46) * frame.lane;
      ctx.fillStyle = colour(`--${(OUTCOMES[this.bars.outcome[row] ?? 0] ?? "").replace(" ", "-")}`);
      ctx.fillRect(bbox.left + left + 2, y - 7 * devicePixelRatio, wide + 6 * devicePixelRatio, 14 * devicePixelRatio);
      ctx.fillStyle = colour("--on-bar");
      ctx.fillText(name, bbox.left + left + 5 * devicePixelRatio, y);
    }
  }

  private frameOf(plot: Plot, frame: Frame, row: number): void {
    const [left, right] = span(frame, this.bars.began[row] ?? 0, this.bars.until[row] ?? 0);
    const lane = this.bars.lane[row] ?? 0;
    plot.ctx.strokeStyle = colour("--ink");
    plot.ctx.lineWidth = 2 * devicePixelRatio;
    plot.ctx.strokeRect(plot.bbox.left + left - 1, plot.bbox.top + lane * frame.lane - 1, right - left + 2, Math.max(4, frame.lane));
  }

  private room(size: number): Uint32Array {
    if (this.pixels.length < size) this.pixels = new Uint32Array(size);
    return this.pixels.subarray(0, size);
  }

  private point(plot: Plot): void {
    const row = this.under(plot);
    if (row >= 0) say(this.hint, this.tell(row));
    else if (this.chosen >= 0) say(this.hint, this.tell(this.chosen));
    else say(this.hint, `${plural(this.context.store.count, "attempt")} on ${plural(this.laid.worker.length, "slot")}. Drag to zoom, click or press Enter to open.`);
  }

  private under(plot: Plot): number {
    const { left = -1, top = -1 } = plot.cursor;
    if (left < 0 || top < 0) return -1;
    const lane = Math.floor((top / (plot.bbox.height / devicePixelRatio)) * this.laid.worker.length);
    const each = (this.to() - this.from()) / (plot.bbox.width / devicePixelRatio);
    return this.cursor.at(lane, plot.posToVal(left, "x"), 2 * each);
  }

  private selected(plot: Plot): void {
    if (plot.select.width < 4) return;
    const left = plot.posToVal(plot.select.left, "x");
    const right = plot.posToVal(plot.select.left + plot.select.width, "x");
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.zoomTo([left, right]);
  }

  private clicked(plot: Plot): void {
    const row = this.under(plot);
    if (row < 0) return;
    this.choose(row);
    this.open(false);
  }

  private zoom(factor: number): void {
    const { store } = this.context;
    const middle = this.chosen >= 0 ? ((this.bars.began[this.chosen] ?? 0) + (this.bars.until[this.chosen] ?? 0)) / 2 : (this.from() + this.to()) / 2;
    const half = ((this.to() - this.from()) * factor) / 2;
    if (half * 2 >= store.end()) this.zoomTo(null);
    else this.zoomTo([middle - half, middle + half]);
  }

  private zoomTo(window: [number, number] | null): void {
    if (window) {
      const width = Math.max(5, Math.min(window[1] - window[0], this.context.store.end()));
      const from = Math.max(0, Math.min(window[0], this.context.store.end() - width));
      window = [from, from + width];
    }
    this.window = window;
    this.chart.set([[this.from(), this.to()], [0, 0]]);
  }

  private pressed(event: KeyboardEvent): void {
    const { cursor } = this;
    const acts: Record<string, () => void> = {
      "+": () => this.zoom(0.5), "=": () => this.zoom(0.5), "-": () => this.zoom(2), "0": () => this.zoomTo(null),
      ArrowRight: () => this.choose(cursor.beside(this.chosen, 1)), ArrowLeft: () => this.choose(cursor.beside(this.chosen, -1)),
      ArrowDown: () => this.choose(cursor.across(this.chosen, 1)), ArrowUp: () => this.choose(cursor.across(this.chosen, -1)),
      j: () => this.choose(cursor.across(this.chosen, 1)), k: () => this.choose(cursor.across(this.chosen, -1)),
      Enter: () => this.open(true),
    };
    const act = acts[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  }

  private choose(row: number): void {
    if (row < 0) return;
    this.chosen = row;
    const [began, until] = [this.bars.began[row] ?? 0, this.bars.until[row] ?? 0];
    if (this.window && (until < this.from() || began > this.to())) {
      const half = (this.to() - this.from()) / 2;
      this.zoomTo([began - half, began + half]);
    }
    say(this.hint, this.tell(row));
    this.chart.plot?.redraw(false);
  }

  private open(focus: boolean): void {
    if (this.chosen < 0) return;
    const { kind, index } = this.context.store.column;
    const task = this.context.store.tasks.find(Math.min(OTHER, kind[this.chosen] ?? OTHER), index[this.chosen] ?? 0);
    if (task >= 0) this.detail.show(task, focus);
  }

  private tell(row: number): string {
    const { store, judge } = this.context;
    const lane = this.bars.lane[row] ?? 0;
    const flags = flagNames(judge.flags(row));
    return `${attemptName(store, row)}: ${outcomeName(store, row)}, on ${oneLine(store.worker(store.column.worker[row] ?? -1), 60)} ` +
      `slot ${whole(this.laid.slot[lane] ?? 0)}, from ${clock(store.column.began[row] ?? 0, 100)}, ` +
      `${duration((this.bars.until[row] ?? 0) - (this.bars.began[row] ?? 0))}${flags.length ? ` (${flags.join(", ")})` : ""}`;
  }
}
