// The one module that knows uPlot: lines and bars over time or number, in the page's colours.

import uPlot from "uplot";

import { clock } from "./format.ts";
import { h } from "./dom.ts";
import { colour, onTheme } from "./theme.ts";

export type Options = Omit<uPlot.Options, "width" | "height">;
export type Data = uPlot.AlignedData;
export type Plot = uPlot;

/** How amounts on an axis are told, and whether their steps are powers of two. */
export interface Amount {
  told(value: number): string;
  binary: boolean;
}

/** A chart as wide as its place; it is made anew when colours change. */
export class Chart {
  readonly element = h("div", { class: "chart" });
  plot: uPlot | null = null;
  private readonly watch: ResizeObserver;
  private readonly unTheme: () => void;
  private width = 0;

  constructor(private readonly options: () => Options, private data: Data, private height: number, label: string) {
    this.element.setAttribute("role", "img");
    this.element.setAttribute("aria-label", label);
    this.watch = new ResizeObserver(() => this.resize());
    this.watch.observe(this.element);
    this.unTheme = onTheme(() => this.remake());
  }

  set(data: Data): void {
    this.data = data;
    this.plot?.setData(data);
  }

  tall(height: number): void {
    if (height === this.height) return;
    this.height = height;
    this.plot?.setSize({ width: this.width, height });
  }

  /** Make it anew, as its options have changed. */
  remake(): void {
    this.plot?.destroy();
    this.plot = null;
    if (this.width < 40) return;
    this.plot = new uPlot({ ...this.options(), width: this.width, height: this.height }, this.data, this.element);
  }

  leave(): void {
    this.watch.disconnect();
    this.unTheme();
    this.plot?.destroy();
    this.plot = null;
  }

  private resize(): void {
    const width = Math.floor(this.element.clientWidth);
    if (width === this.width) return;
    this.width = width;
    if (this.plot && width >= 40) this.plot.setSize({ width, height: this.height });
    else this.remake();
  }
}

const FONT = "12px system-ui, sans-serif";

/** An axis in the page's colours. */
export function axis(more: uPlot.Axis = {}): uPlot.Axis {
  const line = colour("--line");
  return {
    stroke: colour("--muted"), font: FONT, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1, size: 4 }, gap: 4,
    ...more,
  };
}

/** The axis of time since the job's begin. */
export function timeAxis(): uPlot.Axis {
  return axis({
    size: 30, space: 80, incrs: STEPS,
    values: (_, splits, __, ___, step) => splits.map((at) => clock(at, step)),
  });
}

/** Steps that are whole in bytes and their multiples too, as far as those are told by powers of 1024. */
const POWERS = Array.from({ length: 60 }, (_, power) => 2 ** (power - 6));

function amountAxis({ told, binary }: Amount): uPlot.Axis {
  return axis({ size: 70, values: (_, splits) => splits.map(told), ...(binary ? { incrs: POWERS } : {}) });
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const STEPS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE,
  15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 6 * HOUR, 12 * HOUR, 24 * HOUR, 48 * HOUR, 168 * HOUR,
];

/** A chart of one line over time, filled below. */
export function line(data: Data, label: string, told: Amount, tone = "--accent"): Chart {
  const options = (): Options => ({
    scales: { x: { time: false }, y: { range: (_, __, max) => [0, Math.max(max, 1e-9) * 1.1] } },
    legend: { show: false },
    cursor: { y: false, points: { size: 6 } },
    axes: [timeAxis(), amountAxis(told)],
    series: [{}, { label, stroke: colour(tone), fill: `${colour(tone)}22`, width: 2, points: { show: false } }],
  });
  return new Chart(options, data, 170, label);
}

/** A chart of many thin lines over time, one of them strong. */
export function lines(data: Data, label: string, told: Amount, strong: () => number): Chart {
  const options = (): Options => ({
    scales: { x: { time: false }, y: { range: (_, __, max) => [0, Math.max(max, 1e-9) * 1.1] } },
    legend: { show: false },
    cursor: { y: false, points: { show: false } },
    axes: [timeAxis(), amountAxis(told)],
    series: [{}, ...data.slice(1).map((_, i) => ({
      stroke: colour(i === strong() ? "--accent" : "--faint"), width: i === strong() ? 2 : 1, spanGaps: true, points: { show: false },
    }))],
  });
  return new Chart(options, data, 190, label);
}

/** A chart of bars by number, with a mark where the middle one ends. */
export function bars(data: Data, label: string, told: Amount, middle: () => number): Chart {
  const paths = uPlot.paths.bars?.({ size: [0.8, 60], align: 0 });
  const options = (): Options => ({
    scales: {
      x: { time: false, range: (_, min, max) => [min - 0.6, max + 0.6] },
      y: { range: (_, __, max) => [0, Math.max(max, 1) * 1.1] },
    },
    legend: { show: false },
    cursor: { y: false, points: { show: false } },
    axes: [
      axis({ size: 30, space: 40, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000] }),
      amountAxis(told),
    ],
    series: [{}, {
      label, stroke: colour("--accent"), fill: `${colour("--accent")}99`, width: 1, points: { show: false },
      ...(paths ? { paths } : {}),
    }],
    hooks: { draw: [(plot) => mark(plot, middle())] },
  });
  return new Chart(options, data, 240, label);
}

function mark(plot: uPlot, value: number): void {
  const { ctx, bbox } = plot;
  const y = Math.round(plot.valToPos(value, "y", true));
  ctx.save();
  ctx.strokeStyle = colour("--failed");
  ctx.setLineDash([6, 4]);
  ctx.lineWidth = Math.max(1, devicePixelRatio);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.restore();
}
