// What stands first of a job: how fast it goes, and which cause made it fail. Pure.

import type { Group } from "./model.ts";

/** The group that the job's message speaks of: by its words, then by a task; else the one that was met last. */
export function decisive(groups: readonly Group[], message: string): Group | undefined {
  const score = (group: Group) => {
    const words = group.message !== "" && message.includes(group.message.slice(0, 200));
    const task = group.tasks.some((name) => new RegExp(`\\b${name.replace(/\W/g, "\\$&")}\\b`).test(message));
    return (words ? 2 : 0) + (task ? 1 : 0);
  };
  return [...groups].sort((a, b) => score(b) - score(a) || b.last - a.last || b.count - a.count)[0];
}

/** Points of a line of rates: more show single tasks rather than the pace. */
const MOST_POINTS = 60;

/** What a sum grew by a second, at the end of each stretch. */
export function differences(at: readonly number[], sums: readonly number[]): [number[], number[]] {
  const times: number[] = [];
  const rates: number[] = [];
  const least = ((at.at(-1) ?? 0) - (at[0] ?? 0)) / MOST_POINTS;
  let before = 0;
  for (let i = 1; i < at.length; i += 1) {
    const stretch = (at[i] ?? 0) - (at[before] ?? 0);
    if (stretch <= 0 || (stretch < least && i < at.length - 1)) continue;
    times.push(at[i] ?? 0);
    rates.push(Math.max(0, ((sums[i] ?? 0) - (sums[before] ?? 0)) / (stretch / 1000)));
    before = i;
  }
  return [times, rates];
}
