// Bars of attempts, painted into one buffer of pixels: 100,000 take milliseconds. Pure.
//
// An outcome is told by colour and by hatching, so that it can be told without colours too.

export interface Bars {
  count: number;
  lane: Int32Array;
  began: Float64Array | Int32Array;
  until: Float64Array;
  outcome: Float64Array | Int32Array;
}

export interface Frame {
  pixels: Uint32Array;
  width: number;
  height: number;
  /** The time at the left and the right edge. */
  from: number;
  to: number;
  /** Pixels of a lane, its gap included. */
  lane: number;
  /** Pixels of the screen for one of the page, for the hatching. */
  scale: number;
}

export interface Colours {
  background: number;
  /** Ink and hatching, by outcome. */
  ink: readonly number[];
  hatch: readonly number[];
  /** Behind every second worker. */
  band: number;
}

/** How an outcome is hatched: solid, rising, crossed, dotted, falling, upright. */
const HATCHED: ((x: number, y: number) => boolean)[] = [
  (x, y) => (x + y) % 8 === 0,
  () => false,
  (x, y) => (x + y) % 6 < 2,
  (x, y) => (x + y) % 6 < 1 || (x - y + 6000) % 6 < 1,
  (x, y) => x % 4 === 0 && y % 4 === 0,
  (x) => x % 5 < 2,
];

/** Paint every bar that reaches into the frame; returns how many do. What went wrong is painted last, and so on top. */
export function paint(frame: Frame, bars: Bars, colours: Colours): number {
  let shown = 0;
  for (const wrong of [false, true]) {
    for (let i = 0; i < bars.count; i += 1) {
      const outcome = bars.outcome[i] ?? 0;
      if (outcome > 1 !== wrong || (bars.lane[i] ?? -1) < 0) continue;
      if ((bars.until[i] ?? 0) < frame.from || (bars.began[i] ?? 0) > frame.to) continue;
      shown += 1;
      bar(frame, bars, i, colours.ink[outcome] ?? 0, colours.hatch[outcome] ?? 0, HATCHED[outcome] ?? (() => false));
    }
  }
  return shown;
}

function bar(
  frame: Frame, bars: Bars, i: number, ink: number, hatch: number, hatched: (x: number, y: number) => boolean,
): void {
  const { pixels, width, height, scale } = frame;
  const [left, right] = span(frame, bars.began[i] ?? 0, bars.until[i] ?? 0);
  const top = Math.round((bars.lane[i] ?? 0) * frame.lane);
  const gap = frame.lane >= 4 ? Math.max(1, Math.round(frame.lane / 8)) : frame.lane >= 2 ? 1 : 0;
  const bottom = Math.min(height, Math.max(top + 1, Math.round(((bars.lane[i] ?? 0) + 1) * frame.lane) - gap));
  const plain = ink === hatch;
  for (let y = Math.max(0, top); y < bottom; y += 1) {
    const line = y * width;
    if (plain) {
      pixels.fill(ink, line + left, line + right);
      continue;
    }
    const down = Math.floor(y / scale);
    for (let x = left; x < right; x += 1) pixels[line + x] = hatched(Math.floor(x / scale), down) ? hatch : ink;
  }
}

/** The pixels of a bar: at least one, and a gap at the end of what is wide enough to show one. */
export function span(frame: Frame, began: number, until: number): [number, number] {
  const each = frame.width / (frame.to - frame.from);
  const left = Math.max(0, Math.floor((began - frame.from) * each));
  const right = Math.floor((until - frame.from) * each);
  const end = right - left > 3 ? right - 1 : right;
  return [Math.min(left, frame.width - 1), Math.min(frame.width, Math.max(left + 1, end))];
}

/** Fill the frame, with every second worker on a band. */
export function ground(frame: Frame, worker: readonly number[], colours: Colours): void {
  frame.pixels.fill(colours.background);
  let banded = false;
  for (let lane = 0; lane < worker.length; lane += 1) {
    if (lane > 0 && worker[lane] !== worker[lane - 1]) banded = !banded;
    if (!banded) continue;
    const top = Math.round(lane * frame.lane);
    const bottom = Math.min(frame.height, Math.round((lane + 1) * frame.lane));
    if (bottom > top) frame.pixels.fill(colours.band, top * frame.width, bottom * frame.width);
  }
}

/** A colour "#rrggbb" as a pixel of a little-endian machine. */
export function pixel(colour: string): number {
  const value = Number.parseInt(colour.trim().slice(1, 7), 16);
  const red = (value >> 16) & 255;
  const green = (value >> 8) & 255;
  const blue = value & 255;
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}
