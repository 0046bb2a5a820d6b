// Failures by cause: how often, where, which tasks; and what one of them said.

import { fill, h, put } from "./dom.ts";
import { clock, plural, whole } from "./format.ts";
import type { Group } from "./model.ts";
import { failureText, nothing } from "./parts.ts";
import type { Context, View } from "./view.ts";
import type { Route } from "./route.ts";
import { oneLine } from "./visible.ts";

export class Failures implements View {
  readonly element = h("div", { class: "failures" });
  private readonly open = new Set<number>();
  private told = "";

  constructor(private readonly context: Context) {}

  update(route: Route): void {
    const { groups } = this.context.store;
    const wanted = Number(route.open);
    if (route.open && Number.isInteger(wanted)) this.open.add(wanted);
    const sign = JSON.stringify([groups.map((group) => [group.id, group.count]), [...this.open]]);
    if (sign === this.told) return;
    this.told = sign;
    const focused = (document.activeElement as HTMLElement | null)?.dataset["group"];
    if (groups.length === 0) fill(this.element, nothing("Nothing has failed."));
    else fill(this.element, ...[...groups].sort((a, b) => b.count - a.count).map((group) => this.card(group)));
    if (focused) this.element.querySelector<HTMLElement>(`[data-group="${Number(focused)}"]`)?.focus();
  }

  private card(group: Group): HTMLElement {
    const { context } = this;
    const body = h("div", { class: "group-body", id: `group-${group.id}`, hidden: true });
    const button = h("button", {
      class: "group-head", type: "button",
      aria: { expanded: false, controls: `group-${group.id}` },
      data: { row: "", group: String(group.id) },
      on: { click: () => this.toggle(group, button, body) },
    },
      h("span", { class: "group-count" }, `${whole(group.count)}×`),
      h("span", { class: "group-what" },
        h("strong", {}, oneLine(group.message || group.reason, 200)),
        h("span", { class: "muted" }, [group.place, group.reason].filter(Boolean).map((text) => oneLine(text, 160)).join(" · "))),
      h("span", { class: "group-when muted" }, when(group)));
    const tasks = h("p", { class: "group-tasks" }, h("span", { class: "muted" }, "Tasks: "));
    for (const task of group.tasks) put(tasks, h("a", { href: context.link({ tab: "tasks", query: task, open: task }) }, oneLine(task, 60)), " ");
    if (this.open.has(group.id)) this.toggle(group, button, body);
    return h("section", { class: "card group" }, button, tasks, body);
  }

  private toggle(group: Group, button: HTMLElement, body: HTMLElement): void {
    const opens = body.hidden;
    body.hidden = !opens;
    button.setAttribute("aria-expanded", String(opens));
    if (!opens) {
      this.open.delete(group.id);
      return;
    }
    this.open.add(group.id);
    if (!body.hasChildNodes()) void this.load(group, body);
  }

  private async load(group: Group, body: HTMLElement): Promise<void> {
    fill(body, nothing("Loading…"));
    const texts = await this.context.texts(group.id);
    fill(body);
    for (const text of texts) {
      const sample = group.samples.find((known) => known.attempt === text.attempt);
      const title = [text.attempt, sample?.worker ? `on ${sample.worker}` : "", sample ? `after ${clock(sample.at)}` : ""];
      put(body, h("h3", {}, oneLine(title.filter(Boolean).join(" "))), failureText(text));
    }
    if (texts.length === 0) put(body, nothing("No text of this failure was kept."));
  }
}

function when(group: Group): string {
  const [first, last] = [clock(group.first), clock(group.last)];
  const span = first === last ? first : `${first} – ${last}`;
  return `${plural(group.tasks.length, "task")}${group.tasks.length >= 20 ? " or more" : ""} · ${span}`;
}
