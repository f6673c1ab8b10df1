export const mainHelp = `Usage: rollcall <command> [options]

Commands:
  gateway      serve the tools of several MCP servers at one URL
  demo         a tour of the registry, which checks itself
  inspect      print what stands in the registry of a running process
  top          watch it live

Options:
  --help       show this, or the help of a command: rollcall gateway --help
  --version    show the version`;

export const demoHelp = `Usage: rollcall demo [options]

A tour of the registry, with real threads: six MCP servers, lookups from other threads, groups, bindings, messages,
the death of a thread and its replacement, a small benchmark. It takes a few seconds and checks each step.

Options:
  --help       show this

Exit code 1: a check failed. Colours are left out with NO_COLOR=1, and where the output is no terminal.`;

export const gatewayHelp = `Usage: rollcall gateway [options]

Serves the tools of several MCP servers at one URL, from several threads.
Without --config it starts three servers of its own to try: a calculator,
@modelcontextprotocol/server-everything and @modelcontextprotocol/server-memory.

Options:
  --config FILE      an mcp.json: { "mcpServers": { name: { "command": …, "args": […] } or { "url": … } } };
                     \${VAR} and \${VAR:-default} are replaced from the environment
  --port NUMBER      port to listen on (default 8808; 0 takes any free one)
  --host HOST        address or name to listen on (default 127.0.0.1: this machine only)
  --allow-host NAME  another name that clients may reach this server by; may be given several times
  --threads NUMBER   threads that serve (default: as many as there are cores)
  --help             show this
  --version          show the version

Health is told at GET /healthz. Ctrl-C (or SIGTERM) lets calls in flight finish; a second one ends at once.`;

const targets = `Options:
  --path FILE        where the process listens: the path of its registry.insight.serve({ path })
  --pid NUMBER       its process id, if it called registry.insight.serve() without a path
                     (default: the only process of this user that did)`;

export const inspectHelp = `Usage: rollcall inspect [options]

Prints once what stands in the registry of a running process: names by kind, owners by thread, groups,
counters, shards. The process has to listen: await registry.insight.serve().

${targets}
  --kind KIND        the names of a kind, and who owns them
  --id ID            with --kind: one name and its config
  --limit NUMBER     names printed at most (default 1000, at most 10000)
  --json             as JSON
  --help             show this`;

export const topHelp = `Usage: rollcall top [options]

Shows the registry of a running process live: rates, latencies, alarms, the busiest shards. q or Ctrl-C quits.
Where the output is no terminal, it prints one frame after the other. The process has to listen:
await registry.insight.serve().

${targets}
  --interval MS      milliseconds between two frames (default 1000, at least 100)
  --count NUMBER     frames after which it ends
  --help             show this`;
