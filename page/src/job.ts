// One job: its name and state, the tabs, and the view of the tab that is open.

import { Counters } from "./counters.ts";
import { fill, h, put } from "./dom.ts";
import { Failures } from "./failures.ts";
import { duration, moment, whole } from "./format.ts";
import { Gantt } from "./gantt.ts";
import type { Text } from "./model.ts";
import { chip, phaseTone } from "./parts.ts";
import { Partitions } from "./partitions.ts";
import { Progress } from "./progress.ts";
import { format, type Route, type Tab, TABS } from "./route.ts";
import type { Store } from "./store.ts";
import { Tasks } from "./tasks.ts";
import type { Context, View } from "./view.ts";
import { oneLine, visible } from "./visible.ts";
import { Judge } from "./words.ts";
import { Workers } from "./workers.ts";

const TITLES: Record<Tab, string> = {
  progress: "Progress", gantt: "Gantt", tasks: "Tasks", partitions: "Partitions", failures: "Failures", counters: "Counters",
  workers: "Workers",
};
const MADE: Record<Tab, new (context: Context) => View> = {
  progress: Progress, gantt: Gantt, tasks: Tasks, partitions: Partitions, failures: Failures, counters: Counters, workers: Workers,
};

export interface Surroundings {
  live: boolean;
  texts(group: number): Promise<Text[]>;
  go(to: Partial<Route>): void;
  announce(text: string): void;
}

export class JobPage {
  readonly element = h("div", { class: "job" });
  view: View | null = null;
  private readonly head = h("header", { class: "job-head" });
  private readonly tabs = h("nav", { class: "tabs", aria: { label: "Views" } });
  private readonly place = h("div", { class: "view" });
  private tab: Tab | null = null;
  private phase = "";
  private readonly context: Context;
  private readonly cache = new Map<number, Promise<Text[]>>();

  constructor(private readonly store: Store, private route: Route, private readonly around: Surroundings) {
    this.context = {
      store,
      judge: new Judge(store),
      texts: (group) => this.texts(group),
      link: (to) => format({ ns: this.route.ns, name: this.route.name, ...to }),
      go: (to) => around.go({ ns: this.route.ns, name: this.route.name, ...to }),
      announce: around.announce,
    };
    put(this.element, this.head, this.tabs, this.place);
  }

  /** The store changed. */
  update(): void {
    if (!this.store.head) return;
    this.context.judge = new Judge(this.store);
    this.heading();
    this.navigation();
    this.open(this.route);
  }

  /** The address changed. */
  open(route: Route): void {
    this.route = route;
    if (!this.store.head) return;
    if (this.tab !== route.tab || !this.view) {
      this.leave();
      this.tab = route.tab;
      this.view = new MADE[route.tab](this.context);
      fill(this.place, this.view.element);
      this.navigation();
    }
    this.view.update(route);
  }

  leave(): void {
    this.view?.leave?.();
    this.view = null;
  }

  private texts(group: number): Promise<Text[]> {
    // A group's samples may grow while it has few.
    const known = this.cache.get(group);
    const samples = this.store.groups.find((found) => found.id === group)?.samples.length ?? 0;
    if (known && (!this.around.live || samples >= 3)) return known;
    const asked = this.around.texts(group).catch(() => []);
    this.cache.set(group, asked);
    return asked;
  }

  private heading(): void {
    const { head, t0 } = this.store;
    if (!head) return;
    const name = oneLine(head.name || "job", 100);
    document.title = `${name} · ${head.phase} · MapReduce`;
    if (this.phase && this.phase !== head.phase) this.around.announce(`${name} is ${head.phase}`);
    this.phase = head.phase;
    const over = head.ended >= 0;
    const when = over ? `ended ${moment(t0 + head.ended)}, took ${duration(this.store.elapsed())}` : `runs for ${duration(this.store.elapsed())}`;
    const waits = !over && head.message ? oneLine(head.message, 300) : "";
    fill(this.head,
      this.around.live && h("a", { class: "up", href: "#" }, "← Jobs"),
      h("div", { class: "job-title" },
        h("h1", {}, name), chip(visible(head.phase), phaseTone(head.phase)),
        head.ns && h("span", { class: "muted" }, oneLine(head.ns, 80)),
        h("span", { class: "spread" }),
        h("span", { class: "muted" }, this.around.live ? when : `report · ${over ? when : `ended unclearly after ${duration(this.store.elapsed())}`}`)),
      waits && h("p", { class: "muted" }, waits));
  }

  private navigation(): void {
    const { store } = this;
    const counts: Partial<Record<Tab, number>> = {
      failures: store.groups.reduce((sum, group) => sum + group.count, 0),
      workers: store.workers.size,
      tasks: store.tasks.count,
    };
    const focused = document.activeElement?.parentElement === this.tabs ? (document.activeElement as HTMLElement).dataset["tab"] : "";
    fill(this.tabs, ...TABS.map((tab, at) => {
      const count = counts[tab] ?? 0;
      const link = h("a", {
        href: this.context.link({ tab }), class: tab === this.tab ? "tab here" : "tab", title: `key ${at + 1}`, data: { tab },
        aria: { current: tab === this.tab ? "page" : undefined },
      }, TITLES[tab], count > 0 && h("span", { class: `badge ${tab === "failures" ? "bad" : ""}` }, whole(count)));
      return link;
    }));
    if (focused) this.tabs.querySelector<HTMLElement>(`[data-tab="${focused}"]`)?.focus();
  }
}
