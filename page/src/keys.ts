// Keys that do something everywhere, and the help that lists all of them.

import { h, put } from "./dom.ts";
import { TABS, type Tab } from "./route.ts";

const HELP: readonly (readonly [string, string])[] = [
  ["/", "go to the filter"],
  ["1 … 7", "go to a view of the job"],
  ["j k, or arrows", "next and previous row; in the Gantt, next and previous slot"],
  ["Enter", "open a task, or a cause of failure"],
  ["Escape", "close it; leave the filter"],
  ["← →", "in the Gantt: the attempt before, and after"],
  ["+ − 0", "in the Gantt: zoom in, out, the whole job"],
  ["?", "this help"],
];

export interface Here {
  filter: HTMLInputElement | undefined;
  key: ((event: KeyboardEvent) => boolean) | undefined;
  tab: ((tab: Tab) => void) | undefined;
}

/** Listen for keys; `here` tells what they act upon. */
export function listen(here: () => Here): void {
  const help = dialog();
  put(document.body, help);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target instanceof HTMLInputElement) {
      if (event.key !== "Escape") return;
      // By itself it would clear a field of a search.
      event.preventDefault();
      event.target.blur();
      return;
    }
    if (help.open) return;
    if (event.key === "?") help.showModal();
    else if (!pressed(event, here())) return;
    event.preventDefault();
  });
}

function pressed(event: KeyboardEvent, { filter, key, tab }: Here): boolean {
  if (event.key === "/" && filter) {
    filter.focus();
    filter.select();
    return true;
  }
  const wanted = TABS[Number(event.key) - 1];
  if (wanted && tab) {
    tab(wanted);
    return true;
  }
  // Enter belongs to what has the focus, if that does something itself.
  const acts = event.target instanceof HTMLButtonElement || event.target instanceof HTMLAnchorElement;
  if (event.key === "Enter" && acts) return false;
  if (key?.(event)) return true;
  return (event.key === "j" || event.key === "k") && step(event.key === "j" ? 1 : -1);
}

/** Move the focus among what is marked as a row. */
function step(by: 1 | -1): boolean {
  const rows = [...document.querySelectorAll<HTMLElement>("[data-row]")];
  const at = rows.indexOf(document.activeElement as HTMLElement);
  const next = at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.max(0, Math.min(rows.length - 1, at + by));
  rows[next]?.focus();
  return rows.length > 0;
}

function dialog(): HTMLDialogElement {
  const list = h("dl", { class: "facts" });
  for (const [key, what] of HELP) put(list, h("dt", {}, h("kbd", {}, key)), h("dd", {}, what));
  const box = h("dialog", { class: "help", aria: { label: "Keys" } });
  put(box, h("h2", {}, "Keys"), list,
    h("p", { class: "muted" }, "A filter of tasks takes words that must all fit: map-17, failed, straggler, worker:NAME, took>10s, size>64MiB, tries>1."),
    h("button", { type: "button", on: { click: () => box.close() } }, "Close"));
  return box;
}
