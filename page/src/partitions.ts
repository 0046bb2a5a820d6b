// How the rows are divided among the reduces, and which keys are heavy.

import { bars, type Chart } from "./chart.ts";
import { fill, h, put } from "./dom.ts";
import { bytes, plural, share, short, whole } from "./format.ts";
import { nothing, tile } from "./parts.ts";
import type { Context, View } from "./view.ts";
import { oneLine } from "./visible.ts";
import { largePartitions, median } from "./words.ts";

export class Partitions implements View {
  readonly element = h("div", { class: "partitions" });
  private chart: Chart | null = null;
  private told = "";

  constructor(private readonly context: Context) {}

  update(): void {
    const { sizes, heavy } = this.context.store.partitions;
    const sign = `${sizes.length}|${sizes[0]}|${heavy.length}`;
    if (sign === this.told) return;
    this.told = sign;
    this.leave();
    fill(this.element);
    if (sizes.length === 0) {
      put(this.element, nothing("The sizes of partitions are known when every map has finished."));
      return;
    }
    const middle = median(sizes);
    const all = sizes.reduce((sum, size) => sum + size, 0);
    const largest = sizes.reduce((most, size) => Math.max(most, size), 0);
    const times = middle > 0 ? largest / middle : 0;
    this.chart = bars([sizes.map((_, at) => at), [...sizes]], "Bytes of each partition, with the median", { told: bytes, binary: true }, () => middle);
    put(this.element,
      h("div", { class: "tiles" },
        tile("Partitions", whole(sizes.length), bytes(all)),
        tile("Median", bytes(middle)),
        tile("Largest", bytes(largest), times >= 1.05 ? `${times.toFixed(1)} × the median` : "as the others", times > 2 ? "warn" : ""),
        tile("Skewed", whole(largePartitions(sizes).size), "more than twice the median")),
      h("section", { class: "card" }, h("h3", {}, "Bytes of each partition"), this.chart.element,
        h("p", { class: "muted" }, "The broken line is the median.")),
      this.keys());
  }

  leave(): void {
    this.chart?.leave();
    this.chart = null;
  }

  private keys(): HTMLElement {
    const { sizes, heavy } = this.context.store.partitions;
    const card = h("section", { class: "card" }, h("h3", {}, "Heavy keys"));
    if (heavy.length === 0) {
      put(card, nothing("No key stands out."));
      return card;
    }
    const body = h("tbody");
    for (const key of [...heavy].sort((a, b) => b.size - a.size)) {
      put(body, h("tr", {},
        h("th", { scope: "row" }, h("code", {}, oneLine(key.key, 120))),
        h("td", { class: "number" }, whole(key.partition)),
        h("td", { class: "number" }, `≈ ${short(key.rows)}`),
        h("td", { class: "number" }, `≈ ${bytes(key.size)}`),
        h("td", { class: "number" }, share(Math.min(key.size, sizes[key.partition] ?? 0), sizes[key.partition] ?? 0))));
    }
    const head = ["Key", "Partition", "Rows", "Bytes", "Of its partition"];
    put(card,
      h("p", { class: "muted" }, `${plural(heavy.length, "key")} with a large part of the rows; a combiner, or a second step, spreads them.`),
      h("div", { class: "scroll", tabindex: 0, role: "group", aria: { label: "Heavy keys" } }, h("table", {}, h("thead", {}, h("tr", {}, ...head.map((name, at) =>
        h("th", { scope: "col", class: at ? "number" : "" }, name)))), body)));
    return card;
  }
}
