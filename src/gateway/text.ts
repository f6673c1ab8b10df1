/** Makes text of strangers fit for a terminal or a log: no escape sequences, no control characters. */
export function printable(text: string): string {
  return stripEscapes(text).replace(controls, ' ');
}

function stripEscapes(text: string): string {
  return text.replace(escapes, '');
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about
const escapes = /\u001b\[[0-9;?]*[ -/]*[@-~]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about
const controls = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g;

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
