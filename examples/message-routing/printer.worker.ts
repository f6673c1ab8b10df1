import { workerData } from 'node:worker_threads';
import { Registry, type RegistryHandle } from 'rollcall';

export type Command = { readonly print: string } | { readonly pause: boolean };

export interface Status {
  readonly id: string;
  readonly printed: readonly string[];
  readonly paused: boolean;
}

const { handle, id } = workerData as { handle: RegistryHandle; id: string };
const registry = Registry.attach(handle);

const printed: string[] = [];
let paused = false;

registry.messages.receive((command: Command) => {
  if ('print' in command) printed.push(command.print);
  else paused = command.pause;
});
registry.messages.serve((_request: 'status'): Status => ({ id, printed, paused }));

// Last: whoever finds the name, or the member, can talk to it.
registry.register('printer', id);
registry.groups.join('printers', { kind: 'printer', id });
