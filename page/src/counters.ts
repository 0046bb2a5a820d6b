// What the job counted, what it was given, what it left out.

import { fill, h, put } from "./dom.ts";
import { clock, moment, whole } from "./format.ts";
import { facts, nothing } from "./parts.ts";
import type { Route } from "./route.ts";
import type { Context, View } from "./view.ts";
import { oneLine } from "./visible.ts";

export class Counters implements View {
  readonly element = h("div", { class: "counters" });
  readonly filter = h("input", {
    type: "search", placeholder: "part of a name", autocomplete: "off", aria: { label: "Filter counters" },
    on: { input: () => this.list() },
  });
  private readonly counters = h("div");
  private readonly job = h("div");

  constructor(private readonly context: Context) {
    put(this.element,
      h("section", { class: "card" }, h("div", { class: "bar" }, h("h3", {}, "Counters"), h("span", { class: "spread" }), this.filter), this.counters),
      h("section", { class: "card" }, h("h3", {}, "The job"), this.job));
  }

  update(route: Route): void {
    if (document.activeElement !== this.filter && route.query) this.filter.value = route.query;
    this.list();
    fill(this.job, facts(this.about()));
  }

  private list(): void {
    const wanted = this.filter.value.toLowerCase();
    const all = Object.entries(this.context.store.head?.counters ?? {});
    const fit = all.filter(([name]) => name.toLowerCase().includes(wanted)).slice(0, 2000);
    if (fit.length === 0) {
      fill(this.counters, nothing(all.length ? "No counter fits the filter." : "The program counts nothing."));
      return;
    }
    const body = h("tbody");
    for (const [name, value] of fit) {
      put(body, h("tr", {}, h("th", { scope: "row" }, h("code", {}, oneLine(name, 200))), h("td", { class: "number" }, whole(value))));
    }
    fill(this.counters, h("table", {}, h("thead", {}, h("tr", {},
      h("th", { scope: "col" }, "Name"), h("th", { scope: "col", class: "number" }, "Count"))), body));
  }

  private *about(): Generator<readonly [string, string]> {
    const { head, t0 } = this.context.store;
    if (!head) return;
    if (head.output) yield ["Output", head.output];
    yield ["Began", moment(t0 + Math.max(0, head.began))];
    if (head.ended >= 0) yield ["Ended", moment(t0 + head.ended)];
    if (head.epochs.length > 1) yield ["Masters", `began after ${head.epochs.map((at) => clock(at)).join(", ")}`];
    if (head.bad_records) yield ["Bad records", `${whole(head.bad_records)} left out`];
    if (head.left_out.length) yield ["Left out", head.left_out.join(", ")];
    if (head.uid) yield ["UID", head.uid];
    for (const [name, value] of Object.entries(head.params)) yield [`Parameter ${name}`, value];
  }
}
