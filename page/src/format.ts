// Numbers as people read them. Pure.

const BYTES = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const THOUSANDS = ["", "k", "M", "G", "T", "P"];

/** 1536 as "1.5 KiB". */
export function bytes(size: number): string {
  return stepped(size, 1024, BYTES, " ");
}

/** 1500 as "1.5k", and below 10,000 as it is. */
export function short(count: number): string {
  return Math.abs(count) < 10000 ? whole(count) : stepped(count, 1000, THOUSANDS, "");
}

/** 1234567 as "1,234,567". */
export function whole(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

function stepped(value: number, base: number, units: readonly string[], blank: string): string {
  let step = 0;
  let size = value;
  while (Math.abs(size) >= base && step < units.length - 1) {
    size /= base;
    step += 1;
  }
  const text = step > 0 && Math.abs(size) < 10 ? size.toFixed(1) : String(Math.round(size));
  return `${text}${blank}${units[step] ?? ""}`.trim();
}

/** Milliseconds as "850 ms", "3.2 s", "4 min 05 s", "2 h 13 min", "3 d 4 h". */
export function duration(ms: number): string {
  if (!Number.isFinite(ms) || ms < 0) return "–";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 59.95) return `${seconds < 9.95 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${pad(Math.floor((whole % 3600) / 60))} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

/** Milliseconds since the begin as a place on an axis: "12.5s", "3:05", "1:02:03". */
export function clock(ms: number, step = 1000): string {
  const sign = ms < 0 ? "-" : "";
  const seconds = Math.abs(ms) / 1000;
  if (seconds < 60) return `${sign}${step < 1000 ? seconds.toFixed(step < 100 ? 2 : 1) : Math.round(seconds)}s`;
  const whole = Math.floor(seconds);
  const part = step < 1000 ? (seconds - whole).toFixed(1).slice(1) : "";
  const minutes = Math.floor(whole / 60);
  const rest = `${pad(whole % 60)}${part}`;
  return minutes < 60 ? `${sign}${minutes}:${rest}` : `${sign}${Math.floor(minutes / 60)}:${pad(minutes % 60)}:${rest}`;
}

/** A share as "37%"; only what is whole is 100%. */
export function share(part: number, all: number): string {
  if (all <= 0) return "–";
  const percent = (part / all) * 100;
  if (percent > 99 && percent < 100) return "99%";
  return `${percent > 0 && percent < 1 ? "<1" : Math.round(percent)}%`;
}

/** A moment, Unix milliseconds, in the reader's own time. */
export function moment(ms: number): string {
  const at = new Date(ms);
  return Number.isNaN(at.getTime()) ? "–" : at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}

/** "1 task", "2 tasks". */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${whole(count)} ${count === 1 ? one : many}`;
}

function pad(value: number): string {
  return String(value).padStart(2, "0");
}
