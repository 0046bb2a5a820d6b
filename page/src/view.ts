// What every view of a job is given, and what it must be able to do.

import type { Text } from "./model.ts";
import type { Route } from "./route.ts";
import type { Store } from "./store.ts";
import type { Judge } from "./words.ts";

export interface Context {
  store: Store;
  judge: Judge;
  /** The texts of a group of failures, once they are there. */
  texts(group: number): Promise<Text[]>;
  /** The address of another view of this job. */
  link(to: Partial<Route>): `#${string}`;
  go(to: Partial<Route>): void;
  /** Have a reader of screens say something. */
  announce(text: string): void;
}

export interface View {
  element: HTMLElement;
  /** The store has changed, or the route. */
  update(route: Route): void;
  /** A key that nothing else took; tells whether it was of use. */
  key?(event: KeyboardEvent): boolean;
  /** Where `/` goes. */
  filter?: HTMLInputElement;
  /** It is not looked at any more. */
  leave?(): void;
}
