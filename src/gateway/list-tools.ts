import type { Client, Tool } from '@modelcontextprotocol/client';
import { limits } from './limits.ts';
import { isTooDeep, tooDeep } from './nesting.ts';
import { rawResult } from './raw-result.ts';

/**
 * All tools of an upstream, page by page and bounded, exactly as it describes them: fields we do not know stay.
 * What is no tool at all (no name, no input schema) is left out and told to `onSkipped`.
 */
export async function listTools(
  client: Client,
  signal: AbortSignal,
  onSkipped: (what: string) => void,
): Promise<Tool[]> {
  if (client.getServerCapabilities()?.tools === undefined) return [];
  const tools = new Map<string, Tool>();
  let cursor: string | undefined;
  for (let page = 0; page < limits.toolPagesMax; page++) {
    const params = cursor === undefined ? {} : { cursor };
    const options = { signal, timeout: limits.housekeepingTimeoutMs };
    const result = await client.request({ method: 'tools/list', params }, rawResult, options);
    for (const tool of Array.isArray(result.tools) ? result.tools : []) {
      if (isTooDeep(tool)) onSkipped(`${isTool(tool) ? `tool "${tool.name}"` : 'a tool'}: ${tooDeep}`);
      else if (!isTool(tool))
        onSkipped(`a tool without a name or an input schema: ${JSON.stringify(tool).slice(0, 100)}`);
      else if (tools.has(tool.name)) onSkipped(`a second tool named "${tool.name}"`);
      else if (tools.size >= limits.toolsPerUpstreamMax) return cut(tools, onSkipped);
      else tools.set(tool.name, tool);
    }
    const next = result.nextCursor;
    // An empty cursor is a cursor: only its absence ends the list.
    if (typeof next !== 'string' || next === cursor) return [...tools.values()];
    cursor = next;
  }
  return cut(tools, onSkipped);
}

function cut(tools: Map<string, Tool>, onSkipped: (what: string) => void): Tool[] {
  onSkipped(
    `every tool after the first ${tools.size} (at most ${limits.toolsPerUpstreamMax} in ${limits.toolPagesMax} pages)`,
  );
  return [...tools.values()];
}

function isTool(value: unknown): value is Tool {
  if (typeof value !== 'object' || value === null) return false;
  const { name, inputSchema } = value as Partial<Tool>;
  return typeof name === 'string' && name !== '' && typeof inputSchema === 'object' && inputSchema !== null;
}
