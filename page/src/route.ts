// What the fragment of the address names: a job, one of its tabs, a filter. Pure.
//
//   #            the list of jobs (a report has one job, and begins there)
//   #NS/NAME/TAB?q=TEXT&open=map-17

export const TABS = ["progress", "gantt", "tasks", "partitions", "failures", "counters", "workers"] as const;
export type Tab = (typeof TABS)[number];

export interface Route {
  ns: string;
  name: string;
  tab: Tab;
  query: string;
  open: string;
}

/** Read a fragment; what it does not name is empty. */
export function parse(fragment: string): Route {
  const [path = "", parameters = ""] = split(fragment.replace(/^#/, ""));
  const [ns = "", name = "", tab = ""] = path.split("/").map(decode);
  const found = TABS.find((known) => known === tab) ?? "progress";
  const values = new URLSearchParams(parameters);
  return { ns, name, tab: found, query: values.get("q") ?? "", open: values.get("open") ?? "" };
}

/** Write the fragment of a route. */
export function format(route: Partial<Route>): `#${string}` {
  if (!route.name) return "#";
  const values = new URLSearchParams();
  if (route.query) values.set("q", route.query);
  if (route.open) values.set("open", route.open);
  const parameters = values.toString();
  const path = [route.ns ?? "", route.name, route.tab ?? "progress"].map(encodeURIComponent).join("/");
  return `#${path}${parameters ? `?${parameters}` : ""}`;
}

function split(text: string): [string, string] {
  const at = text.indexOf("?");
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}
