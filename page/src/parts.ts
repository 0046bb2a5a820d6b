// Small pieces that several views are made of.

import { h, put } from "./dom.ts";
import { whole } from "./format.ts";
import { OUTCOMES, type Phase, type Text } from "./model.ts";
import { ground, paint, type Frame } from "./paint.ts";
import { barColours } from "./theme.ts";
import { oneLine, tail, visible } from "./visible.ts";
import { flagNames, FLAGS, outcomeClass } from "./words.ts";

/** A number with what it is, and a word below. */
export function tile(label: string, value: string, note = "", tone = ""): HTMLElement {
  return h("div", { class: `tile ${tone}` },
    h("div", { class: "tile-label" }, label),
    h("div", { class: "tile-value" }, value),
    h("div", { class: "tile-note" }, note));
}

/** A word in a coloured frame. */
export function chip(text: string, tone: string): HTMLElement {
  return h("span", { class: `chip ${tone}` }, text);
}

/** How a phase of a job is coloured. */
export function phaseTone(phase: string): string {
  if (phase === "Succeeded") return "good";
  if (phase === "Failed") return "bad";
  return phase === "Suspended" || phase === "Pending" ? "quiet" : "busy";
}

export function outcomeChip(outcome: number): HTMLElement {
  return chip(OUTCOMES[outcome] ?? "unknown", `outcome ${outcomeClass(outcome)}`);
}

/** Flags as chips, each with what it means as its title. */
export function flagChips(flags: number): HTMLElement[] {
  return flagNames(flags).map((name) => {
    const made = chip(name, name === "straggler" || name === "skew" ? "flag warn" : "flag");
    made.title = FLAGS.find((flag) => flag[1] === name)?.[2] ?? "";
    return made;
  });
}

/** How far a phase is, as a bar: done, running, left out. */
export function meter(phase: Phase): HTMLElement {
  const total = Math.max(phase.total, phase.done + phase.active, 1);
  const label = `${phase.kind}: ${whole(phase.done)} of ${whole(phase.total)} done, ${whole(phase.active)} running`;
  const bar = h("div", {
    class: "meter", role: "progressbar",
    aria: { label, valuemin: 0, valuemax: total, valuenow: phase.done },
  });
  const parts: [string, number][] = [["done", phase.done], ["left-out", phase.failed], ["active", phase.active]];
  for (const [name, count] of parts) {
    const part = h("div", { class: `meter-part ${name}` });
    part.style.setProperty("width", `${(Math.min(count, total) / total) * 100}%`);
    put(bar, part);
  }
  return bar;
}

/** The texts of one failure. */
export function failureText(text: Text): HTMLElement {
  const box = h("div", { class: "failure-text" });
  if (text.where) put(box, h("p", { class: "where" }, h("span", { class: "muted" }, "at "), h("code", {}, oneLine(text.where))));
  if (text.traceback) put(box, h("h4", {}, "Traceback"), block(text.traceback, 16_384, "Traceback"));
  else if (text.message) put(box, h("h4", {}, "Message"), block(text.message, 4096, "Message"));
  if (text.log) {
    const log = block(text.log, 8192, "Log");
    put(box, h("h4", {}, "Last lines that it printed"), log);
    // What it printed last says most; where it stands is known once the box is in the document.
    requestAnimationFrame(() => log.scrollTo(0, log.scrollHeight));
  }
  return box;
}

/** Text as it was written, which can be scrolled, also by keyboard. */
export function block(text: string, most: number, label: string): HTMLElement {
  return h("pre", { tabindex: 0, role: "group", aria: { label } }, tail(text.replace(/\n+$/, ""), most));
}

/** How an outcome is painted, as a small picture. */
export function swatch(outcome: number): HTMLCanvasElement {
  const canvas = h("canvas", { class: "swatch", aria: { hidden: true } });
  const scale = Math.max(1, Math.round(devicePixelRatio));
  const frame: Frame = {
    pixels: new Uint32Array(24 * 12 * scale * scale), width: 24 * scale, height: 12 * scale, from: 0, to: 1, lane: 12 * scale, scale,
  };
  canvas.width = frame.width;
  canvas.height = frame.height;
  const colours = barColours();
  ground(frame, [], colours);
  const bars = {
    count: 1, lane: Int32Array.of(0), began: Float64Array.of(-1), until: Float64Array.of(2), outcome: Int32Array.of(outcome),
  };
  paint({ ...frame, lane: frame.height + scale }, bars, colours);
  const context = canvas.getContext("2d");
  context?.putImageData(image(frame), 0, 0);
  return canvas;
}

/** The pixels of a frame as a canvas takes them. */
export function image(frame: Frame): ImageData {
  const bytes = new Uint8ClampedArray(frame.pixels.buffer as ArrayBuffer, 0, frame.width * frame.height * 4);
  return new ImageData(bytes, frame.width, frame.height);
}

/** Names and values in two columns. */
export function facts(pairs: Iterable<readonly [string, string | HTMLElement]>): HTMLElement {
  const list = h("dl", { class: "facts" });
  for (const [name, value] of pairs) {
    put(list, h("dt", {}, oneLine(name, 120)), h("dd", {}, typeof value === "string" ? visible(value) : value));
  }
  return list;
}

/** What stands where there is nothing. */
export function nothing(text: string): HTMLElement {
  return h("p", { class: "nothing" }, text);
}
