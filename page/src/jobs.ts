// The list of jobs, and the form that asks for a token.

import { fill, h, put, say } from "./dom.ts";
import { duration, moment, whole } from "./format.ts";
import type { Job, Jobs } from "./model.ts";
import { chip, nothing, phaseTone } from "./parts.ts";
import { format } from "./route.ts";
import { oneLine } from "./visible.ts";

export class JobList {
  readonly element = h("div", { class: "jobs" });
  readonly filter = h("input", {
    type: "search", placeholder: "name, namespace or phase", autocomplete: "off", aria: { label: "Filter jobs" },
    on: { input: () => this.draw() },
  });
  private readonly count = h("span", { class: "muted", role: "status" });
  private readonly list = h("div", { class: "card" });
  private told: Jobs | null = null;

  constructor() {
    put(this.element, h("h1", {}, "Jobs"), h("div", { class: "bar" }, this.filter, this.count), this.list);
  }

  update(told: Jobs): void {
    this.told = told;
    this.draw();
  }

  private draw(): void {
    const { told } = this;
    if (!told) return;
    const words = this.filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const fit = told.jobs.filter((job) => words.every((word) => `${job.ns}/${job.name} ${job.phase}`.toLowerCase().includes(word)));
    say(this.count, `${whole(fit.length)} of ${whole(told.jobs.length)}${told.more ? "; there are more" : ""}`);
    const focused = (document.activeElement as HTMLElement | null)?.getAttribute("href");
    if (fit.length === 0) fill(this.list, nothing(told.jobs.length ? "No job fits the filter." : "There are no jobs."));
    else fill(this.list, table(fit, told.now));
    if (!focused) return;
    for (const link of this.list.querySelectorAll("a")) if (link.getAttribute("href") === focused) link.focus();
  }
}

function table(jobs: readonly Job[], now: number): HTMLElement {
  const many = new Set(jobs.map((job) => job.ns)).size > 1;
  const body = h("tbody");
  for (const job of jobs) {
    const end = job.ended >= 0 ? job.ended : now;
    const name = oneLine(job.name, 80);
    put(body, h("tr", {},
      many && h("td", {}, oneLine(job.ns, 80)),
      h("th", { scope: "row" }, job.live ? h("a", { href: format({ ns: job.ns, name: job.name }), data: { row: "" } }, name) : name),
      h("td", {}, chip(job.phase, phaseTone(job.phase)), " ", job.phase === "Failed" && h("span", { class: "muted" }, oneLine(job.reason, 60))),
      h("td", { class: "number" }, of(job.maps)), h("td", { class: "number" }, of(job.reduces)), h("td", { class: "number" }, of(job.workers)),
      h("td", { class: `number ${job.retries ? "warn-text" : ""}` }, whole(job.retries)),
      h("td", { class: "number" }, job.began >= 0 ? duration(end - job.began) : ""),
      h("td", {}, job.began >= 0 ? moment(job.began) : "")));
  }
  const names = [...(many ? ["Namespace"] : []), "Name", "Phase", "Maps", "Reduces", "Workers", "Retries", "Time", "Began"];
  return h("div", { class: "scroll", tabindex: 0, role: "group", aria: { label: "Jobs" } }, h("table", {},
    h("thead", {}, h("tr", {}, ...names.map((name) =>
      h("th", { scope: "col", class: ["Maps", "Reduces", "Workers", "Retries", "Time"].includes(name) ? "number" : "" }, name)))), body));
}

function of([done, total]: readonly [number, number]): string {
  return total ? `${whole(done)} / ${whole(total)}` : "";
}

/** The form of a token; `enter` says by an exception why it was refused. */
export function login(enter: (token: string) => Promise<void>): HTMLElement {
  const field = h("input", { type: "password", id: "token", autocomplete: "off" });
  const wrong = h("p", { class: "bad-text", role: "alert" });
  const form = h("form", {
    class: "card login",
    on: {
      submit: (event) => {
        event.preventDefault();
        say(wrong, "");
        enter(field.value.trim()).catch((error: unknown) => say(wrong, oneLine(error instanceof Error ? error.message : "refused")));
        field.value = "";
      },
    },
  },
    h("h1", {}, "Log in"),
    h("p", {}, "This page shows what your Kubernetes rights let you see. Make a token that is good for it alone:"),
    h("pre", { tabindex: 0, role: "group", aria: { label: "Command" } }, "kubectl create token NAME --audience mapreduce.dev/page"));
  const label = h("label", {}, "Token");
  label.htmlFor = "token";
  put(form, label, field, h("button", { type: "submit" }, "Log in"), wrong);
  return form;
}
