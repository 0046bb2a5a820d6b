// How far the job is, how fast it goes; of a failed one first of all why.

import { type Chart, line } from "./chart.ts";
import { fill, h, put } from "./dom.ts";
import { bytes, duration, plural, share, short, whole } from "./format.ts";
import type { Group, Phase, Text, Worker } from "./model.ts";
import { decisive, differences } from "./pace.ts";
import { failureText, meter, nothing, tile } from "./parts.ts";
import type { Context, View } from "./view.ts";
import { oneLine, visible } from "./visible.ts";

export class Progress implements View {
  readonly element = h("div", { class: "progress" });
  private readonly cause = h("section", { class: "cause", hidden: true });
  private readonly tiles = h("div", { class: "tiles" });
  private readonly phases = h("div", { class: "phases" });
  private readonly charts = h("div", { class: "charts" });
  private readonly pace: [Chart, Chart];
  private told = "";

  constructor(private readonly context: Context) {
    this.pace = [line([[], []], "Input read, a second", { told: bytes, binary: true }), line([[], []], "Tasks done, a second", { told: tasks, binary: false }, "--finished")];
    put(this.charts,
      h("section", { class: "card" }, h("h3", {}, "Input a second"), this.pace[0].element),
      h("section", { class: "card" }, h("h3", {}, "Tasks a second"), this.pace[1].element));
    put(this.element, this.cause, this.tiles, this.phases, this.charts);
  }

  update(): void {
    const { store } = this.context;
    const head = store.head;
    if (!head) return;
    this.failed();
    fill(this.tiles, ...this.numbers());
    const { phases } = head;
    if (phases.length === 0) fill(this.phases, nothing("The input is not planned yet."));
    else fill(this.phases, ...phases.map((phase) => card(phase, head.ended >= 0)));
    this.pace[0].set(differences(store.rate.at, store.rate.size));
    this.pace[1].set(differences(store.rate.at, store.rate.done));
    this.charts.hidden = store.rate.at.length < 3;
  }

  leave(): void {
    for (const chart of this.pace) chart.leave();
  }

  private numbers(): HTMLElement[] {
    const { store } = this.context;
    const phases = store.head?.phases ?? [];
    const left = phases.reduce((sum, phase) => sum + Math.max(0, phase.left_s), 0);
    const known = phases.some((phase) => phase.left_s >= 0);
    const retried = phases.reduce((sum, phase) => sum + phase.retried, 0);
    const maps = phases.find((phase) => phase.kind === "map");
    const workers = atWork(store.workers.values());
    const living = workers.filter((worker) => worker.gone < 0).length;
    const over = (store.head?.ended ?? -1) >= 0;
    return [
      tile("Time", duration(store.elapsed()), over || !known ? "" : `about ${duration(left * 1000)} left`),
      tile("Input", bytes(maps?.size ?? 0), `${short(maps?.records ?? 0)} records`),
      tile("Retries", whole(retried), store.groups.length ? plural(store.groups.length, "cause") : "", retried ? "warn" : ""),
      over
        ? tile("Workers", whole(workers.length))
        : tile("Workers", whole(living), lost(workers.length - living)),
    ];
  }

  /** Of a failed job: the cause that met most, with its traceback. */
  private failed(): void {
    const { store } = this.context;
    const head = store.head;
    this.cause.hidden = head?.phase !== "Failed";
    if (!head || this.cause.hidden) return;
    const group = decisive(store.groups, head.message);
    const sign = `${head.message}|${group?.id}|${group?.count}`;
    if (sign === this.told) return;
    this.told = sign;
    fill(this.cause,
      h("h3", {}, "Why it failed"),
      h("p", { class: "message" }, visible(head.message || head.reason || "No reason is recorded.")));
    if (group) void this.explain(group);
  }

  private async explain(group: Group): Promise<void> {
    const { context, cause } = this;
    const place = h("div", {}, h("p", { class: "muted" },
      `${oneLine(group.place || group.reason)}: ${plural(group.count, "failure")} in ${group.tasks.slice(0, 4).map((task) => oneLine(task, 40)).join(", ")}` +
      `${group.tasks.length > 4 ? "…" : ""}`));
    put(cause, place);
    const texts = await context.texts(group.id);
    const text = texts[0];
    if (text) put(place, failureText(brief(text)));
    put(place, h("p", {}, h("a", { href: context.link({ tab: "failures" }) }, "All causes of failure")));
  }
}

/** Those that have slots: gateways have none. */
function atWork(all: Iterable<Worker>): Worker[] {
  const workers = [...all];
  const able = workers.filter((worker) => worker.slots > 0);
  return able.length > 0 ? able : workers;
}

function lost(count: number): string {
  return count === 0 ? "" : `${whole(count)} gone`;
}

/** The end of a long traceback: what went wrong stands there. */
function brief(text: Text): Text {
  const lines = text.traceback.trimEnd().split("\n");
  return lines.length > 14 ? { ...text, traceback: `…\n${lines.slice(-13).join("\n")}` } : text;
}

function card(phase: Phase, over: boolean): HTMLElement {
  const name = phase.kind === "map" ? "Map" : "Reduce";
  const amounts = [
    phase.active ? `${whole(phase.active)} running` : "",
    phase.retried ? plural(phase.retried, "retry", "retries") : "",
    phase.backups ? plural(phase.backups, "backup") : "",
    phase.failed ? `${whole(phase.failed)} left out` : "",
  ].filter(Boolean);
  const rates = [
    phase.records ? `${short(phase.records)} ${phase.kind === "map" ? "records" : "rows"}` : "",
    phase.size ? `${bytes(phase.size)}${phase.total_size ? ` of ${bytes(phase.total_size)}` : ""}` : "",
    phase.size_s > 0 ? `${bytes(phase.size_s)}/s` : "",
    phase.records_s > 0 ? `${short(phase.records_s)} ${phase.kind === "map" ? "records" : "rows"}/s` : "",
  ].filter(Boolean);
  const times = phase.max > 0
    ? `median ${duration(phase.median)} · p95 ${duration(phase.p95)} · longest ${duration(phase.max)}`
    : "";
  return h("section", { class: "card phase" },
    h("div", { class: "phase-head" },
      h("h3", {}, name),
      h("span", { class: "phase-count" }, `${whole(phase.done)} / ${phase.total ? whole(phase.total) : "?"}`),
      h("span", { class: "phase-share" }, share(phase.done, phase.total)),
      h("span", { class: "spread" }),
      !over && phase.left_s >= 0 && phase.done < phase.total && h("span", { class: "left" }, `about ${duration(phase.left_s * 1000)} left`)),
    meter(phase),
    h("p", { class: "phase-notes" }, amounts.join(" · ")),
    h("p", { class: "phase-notes" }, rates.join(" · ")),
    h("p", { class: "phase-notes muted" }, times));
}

function tasks(value: number): string {
  return value >= 10 || Number.isInteger(value) ? short(value) : value.toFixed(1);
}
