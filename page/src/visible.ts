// Text of others as it may stand on the page: nothing in it moves, hides or turns what is beside it.
// The same characters as `terminal.safe` of the command line, written as Python writes them.

// Control (but line end and tab), format (bidi, zero width, tags), private use, lone halves of pairs,
// unassigned, separators that are no plain blank, and fillers that are drawn as nothing.
const HIDDEN = /[^\P{C}\n\t]|[\u2028\u2029\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]|[\u115f\u1160\u3164\uffa0\u2800\u034f]|[\ufe00-\ufe0f]/gu;
const PLAIN = /^[\x20-\x7e\n\t]*$/;

/** Return the text with every control, bidi or invisible character as a visible escape. */
export function visible(text: string): string {
  return PLAIN.test(text) ? text : text.replace(HIDDEN, escaped);
}

/** Return the text as one visible line of at most `most` characters. */
export function oneLine(text: string, most = 300): string {
  const line = visible(text.slice(0, most * 2).replace(/\s+/gu, " ").trim());
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
}

/** Return a name on one line by its end, which tells workers apart. */
export function ending(name: string, most: number): string {
  const line = oneLine(name, 300);
  return line.length > most ? `…${line.slice(1 - most)}` : line;
}

/** Return the last `most` characters of the text, visible. */
export function tail(text: string, most: number): string {
  return visible(text.length > most ? `…${text.slice(-most)}` : text);
}

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, "0")}`;
  return code < 0x10000 ? `\\u${code.toString(16).padStart(4, "0")}` : `\\U${code.toString(16).padStart(8, "0")}`;
}
