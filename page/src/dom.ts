// The one way in which elements come to be. It knows text, classes, a list of attributes and listeners;
// nothing here takes HTML, so nothing that users wrote can become any.

type Child = Node | string | number | null | undefined | false;
type Listener<E extends Event> = (event: E) => void;

export interface Props {
  class?: string | undefined;
  id?: string | undefined;
  title?: string | undefined;
  role?: string | undefined;
  href?: `#${string}` | undefined;
  type?: string | undefined;
  placeholder?: string | undefined;
  autocomplete?: "off" | undefined;
  scope?: "col" | "row" | undefined;
  tabindex?: number | undefined;
  hidden?: boolean | undefined;
  colspan?: number | undefined;
  aria?: Record<string, string | number | boolean | undefined> | undefined;
  data?: Record<string, string> | undefined;
  on?: {
    click?: Listener<MouseEvent>;
    input?: Listener<Event>;
    keydown?: Listener<KeyboardEvent>;
    submit?: Listener<SubmitEvent>;
    scroll?: Listener<Event>;
    focus?: Listener<FocusEvent>;
    mousemove?: Listener<MouseEvent>;
    mouseleave?: Listener<MouseEvent>;
    toggle?: Listener<Event>;
  };
}

const ATTRIBUTES = ["id", "title", "role", "href", "type", "placeholder", "autocomplete", "scope", "tabindex", "colspan"] as const;

/** Make an element with text and elements in it. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, props: Props = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (props.class) element.className = props.class;
  for (const name of ATTRIBUTES) {
    const value = props[name];
    if (value !== undefined) element.setAttribute(name, String(value));
  }
  if (props.hidden) element.hidden = true;
  for (const [name, value] of Object.entries(props.aria ?? {})) {
    if (value !== undefined) element.setAttribute(`aria-${name}`, String(value));
  }
  for (const [name, value] of Object.entries(props.data ?? {})) element.dataset[name] = value;
  for (const [name, listener] of Object.entries(props.on ?? {})) element.addEventListener(name, listener as EventListener);
  put(element, ...children);
  return element;
}

/** Add text and elements at the end. */
export function put(parent: Element, ...children: Child[]): void {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    parent.append(typeof child === "object" ? child : String(child));
  }
}

/** Replace everything in it. */
export function fill(parent: Element, ...children: Child[]): void {
  parent.textContent = "";
  put(parent, ...children);
}

/** Set the text of an element if it is another; untouched text is not read out again. */
export function say(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Set a length or colour by the object model, which a strict style policy allows. */
export function style(element: HTMLElement, values: Record<string, string>): void {
  for (const [name, value] of Object.entries(values)) element.style.setProperty(name, value);
}
