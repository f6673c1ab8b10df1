export const mainHelp = `Usage: rollcall <command> [options]

Commands:
  gateway      serve the tools of several MCP servers at one URL

Options:
  --help       show this, or the help of a command: rollcall gateway --help
  --version    show the version`;

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
