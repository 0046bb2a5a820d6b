// The page begins here: a report shows the job that it holds, a live page what its server tells.

import { fill, h, put, say } from "./dom.ts";
import { changes, failures, jobs, logIn, Loop, type Refused, report } from "./feed.ts";
import { JobPage } from "./job.ts";
import { JobList, login } from "./jobs.ts";
import { listen } from "./keys.ts";
import type { Report } from "./model.ts";
import { format, parse, type Route } from "./route.ts";
import { Store } from "./store.ts";
import { oneLine } from "./visible.ts";

class Page {
  private readonly main = h("main", { id: "main" });
  private readonly trouble = h("p", { class: "trouble", role: "alert", hidden: true });
  private readonly spoken = h("p", { class: "spoken", aria: { live: "polite" } });
  private job: JobPage | null = null;
  private list: JobList | null = null;
  private loop: Loop | null = null;
  private told: Report | null = null;
  private shown = "";

  async begin(place: Element): Promise<void> {
    put(place, this.trouble, this.main, this.spoken,
      h("footer", {}, h("span", { class: "muted" }, "MapReduce · press ? for keys")));
    this.told = await report();
    listen(() => ({
      filter: this.job?.view?.filter ?? this.list?.filter,
      key: (event) => this.job?.view?.key?.(event) ?? false,
      tab: this.job ? (tab) => this.go({ ...this.names(), tab }) : undefined,
    }));
    addEventListener("hashchange", () => this.route());
    this.route();
  }

  private names(): { ns: string; name: string } {
    const { ns, name } = this.here();
    return { ns, name };
  }

  /** What the address names; a report has one job, whatever the address says. */
  private here(): Route {
    const route = parse(location.hash);
    const head = this.told?.update.head;
    return head ? { ...route, ns: head.ns || "report", name: head.name || "job" } : route;
  }

  private go(to: Partial<Route>): void {
    const route = parse(format(to));
    // Filters and opened rows replace the address: going back leaves the view, not a letter of the filter.
    if (route.tab === this.here().tab) history.replaceState(null, "", format(to));
    else location.hash = format(to);
    if (route.tab === this.here().tab) this.job?.open(this.here());
  }

  private route(): void {
    const route = this.here();
    const name = route.name ? `${route.ns}/${route.name}` : "";
    if (name && name === this.shown) {
      this.job?.open(route);
      return;
    }
    this.shown = name;
    this.loop?.stop();
    this.job?.leave();
    this.job = null;
    this.list = null;
    this.warn("");
    if (this.told) this.frozen(this.told, route);
    else if (name) this.follow(route);
    else this.overview();
  }

  private frozen(told: Report, route: Route): void {
    const store = new Store();
    store.apply({ ...told.update, full: true });
    this.job = this.page(store, route, false, (group) => Promise.resolve(told.texts[String(group)] ?? []));
    this.job.update();
  }

  private follow(route: Route): void {
    const store = new Store();
    const { ns, name } = route;
    const page = this.page(store, route, true, (group) => failures(ns, name, group));
    this.job = page;
    this.repeat(async (signal) => {
      const update = await changes(ns, name, store.rev, store.boot, signal);
      const begin = performance.now();
      store.apply(update);
      if (update.more) return "now";
      page.update();
      queueMicrotask(() => measured(begin));
      return update.head.ended >= 0 ? "later" : "soon";
    });
  }

  private page(store: Store, route: Route, live: boolean, texts: (group: number) => ReturnType<typeof failures>): JobPage {
    const page = new JobPage(store, route, {
      live, texts, go: (to) => this.go(to), announce: (text) => say(this.spoken, text),
    });
    fill(this.main, page.element);
    return page;
  }

  private overview(): void {
    const list = new JobList();
    this.list = list;
    document.title = "Jobs · MapReduce";
    fill(this.main, list.element);
    this.repeat(async (signal) => {
      list.update(await jobs(signal));
      return "soon";
    });
  }

  private repeat(turn: ConstructorParameters<typeof Loop>[0]): void {
    this.loop = new Loop(turn, (error) => this.refused(error));
  }

  private refused(error: Refused | null): void {
    if (error?.status !== 401) {
      this.warn(error ? `${error.message}; asking again` : "");
      return;
    }
    this.loop?.stop();
    this.shown = "\n";
    const form = login(async (token) => {
      await logIn(token);
      this.route();
    });
    fill(this.main, form);
    form.querySelector("input")?.focus();
  }

  private warn(text: string): void {
    this.trouble.hidden = text === "";
    say(this.trouble, oneLine(text));
  }
}

/** Tell the browser's own tools, and tests, what an update took; only the last is kept. */
function measured(begin: number): void {
  performance.clearMeasures("update");
  performance.measure("update", { start: begin });
}

const place = document.getElementById("page");
if (place) {
  new Page().begin(place).catch((error: unknown) => {
    fill(place, h("p", { class: "trouble" }, `This page cannot be shown: ${oneLine(String(error))}`));
    throw error;
  });
}
