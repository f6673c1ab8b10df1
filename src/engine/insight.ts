import { type Figures, readFigures } from './figures.ts';
import { InspectionServer, type ServeOptions } from './inspection-server.ts';
import type { Parts } from './parts.ts';
import { type PrometheusOptions, prometheusContentType, prometheusText } from './prometheus.ts';
import type { Registry } from './registry.ts';

/**
 * A registry seen from outside: in numbers, as metrics, over a local socket.
 * @example
 * createServer((request, response) => {
 *   response.setHeader('content-type', registry.insight.prometheusContentType);
 *   response.end(registry.insight.prometheusText());
 * });
 */
export class Insight {
  /** The `content-type` of `prometheusText`. */
  readonly prometheusContentType: string = prometheusContentType;
  readonly #parts: Parts;
  readonly #registry: Registry;
  readonly #servers = new Set<InspectionServer>();

  /** @internal Made by `registry.insight`. */
  constructor(parts: Parts, registry: Registry) {
    this.#parts = parts;
    this.#registry = registry;
  }

  /** All there is to say of the registry in numbers; the same in whichever thread. Looks at every record and owner, some
   *  100 ms for a million names: for people and scrapes, not for hot paths. @throws {RegistryError} `CLOSED`, `CORRUPT` */
  figures(): Figures {
    this.#parts.life.checkOpen();
    return readFigures(this.#parts.table, this.#registry);
  }

  /** The same in Prometheus' text format, to be mounted in an HTTP server of the application. One thread's scrape is enough.
   *  @throws {RegistryError} `INVALID_OPTION`, `CLOSED`, `CORRUPT` */
  prometheusText(options: PrometheusOptions = {}): string {
    return prometheusText(this.figures(), options);
  }

  /** Listens on a local socket for `rollcall inspect`, `rollcall top` and `Inspector`s, until it or the registry is closed. Only
   *  this user (and root) can connect. This thread answers, so not while it is blocked. Keeps no process alive.
   *  @throws {RegistryError} `INVALID_OPTION`, `CLOSED`; `INSPECTION_FAILED` when it cannot listen */
  async serve(options: ServeOptions = {}): Promise<InspectionServer> {
    this.#parts.life.checkOpen();
    const server = await InspectionServer.listen(this.#registry, options);
    this.#servers.add(server);
    if (this.#registry.closed) await this.end();
    this.#parts.life.checkOpen();
    return server;
  }

  /** @internal The registry is closed. */
  async end(): Promise<void> {
    await Promise.all([...this.#servers].map((server) => server.close()));
  }
}
