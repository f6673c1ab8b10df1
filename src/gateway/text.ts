/** Makes text of strangers fit for a terminal or a log: no escape sequences, no control characters, nothing that turns
 *  the direction of other text. */
export function printable(text: string): string {
  return stripEscapes(text).replace(controls, ' ');
}

function stripEscapes(text: string): string {
  return text.replace(escapes, '');
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about
const escapes = /\u001b\[[0-9;?]*[ -/]*[@-~]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about
const controls = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
