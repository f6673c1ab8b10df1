import { type Gateway, type GatewayEvent, type UpstreamStatus, version } from '../gateway/index.ts';
import { plural, printable } from '../gateway/text.ts';

/** What the gateway tells its user: progress and results on stdout, warnings and errors on stderr; always plain lines. */
export class GatewayReport {
  readonly #upstreams: number;
  readonly #threads: number;
  #stopping = false;

  constructor(upstreams: number, threads: number) {
    this.#upstreams = upstreams;
    this.#threads = threads;
  }

  starting(notes: string[]): void {
    console.log(
      `rollcall ${version}: starting ${plural(this.#upstreams, 'upstream')} on ${plural(this.#threads, 'thread')}`,
    );
    for (const note of notes) console.log(`  note: ${note}`);
  }

  event(event: GatewayEvent): void {
    if (event.type === 'log') {
      const line = `${new Date().toISOString()} ${event.level} ${printable(event.text)}`;
      if (event.level === 'info') console.log(line);
      else console.error(line);
    } else if (event.status.state === 'up' && !this.#stopping) {
      console.log(`  ${describe(event.status)}`);
    }
  }

  started(gateway: Gateway): void {
    const { upstreams, status } = gateway.health();
    const tools = upstreams.reduce((sum, upstream) => sum + upstream.tools, 0);
    const missing = upstreams.filter(({ state }) => state !== 'up');
    console.log(`
Serving ${plural(tools, 'tool')} at ${gateway.url}
Health: ${gateway.healthUrl} (${status})`);
    for (const { name, lastError } of missing)
      console.log(
        `Not up yet: ${name}${lastError === undefined ? '' : ` (${printable(lastError)})`}; it is tried again`,
      );
    console.log(`
Try:
  npx @modelcontextprotocol/inspector@2 --cli ${gateway.url} --method tools/list

Ctrl-C stops.`);
  }

  stopping(): void {
    this.#stopping = true;
    console.log('\nStopping: calls in flight may finish; once more ends at once.');
  }

  stopped(): void {
    console.log('Stopped.');
  }
}

function describe({ name, tools, thread, protocolVersion, restarts }: UpstreamStatus): string {
  const again = restarts === 0 ? '' : `, started again (${restarts})`;
  return `${name}: up, ${plural(tools, 'tool')}, owned by thread ${thread}, speaks ${protocolVersion ?? 'an unknown version'}${again}`;
}
